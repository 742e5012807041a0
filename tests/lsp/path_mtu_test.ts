/** PathMtu: what is asked about, when, and what becomes of the answers (RFC 8899 in spirit). */
import { describe, expect, test } from "bun:test";
import { DATA_BYTES_MAX, DATAGRAM_BYTES_MAX } from "../../lsp/frame.ts";
import { LARGEST_DATAGRAM_BYTES, pathAnswer, PathMtu } from "../../lsp/path_mtu.ts";
import { RoundTrip } from "../../lsp/rtt.ts";
import { Lan } from "./lan.ts";

const ISN = 77;

function roundTrip(ms: number): RoundTrip {
  const estimate = new RoundTrip();
  estimate.sample(ms, 0);
  return estimate;
}

/** Sends full datagrams from `first` on; the number after the last. */
function sendFull(mtu: PathMtu, first: number, count = 16): number {
  for (let i = 0; i < count; i++) mtu.noteSent(first + i, mtu.bytes);
  return first + count;
}

/** One that has proved all steps on a short path. */
function provedMtu(): { mtu: PathMtu; next: number } {
  const mtu = new PathMtu(ISN, 1200, LARGEST_DATAGRAM_BYTES);
  let next = 1;
  for (const bytes of [1452, 8952, 16_384]) {
    next = sendFull(mtu, next);
    expect(mtu.probeBytes(roundTrip(1), next)).toBe(bytes);
    mtu.handleAnswer(pathAnswer(BigInt(bytes), ISN));
    expect(mtu.bytes).toBe(bytes);
  }
  return { mtu, next };
}

describe("PathMtu:", () => {
  test("asks nothing before enough full datagrams have left, nor when it may not", () => {
    const mtu = new PathMtu(ISN, 1200, LARGEST_DATAGRAM_BYTES);
    for (let n = 1; n <= 100; n++) mtu.noteSent(n, 100);
    sendFull(mtu, 101, 15);
    expect(mtu.probeBytes(roundTrip(1), 0)).toBeUndefined();
    sendFull(mtu, 116, 1);
    expect(mtu.probeBytes(roundTrip(1), 0)).toBe(1452);
    const fixed = new PathMtu(ISN, 4000, 0);
    sendFull(fixed, 1, 100);
    expect(fixed.probeBytes(roundTrip(1), 0)).toBeUndefined();
    expect(fixed.bytes).toBe(4000);
  });

  test("asks for the usual size where it began smaller, and never goes below it again", () => {
    const mtu = new PathMtu(ISN, 1024, 1200);
    const next = sendFull(mtu, 1);
    expect(mtu.probeBytes(roundTrip(200), 0)).toBe(1200);
    mtu.handleAnswer(pathAnswer(BigInt(1200), ISN));
    expect(mtu.bytes).toBe(1200);
    sendFull(mtu, next, 100);
    expect(mtu.probeBytes(roundTrip(1), 1e6)).toBeUndefined();
    mtu.fallBack();
    expect(mtu.bytes).toBe(1200);
  });

  test("goes up step by step as answers come, and ends at the last", () => {
    const { mtu, next } = provedMtu();
    sendFull(mtu, next);
    expect(mtu.probeBytes(roundTrip(1), 1e6)).toBeUndefined();
  });

  test("asks for more than Ethernet's size on short paths only", () => {
    const mtu = new PathMtu(ISN, 1200, LARGEST_DATAGRAM_BYTES);
    const next = sendFull(mtu, 1);
    expect(mtu.probeBytes(roundTrip(20), 0)).toBe(1452);
    mtu.handleAnswer(pathAnswer(BigInt(1452), ISN));
    sendFull(mtu, next);
    expect(mtu.probeBytes(roundTrip(20), 1000)).toBeUndefined();
  });

  test("gives a size up after three probes in vain, one at a time", () => {
    const mtu = new PathMtu(ISN, 1200, LARGEST_DATAGRAM_BYTES);
    sendFull(mtu, 1);
    let nowMs = 0;
    for (let i = 0; i < 3; i++) {
      expect(mtu.probeBytes(roundTrip(1), nowMs)).toBe(1452);
      expect(mtu.probeBytes(roundTrip(1), nowMs + 1)).toBeUndefined();
      nowMs += 1000;
    }
    expect(mtu.probeBytes(roundTrip(1), nowMs)).toBeUndefined();
    mtu.handleAnswer(pathAnswer(BigInt(1452), ISN));
    expect(mtu.bytes).toBe(1200);
  });

  test("an answer that was not asked for changes nothing", () => {
    const mtu = new PathMtu(ISN, 1200, LARGEST_DATAGRAM_BYTES);
    for (const bytes of [0, 1200, 8952, 2 ** 40]) mtu.handleAnswer(pathAnswer(BigInt(bytes), ISN));
    expect(mtu.bytes).toBe(1200);
  });

  test("six large datagrams lost in a row, and none arriving, are a black hole", () => {
    const { mtu, next } = provedMtu();
    sendFull(mtu, next, 12);
    for (let n = next; n < next + 5; n++) mtu.noteLost(n);
    mtu.noteArrived(next + 5);
    // Each message of a datagram tells of its loss; the datagram counts once.
    for (let i = 0; i < 20; i++) mtu.noteLost(next + 6);
    for (let n = next + 7; n < next + 11; n++) mtu.noteLost(n);
    expect(mtu.bytes).toBe(16_384);
    mtu.noteLost(next + 11);
    expect(mtu.bytes).toBe(1200);
  });

  test("what looked like one is asked again, later each time", () => {
    const { mtu, next } = provedMtu();
    let number = next;
    for (const pause of [64, 256, 1024]) {
      number = sendFull(mtu, number, 6);
      for (let n = number - 6; n < number; n++) mtu.noteLost(n);
      expect(mtu.bytes).toBe(1200);
      number = sendFull(mtu, number, pause + 15);
      expect(mtu.probeBytes(roundTrip(1), 1e6 + number)).toBeUndefined();
      for (const bytes of [1452, 8952, 16_384]) {
        number = sendFull(mtu, number);
        expect(mtu.probeBytes(roundTrip(1), 1e6 + number)).toBe(bytes);
        mtu.handleAnswer(pathAnswer(BigInt(bytes), ISN));
        expect(mtu.bytes).toBe(bytes);
      }
    }
  });
});

