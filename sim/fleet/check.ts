/**
 * What must be true of a server's books after every event, as far as its snapshot shows them.
 *
 * @module
 */
import type { ServerCore } from "../../server/core.ts";
import type { ChunkSnapshot, JobSnapshot, ServerSnapshot } from "../../server/snapshot.ts";
import { demand } from "../engine/trace.ts";

/** Half-open, as in the server's snapshot. */
interface Span {
  readonly lower: bigint;
  readonly end: bigint;
}

/** Intervals that a server may hold for each chunk and each job; more is growth without a bound. */
const INTERVALS_EACH_MAX = 4;
/** What lost miners leave behind may be in pieces, a few for each miner that was lost. */
const INTERVALS_SLACK = 200;

/**
 * Ranges that chunks hold alone and ranges that wait for a miner do not overlap; nothing that is
 * still to be searched is forgotten; and all that the server keeps is bounded.
 */
export function demandSound(
  core: ServerCore,
  isHonest: (connId: number) => boolean | undefined,
): ServerSnapshot {
  const snapshot = core.snapshot();
  const { counts, miners, jobs } = snapshot;
  const chunksMax = miners.length * core.limits.maxOutstandingTasks;
  demand(counts.chunks <= chunksMax, () => `${counts.chunks} chunks for ${miners.length} miners`);
  const intervalsMax = INTERVALS_EACH_MAX * (counts.chunks + jobs.length) + INTERVALS_SLACK;
  demand(counts.intervals <= intervalsMax, () => `the server holds ${counts.intervals} intervals`);
  demandTables(snapshot);
  demandBusy(snapshot, core.limits.maxOutstandingTasks, isHonest);
  for (const job of jobs) {
    const chunks: ChunkSnapshot[] = [];
    for (const miner of miners) {
      for (const chunk of miner.chunks) {
        if (chunk.job?.client === job.client && chunk.job.job === job.job) chunks.push(chunk);
      }
    }
    demandDisjoint(job, chunks);
    demandNothingForgotten(job, chunks);
  }
  return snapshot;
}

/** What is kept is kept for somebody who is there, or under way; or it is an answer. */
function demandTables({ tables, miners, jobs }: ServerSnapshot): void {
  const { clients = 0, askers = 0, sessions = 0, records = 0, shares = 0, reports = 0 } = tables;
  const { answers = 0 } = tables;
  const isBounded =
    askers <= clients &&
    sessions <= records + answers &&
    // Jobs of the json wire have none.
    records <= jobs.length &&
    // What a client asked for counts for the connection over which it did so first.
    shares <= clients + askers + miners.length &&
    reports <= miners.length;
  demand(isBounded, () => `a table of the server is too large: ${JSON.stringify(tables)}`);
}

/** Once nobody is connected but miners, and all is quiet: nothing is kept for anybody else. */
export function demandRest(core: ServerCore, isHonest: (connId: number) => boolean): void {
  const { tables, counts, jobs, miners } = core.snapshot();
  const { clients, askers, records, closing, shares = 0 } = tables;
  const ofNobody = shares - miners.length;
  const left = { clients, askers, records, closing, jobs: jobs.length };
  demand(ofNobody <= 0, () => `all is over, and the server keeps ${shares} shares`);
  const { intervals, doubts } = counts;
  for (const [name, size] of Object.entries({ ...left, intervals, doubts })) {
    demand(size === 0, () => `all is over, and the server keeps ${size} ${name}`);
  }
  for (const { connId, wire, chunks } of miners) {
    if (wire === "json" || !isHonest(connId)) continue;
    demand(
      chunks.length === 0,
      () => `all is over, and miner ${connId} has ${chunks.length} chunks`,
    );
  }
}

/** While work waits for a miner, no honest cbor miner that was seen to work is without a chunk. */
function demandBusy(
  { miners, jobs }: ServerSnapshot,
  chunksMax: number,
  isHonest: (connId: number) => boolean | undefined,
): void {
  const waiting = jobs.find((job) => job.pending.length > 0);
  if (waiting === undefined) return;
  for (const { connId, wire, standing, chunks } of miners) {
    if (wire === "json" || standing !== "proven" || chunks.length >= chunksMax) continue;
    // One that failed a job gets no more of it.
    if (isHonest(connId) !== true) continue;
    demand(
      chunks.some((chunk) => !chunk.stopping),
      () => `miner ${connId} has nothing to do while job ${waiting.client}/${waiting.job} waits`,
    );
  }
}

function demandDisjoint(job: JobSnapshot, chunks: readonly ChunkSnapshot[]): void {
  const spans: Span[] = [...job.pending];
  for (const { next, heldEnd } of chunks) {
    if (heldEnd > next) spans.push({ lower: next, end: heldEnd });
  }
  spans.sort(byLower);
  for (let i = 1; i < spans.length; i++) {
    const [before, after] = [spans[i - 1]!, spans[i]!];
    demand(
      before.end <= after.lower,
      () => `job ${job.client}/${job.job}: ${spanText(before)} and ${spanText(after)} overlap`,
    );
  }
}

/** All that is uncovered either waits for a miner or lies in a chunk that some miner still has. */
function demandNothingForgotten(job: JobSnapshot, chunks: readonly ChunkSnapshot[]): void {
  if (job.uncovered.length === 0) return;
  const cared: Span[] = [...job.pending];
  for (const { next, end } of chunks) cared.push({ lower: next, end });
  cared.sort(byLower);
  for (const { lower, end } of job.uncovered) {
    let reached = lower;
    for (const span of cared) {
      if (span.lower > reached) break;
      if (span.end > reached) reached = span.end;
    }
    demand(
      reached >= end,
      () => `job ${job.client}/${job.job}: nobody takes care of ${reached}..${end - 1n}`,
    );
  }
}

function byLower(a: Span, b: Span): number {
  return a.lower < b.lower ? -1 : a.lower > b.lower ? 1 : 0;
}

function spanText({ lower, end }: Span): string {
  return `${lower}..${end - 1n}`;
}
