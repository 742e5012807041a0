/** What nodes say to each other: it is read as it was written, and nothing else is read. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { encodeCbor } from "../../base/cbor.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  isFrame,
  PEER_VERSION,
} from "../../raft/greeting.ts";
import {
  type Config,
  DEFAULT_PARAMS,
  type Entry,
  type Message,
  NUMBER_MAX,
} from "../../raft/mod.ts";
import { decodeRecord, encodeRecord } from "../../raft/records.ts";
import { decodeWire, encodeWire, WIRE_BYTES_MAX, WireEncoder } from "../../raft/wire.ts";

const RUNS = 300;

const number = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 2 ** 32 - 2, max: 2 ** 32 + 2 }),
  fc.integer({ min: 0, max: NUMBER_MAX - 1 }),
);
const id = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const bytes = fc.uint8Array({ maxLength: 300 });
const ids = fc.uniqueArray(id, { maxLength: 16 });
const config: fc.Arbitrary<Config> = fc.record({
  voters: fc.uniqueArray(id, { minLength: 1, maxLength: 16 }),
  outgoing: ids,
  learners: ids,
});
const NONE = new Uint8Array(0);
const body = fc.oneof(
  fc.record({ kind: fc.constant("command" as const), data: bytes, config: fc.constant(undefined) }),
  fc.record({ kind: fc.constant("config" as const), data: fc.constant(NONE), config }),
  fc.record({
    kind: fc.constant("empty" as const),
    data: fc.constant(NONE),
    config: fc.constant(undefined),
  }),
);
const entry: fc.Arbitrary<Entry> = fc
  .tuple(body, number, number)
  .map(([rest, index, term]) => ({ index, term, ...rest }));

/** Entries as an append has them: of consecutive indexes. */
function append(prevIndex: number): fc.Arbitrary<Message> {
  return fc
    .record({ term: number, prevTerm: number, commit: number, entries: fc.array(entry) })
    .map(({ entries, ...rest }) => ({
      kind: "append",
      prevIndex,
      ...rest,
      entries: entries.map((each, i) => ({ ...each, index: prevIndex + 1 + i })),
    }));
}

function of<Kind extends Message["kind"]>(
  kind: Kind,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Message> {
  return fc.record({ term: number, ...fields }).map((rest) => ({ kind, ...rest }) as Message);
}

const meta = fc.record({ index: number, term: number, config, size: number });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.nat(NUMBER_MAX - 100).chain(append),
  of("appended", { index: number }),
  of("refused", {
    prevIndex: number,
    conflictTerm: number,
    conflictIndex: number,
    lastIndex: number,
    blank: fc.boolean(),
  }),
  of("heartbeat", { commit: number, round: number }),
  of("heard", { round: number }),
  of("vote", { pre: fc.boolean(), transfer: fc.boolean(), lastIndex: number, lastTerm: number }),
  of("voted", { pre: fc.boolean(), granted: fc.boolean() }),
  of("takeOver", {}),
  of("snapshot", { meta, offset: number, data: bytes }),
  of("chunked", { index: number, offset: number }),
  of("askRead", { batch: number }),
  of("readAt", { batch: number, index: number }),
);

