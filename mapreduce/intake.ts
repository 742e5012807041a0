/**
 * Jobs that clients ask for, until all about them is known: terms, then splits.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { clipped, oneLine, readablePlural } from "../base/text.ts";
import type { KindPort } from "../server/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type { JobTerms, MrSplits, MrSubmit } from "../work/mapreduce_messages.ts";
import { idFor } from "../work/job_id.ts";
import { REASON_BYTES_MAX } from "../work/messages.ts";
import { Account } from "../work/scheduler.ts";
import { whyNoApplication } from "./code_name.ts";
import type { Books } from "./books.ts";
import { type JobOrigin, MapReduceJob, nameOf } from "./fleet_job.ts";
import {
  JOBS_MAX,
  JOBS_PER_ADDRESS_MAX,
  PARTITIONS_MAX,
  REDUCERS_MAX,
  RETURN_MS,
  SORT_BYTES_MAX,
  SORT_BYTES_MIN,
  SPLITS_MAX,
  SPLITS_TOTAL_MAX,
} from "./limits.ts";
import { Pace, PaceOfAll } from "./pace.ts";

/** A job whose splits are not all known. */
interface Draft {
  readonly submit: MrSubmit;
  readonly address: string;
  readonly sizes: number[];
  /** It is whole, and being put into the table. */
  isWhole: boolean;
}

/** What the intake needs of the coordinator. */
export interface IntakePort {
  readonly jobs: Iterable<MapReduceJob>;
  jobOf(id: number): MapReduceJob | undefined;
  capable(job: MapReduceJob): Iterable<number>;
  begin(job: MapReduceJob, nowMs: Millis): void;
}

const MIB = 2 ** 20;
/** A week, in milliseconds: the longest limit of a task. */
const TIMEOUT_MS_MAX = 7 * 86_400_000;

/** See the module. */
export class Intake {
  readonly #fleet: Fleet;
  readonly #port: KindPort;
  readonly #owner: IntakePort;
  /** By connection: one at a time. */
  readonly #drafts = new Map<number, Draft>();
  /** Connections of clients of map-reduce. */
  readonly #known = new Set<number>();
  readonly #books: Books;
  readonly #pace: PaceOfAll;
  /** Ids of jobs that are being put into the table. */
  readonly #coming = new Set<number>();
  /** Jobs of clients that have no key. */
  #keyless = 0;

  constructor(fleet: Fleet, port: KindPort, books: Books, owner: IntakePort) {
    this.#fleet = fleet;
    const { limits, roster } = fleet;
    this.#pace = new PaceOfAll(limits, () => roster.fleetRate / Math.max(1, roster.workers.size));
    this.#port = port;
    this.#books = books;
    this.#owner = owner;
  }

  /** Whether the connection is one of a client. */
  knows(connId: number): boolean {
    return this.#known.has(connId);
  }

