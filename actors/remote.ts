/**
 * Another system, as one that tells it sees it: the one connection toward it, what waits to be
 * written, and who of ours watches whom there.
 *
 * @module
 */
import type { Backoff } from "../base/backoff.ts";
import type { Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import { ITEM_OVERHEAD_BYTES } from "./cell.ts";
import type { ActorRef, DropReason, GoneReason, SystemEffect, SystemLimits } from "./types.ts";
import { encodeNumbers, Frame, numberBytes, putNumber } from "./wire.ts";

/** Messages are put together up to this many bytes; a larger one goes alone. */
export const BATCH_BYTES_MAX: number = 16 << 10;

/** A message that waits. */
interface Waiting {
  readonly incarnation: number;
  readonly counter: number;
  readonly bytes: Uint8Array;
}

/** What was written together, and how much had been written behind it. */
interface Written {
  readonly endByte: number;
  readonly messages: number;
}

/** Somebody there who is watched, and the numbers of ours who watch. */
interface Watch {
  readonly ref: ActorRef;
  readonly watchers: Set<number>;
}

/** What a remote system does by its owner. */
export interface RemoteOwner {
  readonly limits: SystemLimits;
  ask(effect: SystemEffect): void;
  dropped(reason: DropReason, messages: number): void;
  /** Tells a cell of ours that one whom it watches is gone. */
  fire(counter: number, ref: ActorRef, why: GoneReason): void;
}

/** See the module. */
export class Remote {
  readonly address: string;
  /** The connection: 0 for none. */
  conn = 0;
  /** Which life of the system it leads to; 0 before that has greeted. */
  incarnation = 0;
  /** When to dial, if that is wanted; not before. */
  dialAtMs: Millis;
  /** When the other must have greeted; undefined when it has, or there is no connection made. */
  greetByMs: Millis | undefined;
  /** When it was told something for the last time. */
  usedMs: Millis;
  readonly backoff: Backoff;
  readonly watches: Map<string, Watch> = new Map();
  readonly #owner: RemoteOwner;
  readonly #waiting = new Queue<Waiting>();
  readonly #written = new Queue<Written>();
  #waitingBytes = 0;
  #writtenBytes = 0;
  #settledBytes = 0;
  #isAwaitingRoom = false;

  constructor(address: string, owner: RemoteOwner, backoff: Backoff, nowMs: Millis) {
    this.address = address;
    this.#owner = owner;
    this.backoff = backoff;
    this.dialAtMs = this.usedMs = nowMs;
  }

  /** Whether the connection is made, and the other has greeted. */
  get isUp(): boolean {
    return this.incarnation !== 0;
  }

  /** Whether a connection is wanted. */
  get isWanted(): boolean {
    return this.#waiting.length > 0 || this.watches.size > 0;
  }

  /** Whether messages wait to be written. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Puts a message behind the others; the oldest make room for it. */
  push(incarnation: number, counter: number, bytes: Uint8Array): void {
    this.#waiting.push({ incarnation, counter, bytes });
    this.#waitingBytes += bytes.length + ITEM_OVERHEAD_BYTES;
    const { queueBytesMax } = this.#owner.limits;
    while (this.#waitingBytes > queueBytesMax && this.#waiting.length > 1) {
      this.#take();
      this.#owner.dropped("queueFull", 1);
    }
  }

  /** One of ours watches somebody there. */
  watch(key: string, ref: ActorRef, watcher: number): void {
    const known = this.watches.get(key);
    if (known !== undefined) {
      known.watchers.add(watcher);
      return;
    }
    this.watches.set(key, { ref, watchers: new Set([watcher]) });
    if (this.isUp) this.#sendWatch(key, ref);
  }

  unwatch(key: string, watcher: number): void {
    const known = this.watches.get(key);
    if (known?.watchers.delete(watcher) !== true || known.watchers.size > 0) return;
    this.watches.delete(key);
    const isOther = [...this.watches.values()].some(({ ref }) => ref.counter === known.ref.counter);
    if (this.isUp && !isOther) this.#write(encodeNumbers(Frame.unwatch, [known.ref.counter]));
  }

  /** The other has greeted. */
  greeted(incarnation: number): void {
    this.incarnation = incarnation;
    this.greetByMs = undefined;
    this.backoff.reset();
    for (const [key, { ref }] of this.watches) this.#sendWatch(key, ref);
  }

  /** Somebody there is gone. */
  gone(counter: number, why: GoneReason): void {
    for (const [key, { ref }] of this.watches) if (ref.counter === counter) this.fire(key, why);
  }

  /** Tells those who watch, who do so no more. */
  fire(key: string, why: GoneReason): void {
    const watch = this.watches.get(key);
    this.watches.delete(key);
    for (const watcher of watch?.watchers ?? []) this.#owner.fire(watcher, watch!.ref, why);
  }

  /** Writes what waits, as far as the connection shall have under way. */
  flush(): void {
    if (!this.isUp) return;
    const { underWayBytesMax } = this.#owner.limits;
    while (this.#waiting.length > 0) {
      const underWay = this.#writtenBytes - this.#settledBytes;
      if (underWay >= underWayBytesMax) return this.#awaitRoom(underWayBytesMax);
      this.#writeBatch();
    }
  }

  /** So much of what was written waits for acknowledgement. */
  room(queuedBytes: number): void {
    this.#isAwaitingRoom = false;
    this.#settledBytes = Math.max(this.#settledBytes, this.#writtenBytes - queuedBytes);
    for (let next = this.#written.at(0); next; next = this.#written.at(0)) {
      if (next.endByte > this.#settledBytes) return;
      this.#written.shift();
    }
  }

  /** The connection is no more; `isFlushed`: but all that was written had arrived. */
  disconnected(isFlushed: boolean): void {
    if (!isFlushed) {
      let messages = 0;
      for (let next = this.#written.shift(); next; next = this.#written.shift()) {
        messages += next.messages;
      }
      if (messages > 0) this.#owner.dropped("unsettled", messages);
    }
    this.#written.clear();
    this.#writtenBytes = this.#settledBytes = 0;
    this.#isAwaitingRoom = false;
    this.conn = this.incarnation = 0;
    this.greetByMs = undefined;
    for (const key of this.watches.keys()) this.fire(key, "unreachable");
  }

  /** Gives up what waits. */
  dropWaiting(reason: DropReason): void {
    if (this.#waiting.length > 0) this.#owner.dropped(reason, this.#waiting.length);
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  #sendWatch(key: string, { incarnation, counter }: ActorRef): void {
    if (incarnation !== 0 && incarnation !== this.incarnation) this.fire(key, "restarted");
    else this.#write(encodeNumbers(Frame.watch, [counter]));
  }

  #take(): Waiting | undefined {
    const taken = this.#waiting.shift();
    if (taken !== undefined) this.#waitingBytes -= taken.bytes.length + ITEM_OVERHEAD_BYTES;
    return taken;
  }

  #writeBatch(): void {
    const batch: Waiting[] = [];
    let bytes = 1;
    for (let next = this.#waiting.at(0); next; next = this.#waiting.at(0)) {
      const { incarnation, counter, bytes: body } = next;
      if (incarnation !== 0 && incarnation !== this.incarnation) {
        this.#take();
        this.#owner.dropped("stale", 1);
        continue;
      }
      const more = numberBytes(counter) + numberBytes(body.length) + body.length;
      if (batch.length > 0 && bytes + more > BATCH_BYTES_MAX) break;
      bytes += more;
      batch.push(this.#take()!);
    }
    if (batch.length === 0) return;
    const frame = new Uint8Array(bytes);
    frame[0] = Frame.tells;
    let at = 1;
    for (const { counter, bytes: body } of batch) {
      at = putNumber(frame, at, counter);
      at = putNumber(frame, at, body.length);
      frame.set(body, at);
      at += body.length;
    }
    this.#write(frame, batch.length);
  }

  #write(payload: Uint8Array, messages = 0): void {
    this.#writtenBytes += payload.length;
    this.#written.push({ endByte: this.#writtenBytes, messages });
    this.#owner.ask({ kind: "write", conn: this.conn, payload });
  }

  #awaitRoom(underWayBytesMax: number): void {
    if (this.#isAwaitingRoom) return;
    this.#isAwaitingRoom = true;
    const bytes = Math.floor(underWayBytesMax / 2);
    this.#owner.ask({ kind: "awaitRoom", conn: this.conn, bytes });
  }
}
