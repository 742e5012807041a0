/**
 * One connection with another node, and what may be under way on it. What is said while the
 * connection stands still is not queued behind what is stuck: of each kind of message the newest
 * waits, and takes the older one's place, so that no flood of stale messages follows.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Channel, Hello } from "./greeting.ts";
import type { Message, NodeId } from "./messages.ts";
import type { WireEncoder } from "./wire.ts";

/** Bytes that may wait in a connection for acknowledgement: above what Raft has under way. */
export const LINK_BYTES_MAX: number = 3 << 20;
/** Lengths of LSP's epochs, in T: three beats, so that most epochs have some, or a slow tick. */
const MAIN_EPOCHS = 1;
const BULK_EPOCHS = 4;
/** A connection that is silent for so many epochs is made anew. */
const EPOCH_LIMIT = 4;

/**
 * How LSP watches over a connection with another node, which is dialled at least every T / 2. A
 * peer that is gone is known after 4 T; Raft's own clocks do not wait for that. The one for bulk is
 * nearly always idle, and needs to say so only now and then.
 */
export function watchOf(channel: Channel, electionMs: Millis): LinkWatch {
  const connectMillis = Math.max(1, Math.round(electionMs / 2));
  const epochs = channel === "main" ? MAIN_EPOCHS : BULK_EPOCHS;
  const epochMillis = Math.max(connectMillis, Math.round(electionMs * epochs));
  return { connectMillis, params: { epochMillis, epochLimit: EPOCH_LIMIT } };
}

/** See {@link watchOf}: parameters of LSP. */
export interface LinkWatch {
  readonly connectMillis: number;
  readonly params: { readonly epochMillis: number; readonly epochLimit: number };
}

/** What a link does its writing with. */
export interface LinkPort {
  write(conn: number, payload: Uint8Array): void;
  /** Bytes written to a connection and not acknowledged; 0 when it is gone. */
  queuedBytes(conn: number): number;
}

/** See the module. */
export class Link {
  readonly conn: number;
  readonly peer: NodeId;
  readonly channel: Channel;
  readonly isDialled: boolean;
  /** What the other end said of itself last. */
  hello: Hello;
  /** Messages whose place a newer one took. */
  replaced = 0;
  readonly #port: LinkPort;
  readonly #encoder: WireEncoder;
  readonly #waiting = new Map<Message["kind"], Message>();
  /** Bytes that were in the connection at the last look, those written since included. */
  #inside = 0;
  /** When it was empty, or got emptier, for the last time. */
  #movedMs: Millis;

  constructor(
    { conn, hello, isDialled }: { conn: number; hello: Hello; isDialled: boolean },
    port: LinkPort,
    encoder: WireEncoder,
    nowMs: Millis,
  ) {
    this.conn = conn;
    this.hello = hello;
    this.peer = hello.from;
    this.channel = hello.channel;
    this.isDialled = isDialled;
    this.#port = port;
    this.#encoder = encoder;
    this.#movedMs = nowMs;
  }

  /** Whether messages wait here. */
  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether something waits here, or waited in the connection at the last look. */
  get isUnderWay(): boolean {
    return this.#waiting.size > 0 || this.#inside > 0;
  }

  /** For how long the peer has acknowledged nothing of what it was sent. */
  stalledForMs(nowMs: Millis): Millis {
    const inside = this.#port.queuedBytes(this.conn);
    if (inside < this.#inside || inside === 0) this.#movedMs = nowMs;
    this.#inside = inside;
    return nowMs - this.#movedMs;
  }

  /** Sends, or keeps the newest of its kind while the connection has stood still for `stallMs`. */
  send(message: Message, nowMs: Millis, stallMs: Millis): void {
    const isStalled = this.stalledForMs(nowMs) >= stallMs || this.#inside >= LINK_BYTES_MAX;
    if (isStalled || this.#waiting.size > 0) {
      if (this.#waiting.delete(message.kind)) this.replaced++;
      this.#waiting.set(message.kind, message);
      if (isStalled) return;
      return this.flush(nowMs, stallMs);
    }
    this.#write(message);
  }

  /** Sends what waits, if the connection moves again. */
  flush(nowMs: Millis, stallMs: Millis): void {
    if (this.stalledForMs(nowMs) >= stallMs || this.#inside >= LINK_BYTES_MAX) return;
    for (const message of this.#waiting.values()) this.#write(message);
    this.#waiting.clear();
  }

  #write(message: Message): void {
    const payload = this.#encoder.encode(message);
    this.#inside += payload.length;
    this.#port.write(this.conn, payload);
  }
}
