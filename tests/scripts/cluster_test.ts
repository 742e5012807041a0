/** Three servers of which the leader is killed. */
import { afterAll, test } from "bun:test";
import { killAll } from "../support/processes.ts";
import { loseTheLeader } from "./cluster_rounds.ts";

afterAll(killAll);

test("kill -9 of the leader of three: every client gets the right answer, classic ones too", () =>
  loseTheLeader(1_000_000n));
