/** Snapshots that take long: commands go on meanwhile, and the log has a limit. */
import { test } from "bun:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openReplica, ReplicaError } from "../../raft/mod.ts";
import { SEGMENT_BYTES } from "../../run/disk_open.ts";
import { eventually } from "../support/waiting.ts";
import { Counter, sumIn } from "./cluster.ts";

/** Takes a snapshot in steps, the last of them when it is let go. */
class Slow extends Counter {
  isHeld = true;
  steps = 0;

  *snapshotSteps(): Generator<Uint8Array, Uint8Array> {
    const snapshot = this.snapshot();
    while (this.isHeld) {
      this.steps++;
      yield new Uint8Array(0);
    }
    return snapshot;
  }
}

test("commands go on while a snapshot is taken; above its limit the log takes none until it is", async () => {
  const machine = new Slow();
  const snapshotBytes = 100_000;
  const replica = await openReplica({ group: "counter", machine, snapshotBytes });
  try {
    await eventually("the node leads", () => replica.status().role === "leader");
    const command = new Uint8Array(50_000);
    command[0] = 1;
    const send = (): Promise<number> => replica.submit(command).then(sumIn);
    // A segment is the limit here: eight times the threshold of snapshots would be less.
    const most = Math.floor(SEGMENT_BYTES / command.length);
    for (let i = 1; i <= most; i++) assertEquals(await send(), i);
    // What comes at once is taken at once, so that this goes beyond the limit by far.
    await Promise.all(Array.from({ length: 15 }, send));
    const sent = most + 15;
    const refused = await assertRejects(send, ReplicaError);
    assertEquals(refused.code, "overloaded");
    assert(machine.steps > 10, `${machine.steps} steps`);
    assertEquals(replica.status().snapshotIndex, 0);
    machine.isHeld = false;
    // The one that was held lets go of little; without being asked, the node takes another.
    await eventually("a snapshot of all", () => replica.status().snapshotIndex > sent);
    for (let i = 1; i <= 10; i++) assertEquals(await send(), sent + i);
    await replica.read();
    assertEquals(machine.sum, sent + 10);
  } finally {
    await replica.close();
  }
});
