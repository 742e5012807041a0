/**
 * The miner without sockets and threads: a plain state machine between one server (over LSP) and a
 * pool of hashing threads. It joins, passes chunks to the pool, reports what the pool tells, and
 * comes back after the server was lost.
 *
 * What it expects of its adapter: after a `dial` effect, `connected`, `payload` and `gone` are told
 * of that new connection only; whatever an older one still has to say is dropped.
 *
 * @module
 */
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { clipped } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import {
  CLASSIC_JOIN,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../work/classic.ts";
import {
  type Assign,
  type FromMiner,
  LABEL_BYTES_MAX,
  REASON_BYTES_MAX,
} from "../work/messages.ts";
import type { Servers } from "../work/server_messages.ts";
import { decodeMessage, encodeMessage, headOf } from "../work/wire.ts";
import { type Chunk, HeldSearches } from "./held.ts";
import { type LinkEnd, MinerLink } from "./link.ts";
import type {
  MinerCoreOptions,
  MinerEffect,
  MinerInput,
  MinerRejection,
  PoolEvent,
} from "./types.ts";

export { REFUSED_MS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from "./link.ts";

/** A running chunk's progress is told this often at most. */
export const PROGRESS_MS = 250;
/** Chunks that a server may have assigned and not yet heard of: one runs, one waits behind it. */
export const OUTSTANDING_CHUNKS_MAX = 2;
/** Chunks in all, with those that were told to stop but that the pool has not let go of. */
export const TRACKED_CHUNKS_MAX = 16;
/** The miner as a state machine; the first `wake` makes it dial. See the module's comment. */
export class MinerCore implements Machine<MinerInput, MinerEffect> {
  /** Messages of the server that were ignored, by reason. */
  readonly rejected: Map<MinerRejection, number> = new Map();
  readonly #link: MinerLink;
  readonly #name: string;
  readonly #effects = new Outbox<MinerEffect>();
  #pool: Extract<PoolEvent, { kind: "pool" }> | undefined;
  #kernel: Extract<MinerInput, { kind: "kernel" }> | undefined;
  #joined = false;
  /** Chunks of this connection by the pool's id, in the order of their assignment. */
  readonly #chunks = new Map<number, Chunk>();
  readonly #held = new HeldSearches();
  #lastId = 0;
  #lastChunkNumber = 0;
  /** The newest untold progress by the pool's id. */
  readonly #untold = new Map<number, Extract<PoolEvent, { kind: "progress" }>>();
  #toldAtMs: Millis = -Infinity;

  constructor(options: MinerCoreOptions) {
    this.#link = new MinerLink(options);
    this.#name = clipped(options.name ?? "", LABEL_BYTES_MAX);
  }

  /** Whether the miner is done for good. */
  get exited(): boolean {
    return this.#link.isDone;
  }

  handle(input: MinerInput | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "wake":
        return this.#handleWake(nowMs);
      case "connected":
        return this.#handleConnected(input.wire, nowMs);
      case "payload":
        return this.#handlePayload(input.payload, nowMs);
      case "gone":
        return this.#handleGone(input.reason, input.isThere === true, nowMs);
      case "pool":
        return this.#handlePool(input);
      case "kernel":
        this.#kernel = input;
        return this.#tellKernel();
      default:
        return this.#handlePoolEvent(input, nowMs);
    }
  }

  poll(): MinerEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    const linkMs = this.#link.wakeAtMs();
    if (linkMs !== undefined || !this.#link.isUp || this.#untold.size === 0) return linkMs;
    return this.#toldAtMs + PROGRESS_MS;
  }

  #handleWake(nowMs: Millis): void {
    const dial = this.#link.wake(nowMs);
    if (dial !== undefined) this.#effects.push(dial);
    this.#tellProgress(nowMs);
  }

  #handleConnected(wire: Wire, nowMs: Millis): void {
    if (!this.#link.isOpen || this.#link.isUp) return;
    this.#joined = false;
    this.#lastChunkNumber = 0;
    const line = this.#link.connected(wire, nowMs);
    if (line !== undefined) this.#log("info", line);
    this.#joinIfReady();
  }

  #handlePool(pool: Extract<PoolEvent, { kind: "pool" }>): void {
    const threads = this.#pool?.threads;
    this.#pool = pool;
    if (!this.#joined) this.#joinIfReady();
    else if (pool.threads !== threads) this.#tellKernel();
  }

  /** Tells the server what Join could not know yet. The json wire has no word for it. */
  #tellKernel(): void {
    if (!this.#joined || this.#link.wire === "json" || !this.#link.isUp) return;
    if (this.#kernel === undefined) return;
    const { name, rate, reason } = this.#kernel;
    const { threads } = this.#pool!;
    this.#write({
      kind: "hashing",
      threads,
      rate: rate * threads,
      label: clipped(name, LABEL_BYTES_MAX),
      reason: clipped(reason, REASON_BYTES_MAX),
    });
  }

  #joinIfReady(): void {
    if (!this.#link.isUp || this.#joined || this.#pool === undefined) return;
    this.#joined = true;
    const { threads, rate, label } = this.#pool;
    if (this.#link.wire === "cbor") {
      this.#write({ kind: "join", threads, rate, label, name: this.#name });
      this.#effects.push({ kind: "joined" });
      const held = this.#held.offer();
      if (held.length > 0) this.#write({ kind: "resume", held });
      return this.#tellKernel();
    }
    this.#effects.push({ kind: "write", payload: encodeClassicMessage(CLASSIC_JOIN) });
  }

  #handleGone(reason: string, isThere: boolean, nowMs: Millis): void {
    if (!this.#link.isOpen) return;
    this.#hold();
    this.#leave(this.#link.lost(reason, isThere, nowMs));
  }

  /** Goes on with what it has in hand, to bring it back. */
  #hold(): void {
    if (!this.#link.keeps) return;
    for (const [id, chunk] of this.#chunks) if (this.#held.add(chunk)) this.#chunks.delete(id);
  }

  #handleServers(message: Servers, nowMs: Millis): void {
    const end = this.#link.heard(message, nowMs);
    if (end === undefined) return this.#served();
    this.#hold();
    this.#leave(end);
  }

  /** The server is of use. */
  #served(): void {
    const line = this.#link.served();
    if (line !== undefined) this.#log("info", line);
  }

  /** The server says with which of the searches in hand it wants this miner to go on. */
  #handleResumed(numbers: readonly number[]): void {
    for (const [chunk, number] of this.#held.take(numbers)) {
      if (number === 0) {
        if (chunk.said?.kind !== "finished") this.#effects.push({ kind: "stop", id: chunk.id });
        continue;
      }
      chunk.number = number;
      this.#lastChunkNumber = Math.max(this.#lastChunkNumber, number);
      if (chunk.said?.kind === "finished") this.#finish(chunk, chunk.said);
      else this.#chunks.set(chunk.id, chunk);
    }
  }

  /** Drops all that came over the connection; it is dialled again, or this is the end. */
  #leave(end: LinkEnd): void {
    for (const chunk of this.#chunks.values()) {
      if (chunk.started && !chunk.stopping) this.#effects.push({ kind: "stop", id: chunk.id });
    }
    this.#chunks.clear();
    this.#untold.clear();
    this.#held.withdraw();
    if (end.kind === "exit") this.#effects.push(end);
    else if (end.line !== undefined) this.#log("warn", end.line);
  }

  // ---- what the server says

  #handlePayload(payload: Uint8Array, nowMs: Millis): void {
    if (!this.#link.isUp) return this.#reject("not connected");
    if (this.#link.wire === "json") return this.#handleClassic(payload, nowMs);
    const message = decodeMessage(payload);
    if (typeof message === "string") return this.#handleUnreadable(payload, message);
    switch (message.kind) {
      case "assign":
        return this.#handleAssign(message);
      case "resumed":
        return this.#handleResumed(message.chunks);
      case "shrink": {
        const chunk = this.#chunkNumbered(message.chunk);
        if (chunk === undefined) return;
        if (message.upper < chunk.lower) return this.#reject("shrink below the chunk");
        chunk.shrinks++;
        this.#effects.push({ kind: "shrink", id: chunk.id, upper: message.upper });
        return;
      }
      case "stop": {
        const chunk = this.#chunkNumbered(message.chunk);
        if (chunk === undefined) return;
        chunk.stopping = true;
        this.#effects.push({ kind: "stop", id: chunk.id });
        return;
      }
      case "refused":
        // Politely turned away, say by a full server, or not trusted any more.
        return this.#leave(this.#link.refused(`the server refused: ${message.reason}`, nowMs));
      case "servers":
        return this.#handleServers(message, nowMs);
      default:
        return this.#reject("unexpected kind");
    }
  }

  #handleAssign(assign: Assign): void {
    if (assign.chunk <= this.#lastChunkNumber) return this.#reject("chunk number used before");
    const { chunk, work, job = 0 } = assign;
    if (this.#roomFor(work.lower, work.upper)) {
      this.#lastChunkNumber = chunk;
      this.#addChunk(chunk, work, job);
      return this.#startChunks(TRACKED_CHUNKS_MAX);
    }
    this.#decline(chunk);
  }

  #handleUnreadable(payload: Uint8Array, why: string): void {
    this.#reject("malformed", why);
    const head = headOf(payload);
    if (head?.kind === "assign") this.#decline(head.number);
  }

  /** Gives an Assign back that is not taken: a server waits for an answer to each. */
  #decline(chunk: number): void {
    if (chunk <= this.#lastChunkNumber) return;
    this.#lastChunkNumber = chunk;
    this.#write({ kind: "stopped", chunk, next: 0n });
  }

  /** On the json wire a Result names no chunk, so that requests run strictly one by one. */
  #handleClassic(payload: Uint8Array, nowMs: Millis): void {
    const request = decodeClassicMessage(payload);
    if (typeof request === "string") {
      this.#reject("malformed", request);
      // The wire has no word for it, and a server that waits for a Result waits for ever.
      const reason = `the server's request cannot be read: ${request}`;
      return this.#leave(this.#link.useless(reason, nowMs));
    }
    if (request.type !== 1) return this.#reject("unexpected kind");
    if (!this.#roomFor(request.lower, request.upper)) return;
    const { data: subject, lower, upper } = request;
    this.#addChunk(0, { subject, lower, upper }, 0);
    this.#startChunks(1);
  }

  #roomFor(lower: bigint, upper: bigint): boolean {
    const outstanding = this.#chunks.values().filter((chunk) => !chunk.stopping);
    if (lower > upper) this.#reject("empty range");
    else if (!this.#joined || [...outstanding].length >= OUTSTANDING_CHUNKS_MAX) {
      this.#reject("too many chunks");
    } else if (this.#chunks.size >= TRACKED_CHUNKS_MAX) this.#reject("too many chunks");
    else return true;
    return false;
  }

  #addChunk(number: number, work: Chunk["work"], job: number): void {
    const id = ++this.#lastId;
    const { lower, upper } = work;
    const state = { started: false, stopping: false, shrinks: 0, said: undefined };
    this.#chunks.set(id, { id, number, job, lower, upper, work, ...state });
    this.#served();
  }

  /** Passes waiting chunks to the pool while it has fewer than `limit`. */
  #startChunks(limit: number): void {
    let running = 0;
    for (const chunk of this.#chunks.values()) {
      if (running++ >= limit) return;
      if (chunk.started) continue;
      chunk.started = true;
      this.#effects.push({ kind: "start", search: { id: chunk.id, ...chunk.work } });
    }
  }

  /** A chunk that still can be shrunk or stopped; one that just ended is no fault of the server. */
  #chunkNumbered(number: number): Chunk | undefined {
    if (number > this.#lastChunkNumber) this.#reject("unknown chunk");
    return this.#chunks.values().find((chunk) => chunk.number === number && !chunk.stopping);
  }

  // ---- what the pool says

  #handlePoolEvent(event: Exclude<PoolEvent, { kind: "pool" }>, nowMs: Millis): void {
    const chunk = this.#chunks.get(event.id);
    if (chunk === undefined) return this.#held.heard(event);
    if (event.kind === "progress") chunk.said = event;
    invariant(this.#link.isUp, "chunks are held only while connected");
    if (event.kind === "progress") {
      if (this.#link.wire === "json" || chunk.stopping) return;
      this.#untold.set(event.id, event);
      return this.#tellProgress(nowMs);
    }
    if (event.kind === "shrunk") {
      chunk.shrinks--;
      chunk.upper = event.upper;
      this.#write({ kind: "shrunk", chunk: chunk.number, upper: event.upper });
      return;
    }
    this.#chunks.delete(event.id);
    this.#untold.delete(event.id);
    if (event.kind === "stopped") {
      const stopped = { kind: "stopped", chunk: chunk.number, next: event.next } as const;
      return this.#write(event.best === undefined ? stopped : { ...stopped, best: event.best });
    }
    this.#finish(chunk, event);
  }

  #finish(chunk: Chunk, event: Extract<PoolEvent, { kind: "finished" }>): void {
    if (this.#link.wire === "cbor") {
      chunk.said = event;
      if (this.#link.keeps) this.#held.ended(chunk);
      return this.#write({ kind: "result", chunk: chunk.number, best: event.best });
    }
    const result = classicResult(event.best);
    this.#effects.push({ kind: "write", payload: encodeClassicMessage(result) });
    this.#startChunks(1);
  }

  #tellProgress(nowMs: Millis): void {
    if (!this.#link.isUp || this.#untold.size === 0) return;
    if (nowMs < this.#toldAtMs + PROGRESS_MS) return;
    this.#toldAtMs = nowMs;
    for (const [id, { next, best }] of this.#untold) {
      const progress = { kind: "progress", chunk: this.#chunks.get(id)!.number, next } as const;
      this.#write(best === undefined ? progress : { ...progress, best });
    }
    this.#untold.clear();
  }

  #write(message: FromMiner): void {
    this.#effects.push({ kind: "write", payload: encodeMessage(message) });
  }

  #log(level: "info" | "warn", text: string): void {
    this.#effects.push({ kind: "log", level, text });
  }

  /** Counts a message that makes no sense; only the first of each kind is worth a line. */
  #reject(reason: MinerRejection, detail?: string): void {
    const count = (this.rejected.get(reason) ?? 0) + 1;
    this.rejected.set(reason, count);
    if (count > 1) return;
    const text = detail === undefined ? reason : `${reason}: ${detail}`;
    this.#log("warn", `ignored a message of the server (${text})`);
  }
}
