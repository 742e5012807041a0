/** What a server with a disk keeps, and what it shows: on simulated disks, which lose and fail. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { StoredState, StoreEffect, StoreInput } from "../../base/store.ts";
import { List } from "../../textkv/list.ts";
import { Lists } from "../../textkv/lists.ts";
import { type Limits, TextCore } from "../../textkv/mod.ts";
import { SnapshotReader, SnapshotWriter } from "../../textkv/snapshot.ts";
import { runLives } from "./lives.ts";
import { VirtualServer } from "./virtual.ts";

const NOTHING: StoredState = {
  meta: undefined,
  snapshot: undefined,
  records: { first: 1, next: 1, at: () => new Uint8Array() },
};

/** A server on a disk that does nothing by itself: the test says what becomes of each request. */
function served(stored: StoredState = NOTHING, limits: Partial<Limits> = {}) {
  const asked: StoreEffect[] = [];
  const server = new VirtualServer(limits, stored, (effect) => asked.push(effect)).begin();
  const tell = (input: StoreInput): void => {
    server.core.handle(input, server.nowMs);
    server.connect().kill();
  };
  return { server, asked, tell };
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("a server with a disk", () => {
  test("records each line that changes something, a turn's in one step, and no other", () => {
    const { server, asked } = served();
    const client = server.connect();
    client.send("Put:a:1\r\nGet:a\nPut:a:2\nDelete:none\nwhat\nUpdate:b:x:y:z\n");
    client.send("Delete:a\n");
    const stores = asked.map((effect) => {
      assert(effect.kind === "store");
      return [effect.token, effect.log!.at, effect.log!.records.map(textOf)];
    });
    assertEquals(stores, [
      [3, 1, ["Put:a:1", "Put:a:2", "Update:b:x:y:z"]],
      [4, 4, ["Delete:a"]],
    ]);
    const [first, second] = asked;
    assert(first?.kind === "store" && second?.kind === "store");
    assertEquals([textOf(first.meta!), second.meta], ["textkv records 1", undefined]);
  });

  test("shows nothing that is not durable, nor that something is gone that may come again", () => {
    const { server, tell } = served();
    const [one, other] = [server.connect(), server.connect()];
    one.send("Put:a:1\n");
    other.send("Put:b:2\nGet:b\nGet:a\n");
    one.send("Get:none\nGet:a\n");
    assertEquals([one.lines, other.lines], [[], []]);
    tell({ kind: "stored", token: 1 });
    assertEquals([one.lines, other.lines], [["a:1"], []]);
    tell({ kind: "stored", token: 2 });
    assertEquals(other.lines, ["b:2", "a:1"]);
    one.send("Delete:a\n");
    // The silence on a would be seen by the answer on b.
    other.send("Get:a\nGet:b\n");
    one.send("Get:b\n");
    assertEquals(
      [one.lines, other.lines],
      [
        ["a:1", "b:2"],
        ["b:2", "a:1"],
      ],
    );
    tell({ kind: "stored", token: 3 });
    assertEquals(other.lines, ["b:2", "a:1", "b:2"]);
  });

  test("an answer that waits for the disk is not the reader's fault: nothing is dropped", () => {
    const { server, tell } = served();
    const client = server.connect();
    client.send(`${"Put:a:1\n".repeat(700)}Get:a\nGet:a\n`).end();
    server.advance(60 * 60_000);
    assertEquals([client.lines, server.core.counts().droppedLines], [[], 0]);
    tell({ kind: "stored", token: 700 });
    assertEquals([client.lines.length, client.isClosed], [1400, true]);
  });

  test("changes wait while too many are not durable; reads do not", () => {
    const { server, tell, asked } = served(NOTHING, { unsavedBytesMax: 1000 });
    const [writer, reader] = [server.connect(), server.connect()];
    reader.send("Put:r:old\n");
    tell({ kind: "stored", token: 1 });
    writer.send(`Put:w:${"x".repeat(2000)}\nPut:w:second\nGet:w\n`);
    reader.send("Get:r\nPut:r:new\nGet:r\n");
    assertEquals([server.core.counts().values, asked.length], [2, 2]);
    assertEquals(reader.lines, ["r:old"]);
    tell({ kind: "stored", token: 2 });
    assertEquals(server.core.counts().values, 4);
    tell({ kind: "stored", token: 4 });
    assertEquals([writer.lines.length, reader.lines], [2, ["r:old", "r:old", "r:new"]]);
  });

  test("says when its disk is full and when it is not any more; a failure is the end", () => {
    const { server, tell } = served();
    tell({ kind: "disk", state: "full", reason: "no space on d" });
    assertEquals(server.core.counts().disk, "full");
    tell({ kind: "disk", state: "ready", reason: "space on d" });
    tell({ kind: "disk", state: "failed", reason: "EIO" });
    const said = ["no space on d; changes wait", "space on d; changes go on", "failed: EIO"];
    assertEquals([server.said, server.core.counts().disk], [said, "ready"]);
    assertEquals(new VirtualServer().core.counts().disk, "none");
  });

  test("does not begin on what it does not know, and says why in one line", () => {
    const of = (part: Partial<StoredState>): StoredState => ({ ...NOTHING, ...part });
    const records = (...lines: string[]): StoredState["records"] => ({
      first: 1,
      next: lines.length + 1,
      at: (index) => Buffer.from(lines[index - 1]!),
    });
    const snapshot = (bytes: number[]): StoredState["snapshot"] => {
      return { index: 1, size: bytes.length, about: undefined, bytes: Uint8Array.from(bytes) };
    };
    const wrong: [StoredState, string][] = [
      [of({ meta: Buffer.from("textkv records 2") }), 'it has "textkv records 2", this program'],
      [of({ records: records("Put:a:1", "Sort:a") }), "its record 2 is no request (unknown)"],
      [of({ snapshot: snapshot([2]) }), "its snapshot has version 2, this program knows 1"],
      [of({ snapshot: snapshot([1, 1, 0, 0, 0]) }), "ends in the middle"],
      [of({ snapshot: snapshot([]) }), "ends in the middle"],
    ];
    for (const [state, why] of wrong) {
      const { message } = assertThrows(() => new TextCore({}, state), Error, why);
      assertEquals(message.split("\n").length, 1);
    }
  });

  test("takes what the disk has though it is more than the limit of today", () => {
    const value = "v".repeat(1000);
    const state: StoredState = {
      ...NOTHING,
      records: { first: 1, next: 11, at: () => Buffer.from(`Put:k:${value}`) },
    };
    const { server } = served(state, { storeBytesMax: 5000 });
    assertEquals([server.isRestored, server.core.counts().values], [true, 10]);
    const client = server.connect();
    client.send("Put:k:more\nGet:k\n");
    assertEquals(server.core.counts().ignored.full, 1);
    assertEquals(client.lines.length, 10);
  });
});

describe("snapshots", () => {
  const step = fc.record({
    kind: fc.constantFrom("put", "put", "update", "delete", "part", "part"),
    key: fc.integer({ min: 0, max: 12 }),
    value: fc.constantFrom("", "a", "b", "ÿ\0".repeat(60)),
  });
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

  /** Applies a step as the record `index` of a log. */
  const apply = (lists: Lists, { kind, key, value }: Step, index: number): void => {
    const name = `key${key}`;
    if (kind === "put") lists.put(name, value, index);
    else if (kind === "update") lists.update(name, "a", value, index);
    else if (kind === "delete") lists.delete(name, index);
  };
  const all = (lists: Lists): [string, string[]][] =>
    [...(lists.entries() as IterableIterator<[string, List]>)]
      .map(([key, list]): [string, string[]] => [key, [...list]])
      .toSorted(([a], [b]) => (a < b ? -1 : 1));

  test("taken while lists change, and the log behind them, give the lists again", () => {
    let parted = 0;
    const run = (steps: Step[], begin: number, cut: number): void => {
      const lists = new Lists(Infinity);
      const parts: Uint8Array[] = [];
      let writer: SnapshotWriter | undefined;
      let isWhole = false;
      for (const [i, one] of steps.entries()) {
        if (i === begin % steps.length) writer = new SnapshotWriter(lists, 60);
        if (one.kind !== "part") apply(lists, one, i + 1);
        else if (writer !== undefined && !isWhole) {
          const { bytes, isLast } = writer.next();
          parts.push(bytes);
          isWhole = isLast;
        }
      }
      while (!isWhole) {
        const { bytes, isLast } = writer!.next();
        parts.push(bytes);
        isWhole = isLast;
      }
      parted += parts.length > 2 ? 1 : 0;
      const restored = new Lists(Infinity);
      const reader = new SnapshotReader(restored);
      const bytes = Buffer.concat(parts);
      const size = 1 + (cut % 100);
      for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
      reader.end();
      for (const [i, one] of steps.entries()) {
        const has = (restored.get(`key${one.key}`)?.changedAt ?? 0) >= i + 1;
        if (i >= begin % steps.length && !has) apply(restored, one, i + 1);
      }
      assertEquals(all(restored), all(lists));
      assertEquals(restored.bytes, lists.bytes);
    };
    const steps = fc.array(step, { minLength: 1, maxLength: 120 });
    fc.assert(fc.property(steps, fc.nat(), fc.nat(), run), { numRuns: 300 });
    assert(parted > 20, `only ${parted} snapshots had parts: nothing was tried`);
  });

  test("come to an end though keys go and come for ever, and give back what they viewed", () => {
    const lists = new Lists(Infinity);
    for (let i = 0; i < 50; i++) lists.put(`key${i}`, "x".repeat(100_000), i + 1);
    const writer = new SnapshotWriter(lists, 1 << 20);
    let parts = 1;
    for (; !writer.next().isLast; parts++) {
      for (let i = 0; i < 50; i++) {
        lists.delete(`key${i}`, 100);
        lists.put(`key${i}`, "x".repeat(100_000), 101);
      }
    }
    assert(parts <= 10, `${parts} parts`);
    for (let i = 0; i < 50; i++) lists.delete(`key${i}`);
    assertEquals(lists.bytes, 0);
  });

  test("are not whole before all that is in them is durable", () => {
    const { server, asked, tell } = served(NOTHING, {
      snapshotLogBytes: 5000,
      snapshotPartBytes: 99,
    });
    const writer = server.connect();
    for (let i = 0; i < 10; i++) writer.send(`Put:k${i}:first\n`);
    let index = 10;
    while (!asked.some(({ kind }) => kind === "save")) {
      writer.send(`Update:k0:${index}:${index + 1}\n`);
      tell({ kind: "stored", token: ++index });
      assert(index < 1000, "no snapshot");
    }
    // Something changes while parts are taken, and is not durable.
    writer.send("Put:k9:young\n");
    for (let turn = 0; turn < 50; turn++) {
      const save = asked.findLast((effect) => effect.kind === "save")!;
      assert(save.kind === "save" && save.last === undefined && save.index === index);
      tell({ kind: "saved", token: save.token });
      if (asked.findLast((effect) => effect.kind === "save") === save) break;
    }
    tell({ kind: "stored", token: index + 1 });
    const last = asked.findLast((effect) => effect.kind === "save")!;
    assert(last.kind === "save" && last.last?.log === "keep");
  });
});

test("through crashes and power cuts whatever a Get has shown stays, and nothing else comes", () => {
  let snapshots = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const lives = runLives(seed);
    assert(lives.shown > 50, `seed ${seed}: ${lives.shown} lines were shown`);
    snapshots += lives.snapshots;
  }
  assert(snapshots > 3, `only ${snapshots} disks had a snapshot: nothing was tried`);
});

test("of a key that a snapshot has twice, the later list is the true one", () => {
  const bytesOf = (...values: string[]): Uint8Array => {
    const lists = new Lists(Infinity);
    for (const value of values) lists.put("k", value, values.length);
    return new SnapshotWriter(lists, 1000).next().bytes;
  };
  const restored = new Lists(Infinity);
  const reader = new SnapshotReader(restored);
  reader.read(bytesOf("old", "older"));
  reader.read(bytesOf("new", "newer", "newest").subarray(1));
  reader.end();
  assertEquals([...restored.get("k")!], ["new", "newer", "newest"]);
});

test("a part of a snapshot that says less than a list is not taken for one", () => {
  const lists = new Lists(Infinity);
  lists.put("k", "v", 1);
  const { bytes } = new SnapshotWriter(lists, 1000).next();
  const reader = new SnapshotReader(new Lists(Infinity));
  reader.read(bytes.subarray(0, bytes.length - 1));
  const { message } = assertThrows(() => reader.end(), Error);
  assertStringIncludes(message, "ends in the middle of a list");
});
