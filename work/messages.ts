/**
 * What the three programs say to each other over LSP: the native messages, their CBOR form, and the
 * checks that every received one must pass. The classic course messages are in work/classic.ts.
 *
 * Nonces and hashes are unsigned 64-bit numbers, held as bigint. Ranges include both ends.
 *
 * On the wire a message is a CBOR array: its type number, then its fields in the order of the
 * interface. Something optional is an array of none or one; a candidate is the array [hash, nonce].
 *
 * @module
 */
import { type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";

export { type ClassicMessage, decodeClassic, encodeClassic } from "./classic.ts";

/** Longest message of a job, in bytes of UTF-8. The pool of a miner has slots of this size. */
export const MAX_MESSAGE_BYTES = 65_536;
/** Longest label a miner may give itself, in bytes of UTF-8. */
export const MAX_LABEL_BYTES = 64;
/** Longest explanation in a {@link Refused} or {@link Hashing}, in bytes of UTF-8. */
export const MAX_REASON_BYTES = 256;
/** Version of the messages below; travels in the native handshake and equal at both ends. */
export const MESSAGES_VERSION = 2;

/** A nonce and its hash. Better: the smaller hash, on a tie the smaller nonce. */
export interface Candidate {
  readonly hash: bigint;
  readonly nonce: bigint;
}

// ---- miner -> server

/** The first message of a miner. */
export interface Join {
  readonly kind: "join";
  /** Threads that hash. */
  readonly threads: number;
  /** Nonces a second that the miner expects of itself, 0 when it does not know. */
  readonly rate: number;
  /** For people: the kernel's name and the like. */
  readonly label: string;
}

/**
 * What the miner turned out to hash with, after Join: once its kernels are measured, and whenever
 * it changes.
 */
export interface Hashing {
  readonly kind: "hashing";
  /** Threads that hash. */
  readonly threads: number;
  /** Nonces a second of all of them, as measured. */
  readonly rate: number;
  /** For people: the kernel's name. */
  readonly label: string;
  /** For people: why it is this kernel. */
  readonly reason: string;
}

/** A few times a second, of the running chunk. */
export interface Progress {
  readonly kind: "progress";
  readonly chunk: number;
  /** Everything in [chunk's lower, next - 1] has been searched; lower <= next <= upper. */
  readonly next: bigint;
  /** The best candidate so far, if any; may lie above `next` when several threads work. */
  readonly best?: Candidate;
}

/**
 * The chunk is finished. For a `target` chunk whose `best.hash` is at most the target, that nonce
 * is the lowest hit and what lies above it was not searched; else all of the chunk was.
 */
export interface Result {
  readonly kind: "result";
  readonly chunk: number;
  readonly best: Candidate;
}

/** Answer to {@link Shrink}: the chunk now ends at `upper`, at least what was asked for. */
export interface Shrunk {
  readonly kind: "shrunk";
  readonly chunk: number;
  readonly upper: bigint;
}

/** Answer to {@link Stop}: hashing stopped, `[lower, next - 1]` is searched; no Result follows. */
export interface Stopped {
  readonly kind: "stopped";
  readonly chunk: number;
  readonly next: bigint;
  readonly best?: Candidate;
}

// ---- server -> miner

/** Search `[lower, upper]`; runs at once, or after the chunks assigned before. */
export interface Assign {
  readonly kind: "assign";
  /** Number of the chunk, unique on the connection, 1 and up. */
  readonly chunk: number;
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Stop at the first nonce whose hash is at most this. */
  readonly target?: bigint;
}

/** End the chunk at `upper` (lower <= upper), or as soon after it as work already begun allows. */
export interface Shrink {
  readonly kind: "shrink";
  readonly chunk: number;
  readonly upper: bigint;
}

/** Drop the chunk, running or queued. Unanswered when its Result or Stopped is under way. */
export interface Stop {
  readonly kind: "stop";
  readonly chunk: number;
}

// ---- client -> server

/** A job: the least hash over `[lower, upper]`, or the lowest nonce whose hash meets `target`. */
export interface Submit {
  readonly kind: "submit";
  /** Number that the client gives the job, unique on the connection. */
  readonly job: number;
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
}

/** Drop the job; no more is heard of it. */
export interface Cancel {
  readonly kind: "cancel";
  readonly job: number;
}

// ---- server -> client

/** How the job stands, a few times a second. */
export interface Status {
  readonly kind: "status";
  readonly job: number;
  /** Nonces of the job searched so far. */
  readonly done: bigint;
  /** Nonces a second that this job gets now. */
  readonly jobRate: number;
  /** Nonces a second of the whole fleet. */
  readonly fleetRate: number;
  /** Connected miners. */
  readonly miners: number;
  readonly best?: Candidate;
}

/** The job's answer; `met` tells whether a target was reached (true for a least-hash job). */
export interface Answer {
  readonly kind: "answer";
  readonly job: number;
  readonly best: Candidate;
  readonly met: boolean;
}

/** The server will not do the job (or not let the miner in: job 0), and why, in one line. */
export interface Refused {
  readonly kind: "refused";
  readonly job: number;
  readonly reason: string;
}

export type FromMiner = Join | Hashing | Progress | Result | Shrunk | Stopped;
export type ToMiner = Assign | Shrink | Stop | Refused;
export type FromClient = Submit | Cancel;
export type ToClient = Status | Answer | Refused;
export type Message = FromMiner | ToMiner | FromClient | ToClient;

/** Type numbers on the wire. */
const TYPE: { readonly [K in Message["kind"]]: number } = {
  join: 1,
  assign: 2,
  shrink: 3,
  stop: 4,
  progress: 5,
  result: 6,
  shrunk: 7,
  stopped: 8,
  hashing: 9,
  submit: 16,
  cancel: 17,
  status: 18,
  answer: 19,
  refused: 20,
};

const utf8 = new TextEncoder();

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  return utf8.encode(text).length;
}

