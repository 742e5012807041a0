/**
 * Those who ask: sessions, and the connections over which they speak.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Wire } from "../lsp/mod.ts";
import { idText } from "../work/job_id.ts";
import type { Message } from "../work/messages.ts";
import { Account } from "../work/scheduler.ts";
import type { SearchSpec } from "../work/subject.ts";
import type { SearchJob } from "./search_job.ts";
import type { Share } from "./shares.ts";
import type { JobName } from "./table.ts";

/** By these a stranger turns out to be a client. */
export const FIRST_WORDS: ReadonlySet<Message["kind"]> = new Set([
  "submit",
  "attach",
  "list",
  "end",
  "export",
]);
/** All that a client says. */
export const CLIENT_WORDS: ReadonlySet<Message["kind"]> = new Set([
  ...FIRST_WORDS,
  "fetched",
  "cancel",
]);

/** A submit that is not in the table yet. */
export interface Pending {
  readonly spec: SearchSpec;
  isCancelled: boolean;
}

/** A session: what one client asked for, over the connection that it used last. */
export class Asker extends Account {
  readonly session: bigint;
  readonly wire: Wire;
  /** 0: it has not been here since this server began. */
  connId: number;
  isHere: boolean;
  /** When it went, or was first known not to be here. */
  goneMs: Millis;
  /** Live jobs by the client's number; those whose answer is not in the table yet included. */
  readonly jobs: Map<number, SearchJob> = new Map();
  readonly pending: Map<number, Pending> = new Map();
  /** What its address has; that of its first connection. */
  readonly share: Share;
  /** Messages of its live jobs, in bytes of UTF-8. */
  messageBytes = 0;

  /** `goneMs`: since when it is not here; left out: it is. */
  constructor(session: bigint, wire: Wire, connId: number, share: Share, goneMs?: Millis) {
    super();
    this.isHere = goneMs === undefined;
    this.goneMs = goneMs ?? 0;
    this.session = session;
    this.wire = wire;
    this.connId = connId;
    this.share = share;
  }

  /** Whether nothing is left to remember it for. */
  get isIdle(): boolean {
    return !this.isHere && this.jobs.size === 0 && this.pending.size === 0;
  }
}

/** A connection that asked for jobs. */
export interface Client {
  readonly connId: number;
  readonly asker: Asker;
  /** Classic requests that wait for the one before: their Results could not be told apart. */
  readonly waiting: SearchSpec[];
  /** Classic requests so far; each gets the next number. */
  requests: number;
  /** Jobs that it follows and did not submit under that number, by its own number. */
  readonly attached: Map<number, JobName>;
}

/** Sessions of classic clients count from here: no cbor client can name them. */
export const CLASSIC_SESSIONS: bigint = 1n << 64n;
/** Sessions of those who only look, likewise. */
export const LOOKING_SESSIONS: bigint = 1n << 65n;

/** With these 24 bits begin sessions that servers draw for classic clients. */
const RELAYED_MARK = 0x636c61n;
const MARK_SHIFT = 40n;

/** The session of a classic client that a server speaks for, from 64 bits at random. */
export function relayedSession(random: bigint): bigint {
  return (RELAYED_MARK << MARK_SHIFT) | BigInt.asUintN(Number(MARK_SHIFT), random);
}

/**
 * Whether this is the session of a classic client that a server speaks for, and that does not come
 * back by itself. One session of a cbor client in 16 million looks alike, and only waits less long.
 */
export function isRelayedSession(session: bigint): boolean {
  return session >> MARK_SHIFT === RELAYED_MARK;
}

/** The session that asked for the job. */
export function askerOf(job: SearchJob): Asker {
  return job.account as Asker;
}

/** For people: the job's id, which outlives connections; without one, its client and number. */
export function nameOf(job: SearchJob): string {
  const { name, id } = job.record;
  return job.isKept ? idText(id) : `${askerOf(job).connId}/${name.number}`;
}
