/**
 * What must hold after a job of the server's virtual fleet, as checks that several tests share.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Candidate } from "../../work/candidate.ts";
import { IntervalSet } from "../../work/interval_set.ts";
import type { Answer } from "../../work/messages.ts";
import type { FakeClient, VirtualFleet } from "./fleet.ts";
import type { Order } from "./fleet_types.ts";

/** Runs until `client` has its answer to `job`, and checks it and the books behind it. */
export function expectAnswer(
  fleet: VirtualFleet,
  client: FakeClient,
  order: Order,
  limitMs = 120_000,
): Answer & { atMs: number } {
  const job = client.submit(order);
  expect(fleet.run(limitMs, () => client.answers.has(job))).toBe(true);
  const { message = "12345", lower = 0n, upper, target } = order;
  const { best, met } = client.answer(job);
  const search = (wanted?: bigint): Candidate =>
    fleet.puzzle.search(message, lower, upper + 1n, wanted);
  const hit = target === undefined ? undefined : search(target);
  const isMet = hit === undefined || hit.hash <= target!;
  expect(met).toBe(isMet);
  expect(best).toEqual(hit !== undefined && isMet ? hit : search());
  expectExactCover(
    fleet,
    client.connId,
    job,
    lower,
    hit !== undefined && isMet ? hit.nonce : upper,
  );
  return client.answer(job);
}

/** Accepted ranges are disjoint, inside the job, and contain all of lower..upper. */
export function expectExactCover(
  fleet: VirtualFleet,
  client: number,
  job: number,
  lower: bigint,
  upper: bigint,
): void {
  const pieces = fleet.accepted.filter((a) => a.client === client && a.job === job);
  pieces.sort((a, b) => (a.lower < b.lower ? -1 : 1));
  let next = lower;
  for (const piece of pieces) {
    if (piece.lower > upper) break;
    expect(piece.lower).toBe(next);
    next = piece.upper + 1n;
  }
  expect(next).toBeGreaterThan(upper);
}

/** After everything is answered, nothing may be left over. */
export function expectTidy(fleet: VirtualFleet): void {
  fleet.run(30_000);
  const { jobs, counts, miners, tables } = fleet.core.snapshot();
  expect(jobs).toEqual([]);
  expect(counts.chunks).toBe(0);
  expect(counts.idle).toBe(miners.length);
  // Answers that are kept are looked at once a minute; no clock runs otherwise.
  const { answers = 0 } = tables;
  const wakeAtMs = fleet.core.wakeAtMs() ?? Infinity;
  expect(wakeAtMs).toBeGreaterThan(answers > 0 ? fleet.nowMs + fleet.core.limits.tickMs : 1e99);
}

/** The books of every job: pending and held ranges are disjoint and contain what is uncovered. */
export function expectSoundBooks(fleet: VirtualFleet): void {
  const { jobs, miners } = fleet.core.snapshot();
  for (const { client, job, lower, upper, uncovered, pending } of jobs) {
    const charged = new IntervalSet();
    const charge = (from: bigint, end: bigint): void => {
      expect(charged.intersects(from, end)).toBe(false);
      charged.insert(from, end);
    };
    const left = new IntervalSet();
    for (const piece of uncovered) {
      expect(piece.lower >= lower && piece.end <= upper + 1n).toBe(true);
      left.insert(piece.lower, piece.end);
    }
    for (const piece of pending) {
      charge(piece.lower, piece.end);
      expect(left.intersection(piece.lower, piece.end)).toEqual([piece]);
    }
    for (const { chunks } of miners) {
      for (const chunk of chunks) {
        expect(chunk.lower <= chunk.next && chunk.next <= chunk.heldEnd).toBe(true);
        if (chunk.job?.client !== client || chunk.job.job !== job) continue;
        charge(chunk.next, chunk.heldEnd);
      }
    }
    for (const piece of charged.intervals) left.remove(piece.lower, piece.end);
    expect(left.count).toBe(0n);
  }
}
