/**
 * The scheduling policy: two shares, its bound, no starvation, order of arrival. The policy and the
 * derivation of the bound are in docs/scheduling.md.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DEFAULT_SERVER_LIMITS } from "../../server/limits.ts";
import { RateEstimator } from "../../work/rate.ts";
import { taskUnits } from "../../work/sizing.ts";
import { type FakeClient, VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 1n;
/** A chunk, in milliseconds of its miner's time. */
const CHUNK_MS = 1_000;
/** From this length of a job alone on, the bound of the scheduling policy holds to the letter. */
const STRICT_MS = 600;
/** What a shorter job may take on top of it (docs/scheduling.md). */
const TINY_EXCESS_MS = 500;
/** Round trips and the rounding of the clocks. */
const SLACK_MS = 150;

/** A fleet whose miners know their rates, and have worked before. */
function fleetOf(rates: readonly number[]): VirtualFleet {
  const fleet = new VirtualFleet();
  for (const rate of rates) fleet.miner({ rate, declared: rate });
  return fleet;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Submits now and runs until answered; returns the milliseconds it took. */
function timeOf(fleet: VirtualFleet, client: FakeClient, nonces: number): number {
  const startMs = fleet.nowMs;
  const job = client.submit({ upper: BigInt(nonces) - 1n });
  expect(fleet.run(600_000, () => client.answers.has(job))).toBe(true);
  return client.answer(job).atMs - startMs;
}

const rates = fc.array(fc.integer({ min: 200_000, max: 4_000_000 }), {
  minLength: 1,
  maxLength: 6,
});

describe("Scheduler", () => {
  test("a small job behind one 100 times bigger ends within twice its time plus one chunk", () => {
    fc.assert(
      fc.property(
        rates,
        fc.integer({ min: 100, max: 8_000 }),
        fc.integer({ min: 0, max: 9_000 }),
        (each, aloneMs, laterMs) => {
          const nonces = Math.ceil((sum(each) * aloneMs) / 1000);
          const alone = fleetOf(each);
          const idealMs = timeOf(alone, alone.client(), nonces);
          const fleet = fleetOf(each);
          fleet.client().submit({ upper: BigInt(nonces) * 100n });
          fleet.run(laterMs + 1);
          const behindMs = timeOf(fleet, fleet.client(), nonces);
          const excessMs = aloneMs < STRICT_MS ? TINY_EXCESS_MS : 0;
          expect(behindMs).toBeLessThanOrEqual(2 * idealMs + CHUNK_MS + excessMs);
        },
      ),
      {
        numRuns: 60,
        // It once broke the bound that was then claimed from 375 ms on, by 2 ms.
        examples: [[[1112789, 1222099, 368624, 1787980, 2384950, 1423180], 409, 8992]],
      },
    );
  });

  test("the small job gets at least 3/4 of the fleet, and the big one goes on", () => {
    const fleet = fleetOf([1e6, 1e6, 1e6, 1e6, 1e6, 1e6]);
    const big = fleet.client();
    big.submit({ upper: MAX });
    fleet.run(5_000);
    const before = fleet.accepted.length;
    const small = fleet.client();
    const tookMs = timeOf(fleet, small, 60_000_000);
    // 10 s of the whole fleet: 13.3 s of three quarters of it, and what was running.
    expect(tookMs).toBeLessThan(13_333 + CHUNK_MS + SLACK_MS);
    let done = 0n;
    for (const { client, lower, upper } of fleet.accepted.slice(before)) {
      if (client === big.connId) done += upper - lower + 1n;
    }
    expect(Number(done)).toBeGreaterThan(0.2 * 6e6 * (tookMs / 1000));
  });

  test("no job starves behind a crowd that is always shorter and asks for twice the fleet", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 100, max: 2_000 }), (each, everyMs) => {
        const fleet = fleetOf(each);
        const big = fleet.client();
        const bigMs = 6_000;
        big.submit({ upper: BigInt(Math.ceil((sum(each) * bigMs) / 1000)) });
        for (let atMs = 0; atMs < 60_000; atMs += everyMs) {
          const client = fleet.client();
          const nonces = Math.ceil((sum(each) * everyMs * 2) / 1000);
          if (nonces >= (sum(each) * bigMs) / 1000) return;
          fleet.at(atMs, () => client.submit({ upper: BigInt(nonces) }));
        }
        // A quarter of the fleet does it in four times its time.
        const limitMs = 4 * bigMs + 4 * CHUNK_MS + SLACK_MS;
        expect(fleet.run(limitMs, () => big.answers.has(1))).toBe(true);
      }),
      // One in a thousand cases lost credit at its limit, so that the oldest got a seventh.
      { numRuns: 25, examples: [[[200_000], 738]] },
    );
  });

  test("a client's long job is not starved by an endless row of its own short ones", () => {
    const fleet = fleetOf([1e6, 1e6]);
    const client = fleet.client();
    const long = client.submit({ upper: 10_000_000n });
    for (let atMs = 0; atMs < 60_000; atMs += 500) {
      fleet.at(atMs, () => client.submit({ upper: 1_999_999n }));
    }
    expect(fleet.run(4 * 5_000 + 4 * CHUNK_MS, () => client.answers.has(long))).toBe(true);
  });

  test("equal jobs end in order of arrival", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 2, max: 7 }), fc.boolean(), (each, jobs, oneClient) => {
        const fleet = fleetOf(each);
        const nonces = BigInt(sum(each)) * 2n;
        const first = fleet.client();
        const clients = Array.from({ length: jobs }, () => (oneClient ? first : fleet.client()));
        const numbers = clients.map((client) => client.submit({ upper: nonces }));
        const last = clients.at(-1)!;
        expect(fleet.run(120_000, () => last.answers.has(numbers.at(-1)!))).toBe(true);
        const times = clients.map((client, i) => client.answer(numbers[i]).atMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }),
      { numRuns: 25 },
    );
  });

  test("a thousand jobs of one client are one claim", () => {
    const fleet = fleetOf([1e6, 1e6]);
    const crowd = fleet.client();
    for (let i = 0; i < 1_000; i++) crowd.submit({ upper: 999_999n });
    fleet.run(1_000);
    const other = fleet.client();
    const tookMs = timeOf(fleet, other, 8_000_000);
    expect(tookMs).toBeLessThan(2 * 4_000 + CHUNK_MS + SLACK_MS);
  });

  test("a queued chunk of a big job makes way for a small one at once", () => {
    const fleet = fleetOf([1e6]);
    fleet.client().submit({ upper: MAX });
    fleet.run(5_300);
    const small = fleet.client();
    // The running chunk ends within a second; without revoking, the queued one would come first.
    expect(timeOf(fleet, small, 100_000)).toBeLessThan(CHUNK_MS + 100 + SLACK_MS);
  });

  test("jobs of one client go by length, then by arrival", () => {
    const fleet = fleetOf([1e6]);
    const client = fleet.client();
    client.submit({ upper: 20_000_000n });
    client.submit({ upper: 4_000_000n });
    client.submit({ upper: 2_000_000n });
    fleet.run(60_000);
    expect([...client.answers.keys()]).toEqual([3, 2, 1]);
  });
});

