/**
 * The client of a job without sockets and files: says what is to be done, gives out its splits,
 * and fetches the outputs.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import {
  type JobTerms,
  type MapReduceMessage,
  type MrAsked,
  type MrOutput,
  type MrStatus,
  SPLITS_ROWS_MAX,
} from "../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { encodeAbout } from "./about.ts";
import type { Split } from "./application.ts";
import { Fetches } from "./fetch.ts";
import { FETCHES_MAX } from "./limits.ts";

/** What a client asks for. */
export interface ClientJob {
  readonly terms: JobTerms;
  /** The splits, as the user named them, and their sizes in bytes. */
  readonly splits: readonly (Split & { readonly bytes: number })[];
  /** The code of the application, unless it is built in. */
  readonly code?: Uint8Array;
}

export type ClientInput =
  | { readonly kind: "connected" }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  | { readonly kind: "gone"; readonly reason: string }
  /** The user gives up. */
  | { readonly kind: "cancel" }
  /** Answers `read`; undefined: it cannot be read, which is the end of the job. */
  | { readonly kind: "read"; readonly id: number; readonly bytes: Uint8Array | undefined }
  /** Answers `verify`. */
  | { readonly kind: "verified"; readonly reduce: number; readonly good: boolean };

export type ClientEffect =
  | { readonly kind: "write"; readonly payload: Uint8Array }
  /** Takes `length` bytes of a split. */
  | {
      readonly kind: "read";
      readonly id: number;
      readonly split: number;
      readonly offset: number;
      readonly length: number;
    }
  /** Puts bytes into an output that is not final. */
  | {
      readonly kind: "put";
      readonly reduce: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** Whether the output is of that size, and has that SHA-256. */
  | {
      readonly kind: "verify";
      readonly reduce: number;
      readonly bytes: number;
      readonly hash: string;
    }
  | { readonly kind: "status"; readonly status: MrStatus }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

/** The one job of the connection. */
const JOB = 1;
const NOTHING = new Uint8Array();

/** See the module. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  readonly #job: ClientJob;
  readonly #effects = new Outbox<ClientEffect>();
  readonly #fetches = new Fetches((get) => this.#write(get));
  readonly #reads = new Map<number, number>();
  /** Outputs that are to be fetched, by reduce; the newest word on each. */
  readonly #wanted = new Map<number, MrOutput>();
  readonly #fetching = new Map<number, MrOutput>();
  readonly #have = new Set<number>();
  #lastRead = 0;
  #isOver = false;

  constructor(job: ClientJob) {
    this.#job = job;
  }

  handle(input: ClientInput | Wake, _nowMs: Millis): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "wake":
        return;
      case "connected":
        return this.#submit();
      case "payload":
        return this.#handlePayload(input.payload);
      case "gone":
        return this.#end({ kind: "failed", reason: input.reason });
      case "cancel":
        this.#effects.push({ kind: "write", payload: encodeMessage({ kind: "cancel", job: JOB }) });
        return this.#end({ kind: "failed", reason: "it was cancelled" });
      case "read":
        return this.#handleRead(input.id, input.bytes);
      case "verified":
        return this.#handleVerified(input.reduce, input.good);
    }
  }

  poll(): ClientEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return undefined;
  }

  #submit(): void {
    const { terms, splits } = this.#job;
    this.#write({ kind: "mr-submit", job: JOB, terms, maps: splits.length });
    for (let first = 0; first < splits.length; first += SPLITS_ROWS_MAX) {
      const sizes = splits.slice(first, first + SPLITS_ROWS_MAX).map(({ bytes }) => bytes);
      this.#write({ kind: "mr-splits", job: JOB, first, sizes });
    }
  }

  #handlePayload(payload: Uint8Array): void {
    const message = decodeMessage(payload);
    // What cannot be read, or is not for a client, changes nothing.
    if (typeof message === "string") return;
    if (message.kind === "mr-piece") return void this.#fetches.handle(message);
    if (message.kind === "mr-asked") return this.#handleAsked(message);
    if (!("job" in message) || (message.job !== JOB && message.job !== 0)) return;
    switch (message.kind) {
      case "mr-status":
        return void this.#effects.push({ kind: "status", status: message });
      case "mr-note":
        return void this.#effects.push({ kind: "note", text: message.text });
      case "mr-output":
        return this.#handleOutput(message);
      case "mr-done":
        if (this.#have.size === this.#job.terms.reducers) this.#end({ kind: "done" });
        return;
      case "mr-failed":
      case "refused":
        return this.#end({ kind: "failed", reason: message.reason });
      default:
        return;
    }
  }

  // ---- splits

  #handleAsked({ id, item, offset, length }: MrAsked): void {
    const { splits, code } = this.#job;
    if (item.kind === "code") return this.#answer(id, code?.slice(offset, offset + length));
    if (item.kind !== "about" && item.kind !== "split") return this.#answer(id, undefined);
    const split = splits[item.index];
    if (split === undefined) return this.#answer(id, undefined);
    if (item.kind === "about") {
      return this.#answer(id, encodeAbout(split).slice(offset, offset + length));
    }
    const most = Math.min(length, split.bytes - offset);
    if (most < 0) return this.#answer(id, undefined);
    const read = ++this.#lastRead;
    this.#reads.set(read, id);
    this.#effects.push({ kind: "read", id: read, split: item.index, offset, length: most });
  }

  #handleRead(read: number, bytes: Uint8Array | undefined): void {
    const id = this.#reads.get(read);
    this.#reads.delete(read);
    if (id !== undefined) this.#answer(id, bytes);
  }

  #answer(id: number, bytes: Uint8Array | undefined): void {
    this.#write({ kind: "mr-piece", id, found: bytes !== undefined, bytes: bytes ?? NOTHING });
  }

  // ---- outputs

  #handleOutput(output: MrOutput): void {
    const { reduce } = output;
    if (reduce >= this.#job.terms.reducers || this.#have.has(reduce)) return;
    this.#wanted.set(reduce, output);
    this.#fetchWanted();
  }

  #fetchWanted(): void {
    for (const [reduce, output] of this.#wanted) {
      if (this.#fetching.size >= FETCHES_MAX) return;
      if (this.#fetching.has(reduce)) continue;
      this.#wanted.delete(reduce);
      this.#fetching.set(reduce, output);
      this.#fetchOutput(output);
    }
  }

  #fetchOutput({ reduce, source }: MrOutput): void {
    const { holder, bytes, hash } = source;
    this.#fetches.start({
      holder,
      job: JOB,
      item: { kind: "output", index: reduce },
      bytes,
      onPiece: (offset, piece) => this.#effects.push({ kind: "put", reduce, offset, bytes: piece }),
      onDone: () => this.#effects.push({ kind: "verify", reduce, bytes, hash }),
      onFailed: () => this.#handleVerified(reduce, false),
    });
  }

  #handleVerified(reduce: number, good: boolean): void {
    if (!this.#fetching.delete(reduce)) return;
    if (good) this.#have.add(reduce);
    // There is a newer word on where it is: that one counts.
    if (good || !this.#wanted.has(reduce)) {
      this.#write({ kind: "mr-final", job: JOB, reduce, good });
    }
    this.#fetchWanted();
  }

  #end(effect: ClientEffect): void {
    this.#isOver = true;
    this.#effects.push(effect);
  }

  #write(message: MapReduceMessage): void {
    this.#effects.push({ kind: "write", payload: encodeMessage(message) });
  }
}
