/**
 * Classic (json) miners and clients at the server core.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { expectAnswer, expectTidy } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";
import { scrambled } from "./puzzles.ts";

describe("a classic miner", () => {
  test("has one request in flight, 10^5 nonces first and about a second after that", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 400_000, wire: "json" });
    let most = 0;
    const receive = miner.receive.bind(miner);
    miner.receive = (payload) => {
      receive(payload);
      most = Math.max(most, miner.tasks.length);
    };
    expectAnswer(fleet, fleet.client(), { upper: 6_000_000n });
    const sizes = miner.requests.map(({ lower, upper }) => Number(upper - lower) + 1);
    expect(sizes[0]).toBe(100_000);
    expect(Math.max(...sizes)).toBeGreaterThan(300_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(440_000);
    expect(most).toBe(1);
    expectTidy(fleet);
  });

  test("works beside cbor ones on one job", () => {
    const fleet = new VirtualFleet();
    const classic = fleet.miner({ rate: 300_000, wire: "json" });
    fleet.miner({ rate: 1e6 });
    expectAnswer(fleet, fleet.client(), { upper: 9_999_999n });
    expect(classic.hashed).toBeGreaterThan(1_000_000n);
    expectTidy(fleet);
  });

  test("knows no targets: the lowest hit is found although it tells the least hash", () => {
    for (const target of [0n, 3n, 40n, 400n, 4_999n]) {
      const fleet = new VirtualFleet({ puzzle: scrambled, limits: { probeUnits: 5_000n } });
      fleet.miner({ rate: 20_000, wire: "json" });
      expectAnswer(fleet, fleet.client(), { lower: 3n, upper: 30_000n, message: "low", target });
      expectTidy(fleet);
    }
  });

  test("gets no job that its wire cannot carry, and 700 bytes only where nobody else can", () => {
    const fleet = new VirtualFleet({ puzzle: { ...scrambled } });
    const classic = fleet.miner({ rate: 10_000, wire: "json" });
    const client = fleet.client();
    // Control characters take six bytes each in JSON.
    client.submit({ upper: 10n, message: "\u0001".repeat(230) });
    fleet.run(2_000);
    expect(classic.requests).toEqual([]);
    expectAnswer(fleet, client, { upper: 10n, message: "y".repeat(900) });
    expect(classic.requests.length).toBeGreaterThan(0);
    classic.requests.length = 0;
    fleet.miner({ rate: 10_000 });
    expect(fleet.run(5_000, () => client.answers.has(1))).toBe(true);
    expectAnswer(fleet, client, { upper: 10n, message: "z".repeat(900) });
    expect(classic.requests).toEqual([]);
  });

  test("that takes 10 expected chunk times loses its chunk, and is back after its Result", () => {
    const fleet = new VirtualFleet();
    const classic = fleet.miner({ rate: 100_000, wire: "json" });
    const client = fleet.client();
    const job = client.submit({ upper: 2_000_000n });
    fleet.run(3_000);
    classic.stall();
    fleet.run(9_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(false);
    fleet.run(3_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(true);
    fleet.miner({ rate: 1e6 });
    expect(fleet.run(20_000, () => client.answers.has(job))).toBe(true);
    classic.resume();
    fleet.run(3_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(false);
    expectTidy(fleet);
  });

  // Regression: it was never answered, nor was the next job of such a miner.
  test("whose loop does not end at 2^64 - 1 is never given that nonce", () => {
    const fleet = new VirtualFleet();
    const classic = fleet.miner({ rate: 1e6, wire: "json", wraps: true });
    const last = (1n << 64n) - 1n;
    for (const lower of [last - 2_000_000n, last - 1n, last]) {
      const order = { lower, upper: last, message: String(last) };
      const { best } = expectAnswer(fleet, fleet.client(), order);
      expect(best).toEqual({ hash: 0n, nonce: last });
    }
    expect(classic.requests.every(({ upper }) => upper < last)).toBe(true);
    const target = expectAnswer(fleet, fleet.client(), {
      lower: last - 2_000_000n,
      upper: last,
      message: String(last - 100n),
      target: 100n,
    });
    expect(target.best).toEqual({ hash: 100n, nonce: last - 200n });
    expectTidy(fleet);
  });

  test("that is late while others are idle is raced, and its own Result is harmless", () => {
    const fleet = new VirtualFleet();
    const classic = fleet.miner({ rate: 100_000, wire: "json" });
    const client = fleet.client();
    const job = client.submit({ upper: 99_999n });
    fleet.run(200);
    classic.rate = 1_000;
    fleet.miner({ rate: 1e6, declared: 1e6 });
    expect(fleet.run(4_000, () => client.answers.has(job))).toBe(true);
    fleet.run(120_000);
    expect(fleet.core.snapshot().rejected).toEqual({});
    expectTidy(fleet);
  });
});

describe("a classic client", () => {
  test("asks by Request and is answered by Result; several requests one after the other", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client("json");
    client.submit({ upper: 99n, message: "7" });
    client.submit({ upper: 99n, message: "50" });
    client.submit({ upper: 99n, message: "99" });
    fleet.run(3_000);
    expect(client.results.map(({ nonce }) => nonce)).toEqual([7n, 50n, 99n]);
    expectTidy(fleet);
  });

  test("with an impossible request is hung up on, for its wire has no words for no", () => {
    const fleet = new VirtualFleet();
    const client = fleet.client("json");
    client.submit({ lower: 5n, upper: 4n });
    fleet.run(100);
    expect(client.isClosed).toBe(true);
    const long = fleet.client("json");
    long.submit({ upper: 4n, message: "a".repeat(65_537) });
    fleet.run(100);
    expect(long.isClosed).toBe(true);
    expect(fleet.core.snapshot().clients).toBe(0);
    expectTidy(fleet);
  });
});
