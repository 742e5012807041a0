/**
 * All systems that this one tells: one connection toward each, dialled when there is something to
 * tell, and again, later and later, when it cannot be made.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import { earlier, type Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { encodeMessage } from "./encode.ts";
import { Remote, type RemoteOwner } from "./remote.ts";
import type { ActorRef, Message } from "./types.ts";
import { decodeGreeting, encodeGreeting, Frame, FrameReader, goneReason } from "./wire.ts";

/** The first wait after a connection could not be made, and the longest. */
export const REDIAL_FIRST_MS: Millis = 100;
export const REDIAL_LONGEST_MS: Millis = 10_000;
/** A system that was connected to greets within this, or is none. */
export const GREETING_MS: Millis = 10_000;

/** What {@link Remotes} does by its owner. */
export interface RemotesOwner extends RemoteOwner {
  readonly address: string;
  readonly incarnation: number;
  readonly random: Random;
  rejected(reason: string): void;
}

/** See the module. */
export class Remotes {
  readonly #owner: RemotesOwner;
  readonly #byAddress = new Map<string, Remote>();
  readonly #byConn = new Map<number, Remote>();
  /** Those that may have something to write, or to dial for. */
  readonly #stirred = new Set<Remote>();
  #lastConn = -1;

  constructor(owner: RemotesOwner) {
    this.#owner = owner;
  }

