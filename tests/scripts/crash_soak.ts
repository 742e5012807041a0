/** Twenty rounds of what crash_test.ts does twice. */
import { afterAll, test } from "bun:test";
import { killAll } from "../support/processes.ts";
import { tellSoak } from "../support/soak.ts";
import { crashRounds } from "./crash_rounds.ts";

afterAll(killAll);

const ROUNDS = 20;

test("kill -9 of the server, over and over: every client gets the right answer", async () => {
  await crashRounds(ROUNDS);
  tellSoak(`the server was killed ${ROUNDS} times`);
});
