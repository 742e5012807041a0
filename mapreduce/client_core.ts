/**
 * The client of a job without sockets and files: says what is to be done, gives out its splits,
 * and fetches the outputs.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { ServerRing } from "../base/server_ring.ts";
import {
  type JobTerms,
  type MapReduceMessage,
  type MrAsked,
  type MrAttached,
  type MrOutput,
  type MrStatus,
  SPLITS_ROWS_MAX,
} from "../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { type About, encodeAbout } from "./about.ts";
import { Home, type HomeEffect } from "./home.ts";
import { FETCHES_MAX } from "./limits.ts";
import type { PeerEffect, PeerInput } from "./peer_types.ts";
import { isOfPeers, Peers } from "./peers.ts";
import { PIECE_HEAD_BYTES, withRoom } from "./piece_frame.ts";

/** What a client asks for. */
export interface ClientJob {
  readonly terms: JobTerms;
  /** The splits, as the user named them, and their sizes in bytes. */
  readonly splits: readonly (About & { readonly bytes: number })[];
  /** The code of the application, unless it is built in. */
  readonly code?: Uint8Array;
  /** What those must know who ask directly; see {@link MrWant}. */
  readonly key: string;
  /** Ends when the fleet has read all splits: nothing is fetched. */
  readonly detach?: boolean;
  /** Not a new job, but one that is there. */
  readonly existing?: { readonly id: number; readonly wish: JobWish };
}

export type ClientInput =
  | PeerInput
  | { readonly kind: "connected" }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  | { readonly kind: "gone"; readonly reason: string }
  /** The user gives up. */
  | { readonly kind: "cancel" }
  /** Answers `read`, with the room in front; undefined: it cannot be read: the job is over. */
  | { readonly kind: "read"; readonly id: number; readonly bytes: Uint8Array | undefined }
  /** Answers `adopt`: the output is not in the shared directory. */
  | { readonly kind: "absent"; readonly reduce: number }
  /** Answers `verify`, or `adopt`: it is there, and is what it is to be. */
  | { readonly kind: "verified"; readonly reduce: number; readonly good: boolean };

/** Which output, and what it is to be. */
interface OutputPart {
  readonly reduce: number;
  readonly bytes: number;
  readonly hash: string;
}

