/**
 * A system of actors, without I/O: its actors, its timers, and what it tells other systems and is
 * told by them. docs/actors.md is its specification.
 *
 * @module
 */
import { earlier, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import type { Random } from "../base/random.ts";
import type { Cell } from "./cell.ts";
import { Cells, type CellsOwner } from "./cells.ts";
import { copyMessage } from "./copy.ts";
import { encodeMessage } from "./encode.ts";
import { Incoming, type IncomingOwner } from "./incoming.ts";
import { checkRef, fullSystemLimits } from "./limits.ts";
import { Remotes, type RemotesOwner } from "./remotes.ts";
import { Tally } from "./tally.ts";
import { Timers } from "./timers.ts";
import type {
  ActorRef,
  DropReason,
  MakeActor,
  Message,
  SystemEffect,
  SystemInput,
  SystemLimits,
  SystemStats,
} from "./types.ts";

/** Messages that are handled before the driver looks at its sockets again. */
export const TURN_MESSAGES_MAX = 4096;
/** After `close`, what was told before may wait so long to be written on connections that stand. */
export const CLOSE_MS: Millis = 10_000;
/** ... and so long for one that is being made for the first time: the other may not be there. */
export const CLOSE_DIAL_MS: Millis = 1000;

/** What a system is made of. */
export interface SystemOptions {
  /** `HOST:PORT` where others reach it, as references have it. */
  readonly address: string;
  /** Draws the incarnation, and how long to wait before dialling again. */
  readonly random: Random;
  readonly limits?: Partial<SystemLimits> | undefined;
  /** Whether the order between pairs is drawn: for simulations. */
  readonly isShuffled?: boolean;
}

/**
 * See the module. After a call of a user's method hand in a `wake` at the time of `wakeAtMs`, or
 * another input: what is told is handled then.
 */
export class SystemCore implements Machine<SystemInput, SystemEffect> {
  readonly address: string;
  /** This life of the system, 1..2^53-1. */
  readonly incarnation: number;
  readonly limits: SystemLimits;
  readonly random: Random;
  readonly #cells: Cells;
  readonly #timers = new Timers();
  readonly #remotes: Remotes;
  readonly #incoming: Incoming;
  readonly #effects = new Queue<SystemEffect>();
  readonly #tally = new Tally();
  #nowMs: Millis = 0;
  #closedAtMs: Millis | undefined;
  #isClosed = false;

  /** Throws OptionError on bad limits. */
  constructor({ address, random, limits, isShuffled = false }: SystemOptions) {
    this.address = address;
    this.random = random;
    this.limits = fullSystemLimits(limits);
    // 53 bits, and never 0, which stands for any life.
    this.incarnation = (random() >>> 11) * 2 ** 32 + random() || 1;
    const owner = this.#owner();
    this.#cells = new Cells(owner, isShuffled);
    this.#remotes = new Remotes(owner);
    this.#incoming = new Incoming(owner);
  }

  // ---- what users call

  /** Starts an actor. Throws what `make` throws, and an Error once the system is closed. */
  startActor(make: MakeActor, nowMs: Millis): ActorRef {
    this.#nowMs = nowMs;
    return this.#start(make);
  }

  /** Opens a mailbox, for `take` to read; it ends by `stop`. */
  openMailbox(): ActorRef {
    this.#checkOpen();
    return this.#cells.add("mailbox").ref;
  }

  /** Opens a reply: its first message comes as an effect, and ends it. */
  openReply(): ActorRef {
    this.#checkOpen();
    return this.#cells.add("reply").ref;
  }

  /** Sends a copy. Throws MessageError, or TypeError on what is no reference. */
  tell(to: ActorRef, message: Message, nowMs: Millis): void {
    this.#nowMs = nowMs;
    this.#tell(undefined, to, message);
  }

  /** The same, `ms` milliseconds (0 or more) from now; the copy is made now. */
  tellAfter(to: ActorRef, message: Message, ms: Millis, nowMs: Millis): void {
    this.#nowMs = nowMs;
    this.#tellAfter(undefined, to, message, ms);
  }

  /** The next message of a mailbox; undefined when none waits, or there is no such mailbox. */
  take(counter: number): { readonly message: Message } | undefined {
    return this.#cells.take(counter);
  }

  /** Has the effect `goneMail` say, to a mailbox or reply of this system, when `ref` is gone. */
  watch(ref: ActorRef, watcher: ActorRef, nowMs: Millis): void {
    this.#nowMs = nowMs;
    checkRef(ref);
    const cell = this.#cells.get(watcher.counter);
    if (cell !== undefined) this.#cells.watch(cell, ref);
  }

  /** Ends an actor, a mailbox or a reply, if it is of this life; what waits for it is dropped. */
  stop({ address, incarnation, counter }: ActorRef, nowMs: Millis): void {
    this.#nowMs = nowMs;
    const isOurs = address === this.address && [0, this.incarnation].includes(incarnation);
    const cell = isOurs ? this.#cells.get(counter) : undefined;
    if (cell !== undefined) this.#cells.end(cell, "stopped");
  }

  /** Ends all actors. What they told other systems is still sent; then comes `closed`. */
  close(nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (this.#closedAtMs !== undefined) return;
    this.#closedAtMs = nowMs;
    this.#cells.endAll();
  }

  /** Whether the connection is another system's. */
  has(conn: number): boolean {
    return this.#incoming.has(conn);
  }

  stats(): SystemStats {
    const { size: actors, unreadBytes } = this.#cells;
    const { connected: connections, waitingBytes } = this.#remotes;
    return this.#tally.stats({ actors, connections, waitingBytes, unreadBytes });
  }

  // ---- Machine

  handle(input: SystemInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (this.#isClosed) return;
    this.#take(input);
    this.#remotes.wake(nowMs);
    for (let due = this.#timers.takeDue(nowMs); due; due = this.#timers.takeDue(nowMs)) {
      this.#post(due.from, due.to, due.message);
    }
    this.#cells.run(TURN_MESSAGES_MAX);
    this.#cells.settle();
    if (this.#closedAtMs !== undefined) this.#finish(nowMs - this.#closedAtMs);
  }

  poll(): SystemEffect | undefined {
    const next = this.#effects.shift();
    if (next !== undefined || this.#isClosed) return next;
    // All that was told in this turn is written together.
    this.#remotes.flush(this.#nowMs);
    return this.#effects.shift();
  }

  wakeAtMs(): Millis | undefined {
    if (this.#isClosed) return undefined;
    if (this.isRunnable) return this.#nowMs;
    const atMs = earlier(this.#timers.wakeAtMs, this.#remotes.wakeAtMs);
    if (this.#closedAtMs === undefined) return atMs;
    const dialByMs = this.#closedAtMs + CLOSE_DIAL_MS;
    return earlier(atMs, this.#nowMs < dialByMs ? dialByMs : this.#closedAtMs + CLOSE_MS);
  }

  /** Whether actors have messages to handle. */
  get isRunnable(): boolean {
    return this.#cells.isRunnable;
  }

  #take(input: SystemInput | Wake): void {
    switch (input.kind) {
      case "wake":
        return;
      case "opened":
        return this.#remotes.opened(input.conn, this.#nowMs);
      case "payload":
        return this.#read(input.conn, input.payload);
      case "payloads":
        for (const { conn, payload } of input.payloads) this.#read(conn, payload);
        return;
      case "gone":
        if (input.conn % 2 === 0) this.#incoming.gone(input.conn);
        else this.#remotes.gone(input.conn, input.isFlushed === true, this.#nowMs);
        return;
      case "room":
        return this.#remotes.room(input.conn, input.queuedBytes);
    }
  }

  #read(conn: number, payload: Uint8Array): void {
    this.#tally.bytesIn += payload.length;
    if (conn % 2 === 0) this.#incoming.payload(conn, payload);
    else this.#remotes.payload(conn, payload, this.#nowMs);
  }

  #finish(sinceMs: Millis): void {
    this.#remotes.flush(this.#nowMs);
    if (this.#remotes.isBusy(sinceMs < CLOSE_DIAL_MS) && sinceMs < CLOSE_MS) return;
    this.#remotes.close();
    this.#incoming.close();
    this.#ask({ kind: "closed" });
    this.#isClosed = true;
  }

  // ---- what actors call, and the parts

  #owner(): CellsOwner & RemotesOwner & IncomingOwner {
    const nowMs = (): Millis => this.#nowMs;
    return {
      address: this.address,
      incarnation: this.incarnation,
      limits: this.limits,
      random: this.random,
      tally: this.#tally,
      get nowMs() {
        return nowMs();
      },
      ask: (effect) => this.#ask(effect),
      dropped: (reason, messages) => this.#dropped(reason, messages),
      rejected: (reason) => this.#tally.reject(reason),
      tellFrom: (from, to, message) => this.#tell(from, to, message),
      tellLater: (from, to, message, ms) => this.#tellAfter(from, to, message, ms),
      start: (make) => this.#start(make),
      watchFrom: (watcher, ref) => {
        checkRef(ref);
        this.#cells.watch(watcher, ref);
      },
      unwatchFrom: (watcher, ref) => this.#cells.unwatch(watcher, ref),
      watchRemote: (key, ref, watcher) => this.#remotes.watch(key, ref, watcher, this.#nowMs),
      unwatchRemote: (key, ref, watcher) => this.#remotes.unwatch(key, ref, watcher),
      fire: (counter, ref, why) => this.#cells.fire(counter, ref, why),
      tellGone: (conn, counter, why) => this.#incoming.tellGone(conn, counter, why),
      deliver: (counter, payload, at, length) => {
        this.#cells.postUnread(counter, payload, at, length);
      },
      watch: (counter, conn) => this.#watchedBy(counter, conn),
      unwatch: (counter, conn) => void this.#cells.get(counter)?.remoteWatchers?.delete(conn),
    };
  }

  #watchedBy(counter: number, conn: number): boolean {
    const cell = this.#cells.get(counter);
    if (cell !== undefined) (cell.remoteWatchers ??= new Set()).add(conn);
    return cell !== undefined;
  }

  #ask(effect: SystemEffect): void {
    if (effect.kind === "write") this.#tally.bytesOut += effect.payload.length;
    this.#effects.push(effect);
  }

  #dropped(reason: DropReason, messages: number): void {
    this.#tally.dropped[reason] += messages;
  }

  #checkOpen(): void {
    if (this.#closedAtMs !== undefined) throw new Error("the system of actors was closed");
  }

  #start(make: MakeActor): ActorRef {
    this.#checkOpen();
    const cell = this.#cells.add("actor", make);
    this.#cells.make(cell);
    return cell.ref;
  }

  #tell(from: Cell | undefined, to: ActorRef, message: Message): void {
    checkRef(to);
    if (to.address === this.address) this.#postLocal(from, to, copyMessage(message));
    else this.#postRemote(from, to, message);
  }

  #tellAfter(from: Cell | undefined, to: ActorRef, message: Message, ms: Millis): void {
    checkRef(to);
    if (!(ms >= 0)) throw new RangeError(`Cannot tell after ${ms} ms: expected 0 or more`);
    this.#timers.add(this.#nowMs + ms, from, { ...to }, copyMessage(message));
  }

  /** Sends what was copied already. */
  #post(from: Cell | undefined, to: ActorRef, message: Message): void {
    if (to.address === this.address) this.#postLocal(from, to, message);
    else this.#postRemote(from, to, message);
  }

  #postLocal(from: Cell | undefined, to: ActorRef, message: Message): void {
    if (!this.#counted(from, to, true)) return;
    const isThisLife = to.incarnation === 0 || to.incarnation === this.incarnation;
    if (isThisLife) this.#cells.post(to.counter, message);
    else this.#dropped("stale", 1);
  }

  #postRemote(from: Cell | undefined, to: ActorRef, message: Message): void {
    if (this.#closedAtMs !== undefined) encodeMessage(message);
    else this.#remotes.push(to, message, this.#nowMs);
    if (this.#counted(from, to, false)) this.#tally.sentRemote++;
  }

  /** Counts one message; false when it comes too late. */
  #counted(from: Cell | undefined, to: ActorRef, isLocal: boolean): boolean {
    const tally = this.#tally;
    tally.sent++;
    if (from !== undefined) {
      const count = from.pairs.count(to, isLocal, Math.floor(this.#nowMs / 1000));
      if (count > tally.mostPerSecond) tally.mostPerSecond = count;
    }
    if (this.#closedAtMs === undefined) return true;
    this.#dropped("closed", 1);
    return false;
  }
}
