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
  readonly sizes: number[];
}

/** A connection that asked for a job: one at a time. */
interface Client {
  readonly account: Account;
  readonly address: string;
  draft: Draft | undefined;
  job: MapReduceJob | undefined;
  /** Splits of its draft or job. */
  splits: number;
}

/** What the intake needs of the coordinator. */
export interface IntakePort {
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
  readonly #clients = new Map<number, Client>();
  #lastUid = 0;

  constructor(fleet: Fleet, port: KindPort, owner: IntakePort) {
    this.#fleet = fleet;
    this.#port = port;
    this.#owner = owner;
  }

  /** Whether the connection is one of a client. */
  knows(connId: number): boolean {
    return this.#clients.has(connId);
  }

  submit(connId: number, submit: MrSubmit, nowMs: Millis): void {
    const reason = this.#objection(connId, submit);
    if (reason !== undefined) return this.#refuse(connId, submit.job, reason);
    const known = this.#clients.get(connId);
    const client: Client = known ?? {
      account: new Account(),
      address: hostOf(this.#port.addressOf(connId), connId),
      draft: undefined,
      job: undefined,
      splits: 0,
    };
    client.draft = { submit, sizes: [] };
    client.splits = submit.maps;
    this.#clients.set(connId, client);
    this.#beginIfWhole(connId, client, nowMs);
  }

  splits(connId: number, { job, first, sizes }: MrSplits, nowMs: Millis): void {
    const client = this.#clients.get(connId);
    const draft = client?.draft;
    if (client === undefined || draft === undefined || draft.submit.job !== job) {
      return this.#port.reject("splits of an unknown job");
    }
    const isNext = first === draft.sizes.length && sizes.length > 0;
    if (!isNext || first + sizes.length > draft.submit.maps) {
      return this.#port.reject("splits out of order");
    }
    draft.sizes.push(...sizes);
    this.#beginIfWhole(connId, client, nowMs);
  }

  /** The job is over. */
  end(job: MapReduceJob): void {
    const client = this.#clients.get(job.origin.connId);
    if (client?.job !== job) return;
    client.job = undefined;
    client.splits = 0;
  }

  gone(connId: number): void {
    this.#clients.delete(connId);
  }

  #beginIfWhole(connId: number, client: Client, nowMs: Millis): void {
    const { draft } = client;
    if (draft === undefined || draft.sizes.length < draft.submit.maps) return;
    client.draft = undefined;
    const { job: number, terms, key } = draft.submit;
    const origin = { connId, number, uid: ++this.#lastUid, terms, key };
    const base = { account: client.account, seq: this.#fleet.takeSeq(), nowMs };
    const job = new MapReduceJob(origin, draft.sizes, base, (of) => this.#owner.capable(of));
    client.job = job;
    const what = `${oneLine(terms.application)}, ${readablePlural(draft.sizes.length, "map")}`;
    const reduces = readablePlural(terms.reducers, "reduce");
    this.#port.tell("info", `job ${connId}/${number} accepted: ${what}, ${reduces}`);
    this.#owner.begin(job, nowMs);
  }

  #objection(connId: number, { terms, maps }: MrSubmit): string | undefined {
    const nonsense = whyNoTerms(terms, maps);
    if (nonsense !== undefined) return nonsense;
    const client = this.#clients.get(connId);
    if (client?.draft !== undefined || client?.job !== undefined) {
      return "a connection has one map-reduce job at a time";
    }
    const address = hostOf(this.#port.addressOf(connId), connId);
    let [jobs, ofAddress, splits] = [0, 0, maps];
    for (const other of this.#clients.values()) {
      if (other.draft === undefined && other.job === undefined) continue;
      jobs++;
      if (other.address === address) ofAddress++;
      splits += other.splits;
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