export type ClientEffect =
  | PeerEffect
  | HomeEffect
  /** Takes over an output that a worker has put into the shared directory. */
  | ({ readonly kind: "adopt" } & OutputPart)
  | { readonly kind: "write"; readonly payload: Uint8Array }
  /** Takes `length` bytes of a split, behind `room` bytes, as a worker does of a file. */
  | {
      readonly kind: "read";
      readonly id: number;
      readonly split: number;
      readonly offset: number;
      readonly length: number;
      readonly room: number;
    }
  /** Puts bytes into an output that is not final. */
  | {
      readonly kind: "put";
      readonly reduce: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** Whether the output is of that size, and has that SHA-256. */
  | ({ readonly kind: "verify" } & OutputPart)
  | { readonly kind: "status"; readonly status: MrStatus }
  /** The server has the job. */
  | { readonly kind: "attached"; readonly attached: MrAttached }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

/** What is wanted of a job by its id: how it stands, its end, its outputs, or that it ends. */
export type JobWish = "look" | "wait" | "fetch" | "cancel";

/** The one job of the connection. */
const JOB = 1;
const NOTHING = new Uint8Array();

/** Takes what was asked for; undefined: it cannot be had. */
type Answer = (bytes: Uint8Array | undefined) => void;

/** See the module. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  readonly #job: ClientJob;
  readonly #home: Home;
  readonly #effects = new Outbox<ClientEffect>();
  readonly #peers: Peers = this.#connected();
  /** What waits for bytes of a split. */
  readonly #reads = new Map<number, Answer>();
  /** Outputs that are to be fetched, by reduce; the newest word on each. */
  readonly #wanted = new Map<number, MrOutput>();
  readonly #fetching = new Map<number, MrOutput>();
  readonly #have = new Set<number>();
  #lastRead = 0;
  #isOver = false;
  /** What the server said of the job. */
  #attached: MrAttached | undefined;
  /** Asked for the job under its key, after the connection was lost. */
  #isBack = false;

  /** `ring`: the servers; left out: one, which its owner knows. */
  constructor(job: ClientJob, ring?: ServerRing) {
    this.#job = job;
    this.#home = new Home(ring, (effect) => this.#effects.push(effect));
  }

  get #reducers(): number {
    return this.#attached?.reducers ?? this.#job.terms.reducers;
  }

  /** Whether it fetches outputs. */
  get #fetchesOutputs(): boolean {
    const { existing, detach } = this.#job;
    return existing === undefined ? detach !== true : existing.wish === "fetch";
  }

  handle(input: ClientInput | Wake, nowMs: Millis): void {
    if (this.#isOver) return;
    this.#peers.routes.at(nowMs);
    if (isOfPeers(input)) this.#peers.handle(input);
    else this.#handleOwn(input, nowMs);
  }

  #handleOwn(input: Exclude<ClientInput, PeerInput> | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "wake":
        return this.#home.wake(nowMs);
      case "connected":
        this.#home.connected();
        return this.#begin();
      case "payload":
        return this.#handlePayload(input.payload, nowMs);
      case "gone":
        return this.#lose(this.#home.lost(input.reason, undefined, nowMs));
      case "cancel":
        // A job that is another's goes on.
        if (this.#job.existing === undefined) {
          const payload = encodeMessage({ kind: "cancel", job: JOB });
          this.#effects.push({ kind: "write", payload });
        }
        return this.#end({ kind: "failed", reason: "it was cancelled" });
      case "read": {
        const answer = this.#reads.get(input.id);
        this.#reads.delete(input.id);
        return answer?.(input.bytes);
      }
      case "absent": {
        const output = this.#fetching.get(input.reduce);
        return output && this.#fetchOutput(output);
      }
      case "verified":
        return this.#handleVerified(input.reduce, input.good);
    }
  }

  poll(): ClientEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.#home.wakeAtMs;
  }

  /** The connection is lost: the job goes on, and this one comes back to it, or fails. */
  #lose(reason: string | undefined): void {
    if (reason !== undefined) return this.#end({ kind: "failed", reason });
    this.#peers.routes.clear();
    this.#fetching.clear();
    this.#wanted.clear();
    this.#reads.clear();
  }

  #begin(): void {
    const { existing, key } = this.#job;
    const { port } = this.#peers;
    if (existing === undefined && this.#attached === undefined) return this.#submit();
    this.#isBack = existing === undefined;
    const wish = existing?.wish ?? "follow";
    this.#write({
      kind: "mr-attach",
      job: JOB,
      id: existing?.id ?? this.#attached!.id,
      key: existing === undefined ? key : "",
      wish: wish === "look" || wish === "cancel" ? wish : "follow",
      port: existing === undefined ? port : 0,
    });
  }

  #connected(): Peers {
    return new Peers({
      write: (message) => this.#write(message),
      push: (effect) => this.#effects.push(effect),
      give: (want, answer) => {
        const { key } = this.#job;
        if (key !== "" && want.name === key) this.#give(want, answer, PIECE_HEAD_BYTES);
        else answer(undefined);
      },
    });
  }

  #submit(): void {
    const { terms, splits, key } = this.#job;
    const { port } = this.#peers;
    this.#write({ kind: "mr-submit", job: JOB, terms, maps: splits.length, port, key });
    for (let first = 0; first < splits.length; first += SPLITS_ROWS_MAX) {
      const sizes = splits.slice(first, first + SPLITS_ROWS_MAX).map(({ bytes }) => bytes);
      this.#write({ kind: "mr-splits", job: JOB, first, sizes });
    }
  }

  #handlePayload(payload: Uint8Array, nowMs: Millis): void {
    const message = decodeMessage(payload);
    // What cannot be read, or is not for a client, changes nothing.
    if (typeof message === "string") return;
    if (message.kind === "mr-piece") return this.#peers.routes.piece(message);
    if (message.kind === "mr-asked") return this.#handleAsked(message);
    if (message.kind === "servers") {
      const reason = this.#home.heard(message, nowMs);
      return message.leads ? undefined : this.#lose(reason);
    }
    if (!("job" in message) || (message.job !== JOB && message.job !== 0)) return;
    switch (message.kind) {
      case "mr-attached":
        return this.#handleAttached(message);
      case "mr-status":
        return this.#handleStatus(message);
      case "mr-note":
        return void this.#effects.push({ kind: "note", text: message.text });
      case "mr-output":
        return this.#handleOutput(message);
      case "mr-done":
        return this.#handleDone();
      case "mr-failed":
        if (this.#job.existing?.wish === "cancel") return this.#end({ kind: "done" });
        return this.#end({ kind: "failed", reason: message.reason });
      case "refused":
        if (!this.#isBack) return this.#end({ kind: "failed", reason: message.reason });
        // It was done, and the server could not say so any more.
        if (this.#hasAll) return this.#end({ kind: "done" });
        // The server has forgotten it: what was done is done anew.
        this.#isBack = false;
        this.#effects.push({ kind: "note", text: `${message.reason} any more: it begins anew` });
        return this.#submit();
      default:
        return;
    }
  }

  #handleAttached(attached: MrAttached): void {
    this.#attached = attached;
    this.#home.arrived();
    this.#effects.push({ kind: "attached", attached });
    // What this one has of an earlier server's job: that one may not have said so.
    if (this.#isBack) for (const reduce of this.#have) this.#tellFinal(reduce, true);
    this.#isBack = false;
  }

  #handleStatus(status: MrStatus): void {
    const { detach, existing } = this.#job;
    this.#effects.push({ kind: "status", status });
    if (existing?.wish === "look") return this.#end({ kind: "done" });
    const { maps, reducers } = this.#attached ?? { maps: Infinity, reducers: Infinity };
    const isRead = detach === true && status.mapsDone === maps;
    const isMade = existing?.wish === "wait" && status.reducesDone === reducers;
    if (isRead || isMade) this.#end({ kind: "done" });
  }

  #handleDone(): void {
    if (!this.#fetchesOutputs || this.#hasAll) return this.#end({ kind: "done" });
    this.#end({ kind: "failed", reason: "somebody else fetched its outputs" });
  }

  // ---- splits

  #handleAsked(asked: MrAsked): void {
    const { id } = asked;
    this.#give(asked, (bytes) => {
      this.#write({ kind: "mr-piece", id, found: bytes !== undefined, bytes: bytes ?? NOTHING });
    });
  }

  #give(
    { item, offset, length }: Pick<MrAsked, "item" | "offset" | "length">,
    to: Answer,
    room = 0,
  ): void {
    const { splits, code } = this.#job;
    const part = (all: Uint8Array): void =>
      to(withRoom(all.subarray(offset, offset + length), room));
    if (item.kind === "code") return code === undefined ? to(undefined) : part(code);
    if (item.kind !== "about" && item.kind !== "split") return to(undefined);
    const split = splits[item.index];
    if (split === undefined) return to(undefined);
    if (item.kind === "about") return part(encodeAbout(split));
    const most = Math.min(length, split.bytes - offset);
    if (most < 0) return to(undefined);
    const read = ++this.#lastRead;
    this.#reads.set(read, to);
    this.#effects.push({ kind: "read", id: read, split: item.index, offset, length: most, room });
  }

  // ---- outputs

  #handleOutput(output: MrOutput): void {
    const { reduce } = output;
    if (!this.#fetchesOutputs || reduce >= this.#reducers) return;
    // After a job began anew, what was fetched before is still right: it has the same name.
    if (this.#have.has(reduce)) return this.#tellFinal(reduce, true);
    this.#wanted.set(reduce, output);
    this.#fetchWanted();
  }

  #fetchWanted(): void {
    for (const [reduce, output] of this.#wanted) {
      if (this.#fetching.size >= FETCHES_MAX) return;
      if (this.#fetching.has(reduce)) continue;
      this.#wanted.delete(reduce);
      this.#fetching.set(reduce, output);
      const { bytes, hash } = output.source;
      if (this.#job.terms.out === "") this.#fetchOutput(output);
      else this.#effects.push({ kind: "adopt", reduce, bytes, hash });
    }
  }

  #fetchOutput({ reduce, source, at }: MrOutput): void {
    const { holder, bytes, hash } = source;
    this.#peers.routes.start({
      holder,
      job: JOB,
      at,
      name: hash,
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
    if (good || !this.#wanted.has(reduce)) this.#tellFinal(reduce, good);
    this.#fetchWanted();
    const isKept = this.#attached?.keep === true;
    if (isKept && this.#hasAll) this.#end({ kind: "done" });
  }

  /** Whether all outputs are here. */
  get #hasAll(): boolean {
    return this.#fetchesOutputs && this.#have.size === this.#reducers;
  }

  #tellFinal(reduce: number, good: boolean): void {
    this.#write({ kind: "mr-final", job: JOB, reduce, good });
  }

  #end(effect: ClientEffect): void {
    this.#isOver = true;
    this.#effects.push(effect);
  }

  #write(message: MapReduceMessage): void {
    this.#effects.push({ kind: "write", payload: encodeMessage(message) });
  }
}
