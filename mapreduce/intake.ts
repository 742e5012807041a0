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
import { idFor, idText } from "../work/job_id.ts";
import { REASON_BYTES_MAX } from "../work/messages.ts";
import { Account } from "../work/scheduler.ts";
import { whyNoApplication } from "./code_name.ts";
import { MapReduceJob } from "./fleet_job.ts";
import {
  JOBS_MAX,
  JOBS_PER_ADDRESS_MAX,
  REDUCERS_MAX,
  SORT_BYTES_MAX,
  SORT_BYTES_MIN,
  SPLITS_MAX,
  SPLITS_TOTAL_MAX,
} from "./limits.ts";

/** A job whose splits are not all known. */
interface Draft {
  readonly submit: MrSubmit;
  readonly address: string;
  readonly sizes: number[];
}

/** What the intake needs of the coordinator. */
export interface IntakePort {
  readonly jobs: Iterable<MapReduceJob>;
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
  #lastUid = 0;

  constructor(fleet: Fleet, port: KindPort, owner: IntakePort) {
    this.#fleet = fleet;
    this.#port = port;
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
    this.#drafts.set(connId, { submit, address, sizes: [] });
    this.#beginIfWhole(connId, nowMs);
  }

  splits(connId: number, { job, first, sizes }: MrSplits, nowMs: Millis): void {
    const draft = this.#drafts.get(connId);
    if (draft === undefined || draft.submit.job !== job) {
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
    this.#drafts.delete(connId);
    const { job: number, terms, key } = draft.submit;
    const uid = ++this.#lastUid;
    const ids = new Set([...this.#owner.jobs].map(({ origin }) => origin.id));
    const session = key === "" ? BigInt(uid) : BigInt(`0x${key}`);
    const id = idFor({ session, number }, (taken) => ids.has(taken));
    const origin = { connId, number, uid, id, terms, key, address: draft.address };
    const base = { account: new Account(), seq: this.#fleet.takeSeq(), nowMs };
    const job = new MapReduceJob(origin, draft.sizes, base, (of) => this.#owner.capable(of));
    const what = `${oneLine(terms.application)}, ${readablePlural(draft.sizes.length, "map")}`;
    const reduces = readablePlural(terms.reducers, "reduce");
    const name = `${connId}/${number} (${idText(id)})`;
    this.#port.tell("info", `job ${name} accepted: ${what}, ${reduces}`);
    this.#owner.begin(job, nowMs);
  }

  #objection(connId: number, { terms, maps }: MrSubmit): string | undefined {
    const nonsense = whyNoTerms(terms, maps);
    if (nonsense !== undefined) return nonsense;
    if (this.isBusy(connId)) return "a connection has one map-reduce job at a time";
    const address = hostOf(this.#port.addressOf(connId), connId);
    let [jobs, ofAddress, splits] = [0, 0, maps];
    const others = [
      ...[...this.#owner.jobs].map((job) => [job.origin.address, job.plan.maps.length] as const),
      ...[...this.#drafts.values()].map((draft) => [draft.address, draft.submit.maps] as const),
    ];
    for (const [from, count] of others) {
      jobs++;
      if (from === address) ofAddress++;
      splits += count;
    }
    if (jobs >= JOBS_MAX) return `the server has reached its limit of ${JOBS_MAX} map-reduce jobs`;
    if (ofAddress >= JOBS_PER_ADDRESS_MAX) {
      return `this address has reached its limit of ${JOBS_PER_ADDRESS_MAX} map-reduce jobs`;
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
