/**
 * The oracle of the fleet simulation: it knows every job's true answer, what every miner really
 * hashed, and what the server has accepted so far; and it holds the fleet to its promises.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Candidate } from "../../work/candidate.ts";
import type { Loop } from "../engine/loop.ts";
import { demand } from "../engine/trace.ts";
import { cheapSearch, type MessageJob } from "./cheap_hash.ts";
import { Intervals } from "./intervals.ts";

/**
 * One job. A client that comes back submits the same again; one that was restarted has forgotten
 * it, and submits it under another message.
 */
export interface JobRecord {
  readonly work: MessageJob;
  /** The true answer. */
  readonly expected: Candidate;
  readonly expectedMet: boolean;
  /** Hashed at least once, by whomever. */
  readonly hashed: Intervals;
  /** Nonces that were hashed again. */
  hashedAgain: bigint;
  /** Accepted by the server. */
  accepted: Intervals;
  /** So many nonces. */
  acceptedCount: bigint;
  /** The client waits for it no longer: answered, cancelled, or the client is gone. */
  state: "open" | "answered" | "cancelled" | "gone";
  /** Whether nobody waits for it, or the server has answered it. */
  isOver: boolean;
  /** When that came about. */
  overAtMs: Millis;
  /** Times that the server forgot it, because its client or the server itself was lost. */
  drops: number;
  /** When the server learned that there is nothing more to do for it; Infinity if there is. */
  serverOverAtMs: Millis;
  /** Times that it was submitted again while the server still had it. */
  resumes: number;
  /** Nonces hashed for it after it was over, by miners that can be told so. */
  wasted: bigint;
  /** Nonces that were hashed again while it was not over. */
  doubled: bigint;
  /** How many of both losses excuse (sim/fleet/losses.ts). */
  excused: number;
  /** Nonces that miners were given of it, and of all others since it was submitted. */
  handedOut: number;
  handedOutOfOthers: number;
  /** The latter when the last of it was handed out. */
  othersBefore: number;
}

/** Who hashes: honest miners that can be steered are to stop when a job is over. */
export interface Hasher {
  readonly name: string;
  readonly stops: boolean;
}

/** What a classic client may hear: it has no word for a missed target. */
export interface Verdict {
  readonly best: Candidate;
  readonly met: boolean;
}

/** The jobs of one run, by their messages, each of which is used once. */
export class FleetOracle {
  readonly jobs: Map<string, JobRecord> = new Map();
  answers = 0;
  acceptedRanges = 0;
  minersSentAway = 0;
  /** A classic server keeps no promise about waste. */
  isWasteBounded = true;
  readonly #loop: Loop;
  #stopsFromMs: Millis = 0;
  #stopsWithinMs: Millis = Infinity;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** A client is about to submit `work`. */
  submitted(work: MessageJob): JobRecord {
    const { message, lower, upper, target } = work;
    demand(!this.jobs.has(message), () => `message ${message} used twice`);
    const expected = cheapSearch(message, lower, upper, target);
    const record: JobRecord = {
      work,
      expected,
      expectedMet: target === undefined || expected.hash <= target,
      hashed: new Intervals(),
      hashedAgain: 0n,
      accepted: new Intervals(),
      acceptedCount: 0n,
      state: "open",
      isOver: false,
      overAtMs: Infinity,
      drops: 0,
      serverOverAtMs: Infinity,
      resumes: 0,
      wasted: 0n,
      doubled: 0n,
      excused: 0,
      handedOut: 0,
      handedOutOfOthers: 0,
      othersBefore: 0,
    };
    this.jobs.set(message, record);
    return record;
  }

  /** Nobody waits for the job any more. */
  ended(record: JobRecord, state: "cancelled" | "gone"): void {
    if (record.state === "open") record.state = state;
    this.#noteOver(record);
  }

  /** The server is about to begin with the job. */
  begins(message: string): void {
    const record = this.jobs.get(message);
    if (record !== undefined) record.serverOverAtMs = Infinity;
  }

