/** The simulator's own parts: what judges others must be right itself. */
import { describe, expect, test } from "bun:test";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { calmFaults, type Link } from "../../base/link.ts";
import { Network } from "../../sim/engine/network.ts";
import { cheapHash, cheapModulus, cheapSearch } from "../../sim/fleet/cheap_hash.ts";
import { Intervals } from "../../sim/fleet/intervals.ts";
import { StrangerEndpoint } from "../../sim/lsp/stranger.ts";

describe("cheapSearch finds what a search nonce by nonce finds", () => {
  const random = seededRandom(11);
  const cases = Array.from({ length: 3000 }, (_, i) => {
    const start = [0n, 2n ** 32n - 50n, 2n ** 53n - 50n, 2n ** 64n - 400n][i % 4]!;
    const lower = start + BigInt(integerBetween(random, 0, 100));
    return { message: `m${i}`, lower, upper: lower + BigInt(integerBetween(random, 0, 250)), i };
  });

  test("the least hash, at its lowest nonce", () => {
    for (const { message, lower, upper } of cases) {
      let best = { hash: cheapHash(message, lower), nonce: lower };
      for (let nonce = lower; nonce <= upper; nonce++) {
        const hash = cheapHash(message, nonce);
        if (hash < best.hash) best = { hash, nonce };
      }
      expect(cheapSearch(message, lower, upper)).toEqual(best);
    }
  });

  test("the first hit of a target, else the least", () => {
    let hits = 0;
    for (const { message, lower, upper, i } of cases) {
      const target = (cheapModulus(message) * BigInt(i % 7)) / (3n * (upper - lower + 1n));
      let first: bigint | undefined;
      for (let nonce = upper; nonce >= lower; nonce--) {
        if (cheapHash(message, nonce) <= target) first = nonce;
      }
      const found = cheapSearch(message, lower, upper, target);
      if (first === undefined) expect(found).toEqual(cheapSearch(message, lower, upper));
      else expect(found).toEqual({ hash: cheapHash(message, first), nonce: first });
      if (first !== undefined) hits++;
    }
    expect(hits).toBeGreaterThan(1000);
    expect(hits).toBeLessThan(2900);
  });
});

test("Intervals agree with a plain set of numbers", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 200; round++) {
    const intervals = new Intervals();
    const plain = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const lower = integerBetween(random, 0, 60);
      const upper = lower + integerBetween(random, 0, 12);
      let known = 0;
      for (let n = lower; n <= upper; n++) {
        if (plain.has(n)) known++;
        plain.add(n);
      }
      expect(intervals.add(BigInt(lower), BigInt(upper))).toBe(BigInt(known));
    }
    const from = integerBetween(random, 0, 60);
    const to = from + integerBetween(random, 0, 20);
    let all = true;
    for (let n = from; n <= to; n++) all &&= plain.has(n);
    expect(intervals.covers(BigInt(from), BigInt(to))).toBe(all);
  }
});

test("Loop runs what is planned in the order of time, then of planning", () => {
  const loop = new Loop();
  const random = seededRandom(3);
  const ran: string[] = [];
  const planned = Array.from({ length: 500 }, (_, i) => {
    return { at: integerBetween(random, 0, 40), i };
  });
  for (const { at, i } of planned) loop.at(at, () => ran.push(`${at} ${i}`));
  loop.runUntil(100, () => {}, 1000);
  const sorted = planned.toSorted((a, b) => a.at - b.at || a.i - b.i);
  expect(ran).toEqual(sorted.map(({ at, i }) => `${at} ${i}`));
  expect(loop.nowMs).toBe(100);
});

describe("Network does what it was told to:", () => {
  function send(change: (link: Link) => void, count = 1000) {
    const loop = new Loop();
    const network = new Network(loop, seededRandom(9));
    network.heal(calmFaults(10));
    change(network.link("a", "b"));
    const got: { bytes: Uint8Array; atMs: number }[] = [];
    const to = network.open("b", (bytes) => got.push({ bytes, atMs: loop.nowMs }));
    const from = network.open("a", () => {});
    for (let i = 0; i < count; i++)
      network.send(from, to.address, Uint8Array.of(1, i & 255, i >> 8));
    loop.runUntil(100_000, () => {}, 1e6);
    return { got, network };
  }
  const share = (got: readonly unknown[]) => got.length / 1000;

  test("nothing, on a calm path", () => {
    const { got } = send(() => {});
    expect(got.map(({ bytes }) => bytes[1]! + 256 * bytes[2]!)).toEqual([...Array(1000).keys()]);
    expect(got.every(({ atMs }) => atMs === 10)).toBe(true);
  });

  test("loss, duplicates, damage, reordering, blackouts", () => {
    const lossy = send((link) => (link.faults = { ...link.faults, lossShare: 0.3 }));
    expect(share(lossy.got)).toBeGreaterThan(0.6);
    expect(share(lossy.got)).toBeLessThan(0.8);
    const doubled = send((link) => (link.faults = { ...link.faults, duplicateShare: 0.5 }));
    expect(share(doubled.got)).toBeGreaterThan(1.4);
    const flipped = send((link) => (link.faults = { ...link.faults, flipShare: 1 }));
    expect(flipped.network.counts.damaged).toBe(1000);
    const cut = send((link) => (link.faults = { ...link.faults, truncateShare: 1 }));
    expect(cut.got.every(({ bytes }) => bytes.length < 3)).toBe(true);
    const jittery = send((link) => (link.faults = { ...link.faults, jitterMs: 50 }));
    const order = jittery.got.map(({ bytes }) => bytes[1]! + 256 * bytes[2]!);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
    expect(send((link) => (link.isCut = true)).got.length).toBe(0);
  });
});

test("the independent classic endpoint talks to itself in the frames of docs/lsp.md, section 8", () => {
  const dialer = new StrangerEndpoint({}, 0, { to: "s", isn: 123 });
  const listener = new StrangerEndpoint({}, 0);
  const buffer = new Uint8Array(2048);
  const seen: string[] = [];
  const exchange = () => {
    for (const [from, to, address] of [
      [dialer, listener, "c"],
      [listener, dialer, "s"],
    ] as const) {
      for (let out = from.pollDatagram(buffer, 0); out; out = from.pollDatagram(buffer, 0)) {
        seen.push(new TextDecoder().decode(buffer.subarray(0, out.length)));
        to.handleDatagram(buffer.slice(0, out.length), address, 0);
      }
    }
  };
  exchange();
  dialer.write(1, new TextEncoder().encode("abc"), 0);
  exchange();
  expect(seen).toEqual([
    '{"Type":0,"ConnID":0,"SeqNum":123,"Size":0,"Checksum":0,"Payload":null}',
    '{"Type":2,"ConnID":1,"SeqNum":123,"Size":0,"Checksum":0,"Payload":null}',
    '{"Type":1,"ConnID":1,"SeqNum":124,"Size":3,"Checksum":40123,"Payload":"YWJj"}',
    '{"Type":2,"ConnID":1,"SeqNum":124,"Size":0,"Checksum":0,"Payload":null}',
  ]);
});