describe("CborConnection:", () => {
  /** A client that streams to a server over a path that passes datagrams up to `path.bytes`. */
  function stream(path: { bytes: number }) {
    const link = new Lan();
    let largest = 0;
    link.latencyMs = 0.5;
    link.passes = ({ bytes }) => {
      if (bytes.length > path.bytes) return false;
      largest = Math.max(largest, bytes.length);
      return true;
    };
    const server = link.listener({ probesMtu: true });
    const client = link.dialer({ probesMtu: true });
    link.run(50);
    const payload = "x".repeat(1000);
    const write = (count: number): void => {
      for (let i = 0; i < count; i++) link.write(client, 1, payload);
    };
    return { link, server, write, largest: () => largest };
  }

  test("uses the largest datagrams that the path passes", () => {
    for (const [bytes, used] of [
      [1200, 1200],
      [1500, 1452],
      [65_000, 16_384],
    ] as const) {
      const { link, server, write, largest } = stream({ bytes });
      write(1500);
      link.run(5000);
      expect(server.texts.length).toBe(1500);
      expect(largest()).toBeLessThanOrEqual(used);
      expect(largest()).toBeGreaterThan(used * 0.8);
    }
  });

  test("cuts messages no smaller for long because large Connects were lost by chance", () => {
    const link = new Lan();
    link.latencyMs = 10;
    const sizes: number[] = [];
    link.passes = ({ bytes }) => {
      // What connects is small only in the end, as on a path that takes nothing large.
      const isLost = link.nowMs < 1_000 && bytes.length === 1200;
      if (!isLost) sizes.push(bytes.length);
      return !isLost;
    };
    const server = link.listener();
    const client = link.dialer();
    link.run(1_500);
    // The longest that goes whole into a datagram of the usual size: cut, it takes two.
    const payload = "x".repeat(DATA_BYTES_MAX);
    for (let i = 0; i < 100; i++) link.write(client, 1, payload);
    link.run(2_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1200);
    sizes.length = 0;
    for (let i = 0; i < 100; i++) link.write(client, 1, payload);
    link.run(4_000);
    expect(server.texts.length).toBe(200);
    expect(sizes.filter((bytes) => bytes > 100 && bytes < DATAGRAM_BYTES_MAX)).toEqual([]);
    expect(sizes.filter((bytes) => bytes === DATAGRAM_BYTES_MAX).length).toBe(100);
  });

  test("goes on with small datagrams where large ones pass no more", () => {
    const path = { bytes: 65_000 };
    const { link, server, write, largest } = stream(path);
    write(1500);
    link.run(2000);
    expect(largest()).toBe(16_384);
    path.bytes = 1300;
    write(500);
    link.run(10_000);
    expect(server.texts.length).toBe(2000);
  });
});