  /** The server has forgotten the job: should it be submitted again, all of it is to be done. */
  dropped(message: string): void {
    const record = this.jobs.get(message);
    if (record === undefined) return;
    // Should it be submitted again, all that was hashed of it is hashed once more.
    this.excuse(message, Number(record.hashed.count));
    record.accepted = new Intervals();
    record.acceptedCount = 0n;
    record.drops++;
    record.serverOverAtMs = Math.min(record.serverOverAtMs, this.#loop.nowMs);
    if (record.state !== "open") return;
    record.isOver = false;
    record.overAtMs = Infinity;
  }

  /** From now on a miner learns within `withinMs` that a job is over. */
  demandStops(withinMs: Millis): void {
    this.#stopsFromMs = this.#loop.nowMs;
    this.#stopsWithinMs = withinMs;
  }

  /** A miner was given `units` nonces of a job. */
  handedOut(message: string, units: number): void {
    for (const record of this.jobs.values()) {
      if (record.work.message === message) {
        record.handedOut += units;
        record.othersBefore = record.handedOutOfOthers;
      } else if (!record.isOver) record.handedOutOfOthers += units;
    }
  }

  /** [lower, upper] was hashed, none of it before `sinceMs`; by a miner, or the server itself. */
  hashed(message: string, lower: bigint, upper: bigint, sinceMs: Millis, by?: Hasher): void {
    const record = this.jobs.get(message);
    demand(record, () => `a miner hashes for an unknown message ${message}`);
    const { work } = record;
    demand(
      work.lower <= lower && upper <= work.upper,
      () => `${message}: a miner hashes ${lower}..${upper}, the job is ${rangeText(work)}`,
    );
    const again = record.hashed.add(lower, upper);
    record.hashedAgain += again;
    if (by?.stops) this.#noteWaste(record, upper - lower + 1n, sinceMs, by.name);
    if (sinceMs < record.serverOverAtMs) record.doubled += again;
    if (!this.isWasteBounded) return;
    const waste = Number(record.doubled + record.wasted);
    demand(
      waste <= record.excused,
      () => `${message}: ${waste} nonces were hashed for nobody, losses excuse ${record.excused}`,
    );
  }

  /** Something was lost: so many nonces of the job may be hashed for nobody. */
  excuse(message: string, nonces: number): void {
    const record = this.jobs.get(message);
    if (record !== undefined) record.excused += nonces;
  }

  #noteWaste(record: JobRecord, nonces: bigint, sinceMs: Millis, name: string): void {
    const { serverOverAtMs, work } = record;
    if (sinceMs < serverOverAtMs) return;
    record.wasted += nonces;
    const afterMs = sinceMs - Math.max(serverOverAtMs, this.#stopsFromMs);
    demand(
      afterMs <= this.#stopsWithinMs,
      () => `${name} hashes for ${work.message} ${afterMs.toFixed(0)} ms after its end`,
    );
  }

  /** The server accepted [lower, upper] as searched for the first time. */
  accepted(message: string, lower: bigint, upper: bigint): void {
    const record = this.jobs.get(message)!;
    const { work } = record;
    this.acceptedRanges++;
    demand(
      lower <= upper && work.lower <= lower && upper <= work.upper,
      () => `${message}: accepted ${lower}..${upper}, the job is ${rangeText(work)}`,
    );
    const known = record.accepted.add(lower, upper);
    record.acceptedCount += upper - lower + 1n;
    demand(known === 0n, () => `${message}: ${known} nonces of ${lower}..${upper} accepted twice`);
    demand(
      record.hashed.covers(lower, upper),
      () => `${message}: accepted ${lower}..${upper}, which nobody has hashed`,
    );
  }

  /** The server says how the job stands. */
  serverTells(message: string, done: bigint): void {
    const { acceptedCount } = this.jobs.get(message)!;
    demand(
      done === acceptedCount,
      () => `${message}: said to be ${done} nonces far, accepted are ${acceptedCount}`,
    );
  }

  /** The server answers. By now everything that matters must have been accepted. */
  serverAnswers(message: string, verdict: Verdict): void {
    const record = this.jobs.get(message)!;
    this.#demandTruth(record, verdict);
    const { lower, upper, target } = record.work;
    const hit = target !== undefined && verdict.met;
    const last = hit ? verdict.best.nonce : upper;
    demand(
      record.accepted.covers(lower, last),
      () => `${message}: answered, but not all of ${lower}..${last} was accepted`,
    );
    this.#noteOver(record);
    record.serverOverAtMs = this.#loop.nowMs;
  }

  /** The answer has come to the client. */
  clientAnswered(record: JobRecord, verdict: Verdict): void {
    const { message } = record.work;
    demand(record.state === "open", () => `${message}: answered although ${record.state}`);
    record.state = "answered";
    this.answers++;
    this.#noteOver(record);
    this.#demandTruth(record, verdict);
  }

  #noteOver(record: JobRecord): void {
    if (record.isOver) return;
    record.isOver = true;
    record.overAtMs = this.#loop.nowMs;
  }

  #demandTruth(record: JobRecord, { best, met }: Verdict): void {
    const { work, expected, expectedMet } = record;
    const classic = work.target === undefined;
    demand(
      best.hash === expected.hash &&
        best.nonce === expected.nonce &&
        (classic || met === expectedMet),
      () =>
        `${work.message}: answered ${best.hash} at ${best.nonce} (met: ${met}), ` +
        `true is ${expected.hash} at ${expected.nonce} (met: ${expectedMet})`,
    );
  }
}

function rangeText({ lower, upper }: MessageJob): string {
  return `${lower}..${upper}`;
}