  /** Whether the connection has a job, or is about to. */
  isBusy(connId: number): boolean {
    if (this.#drafts.has(connId)) return true;
    for (const { followers } of this.#owner.jobs) if (followers.has(connId)) return true;
    return false;
  }

  submit(connId: number, submit: MrSubmit, nowMs: Millis): void {
    this.#known.add(connId);
    const reason = this.#objection(connId, submit);
    if (reason !== undefined) return this.#refuse(connId, submit.job, reason);
    const address = hostOf(this.#port.addressOf(connId), connId);
    this.#drafts.set(connId, { submit, address, sizes: [], isWhole: false });
    this.#beginIfWhole(connId, nowMs);
  }

  splits(connId: number, { job, first, sizes }: MrSplits, nowMs: Millis): void {
    const draft = this.#drafts.get(connId);
    if (draft === undefined || draft.isWhole || draft.submit.job !== job) {
      return this.#port.reject("splits of an unknown job");
    }
    const isNext = first === draft.sizes.length && sizes.length > 0;
    if (!isNext || first + sizes.length > draft.submit.maps) {
      return this.#port.reject("splits out of order");
    }
    draft.sizes.push(...sizes);
    this.#beginIfWhole(connId, nowMs);
  }

  gone(connId: number): void {
    this.#drafts.delete(connId);
    this.#known.delete(connId);
  }

  #beginIfWhole(connId: number, nowMs: Millis): void {
    const draft = this.#drafts.get(connId);
    if (draft === undefined || draft.sizes.length < draft.submit.maps) return;
    draft.isWhole = true;
    const { submit, sizes, address } = draft;
    const { job: number, terms, key } = submit;
    const session = key === "" ? BigInt(++this.#keyless) : BigInt(`0x${key}`);
    const id = idFor({ session, number }, (taken) => this.#isTaken(taken));
    const origin = { number, id, terms, key, address };
    this.#coming.add(id);
    const over = (): boolean => {
      this.#coming.delete(id);
      if (this.#drafts.get(connId) !== draft) return false;
      return this.#drafts.delete(connId);
    };
    const then = (atMs: Millis): void => {
      if (over()) this.#begin({ ...origin, connId }, sizes, atMs);
      else this.#books.shut(id, atMs);
    };
    const giveUp = (why: string): void => {
      if (over()) this.#refuse(connId, number, `the server cannot keep new jobs now: ${why}`);
    };
    this.#books.begin(origin, sizes, nowMs, then, giveUp);
  }

  #begin(origin: JobOrigin, sizes: readonly number[], nowMs: Millis): void {
    const { application, reducers } = origin.terms;
    const from = `client ${origin.connId}, ${origin.address}`;
    const job = this.#made(origin, sizes, nowMs);
    const what = `${oneLine(application)}, ${readablePlural(sizes.length, "map")}`;
    const reduces = readablePlural(reducers, "reduce");
    this.#port.tell("info", `job ${nameOf(job)} accepted from ${from}: ${what}, ${reduces}`);
    this.#owner.begin(job, nowMs);
  }

  #isTaken(id: number): boolean {
    return this.#coming.has(id) || this.#owner.jobOf(id) !== undefined;
  }

  #made(origin: JobOrigin, sizes: readonly number[], nowMs: Millis): MapReduceJob {
    const pace = new Pace(this.#pace);
    const base = { account: new Account(), seq: this.#fleet.takeSeq(), nowMs, pace };
    return new MapReduceJob(origin, sizes, base, (of) => this.#owner.capable(of));
  }

  /** Jobs of the table that are not at work: what was done of them is done. */
  *kept(nowMs: Millis): Iterable<MapReduceJob> {
    for (const { origin, sizes, maps, reduces } of this.#books.kept(nowMs)) {
      if (this.#isTaken(origin.id)) continue;
      const job = this.#made({ ...origin, connId: 0 }, sizes, nowMs);
      const { plan } = job;
      for (const [index, parts] of maps) plan.recall(plan.maps[index]!, parts);
      for (const [index, { part, isFinal }] of reduces) {
        plan.recall(plan.reduces[index]!, [part]);
        if (isFinal) plan.finalize(plan.reduces[index]!);
      }
      job.awaitedUntilMs = nowMs + RETURN_MS;
      yield job;
    }
  }

  #objection(connId: number, { terms, maps }: MrSubmit): string | undefined {
    const nonsense = whyNoTerms(terms, maps);
    if (nonsense !== undefined) return nonsense;
    if (this.isBusy(connId)) return "a connection has one map-reduce job at a time";
    const address = hostOf(this.#port.addressOf(connId), connId);
    let [jobs, ofAddress, splits, partitions] = [0, 0, maps, maps * terms.reducers];
    const count = (from: string, theirMaps: number, { reducers }: JobTerms): void => {
      jobs++;
      if (from === address) ofAddress++;
      splits += theirMaps;
      partitions += theirMaps * reducers;
    };
    for (const { origin, plan } of this.#owner.jobs) {
      count(origin.address, plan.maps.length, origin.terms);
    }
    for (const draft of this.#drafts.values()) {
      count(draft.address, draft.submit.maps, draft.submit.terms);
    }
    if (jobs >= JOBS_MAX) return `the server has reached its limit of ${JOBS_MAX} map-reduce jobs`;
    if (ofAddress >= JOBS_PER_ADDRESS_MAX) {
      return `this address has reached its limit of ${JOBS_PER_ADDRESS_MAX} map-reduce jobs`;
    }
    if (partitions > PARTITIONS_MAX) {
      const most = `maps times reducers are at most ${PARTITIONS_MAX}, of all jobs together`;
      return `${most}, got ${maps} times ${terms.reducers}`;
    }
    if (splits <= SPLITS_TOTAL_MAX) return undefined;
    return `the server has reached its limit of ${SPLITS_TOTAL_MAX} splits of all jobs`;
  }

  #refuse(connId: number, job: number, text: string): void {
    const reason = clipped(text, REASON_BYTES_MAX);
    this.#port.tell("warn", `map-reduce job ${connId}/${job} refused: ${oneLine(reason)}`);
    this.#port.write(connId, { kind: "refused", job, reason });
  }
}

/** The host of an address; a connection of unknown address stands for itself. */
function hostOf(address: string | undefined, connId: number): string {
  return address === undefined
    ? `connection ${connId}`
    : address.slice(0, address.lastIndexOf(":"));
}

function whyNoTerms(terms: JobTerms, maps: number): string | undefined {
  const { reducers, sortMib, timeoutMs, application } = terms;
  if (reducers < 1 || reducers > REDUCERS_MAX) {
    return `reducers must be 1..${REDUCERS_MAX}, got ${reducers}`;
  }
  if (maps > SPLITS_MAX) return `a job has at most ${SPLITS_MAX} splits, got ${maps}`;
  const [least, most] = [SORT_BYTES_MIN / MIB, SORT_BYTES_MAX / MIB];
  if (sortMib < least || sortMib > most) {
    return `the memory for sorting must be ${least}..${most} MiB, got ${sortMib}`;
  }
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
    return `the limit of a task must be 1..${TIMEOUT_MS_MAX} ms, got ${timeoutMs}`;
  }
  const why = whyNoApplication(application);
  return why === undefined ? undefined : `the application is "${application}": ${why}`;
}
