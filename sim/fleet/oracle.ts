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
  /** The client waits for it no longer: answered, cancelled, or the client is gone. */
  state: "open" | "answered" | "cancelled" | "gone";
  /** Whether nobody waits for it, or the server has answered it. */
  isOver: boolean;
  /** When that came about. */
  overAtMs: Millis;
  /** Times that the server forgot it, because its client or the server itself was lost. */
  drops: number;
  /** Times that it was submitted again while the server still had it. */
  resumes: number;
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
  readonly #loop: Loop;

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
      state: "open",
      isOver: false,
      overAtMs: Infinity,
      drops: 0,
      resumes: 0,
    };
    this.jobs.set(message, record);
    return record;
  }

  /** Nobody waits for the job any more. */
  ended(record: JobRecord, state: "cancelled" | "gone"): void {
    if (record.state === "open") record.state = state;
    this.#noteOver(record);
  }

  /** The server has forgotten the job: should it be submitted again, all of it is to be done. */
  dropped(message: string): void {
    const record = this.jobs.get(message);
    if (record === undefined) return;
    record.accepted = new Intervals();
    record.drops++;
    if (record.state !== "open") return;
    record.isOver = false;
    record.overAtMs = Infinity;
  }

  /** A miner hashed [lower, upper]. */
  hashed(message: string, lower: bigint, upper: bigint): void {
    const record = this.jobs.get(message);
    demand(record, () => `a miner hashes for an unknown message ${message}`);
    const { work } = record;
    demand(
      work.lower <= lower && upper <= work.upper,
      () => `${message}: a miner hashes ${lower}..${upper}, the job is ${rangeText(work)}`,
    );
    record.hashedAgain += record.hashed.add(lower, upper);
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
    demand(known === 0n, () => `${message}: ${known} nonces of ${lower}..${upper} accepted twice`);
    demand(
      record.hashed.covers(lower, upper),
      () => `${message}: accepted ${lower}..${upper}, which nobody has hashed`,
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