describe("messages on the wire", () => {
  test("every message is read as it was written", () => {
    fc.assert(
      fc.property(message, (sent) => assertEquals(decodeWire(encodeWire(sent)), sent)),
      { numRuns: 4 * RUNS },
    );
  });

  test("a message that goes to several nodes is encoded once", () => {
    const encoder = new WireEncoder();
    const first: Message = { kind: "heartbeat", term: 1, commit: 2, round: 3 };
    const payload = encoder.encode(first);
    assertEquals(payload, encodeWire(first));
    assert(encoder.encode(first) === payload);
    const second: Message = { ...first, round: 4 };
    assertEquals(encoder.encode(second), encodeWire(second));
  });

  test("the largest append fits, with room for its header", () => {
    const { entryBytesMax, appendBytesMax } = DEFAULT_PARAMS;
    const large = new Uint8Array(entryBytesMax);
    const common = { term: 2 ** 50, kind: "command", config: undefined } as const;
    const small = Array.from({ length: Math.floor(appendBytesMax / 32) }, (_, i) => {
      return { ...common, index: 2 ** 51 + i, data: NONE };
    });
    for (const entries of [small, [{ ...common, index: 2 ** 51, data: large }]]) {
      const prevIndex = 2 ** 51 - 1;
      const [term, prevTerm, commit] = [2 ** 50, 2 ** 50, prevIndex];
      const sent = { kind: "append", term, prevIndex, prevTerm, commit, entries } as const;
      const payload = encodeWire(sent);
      assert(payload.length <= WIRE_BYTES_MAX);
      assertEquals(decodeWire(payload), sent);
    }
  });

  test("what is cut off, changed or longer is refused or read as something whole; never thrown", () => {
    const change = fc.tuple(message, fc.nat(), fc.nat(255), fc.nat(3));
    fc.assert(
      fc.property(change, ([sent, at, value, what]) => {
        const payload = encodeWire(sent);
        const place = at % payload.length;
        const changed = [...payload];
        if (what === 0) changed.splice(place);
        else if (what === 1) changed.push(value);
        else if (what === 2) changed.splice(place, 1);
        else changed[place] = value;
        const got = decodeWire(Uint8Array.from(changed));
        if (what < 2) assertEquals(typeof got, "string");
        // Whatever it was taken for, it is said in the same bytes.
        if (typeof got !== "string") assert(encodeWire(got).length <= WIRE_BYTES_MAX);
      }),
      { numRuns: 4 * RUNS },
    );
  });

  test("numbers out of range, unknown types and too much are refused", () => {
    const refuse = (payload: Uint8Array, why: string): void => {
      assertEquals(decodeWire(payload), why);
    };
    refuse(encodeCbor([2, BigInt(NUMBER_MAX), 1]), "malformed message");
    refuse(encodeCbor([2, 1, BigInt(NUMBER_MAX)]), "malformed message");
    refuse(encodeCbor([99, 1, 1]), "unknown message type");
    refuse(encodeCbor(["append"]), "unknown message type");
    refuse(encodeCbor([2, 1, 1, 1]), "malformed message");
    refuse(new Uint8Array(WIRE_BYTES_MAX + 1), "too large");
    refuse(Uint8Array.of(0xff), "not a plain CBOR array");
    // An entry that claims to be longer than the packet of them all.
    refuse(encodeCbor([1, 1, 0, 0, 0, Uint8Array.of(1, 1, 9, 1)]), "malformed message");
    // A configuration without a voter.
    refuse(
      encodeCbor([1, 1, 0, 0, 0, Uint8Array.of(2, 1, 4, 0x83, 0x80, 0x80, 0x80)]),
      "malformed message",
    );
    // A number that is not in its shortest form.
    refuse(encodeCbor([1, 1, 0, 0, 0, Uint8Array.of(1, 0x81, 0, 0)]), "malformed message");
  });
});

describe("records of the log", () => {
  test("every entry is read as it was written", () => {
    fc.assert(
      fc.property(entry, (each) => {
        assertEquals(decodeRecord(encodeRecord(each), each.index, 16), each);
      }),
      { numRuns: RUNS },
    );
  });

  test("a command costs two bytes beside itself in early terms", () => {
    const data = new Uint8Array(139);
    const command = { index: 7, term: 100, kind: "command", data, config: undefined } as const;
    assertEquals(encodeRecord(command).length, 141);
  });
});

describe("greetings", () => {
  const name = "0123456789abcdef";
  const book = new Map([[3, { address: "[::1]:6070", version: 2, disk: name }]]);
  const frames: readonly Frame[] = [
    {
      kind: "hello",
      group: "kv",
      cluster: "",
      from: 1,
      to: 0,
      channel: "bulk",
      phase: "founded",
      named: [1, 2, 3],
      book,
    },
    { kind: "found", cluster: name, voters: [1, 2, 3] },
    { kind: "founded" },
    { kind: "start" },
    { kind: "join", disk: name },
    { kind: "book", book },
    { kind: "leader", node: 2, address: "host:1" },
    { kind: "refuse", reason: "because" },
  ];

  for (const frame of frames) {
    test(`${frame.kind} is read as it was written, and is no message of Raft`, () => {
      const payload = encodeFrame(frame);
      assert(isFrame(payload));
      assertEquals(decodeFrame(payload), frame);
      assertEquals(typeof decodeWire(payload), "string");
    });
  }

  test("another version is refused by one line with both, whatever else it says", () => {
    const why = decodeFrame(encodeCbor([240, PEER_VERSION + 1, [["?"]], 7]));
    assertStringIncludes(String(why), `version ${PEER_VERSION + 1}`);
    assertStringIncludes(String(why), `this node ${PEER_VERSION}`);
  });

  test("what is malformed is refused: names that are none, nobody, too many", () => {
    for (const value of [
      [241, Uint8Array.of(1, 2, 3), [1]],
      [241, new Uint8Array(8), [0]],
      [241, new Uint8Array(8), Array.from({ length: 17 }, (_, i) => i + 1)],
      [245, [1, "a:1", 0]],
      [245, [1, "x".repeat(100), 0, new Uint8Array(8)]],
      [242, 1],
    ]) {
      assertEquals(typeof decodeFrame(encodeCbor(value)), "string", JSON.stringify(value));
    }
  });
});
