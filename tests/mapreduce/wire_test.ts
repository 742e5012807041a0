/** Map-reduce messages on the wire: what is written is read, and what is broken is no message. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { decodeAbout, encodeAbout } from "../../mapreduce/about.ts";
import type { Item, JobTerms, MapReduceMessage } from "../../work/mapreduce_messages.ts";
import { ENCODED_BYTES_MAX } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

const count = fc.nat(2 ** 31 - 1);
const size = fc.nat(Number.MAX_SAFE_INTEGER);
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex());
const part = fc.record({ bytes: size, hash });
const source = fc.record({ holder: count, bytes: size, hash });
const key = fc.oneof(hash, fc.constant(""));
const at = fc.string({ unit: "grapheme-ascii", maxLength: 100 });
const port = fc.nat(0xffff);
const terms: fc.Arbitrary<JobTerms> = fc.record({
  application: text,
  reducers: fc.nat(1000),
  skipBad: fc.boolean(),
  asRecords: fc.boolean(),
  sortMib: count,
  timeoutMs: count,
  memoryMib: count,
  share: key,
  out: text,
  keep: fc.boolean(),
});
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ kind: fc.constantFrom("about", "split", "output"), index: count }),
  fc.constant({ kind: "code" as const }),
  fc.record({ kind: fc.constant("part" as const), index: count, reduce: count }),
);

const shared = fc.record({ path: text, from: size, fileBytes: size, modifiedMs: size });

function kind<K extends MapReduceMessage["kind"]>(
  name: K,
  fields: {
    [F in keyof Omit<Extract<MapReduceMessage, { kind: K }>, "kind">]: fc.Arbitrary<unknown>;
  },
): fc.Arbitrary<MapReduceMessage> {
  const all = fc.record<object>({ kind: fc.constant(name), ...fields });
  return all as fc.Arbitrary<MapReduceMessage>;
}

const flag = fc.boolean();
const sources = fc.array(source, { maxLength: 40 });
const message = fc.oneof(
  kind("mr-submit", { job: count, terms, maps: count, port, key }),
  kind("mr-splits", { job: count, first: count, sizes: fc.array(size, { maxLength: 40 }) }),
  kind("mr-final", { job: count, reduce: count, good: flag }),
  kind("mr-status", {
    job: count,
    mapsDone: count,
    reducesDone: count,
    bytesDone: size,
    failures: count,
    workers: count,
  }),
  kind("mr-output", { job: count, reduce: count, source, at }),
  kind("mr-done", { job: count }),
  kind("mr-failed", { job: count, reason: text }),
  kind("mr-note", { job: count, text }),
  kind("mr-offer", { code: flag, tasks: count, port }),
  kind("mr-progress", { task: count, bytes: size, runs: flag }),
  kind("mr-mapped", { task: count, parts: fc.array(part, { maxLength: 40 }), note: text }),
  kind("mr-reduced", { task: count, output: part, note: text }),
  kind("mr-ended", {
    task: count,
    why: fc.constantFrom("stopped", "threw", "died", "missing", "declined"),
    text,
    map: count,
    holder: count,
  }),
  kind("mr-map", {
    task: count,
    uid: count,
    terms,
    index: count,
    bytes: size,
    holder: count,
    at,
    key,
  }),
  kind("mr-reduce", {
    task: count,
    uid: count,
    terms,
    index: count,
    maps: count,
    holder: count,
    at,
    key,
  }),
  kind("mr-sources", { task: count, first: count, sources }),
  kind("mr-forget", { uid: count }),
  kind("mr-get", {
    id: count,
    holder: count,
    job: count,
    item,
    offset: size,
    length: fc.nat(65536),
  }),
  kind("mr-asked", { id: count, job: count, item, offset: size, length: fc.nat(65536) }),
  kind("mr-peers", {
    task: count,
    peers: fc.array(fc.record({ holder: count, at }), { maxLength: 40 }),
  }),
  kind("mr-attach", {
    job: count,
    id: count,
    key,
    wish: fc.constantFrom("look", "follow", "cancel"),
    port,
  }),
  kind("mr-attached", {
    job: count,
    id: count,
    application: text,
    maps: count,
    reducers: count,
    keep: flag,
    isSupplied: flag,
  }),
  kind("mr-want", {
    id: count,
    name: key,
    job: count,
    item,
    offset: size,
    length: fc.nat(65536),
  }),
  kind("mr-piece", { id: count, found: flag, bytes: fc.uint8Array({ maxLength: 300 }) }),
);

describe("map-reduce messages", () => {
  test("are read as they were written", () => {
    fc.assert(
      fc.property(message, (given) => assertEquals(decodeMessage(encodeMessage(given)), given)),
      { numRuns: 1000 },
    );
  });

  test("that are broken anywhere are another message, or none, and never an exception", () => {
    const broken = fc.tuple(message, fc.nat(), fc.nat(255), fc.boolean());
    fc.assert(
      fc.property(broken, ([given, at, byte, isCut]) => {
        const bytes = encodeMessage(given);
        const where = at % bytes.length;
        if (isCut) return void decodeMessage(bytes.subarray(0, where));
        bytes[where] = byte;
        decodeMessage(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("the largest fit into what a server takes", () => {
    const full = { holder: 2 ** 32 - 1, bytes: Number.MAX_SAFE_INTEGER, hash: "f".repeat(64) };
    const rows = (n: number): (typeof full)[] => Array.from({ length: n }, () => full);
    const peer = { holder: 2 ** 32 - 1, at: "h".repeat(100) };
    const largest: MapReduceMessage[] = [
      { kind: "mr-peers", task: 2 ** 32 - 1, peers: Array.from({ length: 100 }, () => peer) },
      { kind: "mr-piece", id: 2 ** 32 - 1, found: true, bytes: new Uint8Array(65536) },
      { kind: "mr-sources", task: 2 ** 32 - 1, first: 2 ** 32 - 1, sources: rows(1400) },
      { kind: "mr-mapped", task: 2 ** 32 - 1, parts: rows(1000), note: "n".repeat(8192) },
      { kind: "mr-splits", job: 1, first: 0, sizes: rows(8000).map(({ bytes }) => bytes) },
    ];
    for (const each of largest) {
      const bytes = encodeMessage(each);
      assert(bytes.length <= ENCODED_BYTES_MAX, `${each.kind} has ${bytes.length} bytes`);
      assert(typeof decodeMessage(bytes) === "object", `${each.kind} is not read`);
    }
  });

  test("what a client says of a split is read as it was written", () => {
    fc.assert(
      fc.property(text, size, fc.option(shared), (name, firstLine, place) => {
        const about = { name, firstLine, ...(place !== null && { shared: place }) };
        assertEquals(decodeAbout(encodeAbout(about)), about);
      }),
    );
    assertEquals(decodeAbout(Uint8Array.of(0xff)), undefined);
  });
});
