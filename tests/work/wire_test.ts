/** Application messages, encoded and read again, and what is refused. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeCbor } from "../../base/cbor.ts";
import { SERVERS_MAX } from "../../base/server_ring.ts";
import { HEADER_BYTES } from "../../work/hash.ts";
import { HELD_MAX, type Held, type JobRow, type Message, ROWS_MAX } from "../../work/messages.ts";
import { DEEDS } from "../../work/server_messages.ts";
import type { SearchSpec } from "../../work/subject.ts";
import { decodeMessage, encodeMessage, headOf } from "../../work/wire.ts";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint256 = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const candidate = fc.record({ hash: fc.oneof(uint64, uint256), nonce: uint64 });
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const maybe = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value).map((v) => (v === null ? {} : { [name]: v }));
const range = fc
  .tuple(uint64, uint64)
  .map(([a, b]) => (a < b ? { lower: a, upper: b } : { lower: b, upper: a }));
const mixed = (kind: Message["kind"], ...parts: fc.Arbitrary<object>[]): fc.Arbitrary<Message> =>
  fc.tuple(...parts).map((objects) => Object.assign({ kind }, ...objects) as Message);

const marked = fc.string({ unit: "binary", maxLength: 100 }).map((rest) => `\ufeff${rest}`);
const message = fc
  .tuple(fc.record({ subject: fc.oneof(text, marked) }), range, maybe("target", uint64))
  .map((parts) => Object.assign({}, ...parts) as SearchSpec);
const header = fc
  .record({
    subject: fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES }),
    lower: fc.nat().map(BigInt),
    upper: fc.constant(2n ** 32n - 1n),
    target: uint256,
  })
  .map((spec): SearchSpec => spec);
const work = fc.record({ work: fc.oneof(message, header) });
const session = fc.record({ session: uint64 });
const chunk = fc.record({ chunk: uint32 });
const job = fc.record({ job: uint32 });
const best = maybe("best", candidate);
const timeMs = fc.nat({ max: 2 ** 53 - 1 });
const held = fc
  .tuple(fc.record({ job: uint32, next: fc.bigInt({ min: 0n, max: 2n ** 64n }) }), range, best)
  .map((parts) => Object.assign({}, ...parts) as Held);
const row = fc
  .tuple(
    fc.record({ id: uint32, shown: text, done: fc.bigInt({ min: 0n, max: 2n ** 64n }) }),
    fc.record({ submittedMs: timeMs, answeredMs: timeMs, fetchedMs: timeMs }),
    range,
    maybe("target", uint256),
    maybe("met", fc.boolean()),
    best,
  )
  .map((parts) => Object.assign({}, ...parts) as JobRow);
const anyMessage = fc.oneof(
  mixed("join", fc.record({ threads: uint32, rate: fc.nat(), label: text, name: text })),
  mixed("hashing", fc.record({ threads: uint32, rate: fc.nat(), label: text, reason: text })),
  mixed(
    "assign",
    chunk,
    work,
    maybe(
      "job",
      fc.nat().map((id) => id + 1),
    ),
  ),
  mixed("resume", fc.record({ held: fc.array(held, { maxLength: HELD_MAX }) })),
  mixed("resumed", fc.record({ chunks: fc.array(uint32, { maxLength: HELD_MAX }) })),
  mixed("shrink", chunk, fc.record({ upper: uint64 })),
  mixed("shrunk", chunk, fc.record({ upper: uint64 })),
  mixed("stop", chunk),
  mixed("progress", chunk, fc.record({ next: uint64 }), best),
  mixed("stopped", chunk, fc.record({ next: uint64 }), best),
  mixed("result", chunk, fc.record({ best: candidate })),
  mixed("submit", job, session, work, maybe("detached", fc.constant(true))),
  mixed("attach", job, session, fc.record({ id: uint32 })),
  mixed("fetched", job),
  mixed("cancel", job),
  mixed("list", job, fc.record({ from: uint32, most: uint32 })),
  mixed("end", job, fc.record({ id: uint32, what: fc.constantFrom("cancel", "forget") })),
  mixed("accepted", job, fc.record({ id: uint32, durable: fc.boolean() })),
  mixed("jobs", job, fc.record({ rows: fc.array(row, { maxLength: ROWS_MAX }) })),
  mixed("ended", job),
  mixed(
    "status",
    job,
    fc.record({ done: uint64, jobRate: fc.nat(), fleetRate: fc.nat(), miners: uint32 }),
    best,
  ),
  mixed("answer", job, fc.record({ best: candidate, met: fc.boolean() })),
  mixed("refused", job, fc.record({ reason: text })),
  mixed(
    "servers",
    fc.record({
      leads: fc.boolean(),
      leader: text,
      servers: fc.array(text, { maxLength: SERVERS_MAX }),
    }),
  ),
  mixed("inspect", job),
  mixed("report", job, fc.record({ text })),
  mixed("manage", job, fc.record({ deed: fc.constantFrom(...DEEDS), node: uint32 })),
  mixed("managed", job, fc.record({ error: text })),
  mixed("export", job, fc.record({ from: uint32 })),
  mixed("part", job, fc.record({ size: uint32, bytes: fc.uint8Array({ maxLength: 50 }) })),
  mixed("relayed"),
);

describe("decodeMessage()", () => {
  test("gives back what encodeMessage() was given", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 3000 },
    );
  });

  test("never throws on any change of a byte", () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.nat({ max: 255 }), (message, at, byte) => {
        const bytes = encodeMessage(message);
        bytes[at % bytes.length] = byte;
        decodeMessage(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test("takes a rate beyond 64 bits as the largest there is", () => {
    const status = { kind: "status", job: 1, done: 0n, jobRate: 2 ** 63, miners: 2 } as const;
    for (const fleetRate of [2 ** 64, 2 ** 65, Infinity]) {
      const read = decodeMessage(encodeMessage({ ...status, fleetRate }));
      expect(read).toEqual({ ...status, fleetRate: 2 ** 64 });
    }
  });

  test("names what is wrong", () => {
    expect(decodeMessage(Uint8Array.of(0xff))).toBe("not a plain CBOR array");
    expect(decodeMessage(encodeCbor(7))).toBe("not a plain CBOR array");
    expect(decodeMessage(encodeCbor([99]))).toBe("unknown message type");
    expect(decodeMessage(encodeCbor([]))).toBe("unknown message type");
    expect(decodeMessage(encodeCbor([4]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, "x"]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, 1, 1]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([4, 2n ** 32n]))).toBe("malformed stop");
    expect(decodeMessage(encodeCbor([16, 1, "m", 5n, 4n, []]))).toBe("malformed submit");
    expect(decodeMessage(encodeCbor([16, 1, "m", 5n, 6n, [1n, 2n]]))).toBe("malformed submit");
    expect(decodeMessage(encodeCbor([16, 1, "m".repeat(65_537), 5n, 6n, []]))).toBe(
      "malformed submit",
    );
    expect(decodeMessage(encodeCbor([19, 1, [1n, 2n], 2]))).toBe("malformed answer");
    expect(decodeMessage(encodeCbor([9, 1, 2, "kernel"]))).toBe("malformed hashing");
    const long = "r".repeat(257);
    expect(decodeMessage(encodeCbor([9, 1, 2, "kernel", long]))).toBe("malformed hashing");
  });
});

describe("headOf()", () => {
  test("names the kind and the number of a message that is cut short or broken behind them", () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.uint8Array({ maxLength: 8 }), (message, at, noise) => {
        fc.pre(!["resume", "resumed", "servers", "relayed"].includes(message.kind));
        const bytes = encodeMessage(message);
        const fields = message as { job?: number; chunk?: number; threads?: number };
        const number = fields.chunk ?? fields.job ?? fields.threads!;
        // The array's head, the type in one or two bytes, the number in up to five.
        const cut = Math.min(bytes.length, 8 + (at % bytes.length));
        const broken = Uint8Array.of(...bytes.subarray(0, cut), ...noise);
        expect(headOf(broken)).toEqual({ kind: message.kind, number });
      }),
    );
  });

  test("is not to be had of what has none", () => {
    for (const hex of [
      "",
      "ff",
      "10",
      "80",
      "8110",
      "821063616263",
      "821863" + "01",
      "8220",
      "9b",
    ]) {
      expect(headOf(Uint8Array.fromHex(hex))).toBeUndefined();
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => void headOf(bytes)));
  });
});