describe("RateEstimator", () => {
  test("believes what is declared until a tenth of a second was measured", () => {
    const rate = new RateEstimator(7_000);
    expect(rate.value).toBe(7_000);
    rate.sample(50n, 50);
    expect(rate.value).toBe(7_000);
    rate.sample(60n, 60);
    expect(rate.value).toBeCloseTo(1_000, -1);
    expect(new RateEstimator().value).toBeUndefined();
  });

  test("is not fooled by a report held up and the next one on its heels", () => {
    const rate = new RateEstimator();
    for (let i = 0; i < 10; i++) rate.sample(1_000n, 1_000);
    rate.sample(1_000n, 2_000);
    rate.sample(1_000n, 0);
    expect(rate.value).toBeGreaterThan(990);
    expect(rate.value).toBeLessThan(1_300);
  });

  test("forgets: within ten seconds a miner is known to be ten times slower", () => {
    const rate = new RateEstimator();
    for (let i = 0; i < 60; i++) rate.sample(1_000n, 1_000);
    for (let i = 0; i < 10; i++) rate.sample(100n, 1_000);
    expect(rate.value).toBeLessThan(150);
  });
});

describe("taskUnits", () => {
  test("is at least 1, at most 2^48 and a chunk's time, and shrinks with what is left", () => {
    const nonces = fc.bigInt(1n, MAX);
    const speed = fc.double({ min: 0, max: 1e20, noNaN: true });
    fc.assert(
      fc.property(speed, speed, nonces, nonces, (rate, others, some, more) => {
        const [few, many] = some < more ? [some, more] : [more, some];
        const size = (pending: bigint): bigint =>
          taskUnits(rate, rate + others, pending, Infinity, DEFAULT_SERVER_LIMITS);
        expect(size(few)).toBeGreaterThanOrEqual(1n);
        expect(size(few)).toBeLessThanOrEqual(size(many));
        expect(size(many)).toBeLessThanOrEqual(1n << 48n);
        expect(Number(size(many))).toBeLessThanOrEqual(Math.ceil(rate) + 1);
      }),
    );
  });
});
