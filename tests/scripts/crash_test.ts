/** A server that is killed, and goes on with what its disk kept. */
import { afterAll, test } from "bun:test";
import { killAll } from "../support/processes.ts";
import { crashRounds } from "./crash_rounds.ts";

afterAll(killAll);

test("kill -9 of the server in the middle of jobs: every client gets the right answer", () =>
  crashRounds(1));
