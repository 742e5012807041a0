/**
 * What a message costs does not depend on who else is idle, on jobs that do not fit, or on how
 * often a miner reports. Counted in looks, not in time.
 *
 * @module
 */
import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { Searches } from "../../server/search.ts";
import { SearchJob } from "../../server/search_job.ts";
import { Doubts } from "../../work/doubts.ts";
import { DEFAULT_FLEET_LIMITS } from "../../work/limits.ts";
import { Account, type ScheduledJob, Scheduler } from "../../work/scheduler.ts";
import { VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 2n;

afterEach(() => mock.restore());

/** Looks at a job for a miner in two seconds of work beside idle classic miners. */
function looksBeside(classicMiners: number, jobs: number): number {
  const fleet = new VirtualFleet();
  fleet.miner({ rate: 1e6 });
  for (let i = 0; i < classicMiners; i++) fleet.miner({ rate: 1e6, wire: "json" });
  // Too long for classic miners, while a cbor one could do them.
  for (let i = 0; i < jobs; i++) {
    fleet.client().submit({ upper: MAX, message: String(i).padStart(800, "0") });
  }
  fleet.run(1_000);
  const looks = [spyOn(SearchJob.prototype, "fitsBlind"), spyOn(Doubts.prototype, "bars")];
  fleet.run(2_000);
  const count = looks.reduce((sum, { mock: { calls } }) => sum + calls.length, 0);
  mock.restore();
  return count;
}

describe("what a message costs", () => {
  // Regression: 0.29 ms alone, 41.9 ms beside 400 idle Go miners and 4,000 jobs.
  test("does not grow with jobs that do not fit, nor with the miners that they do not fit", () => {
    const few = looksBeside(2, 5);
    expect(few).toBeGreaterThan(5);
    expect(looksBeside(100, 5)).toBeLessThanOrEqual(2 * few);
    expect(looksBeside(2, 500)).toBeLessThanOrEqual(2 * few);
    expect(looksBeside(100, 500)).toBeLessThanOrEqual(2 * few);
  });

  test("is bounded where none of the most urgent jobs suits; one of those that does is found", () => {
    const scheduler = new Scheduler<ScheduledJob>(DEFAULT_FLEET_LIMITS);
    const jobs = Array.from({ length: 1_000 }, (_, seq) => ({
      account: new Account(),
      seq,
      remaining: BigInt(1_000 - seq),
      hasPending: true,
      fitsBlind: () => false,
    }));
    for (const job of jobs) scheduler.update(job);
    const { looksMax } = DEFAULT_FLEET_LIMITS;
    let looks = 0;
    const none = (): boolean => (looks++, false);
    expect(scheduler.choose(1, none)).toBeUndefined();
    expect(looks).toBeLessThanOrEqual(looksMax + 1);
    // The shortest came last.
    const place = 1_000 - looksMax;
    expect(scheduler.choose(1, ({ seq }) => seq <= place)?.job).toBe(jobs[place]!);
  });

  // Regression: a miner that reported 300 times a second left 6 of 8 clients unserved.
  test("counts for a miner that reports too often as for one that reports 30 times a second", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e-9, declared: 90_000, deaf: true });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(50);
    const read = spyOn(Searches.prototype, "progress");
    const best = { hash: fleet.puzzle.hash("12345", 0n), nonce: 0n };
    for (let next = 1n; next <= 3_000n; next++) {
      fleet.at(fleet.nowMs + Number(next) * 3, () => {
        miner.say({ kind: "progress", chunk: 1, next, best });
      });
    }
    fleet.run(9_200);
    expect(read.mock.calls.length).toBeLessThan(16 + 9 * 30 + 10);
    // The newest one counts all the same.
    expect(fleet.core.snapshot().jobs[0]!.done).toBe(3_000n);
  });

  test("a report that waits is dropped when the chunk's end comes first", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e-9, declared: 100 });
    const client = fleet.client();
    client.submit({ upper: 99n });
    fleet.run(50);
    const best = { hash: fleet.puzzle.hash("12345", 0n), nonce: 0n };
    for (let next = 1n; next <= 50n; next++) miner.say({ kind: "progress", chunk: 1, next, best });
    miner.say({ kind: "result", chunk: 1, best: fleet.puzzle.search("12345", 0n, 50n) });
    fleet.run(500);
    expect(fleet.core.snapshot().rejected).toEqual({});
  });
});