/** As much of `text` as fits into `maxBytes` bytes of UTF-8, whole characters only. */
export function clipped(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  return whole.slice(0, utf8.encodeInto(whole, new Uint8Array(maxBytes)).read);
}

/** Whether `a` beats `b`: the smaller hash, on a tie the smaller nonce. */
export function isBetter(a: Candidate, b: Candidate | undefined): boolean {
  return b === undefined || a.hash < b.hash || (a.hash === b.hash && a.nonce < b.nonce);
}

/** The better of two candidates, either of which may be missing. */
export function better(a: Candidate | undefined, b: Candidate | undefined): Candidate | undefined {
  if (a === undefined) return b;
  return isBetter(a, b) ? a : b;
}

/** The payload that says `message`. */
export function encodeMessage(message: Message): Uint8Array {
  return encodeCbor([TYPE[message.kind], ...fieldsOf(message)]);
}

const optional = (value: bigint | undefined): CborValue => (value === undefined ? [] : [value]);
const pair = (best: Candidate): CborValue => [best.hash, best.nonce];
const optionalPair = (best: Candidate | undefined): CborValue => (best ? [pair(best)] : []);

function fieldsOf(m: Message): CborValue[] {
  switch (m.kind) {
    case "join":
      return [m.threads, BigInt(Math.round(m.rate)), m.label];
    case "hashing":
      return [m.threads, BigInt(Math.round(m.rate)), m.label, m.reason];
    case "assign":
      return [m.chunk, m.message, m.lower, m.upper, optional(m.target)];
    case "shrink":
    case "shrunk":
      return [m.chunk, m.upper];
    case "stop":
      return [m.chunk];
    case "progress":
    case "stopped":
      return [m.chunk, m.next, optionalPair(m.best)];
    case "result":
      return [m.chunk, pair(m.best)];
    case "submit":
      return [m.job, m.message, m.lower, m.upper, optional(m.target)];
    case "cancel":
      return [m.job];
    case "status": {
      const rates = [BigInt(Math.round(m.jobRate)), BigInt(Math.round(m.fleetRate))];
      return [m.job, m.done, ...rates, m.miners, optionalPair(m.best)];
    }
    case "answer":
      return [m.job, pair(m.best), m.met ? 1 : 0];
    case "refused":
      return [m.job, m.reason];
  }
}

/** The message that `payload` says, or, as a string, why it is none. Never throws. */
export function decodeMessage(payload: Uint8Array): Message | string {
  const value = decodeCbor(payload);
  if (!Array.isArray(value)) return "not a plain CBOR array";
  const fields = new Fields(value as readonly CborValue[]);
  const message = messageOf(fields.count(0xff), fields);
  if (message === undefined) return "unknown message type";
  return fields.allRead() ? message : `malformed ${message.kind}`;
}

