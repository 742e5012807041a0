/**
 * The server's state as plain data, for tests, the simulator's invariants and dashboards.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Fleet } from "../work/fleet.ts";
import type { Interval } from "../work/interval_set.ts";
import type { Standing, Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { askerOf } from "./askers.ts";
import { Chunk, SearchJob } from "./search_job.ts";

/** A chunk that a miner was sent and has not answered; ranges are half-open. */
export interface ChunkSnapshot {
  readonly id: number;
  /** Its job, or undefined if that is over. */
  readonly job: JobName | undefined;
  readonly lower: bigint;
  /** The confirmed cursor. */
  readonly next: bigint;
  readonly end: bigint;
  /** `next..heldEnd` is searched by nobody else. */
  readonly heldEnd: bigint;
  readonly stopping: boolean;
}

/** A job's name: the client's connection and its number for the job. */
export interface JobName {
  readonly client: number;
  readonly job: number;
}

export interface MinerSnapshot {
  readonly connId: number;
  readonly wire: Wire;
  readonly label: string;
  readonly threads: number;
  /** Nonces a second, measured or declared; undefined when not known. */
  readonly rate: number | undefined;
  /** It owes answers, and gets no work until it gave them. */
  readonly probation: boolean;
  /** What it has shown of itself. */
  readonly standing: Standing;
  readonly strikes: number;
  readonly chunks: readonly ChunkSnapshot[];
}

export interface JobSnapshot extends JobName {
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target: bigint | undefined;
  readonly done: bigint;
  readonly best: Candidate | undefined;
  /** Not accepted yet. */
  readonly uncovered: readonly Interval[];
  /** The part of it that no chunk holds. */
  readonly pending: readonly Interval[];
}

export interface ServerSnapshot {
  readonly miners: readonly MinerSnapshot[];
  readonly jobs: readonly JobSnapshot[];
  readonly clients: number;
  /** Nonces a second of all miners. */
  readonly fleetRate: number;
  /** Seconds of the fleet that the oldest job is owed. */
  readonly credit: number;
  /** Messages that were not believed, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Things held in memory, which must not grow with time or with a job's size. */
  readonly counts: {
    readonly chunks: number;
    readonly intervals: number;
    readonly doubts: number;
    readonly idle: number;
    readonly thirsty: number;
  };
  /** The sizes of the other tables, by name; none may grow for ever. */
  readonly tables: Readonly<Record<string, number>>;
}

/** Copies out the state of everything. */
export function snapshotOf(
  fleet: Fleet,
  tables: Readonly<Record<string, number>>,
  rejected: ReadonlyMap<string, number>,
): ServerSnapshot {
  const miners = [...fleet.roster.workers.values()].map(minerSnapshot);
  const jobs = [...fleet.jobs].flatMap((job) =>
    job instanceof SearchJob ? [jobSnapshot(job)] : [],
  );
  let chunks = 0;
  let intervals = 0;
  for (const miner of miners) chunks += miner.chunks.length;
  for (const job of jobs) intervals += job.uncovered.length + job.pending.length;
  return {
    miners,
    jobs,
    clients: tables["clients"] ?? 0,
    fleetRate: fleet.roster.fleetRate,
    credit: fleet.scheduler.credit,
    rejected: Object.fromEntries(rejected),
    counts: {
      chunks,
      intervals,
      doubts: fleet.doubts.size,
      idle: fleet.roster.idleCount,
      thirsty: fleet.roster.thirsty.size,
    },
    tables,
  };
}

function nameOf(job: SearchJob): JobName {
  return { client: askerOf(job).connId, job: job.record.name.number };
}

function minerSnapshot(miner: Worker<Task>): MinerSnapshot {
  const { connId, steerable, label, threads, probation, standing, strikes } = miner;
  const chunks = miner.tasks.flatMap((task) =>
    task instanceof Chunk ? [chunkSnapshot(task)] : [],
  );
  const wire = steerable ? "cbor" : "json";
  const rate = miner.rate.value;
  return { connId, wire, label, threads, rate, probation, standing, strikes, chunks };
}

function chunkSnapshot(chunk: Chunk): ChunkSnapshot {
  const { id, search, lower, next, end, heldEnd, stopping } = chunk;
  return { id, job: search && nameOf(search), lower, next, end, heldEnd, stopping };
}

function jobSnapshot(job: SearchJob): JobSnapshot {
  const { record, pending } = job;
  const { lower, upper, target } = record.spec;
  return {
    ...nameOf(job),
    lower,
    upper,
    target,
    done: record.done,
    best: record.best,
    uncovered: [...record.uncovered.intervals],
    pending: [...pending.intervals],
  };
}
