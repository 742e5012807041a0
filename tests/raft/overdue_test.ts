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

  *snapshotSteps(prefix: Uint8Array): Generator<void, Uint8Array> {
    const snapshot = this.snapshot();
    while (this.isHeld) {
      this.steps++;
      yield;
    }
    const bytes = new Uint8Array(prefix.length + snapshot.length);
    bytes.set(prefix);
    bytes.set(snapshot, prefix.length);
    return bytes;
  }
}

test("commands go on while a snapshot is taken; above its limit the log takes none until it is", async () => {
  const machine = new Slow();
  const snapshotBytes = 100_000;
  const replica = await openReplica({ group: "counter", machine, snapshotBytes });
  try {
    await eventually("the node leads", () => replica.status().role === "leader");
    // A segment, for eight times the threshold of snapshots is less.
    const command = new Uint8Array(50_000);
    command[0] = 1;
    let sent = 0;
    const send = async (): Promise<void> => {
      while (sent < (2 * SEGMENT_BYTES) / command.length) {
        assertEquals(sumIn(await replica.submit(command)), ++sent);
      }
    };
    const error = await assertRejects(send, ReplicaError);
    assertEquals(error.code, "overloaded");
    assert(machine.steps > 10, `${machine.steps} steps`);
    const bytes = sent * command.length;
    assert(bytes > 0.99 * SEGMENT_BYTES && bytes < 1.01 * SEGMENT_BYTES, `${bytes} bytes`);
    assertEquals(replica.status().snapshotIndex, 0);
    machine.isHeld = false;
    await eventually("the snapshot", () => replica.status().snapshotIndex > 0);
    for (let i = 0; i < 10; i++) assertEquals(sumIn(await replica.submit(command)), ++sent);
    await replica.read();
    assertEquals(machine.sum, sent);
  } finally {
    await replica.close();
  }
});