function messageOf(type: number, f: Fields): Message | undefined {
  switch (type) {
    case TYPE.join:
      return { kind: "join", ...f.miner() };
    case TYPE.hashing:
      return { kind: "hashing", ...f.miner(), reason: f.text(MAX_REASON_BYTES) };
    case TYPE.assign:
      return { kind: "assign", chunk: f.count(), ...f.work() };
    case TYPE.shrink:
      return { kind: "shrink", chunk: f.count(), upper: f.uint64() };
    case TYPE.stop:
      return { kind: "stop", chunk: f.count() };
    case TYPE.progress:
      return { kind: "progress", chunk: f.count(), next: f.uint64(), ...f.optionalBest() };
    case TYPE.result:
      return { kind: "result", chunk: f.count(), best: f.candidate() };
    case TYPE.shrunk:
      return { kind: "shrunk", chunk: f.count(), upper: f.uint64() };
    case TYPE.stopped:
      return { kind: "stopped", chunk: f.count(), next: f.uint64(), ...f.optionalBest() };
    case TYPE.submit:
      return { kind: "submit", job: f.count(), ...f.work() };
    case TYPE.cancel:
      return { kind: "cancel", job: f.count() };
    case TYPE.status:
      return {
        kind: "status",
        job: f.count(),
        done: f.uint64(),
        jobRate: f.rate(),
        fleetRate: f.rate(),
        miners: f.count(),
        ...f.optionalBest(),
      };
    case TYPE.answer:
      return { kind: "answer", job: f.count(), best: f.candidate(), met: f.count(1) === 1 };
    case TYPE.refused:
      return { kind: "refused", job: f.count(), reason: f.text(MAX_REASON_BYTES) };
    default:
      return undefined;
  }
}

/** Reads an array's fields one after the other; remembers whether any was not as it should be. */
class Fields {
  #values: readonly CborValue[];
  #at = 0;
  #good = true;

  constructor(values: readonly CborValue[]) {
    this.#values = values;
  }

  /** Whether all fields were read and all were good. */
  allRead(): boolean {
    return this.#good && this.#at === this.#values.length;
  }

  /** A whole number 0..max. */
  count(max = 2 ** 32 - 1): number {
    const value = this.#values[this.#at++];
    return typeof value === "number" && value <= max ? value : this.#bad(0);
  }

  uint64(): bigint {
    const value = this.#values[this.#at++];
    if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
    return this.#bad(0n);
  }

  /** A rate in nonces a second, as a double. */
  rate(): number {
    return Number(this.uint64());
  }

  text(maxBytes: number): string {
    const value = this.#values[this.#at++];
    const good = typeof value === "string" && utf8Length(value) <= maxBytes;
    return good ? value : this.#bad("");
  }

  /** What a miner says of itself. */
  miner(): { threads: number; rate: number; label: string } {
    return { threads: this.count(), rate: this.rate(), label: this.text(MAX_LABEL_BYTES) };
  }

  candidate(): Candidate {
    const inner = this.#array();
    const best = { hash: inner.uint64(), nonce: inner.uint64() };
    return inner.allRead() ? best : this.#bad(best);
  }

  optionalBest(): { best?: Candidate } {
    const inner = this.#array();
    if (inner.allRead()) return {};
    const best = inner.candidate();
    return inner.allRead() ? { best } : this.#bad({});
  }

  /** What to search: message, range and perhaps a target. */
  work(): { message: string; lower: bigint; upper: bigint; target?: bigint } {
    const message = this.text(MAX_MESSAGE_BYTES);
    const lower = this.uint64();
    const upper = this.uint64();
    const inner = this.#array();
    if (lower > upper) this.#bad(undefined);
    if (inner.allRead()) return { message, lower, upper };
    const target = inner.uint64();
    return inner.allRead()
      ? { message, lower, upper, target }
      : this.#bad({ message, lower, upper });
  }

  #array(): Fields {
    const value = this.#values[this.#at++];
    return new Fields(Array.isArray(value) ? (value as readonly CborValue[]) : this.#bad([]));
  }

  #bad<T>(instead: T): T {
    this.#good = false;
    return instead;
  }
}