  /** Connections that are made. */
  get connected(): number {
    let connected = 0;
    for (const remote of this.#byAddress.values()) if (remote.isUp) connected++;
    return connected;
  }

  /** Bytes that wait for the one of them that most waits for. */
  get waitingBytes(): number {
    let most = 0;
    for (const { waitingBytes } of this.#byAddress.values()) most = Math.max(most, waitingBytes);
    return most;
  }

  /**
   * Whether something waits to be written on a connection that stands; or, with `isPatient`, on one
   * that is being made for the first time. What did not answer before is waited for no more.
   */
  isBusy(isPatient: boolean): boolean {
    for (const remote of this.#byAddress.values()) {
      const isComing = isPatient && remote.conn !== 0 && !remote.hasFailed;
      if (remote.hasWaiting && (remote.isUp || isComing)) return true;
    }
    return false;
  }

  get wakeAtMs(): Millis | undefined {
    let atMs: Millis | undefined;
    for (const remote of this.#byAddress.values()) {
      if (remote.conn === 0 && remote.isWanted) atMs = earlier(atMs, remote.dialAtMs);
      atMs = earlier(atMs, remote.greetByMs);
    }
    return atMs;
  }

  /** Sends a message, or puts it where it waits for a connection. Throws MessageError. */
  push({ address, incarnation, counter }: ActorRef, message: Message, nowMs: Millis): void {
    const remote = this.#at(address, nowMs);
    if (remote === undefined) {
      encodeMessage(message);
      return this.#owner.dropped("systemsFull", 1);
    }
    remote.push(incarnation, counter, message);
    remote.usedMs = nowMs;
    this.#stirred.add(remote);
  }

  /** False: there are too many systems, or too many are watched there. */
  watch(key: string, ref: ActorRef, watcher: number, nowMs: Millis): boolean {
    const remote = this.#at(ref.address, nowMs);
    const isNew = remote?.isWatched(key, ref.counter) !== true;
    const { watchesMax } = this.#owner.limits;
    if (remote === undefined || (isNew && remote.watched >= watchesMax)) return false;
    remote.watch(key, ref, watcher);
    this.#stirred.add(remote);
    return true;
  }

  unwatch(key: string, ref: ActorRef, watcher: number): void {
    this.#byAddress.get(ref.address)?.unwatch(key, ref, watcher);
  }

  /** Dials and writes what is to be dialled and written now. */
  flush(nowMs: Millis): void {
    if (this.#stirred.size === 0) return;
    for (const remote of this.#stirred) {
      if (remote.isUp) remote.flush();
      else if (remote.conn === 0 && remote.isWanted && nowMs >= remote.dialAtMs) this.#dial(remote);
    }
    this.#stirred.clear();
  }

  /** The time has come for some. */
  wake(nowMs: Millis): void {
    for (const remote of this.#byAddress.values()) {
      if (nowMs >= (remote.greetByMs ?? Infinity)) {
        this.#owner.rejected("no greeting");
        this.#owner.ask({ kind: "drop", conn: remote.conn, isFlushed: false });
        this.gone(remote.conn, false, nowMs);
      }
      if (remote.conn === 0 && remote.isWanted) this.#stirred.add(remote);
    }
  }

  /** A connection is made: greet. */
  opened(conn: number, nowMs: Millis): void {
    const remote = this.#byConn.get(conn);
    if (remote === undefined) return this.#owner.ask({ kind: "drop", conn, isFlushed: false });
    const { address, incarnation } = this.#owner;
    remote.greetByMs = nowMs + GREETING_MS;
    const payload = encodeGreeting({ address, incarnation, session: conn });
    this.#owner.ask({ kind: "write", conn, payload });
  }

  payload(conn: number, payload: Uint8Array, nowMs: Millis): void {
    const remote = this.#byConn.get(conn);
    if (remote === undefined) return;
    const why = remote.isUp ? this.#read(remote, payload) : this.#greeted(remote, payload);
    if (why === undefined) return;
    this.#owner.rejected(why);
    this.#owner.ask({ kind: "drop", conn, isFlushed: false });
    this.gone(conn, false, nowMs);
  }

  /** A connection ended or could not be made. */
  gone(conn: number, isFlushed: boolean, nowMs: Millis): void {
    const remote = this.#byConn.get(conn);
    if (remote === undefined) return;
    this.#byConn.delete(conn);
    // What waits behind a connection that ended may yet be told, if the next can be made at once.
    const wasUp = remote.isUp;
    remote.disconnected(isFlushed);
    remote.hasFailed = true;
    if (!wasUp) remote.dropWaiting("unreachable");
    remote.dialAtMs = nowMs + remote.backoff.next();
  }

  room(conn: number, queuedBytes: number): void {
    const remote = this.#byConn.get(conn);
    if (remote === undefined) return;
    remote.room(queuedBytes);
    this.#stirred.add(remote);
  }

  /** Ends all connections behind what was written, and gives up what waits. */
  close(): void {
    for (const remote of this.#byAddress.values()) {
      remote.dropWaiting("unreachable");
      if (remote.conn === 0) continue;
      this.#owner.ask({ kind: "drop", conn: remote.conn, isFlushed: remote.isUp });
    }
    this.#byAddress.clear();
    this.#byConn.clear();
    this.#stirred.clear();
  }

  #dial(remote: Remote): void {
    const conn = (this.#lastConn += 2);
    remote.conn = conn;
    this.#byConn.set(conn, remote);
    this.#owner.ask({ kind: "dial", conn, address: remote.address });
  }

  #greeted(remote: Remote, payload: Uint8Array): string | undefined {
    const greeting = decodeGreeting(payload);
    if (typeof greeting === "string") return greeting;
    remote.greeted(greeting.incarnation);
    this.#stirred.add(remote);
    return undefined;
  }

  #read(remote: Remote, payload: Uint8Array): string | undefined {
    const reader = new FrameReader(payload);
    if (reader.kind !== Frame.gone) return "frame";
    while (!reader.atEnd) {
      const counter = reader.number();
      const why = goneReason(reader.number());
      if (counter < 0 || why === undefined) return "frame";
      remote.gone(counter, why);
    }
    return undefined;
  }

  /** The system at an address; one that is not needed makes room for a new one. */
  #at(address: string, nowMs: Millis): Remote | undefined {
    const known = this.#byAddress.get(address);
    if (known !== undefined) return known;
    if (this.#byAddress.size >= this.#owner.limits.systemsMax && !this.#makeRoom()) {
      return undefined;
    }
    const backoff = new Backoff(REDIAL_FIRST_MS, REDIAL_LONGEST_MS, this.#owner.random);
    const remote = new Remote(address, this.#owner, backoff, nowMs);
    this.#byAddress.set(address, remote);
    return remote;
  }

  /** Forgets the system that was not told anything for longest, of those with nothing to do. */
  #makeRoom(): boolean {
    let oldest: Remote | undefined;
    for (const remote of this.#byAddress.values()) {
      if (remote.isWanted || (remote.conn !== 0 && !remote.isUp)) continue;
      if (oldest === undefined || remote.usedMs < oldest.usedMs) oldest = remote;
    }
    if (oldest === undefined) return false;
    this.#byAddress.delete(oldest.address);
    this.#stirred.delete(oldest);
    if (oldest.conn === 0) return true;
    this.#byConn.delete(oldest.conn);
    this.#owner.ask({ kind: "drop", conn: oldest.conn, isFlushed: true });
    return true;
  }
}
