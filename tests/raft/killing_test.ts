/** Real processes that are killed; `bun run soak raft` does the same for a minute and more. */
import { afterEach, describe, test } from "bun:test";
import { assert } from "@std/assert";
import { seededRandom } from "../../base/mod.ts";
import { killAll } from "../support/processes.ts";
import { scratch } from "./cluster.ts";
import { Killing } from "./killing.ts";

/** Kills after which it is enough. */
const KILLS = 4;

afterEach(killAll);

describe("three processes on disks, killed at random under load", () => {
  test("every acknowledged command is where it was told to be, on every node, and once", async () => {
    const killing = await Killing.start(scratch(), seededRandom(5));
    await killing.run(() => killing.kills >= KILLS);
    await killing.end();
    assert(killing.account.told.size > 150, `${killing.account.told.size} answers`);
  });
});
