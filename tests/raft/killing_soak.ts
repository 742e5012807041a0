/** Real processes that are killed for as long as there is time. `bun run soak raft`. */
import { afterEach, test } from "bun:test";
import { assert } from "@std/assert";
import { seededRandom } from "../../base/mod.ts";
import { killAll } from "../support/processes.ts";
import { isSoaked, nowMs, SOAK_SEED, tellSoak } from "../support/soak.ts";
import { scratch } from "./cluster.ts";
import { Killing } from "./killing.ts";

afterEach(killAll);

test("three processes on disks are killed under load, and nothing that was told is lost", async () => {
  const killing = await Killing.start(scratch(), seededRandom(SOAK_SEED));
  const sinceMs = nowMs();
  await killing.run(() => isSoaked(sinceMs));
  await killing.end();
  const { told, unknown } = killing.account;
  tellSoak(`raft: ${killing.kills} kills, ${told.size} answers, ${unknown} in doubt`);
  assert(told.size > 0);
});
