/** Servers that are killed: one that goes on with what its disk kept, and the leader of three. */
import { afterAll, beforeAll } from "bun:test";
import { killAll, knowKernels } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { loseTheLeader } from "./cluster_rounds.ts";
import { crashRounds } from "./crash_rounds.ts";

beforeAll(knowKernels);
afterAll(killAll);

const test = sideBySide();

test("kill -9 of the server in the middle of jobs: every client gets the right answer", () =>
  crashRounds(1));

test("kill -9 of the leader of three: every client gets the right answer, classic ones too", () =>
  loseTheLeader(1_000_000n));
