/** A node on a disk that is full, fails, or takes no more writes: on real files, through faults. */
import { afterEach, describe, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { openReplica, type Replica, ReplicaError } from "../../raft/mod.ts";
import { Counter, sumIn } from "./cluster.ts";
import { FaultyFiles } from "../support/disks.ts";
import { leftovers } from "../support/leftovers.ts";
import { eventually, within } from "../support/waiting.ts";

const open: Replica[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((replica) => replica.close().catch(() => {})));
});

/** A node alone, on a directory of its own, and what stands between it and its files. */
class Node {
  readonly directory: string = mkdtempSync(join(tmpdir(), "motherlode-faults-"));
  readonly files: FaultyFiles = new FaultyFiles();
  readonly log: string[] = [];
  replica!: Replica;

  constructor() {
    leftovers.add(this.directory);
  }

  async open(): Promise<Counter> {
    const counter = new Counter();
    const { directory, files, log } = this;
    this.replica = await openReplica({
      group: "counter",
      machine: counter,
      directory,
      between: files.between,
      log: (text) => log.push(text),
    });
    open.push(this.replica);
    await this.leads();
    return counter;
  }

  leads(): Promise<void> {
    return eventually("the node leads", () => this.replica.status().role === "leader");
  }

  async add(value: number): Promise<number> {
    return sumIn(await this.replica.submit(Uint8Array.of(value)));
  }
}

describe("a node whose disk is full", () => {
  test("refuses commands with the reason, and goes on when there is space", async () => {
    const node = new Node();
    await node.open();
    assertEquals(await node.add(1), 1);
    node.files.isFull = true;
    // A snapshot is what needs room first; half a segment of the log is kept for the end.
    node.replica.snapshot();
    await eventually("the disk is full", () => node.log.some((line) => line.includes("ENOSPC")));
    const error = await assertRejects(() => node.add(2), ReplicaError);
    assertEquals([error.code, error.message], ["disk full", "the disk of this node is full"]);
    node.files.isFull = false;
    await eventually("there is space", () => node.log.some((line) => line.includes("space again")));
    await node.leads();
    assertEquals(await node.add(4), 5);
    await node.replica.close();
    await node.open();
    assertEquals(await node.add(8), 13);
  });

  test("and takes no write at all: what was under way is done when there is space", async () => {
    const node = new Node();
    await node.open();
    await node.add(1);
    node.files.copiesOnWrite = true;
    node.files.isFull = true;
    const waiting = node.add(2).catch((error: ReplicaError) => error.code);
    const isFull = (): boolean => node.log.some((line) => line.includes("ENOSPC"));
    await eventually("the disk is full", isFull);
    await assertRejects(() => node.add(4), ReplicaError);
    node.files.isFull = false;
    // A node that cannot write gives up its lead; what is in its log is done when it leads again.
    assertEquals(await within("the command that waited", waiting), "unknown");
    await node.leads();
    assertEquals(await node.add(8), 11);
  });
});

describe("a node whose disk fails", () => {
  for (const [what, failure] of [
    ["a write that fails", { op: "write", file: "log-", isFull: false }],
    ["a sync that fails", { op: "sync", file: "log-", isFull: false }],
    ["a sync that finds no space", { op: "sync", file: "log-", isFull: true }],
    ["a disk that is read-only now", { op: "write", file: "log-", isFull: false, error: "EROFS" }],
  ] as const) {
    test(`by ${what}, ends with one line, and nothing acknowledged is lost`, async () => {
      const node = new Node();
      await node.open();
      assertEquals(await node.add(1), 1);
      node.files.failure = failure;
      const refused = await assertRejects(() => node.add(2), ReplicaError);
      assert(refused.code === "stopped" || refused.code === "unknown", refused.code);
      const error = await assertRejects(() => within("its end", node.replica.closed), Error);
      assertStringIncludes(error.message, `cannot ${failure.op} log-`);
      assert(!error.message.includes("\n"), error.message);
      const after = await assertRejects(() => node.add(4), ReplicaError);
      assertEquals(after.code, "stopped");
      await node.open();
      // Of the one that was under way nobody was told anything.
      const sum = await node.add(8);
      assert(sum === 9 || sum === 11, `${sum}`);
    });
  }
});
