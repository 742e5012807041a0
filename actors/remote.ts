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
import { encodeMessage, encodeMessageInto, type Target } from "./encode.ts";
import type {
  ActorRef,
  DropReason,
  GoneReason,
  Message,
  SystemEffect,
  SystemLimits,
} from "./types.ts";
import { encodeNumbers, Frame, LENGTH_BYTES, putLength, putNumber } from "./wire.ts";

/** Messages are put together up to this many bytes; a larger one goes alone. */
export const BATCH_BYTES_MAX = 1000;

/** Bytes of an actor's number and a message's length, at most. */
const NUMBERS_BYTES_MAX = 8 + LENGTH_BYTES;

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
  /** Whether the last connection ended, or could not be made. */
  hasFailed = false;
  /** When it was told something for the last time. */
  usedMs: Millis;
  readonly backoff: Backoff;
  /** Who is watched there: by number, then by the reference's key. */
  readonly #watches = new Map<number, Map<string, Watch>>();
  #watched = 0;
  readonly #owner: RemoteOwner;
  readonly #waiting = new Queue<Waiting>();
  readonly #written = new Queue<Written>();
  #waitingBytes = 0;
  #writtenBytes = 0;
  #settledBytes = 0;
  #isAwaitingRoom = false;
  /** Messages that are written next, behind the first byte of a frame. */
  readonly #batch: Target;
  #batchBytes = 1;
  #batchMessages = 0;

  constructor(address: string, owner: RemoteOwner, backoff: Backoff, nowMs: Millis) {
    this.address = address;
    this.#owner = owner;
    this.backoff = backoff;
    this.dialAtMs = this.usedMs = nowMs;
    const bytes = new Uint8Array(BATCH_BYTES_MAX);
    this.#batch = { bytes, view: new DataView(bytes.buffer) };
  }

  /** Whether the connection is made, and the other has greeted. */
  get isUp(): boolean {
    return this.incarnation !== 0;
  }

  /** Whether a connection is wanted. */
  get isWanted(): boolean {
    return this.#waiting.length > 0 || this.#watched > 0;
  }

  /** Whether messages wait to be written. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0 || this.#batchMessages > 0;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Puts a message into the batch that is written next; or behind those that wait, of which the
   * oldest make room for it. Throws MessageError.
   */
  push(incarnation: number, counter: number, message: Message): void {
    if (this.#mayBatch && this.#putIntoBatch(incarnation, counter, message)) return;
    const bytes = encodeMessage(message);
    this.#waiting.push({ incarnation, counter, bytes });
    this.#waitingBytes += bytes.length + ITEM_OVERHEAD_BYTES;
    const { queueBytesMax } = this.#owner.limits;
    while (this.#waitingBytes > queueBytesMax && this.#waiting.length > 1) {
      this.#take();
      this.#owner.dropped("queueFull", 1);
    }
  }

  /** References by which somebody there is watched. */
  get watched(): number {
    return this.#watched;
  }

  isWatched(key: string, counter: number): boolean {
    return this.#watches.get(counter)?.has(key) === true;
  }

  /** One of ours watches somebody there. */
  watch(key: string, ref: ActorRef, watcher: number): void {
    let byKey = this.#watches.get(ref.counter);
    if (byKey === undefined) this.#watches.set(ref.counter, (byKey = new Map<string, Watch>()));
    const known = byKey.get(key);
    if (known !== undefined) {
      known.watchers.add(watcher);
      return;
    }
    byKey.set(key, { ref, watchers: new Set([watcher]) });
    this.#watched++;
    if (this.isUp) this.#sendWatch(key, ref);
  }

  unwatch(key: string, { counter }: ActorRef, watcher: number): void {
    const known = this.#watches.get(counter)?.get(key);
    if (known?.watchers.delete(watcher) !== true || known.watchers.size > 0) return;
    this.#forgetWatch(key, counter);
    if (this.isUp && !this.#watches.has(counter)) {
      this.#write(encodeNumbers(Frame.unwatch, [counter]));
    }
  }

  /** The other has greeted. */
  greeted(incarnation: number): void {
    this.incarnation = incarnation;
    this.greetByMs = undefined;
    this.hasFailed = false;
    this.backoff.reset();
    for (const byKey of this.#watches.values()) {
      for (const [key, { ref }] of byKey) this.#sendWatch(key, ref);
    }
  }

  /** Somebody there is gone: those who watch are told, and do so no more. */
  gone(counter: number, why: GoneReason): void {
    for (const key of this.#watches.get(counter)?.keys() ?? []) this.#fire(key, counter, why);
  }

  /** Writes what waits, as far as the connection shall have under way. */
  flush(): void {
    if (!this.isUp) return;
    this.#writeBatch();
    while (this.#waiting.length > 0) {
      if (!this.#hasRoom) return this.#awaitRoom();
      this.#fillBatch();
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
    if (this.#batchMessages > 0) this.#owner.dropped("unreachable", this.#batchMessages);
    this.#batchBytes = 1;
    this.#batchMessages = 0;
    this.#written.clear();
    this.#writtenBytes = this.#settledBytes = 0;
    this.#isAwaitingRoom = false;
    this.conn = this.incarnation = 0;
    this.greetByMs = undefined;
    for (const counter of this.#watches.keys()) this.gone(counter, "unreachable");
  }

  /** Gives up what waits. */
  dropWaiting(reason: DropReason): void {
    if (this.#waiting.length > 0) this.#owner.dropped(reason, this.#waiting.length);
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  #sendWatch(key: string, { incarnation, counter }: ActorRef): void {
    if (incarnation !== 0 && incarnation !== this.incarnation)
      this.#fire(key, counter, "restarted");
    else this.#write(encodeNumbers(Frame.watch, [counter]));
  }

  #fire(key: string, counter: number, why: GoneReason): void {
    const watch = this.#watches.get(counter)?.get(key);
    if (watch === undefined) return;
    this.#forgetWatch(key, counter);
    for (const watcher of watch.watchers) this.#owner.fire(watcher, watch.ref, why);
  }

  #forgetWatch(key: string, counter: number): void {
    const byKey = this.#watches.get(counter);
    if (byKey?.delete(key) === true) this.#watched--;
    if (byKey?.size === 0) this.#watches.delete(counter);
  }

  #take(): Waiting | undefined {
    const taken = this.#waiting.shift();
    if (taken !== undefined) this.#waitingBytes -= taken.bytes.length + ITEM_OVERHEAD_BYTES;
    return taken;
  }

  /** Whether more may be written now. */
  get #hasRoom(): boolean {
    return this.#writtenBytes - this.#settledBytes < this.#owner.limits.underWayBytesMax;
  }

  /** Whether a message may go into the batch: when none waits, and there is room. */
  get #mayBatch(): boolean {
    return this.isUp && this.#waiting.length === 0 && this.#hasRoom;
  }

  /** False: it does not fit in any batch, or is to wait behind the present one. */
  #putIntoBatch(incarnation: number, counter: number, message: Message): boolean {
    if (incarnation !== 0 && incarnation !== this.incarnation) {
      encodeMessage(message);
      this.#owner.dropped("stale", 1);
      return true;
    }
    if (this.#encodeIntoBatch(counter, message)) return true;
    if (this.#batchMessages === 0) return false;
    this.#writeBatch();
    return this.#hasRoom && this.#encodeIntoBatch(counter, message);
  }

  #encodeIntoBatch(counter: number, message: Message): boolean {
    if (this.#batchBytes + NUMBERS_BYTES_MAX > BATCH_BYTES_MAX) return false;
    const { bytes } = this.#batch;
    const at = putNumber(bytes, this.#batchBytes, counter);
    const length = encodeMessageInto(this.#batch, at + LENGTH_BYTES, message);
    if (length < 0) return false;
    putLength(bytes, at, length);
    this.#batchBytes = at + LENGTH_BYTES + length;
    this.#batchMessages++;
    return true;
  }

  /** Moves what waits into the batch, as much as fits; or writes one message that fits in none. */
  #fillBatch(): void {
    for (let next = this.#waiting.at(0); next; next = this.#waiting.at(0)) {
      const { incarnation, counter, bytes } = next;
      if (incarnation !== 0 && incarnation !== this.incarnation) {
        this.#take();
        this.#owner.dropped("stale", 1);
        continue;
      }
      const isLone = 1 + NUMBERS_BYTES_MAX + bytes.length > BATCH_BYTES_MAX;
      const isFull = this.#batchBytes + NUMBERS_BYTES_MAX + bytes.length > BATCH_BYTES_MAX;
      if (isFull && (!isLone || this.#batchMessages > 0)) return;
      this.#take();
      if (!isLone) this.#copyIntoBatch(counter, bytes);
      else {
        const alone = new Uint8Array(1 + NUMBERS_BYTES_MAX + bytes.length);
        const end = putMessage(alone, 1, counter, bytes);
        alone[0] = Frame.tells;
        return this.#write(alone.subarray(0, end), 1);
      }
    }
  }

  #copyIntoBatch(counter: number, bytes: Uint8Array): void {
    this.#batchBytes = putMessage(this.#batch.bytes, this.#batchBytes, counter, bytes);
    this.#batchMessages++;
  }

  #writeBatch(): void {
    if (this.#batchMessages === 0) return;
    const frame = this.#batch.bytes.slice(0, this.#batchBytes);
    frame[0] = Frame.tells;
    this.#write(frame, this.#batchMessages);
    this.#batchBytes = 1;
    this.#batchMessages = 0;
  }

  #write(payload: Uint8Array, messages = 0): void {
    this.#writtenBytes += payload.length;
    this.#written.push({ endByte: this.#writtenBytes, messages });
    this.#owner.ask({ kind: "write", conn: this.conn, payload });
  }

  #awaitRoom(): void {
    if (this.#isAwaitingRoom) return;
    this.#isAwaitingRoom = true;
    const bytes = Math.floor(this.#owner.limits.underWayBytesMax / 2);
    this.#owner.ask({ kind: "awaitRoom", conn: this.conn, bytes });
  }
}

/** Writes a message with what stands before it; the place behind it. */
function putMessage(into: Uint8Array, at: number, counter: number, bytes: Uint8Array): number {
  const lengthAt = putNumber(into, at, counter);
  putLength(into, lengthAt, bytes.length);
  into.set(bytes, lengthAt + LENGTH_BYTES);
  return lengthAt + LENGTH_BYTES + bytes.length;
}
