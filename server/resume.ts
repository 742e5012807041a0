/**
 * What a miner brings back from an earlier connection, perhaps with a server that is no more: what
 * it has searched counts, and it goes on with the rest if nobody else has that by now.
 *
 * It is believed no more than a report: the best candidate is hashed again, and must lie in the
 * range. Which range it was given, and when, only the server before knew. But no chunk is older
 * than its job, or is to keep a miner busy for long; so its rate bounds what it can have searched.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Fleet } from "../work/fleet.ts";
import type { FleetLimits } from "../work/limits.ts";
import type { Held } from "../work/messages.ts";
import type { Interval } from "../work/interval_set.ts";
import type { Worker } from "../work/roster.ts";
import type { Subject } from "../work/subject.ts";
import type { Task } from "../work/task.ts";
import type { SearchJob } from "./search_job.ts";
import type { SearchRecord } from "./table.ts";

/** What the owner of a search does for what is brought back. */
export interface ResumePort {
  /** The plain hash of a nonce. */
  hash(subject: Subject, nonce: bigint): bigint;
  /** How long ago the search was submitted. */
  ageMs(record: SearchRecord): Millis;
  /** By `miner`; undefined: by this server itself. */
  accepted(job: SearchJob, piece: Interval, miner: Worker<Task> | undefined): void;
}

/** A miner's rate is known to this factor. */
const RATE_SLACK = 2;
/** Clocks of servers differ by less: one of them said when a job was submitted. */
const CLOCKS_MS = 1_000;

/** Takes one search back in; the number of its chunk, 0: none, or, as a string, what is wrong. */
export function takeBack(
  fleet: Fleet,
  port: ResumePort,
  miner: Worker<Task>,
  job: SearchJob,
  held: Held,
  nowMs: Millis,
): number | string {
  const wrong = whyNot(fleet, port, miner, job, held);
  if (wrong !== undefined) return wrong;
  const { lower, next, best } = held;
  const { record, pending } = job;
  if (best !== undefined && record.isHit(best)) {
    // With several threads it need not be the lowest: what lies below is searched once more.
    record.fold(best);
    for (const piece of job.accept(best.nonce, best.nonce + 1n)) port.accepted(job, piece, miner);
    job.cutFrom(record.hit!.nonce);
    fleet.update(job);
    fleet.settle(miner, job, nowMs);
    return 0;
  }
  if (next > lower) {
    for (const piece of job.accept(lower, next)) port.accepted(job, piece, miner);
    pending.remove(lower, next);
    record.fold(best!);
    fleet.spare(job.tasks, undefined, nowMs);
    fleet.update(job);
  }
  const end = held.upper + 1n;
  const [rest] = pending.intersection(next, end);
  const isFree = rest !== undefined && rest.lower === next && rest.end === end;
  const hasRoom = miner.tasks.length < fleet.limits.maxOutstandingTasks;
  const goesOn = isFree && hasRoom && !fleet.doubts.bars(job, miner);
  const chunk = goesOn ? job.adopt(miner, { lower, next, end }, nowMs) : undefined;
  if (chunk !== undefined) fleet.adopt(chunk, nowMs);
  fleet.settle(miner, job, nowMs);
  return chunk?.id ?? 0;
}

/** Why what it says of the search cannot be, if so. */
function whyNot(
  { limits }: Fleet,
  port: ResumePort,
  miner: Worker<Task>,
  { record }: SearchJob,
  { lower, upper, next, best }: Held,
): string | undefined {
  const { spec } = record;
  if (lower < spec.lower || upper > spec.upper || lower > upper) return "held outside its job";
  if (upper - lower >= limits.maxTaskUnits) return "held more than a chunk";
  if (next < lower || next > upper + 1n) return "held with its cursor outside";
  const most = unitsAtMost(limits, miner, port.ageMs(record));
  if (next - lower > most) return "held more than its rate allows";
  if (best === undefined) return next > lower ? "held without a candidate" : undefined;
  if (best.nonce < lower || best.nonce > upper) return "held with its candidate outside";
  return port.hash(spec.subject, best.nonce) === best.hash ? undefined : "held with a wrong hash";
}

/** What a miner can have searched of one chunk of a job that was submitted `ageMs` ago. */
function unitsAtMost(limits: FleetLimits, { rate, declared }: Worker<Task>, ageMs: Millis): bigint {
  const { assumedRate, oversizedTasks, taskSeconds, maxTaskUnits } = limits;
  const perSecond = Math.max(assumedRate, declared, rate.value ?? 0);
  const ageSeconds = (Math.max(0, ageMs) + CLOCKS_MS) / 1000;
  const seconds = Math.min(ageSeconds, oversizedTasks * taskSeconds);
  const units = Math.ceil(RATE_SLACK * perSecond * seconds);
  return units < Number(maxTaskUnits) ? BigInt(units) : maxTaskUnits;
}
