/**
 * What listeners and dialers share: a socket's worth of connections, whose turn it is to send, who
 * must be woken when, what waits to be read, and what strangers are to be told.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import { SmallPaths } from "./small_paths.ts";
import { Bottleneck } from "./bottleneck.ts";
import { Budget } from "./budget.ts";
import type { CongestionFactory } from "./congestion.ts";
import type { Connection, Host } from "./connection.ts";
import { type ConnectionStats, type EndpointStats, Rejections } from "./counters.ts";
import { Deadlines } from "./deadlines.ts";
import { UnknownConnection } from "./errors.ts";
import {
  CloseCode,
  type ConnectionKey,
  DatagramReader,
  DatagramWriter,
  FrameType,
} from "./frame.ts";
import { HOG_REASON, Hogs } from "./hogs.ts";
import { Inbox } from "./inbox.ts";
import {
  checkMtu,
  type CoreOptions,
  DATAGRAM_BUFFER_BYTES,
  fullLimits,
  type LspLimits,
} from "./params.ts";
import { PLAIN_SEAL, type Seal } from "./seal.ts";
import type { Address, EndpointCore, LspEvent, LspNotice, Outgoing } from "./types.ts";

/** Notices kept for a caller who does not ask for them; the oldest go first. */
const NOTICES_MAX = 65_536;
/** Alarms that are looked at, at a time, whether they would ring in vain. */
const ALARMS_PUT_OFF = 8;

/** A datagram that belongs to no connection, to be written when its turn comes. */
interface Stray {
  readonly to: Address;
  readonly write: (writer: DatagramWriter, into: Uint8Array) => void;
}

/** See the module. */
export abstract class Endpoint implements EndpointCore, Host {
  readonly limits: LspLimits;
  readonly budget: Budget;
  readonly inbox: Inbox = new Inbox();
  readonly rejections: Rejections = new Rejections();

  readonly packing: boolean;
  readonly mtu: number;
  readonly probesMtu: boolean;
  readonly paths: SmallPaths;
  readonly seal: Seal;
  readonly writer: DatagramWriter;

  /** Connections that ended with messages unacknowledged; of too many, the last. */
  readonly undelivered: Set<number> = new Set();

  protected readonly options: CoreOptions;
  protected readonly newCongestion: CongestionFactory;
  protected readonly reader: DatagramReader = new DatagramReader();
  /** Every connection that is not forgotten, by number. */
  protected readonly byId: Map<number, Connection> = new Map();
  protected isClosing = false;

  readonly #hogs: Hogs;
  readonly #deadlines = new Deadlines<Connection>();
  readonly #senders = new Queue<Connection>();
  readonly #strays = new Queue<Stray>();
  readonly #notices = new Queue<LspNotice>();
  #isDrained = false;
  /** Connections that have not ended. */
  #liveCount = 0;
  #sentDatagrams = 0;
  #sentBytes = 0;
  #receivedDatagrams = 0;
  #receivedBytes = 0;

  constructor(options: CoreOptions) {
    this.options = options;
    this.limits = fullLimits(options.limits);
    this.budget = new Budget(this.limits);
    this.#hogs = new Hogs(this.byId, this.budget, this.limits);
    this.packing = options.packing ?? true;
    this.mtu = checkMtu(options.mtu);
    this.probesMtu = options.mtu === undefined && options.probesMtu === true;
    this.paths = options.paths ?? new SmallPaths();
    this.seal = options.seal ?? PLAIN_SEAL;
    this.writer = new DatagramWriter(this.seal);
    this.newCongestion = options.congestion ?? ((random) => new Bottleneck(random));
  }

  // ---- EndpointCore

  handleDatagram(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    this.#receivedDatagrams++;
    this.#receivedBytes += bytes.length;
    // The json wire's datagrams are JSON objects; the cbor magic byte is not "{".
    if (bytes[0] === 0x7b) return this.handleClassic(bytes, from, nowMs);
    const { reader } = this;
    if (!reader.openHeader(bytes)) return this.rejections.count(reader.reject);
    // Until it is unsealed, the datagram may be anybody's: all that this decides is with what.
    const connection = this.byId.get(reader.connId);
    const isSound = reader.unseal(connection?.seal ?? this.seal) && reader.openFrames();
    if (!isSound) return this.rejections.count(reader.reject);
    // A sender without the key means another connection, or has made one up.
    const isKnown = connection !== undefined && reader.bears(connection.key);
    this.handleCbor(isKnown ? connection : undefined, from, nowMs);
  }

  handleWake(nowMs: Millis): void {
    this.#rescheduleListed();
    for (let due = this.#deadlines.takeDue(nowMs); due; due = this.#deadlines.takeDue(nowMs)) {
      due.handleWake(nowMs);
      this.reschedule(due);
    }
  }

  write(connId: number, payload: Uint8Array): void {
    this.#open(connId).write(payload);
  }

  /** As `write`, but without a copy: the bytes must not change any more. */
  give(connId: number, payload: Uint8Array): void {
    this.#open(connId).write(payload, true);
  }

  closeConn(connId: number): void {
    const connection = this.#open(connId);
    connection.close("closed here");
    this.reschedule(connection);
  }

  #open(connId: number): Connection {
    const connection = this.byId.get(connId);
    if (connection?.phase === "open") return connection;
    throw new UnknownConnection(connId);
  }

  close(_nowMs: Millis): void {
    if (this.isClosing) return;
    this.isClosing = true;
    for (const connection of this.byId.values()) {
      connection.close("the endpoint was closed");
      this.reschedule(connection);
    }
    this.noteIfDrained();
  }

  /** Ends everything now, unflushed; peers on the cbor wire are told once. */
  abort(): void {
    this.isClosing = true;
    for (const connection of this.byId.values()) {
      connection.closeNow("shutdown", "here", "the endpoint was aborted");
      this.reschedule(connection);
    }
    this.noteIfDrained();
  }

  pollDatagram(into: Uint8Array, nowMs: Millis): Outgoing | undefined {
    invariant(into.length >= DATAGRAM_BUFFER_BYTES, "the lent buffer holds any datagram");
    const handshake = this.pollHandshake(into);
    if (handshake !== undefined) return handshake;
    const stray = this.#strays.shift();
    if (stray !== undefined) {
      stray.write(this.writer, into);
      return this.sent(stray.to, this.writer.finish());
    }
    for (let next = this.#senders.shift(); next; next = this.#senders.shift()) {
      const length = next.fill(into, nowMs);
      if (length > 0) {
        // Behind the others: a connection with much to say must not hold them up.
        this.#senders.push(next);
        return this.sent(next.address, length);
      }
      next.listed = false;
      this.reschedule(next);
    }
    return undefined;
  }

  pollEvent(): LspEvent | undefined {
    return this.inbox.poll();
  }

  pollNotice(): LspNotice | undefined {
    return this.#notices.shift();
  }

  /** Whether there may be datagrams to poll, or notices. */
  get wantsTurn(): boolean {
    if (this.#senders.length > 0 || this.#strays.length > 0) return true;
    return this.#notices.length > 0 || this.wantsHandshake;
  }

  wakeAtMs(): Millis | undefined {
    this.#rescheduleListed();
    return this.#deadlines.first?.deadlineMs;
  }

  // ---- statistics

  /** What this endpoint counted, as plain data. */
  stats(): EndpointStats {
    return {
      sentDatagrams: this.#sentDatagrams,
      sentBytes: this.#sentBytes,
      receivedDatagrams: this.#receivedDatagrams,
      receivedBytes: this.#receivedBytes,
      rejected: { ...this.rejections.byReason },
      connections: this.byId.size,
      unreadBytes: this.budget.bytes,
      reassemblyBytes: this.budget.reassemblyBytes,
      queuedBytes: this.budget.queuedBytes,
    };
  }

  /** How many things each table holds now, by name, to see that none grows for ever. */
  tableSizes(): Record<string, number> {
    const { byId, inbox } = this;
    return {
      connections: byId.size,
      alarms: this.#deadlines.size,
      senders: this.#senders.length,
      strays: this.#strays.length,
      notices: this.#notices.length,
      ends: inbox.unreadEnds.cbor + inbox.unreadEnds.json,
    };
  }

  /** What one connection counted; `undefined` when there is none of this number (any more). */
  connectionStats(connId: number): ConnectionStats | undefined {
    return this.byId.get(connId)?.stats();
  }

  /** Bytes written to a connection and not acknowledged; 0 when there is none of this number. */
  queuedBytes(connId: number): number {
    return this.byId.get(connId)?.send.queuedBytes ?? 0;
  }

  /**
   * Whether `write` takes a message of `bytes` bytes (by default: half of what may wait) on an open
   * connection now; `undefined`: it is not open.
   */
  mayWrite(connId: number, bytes?: number): boolean | undefined {
    const connection = this.byId.get(connId);
    return connection?.phase === "open" ? connection.mayWrite(bytes) : undefined;
  }

  // ---- Host

  canQueue(connection: Connection, bytes: number): boolean {
    return this.#hogs.fits(connection, bytes) || this.#hogs.find(connection, bytes) !== undefined;
  }

  makeRoom(connection: Connection, bytes: number): boolean {
    while (!this.#hogs.fits(connection, bytes)) {
      const hog = this.#hogs.find(connection, bytes);
      if (hog === undefined) return false;
      hog.closeNow("stalled", "limit", HOG_REASON);
      this.reschedule(hog);
    }
    return true;
  }

  wantsToSend(connection: Connection): void {
    if (connection.listed) return;
    connection.listed = true;
    this.#senders.push(connection);
  }

  ended(connection: Connection): void {
    if (connection.isUndelivered) this.#noteUndelivered(connection.id);
    this.#liveCount--;
    this.noteIfDrained();
  }

  answerClose(connId: number, key: ConnectionKey, to: Address): void {
    this.sendStray(to, (writer, into) => {
      writer.begin(into, connId, key, 1);
      writer.close(CloseCode.answer, 0, "");
    });
  }

  forget(connection: Connection): void {
    this.byId.delete(connection.id);
    this.#deadlines.remove(connection);
  }

  // ---- for listeners and dialers

  /** Whether there is a handshake's datagram to poll. */
  protected get wantsHandshake(): boolean {
    return false;
  }

  /** That datagram. */
  protected pollHandshake(_into: Uint8Array): Outgoing | undefined {
    return undefined;
  }

  /** A sound datagram that names `connection`, or none that is known, is in the reader. */
  protected abstract handleCbor(
    connection: Connection | undefined,
    from: Address,
    nowMs: Millis,
  ): void;

  /** A datagram of a connection that is over, or never was: leave-taking is answered. */
  protected handleUnknown(from: Address): void {
    const { reader } = this;
    this.rejections.count("unknown");
    reader.rewind();
    while (reader.next()) {
      if (reader.type !== FrameType.close) continue;
      if (reader.code !== CloseCode.answer) this.answerClose(reader.connId, reader.key, from);
      return;
    }
  }

  protected abstract handleClassic(bytes: Uint8Array, from: Address, nowMs: Millis): void;

  protected add(connection: Connection): void {
    this.byId.set(connection.id, connection);
    this.#liveCount++;
    this.reschedule(connection);
    const { id: connId, wire, address: from } = connection;
    this.notify({ kind: "connected", connId, wire, from });
  }

  /**
   * Sets the alarm of `connection`. One that became later is left to ring in vain, once: most
   * alarms are probes that an acknowledgement puts off before they are due. One that has something
   * to send gets its alarm when that is sent, or when somebody asks: not with every datagram.
   */
  protected reschedule(connection: Connection): void {
    if (!connection.listed) this.#setAlarm(connection);
  }

  /**
   * Puts off alarms that would ring in vain, a few at most: for an endpoint with little to do, that
   * costs less than a wake-up.
   */
  putOffAlarms(): void {
    const deadlines = this.#deadlines;
    for (let left = ALARMS_PUT_OFF; left > 0; left--) {
      const first = deadlines.first;
      const atMs = first?.wakeAtMs() ?? 0;
      if (first === undefined || atMs <= first.deadlineMs) return;
      deadlines.set(first, atMs);
    }
  }

  #rescheduleListed(): void {
    const senders = this.#senders;
    for (let i = 0; i < senders.length; i++) this.#setAlarm(senders.at(i)!);
  }

  #setAlarm(connection: Connection): void {
    if (!this.byId.has(connection.id)) return;
    const atMs = connection.wakeAtMs();
    if (atMs < connection.deadlineMs) this.#deadlines.set(connection, atMs);
  }

  protected notify(notice: LspNotice): void {
    if (this.#notices.length >= NOTICES_MAX) this.#notices.shift();
    this.#notices.push(notice);
  }

  /** Has a datagram outside of all connections sent; beyond a bound it is dropped and counted. */
  protected sendStray(to: Address, write: Stray["write"]): void {
    if (this.#strays.length >= this.limits.maxStrayDatagrams) return this.rejections.count("flood");
    this.#strays.push({ to, write });
  }

  #noteUndelivered(connId: number): void {
    this.undelivered.add(connId);
    if (this.undelivered.size <= this.limits.maxEndedRemembered) return;
    const [oldest] = this.undelivered;
    this.undelivered.delete(oldest!);
  }

  /** Tells, once, that nothing keeps the endpoint from going. */
  protected noteIfDrained(): void {
    if (!this.isClosing || this.#isDrained || this.#liveCount > 0) return;
    this.#isDrained = true;
    this.notify({ kind: "drained" });
  }

  protected sent(to: Address, length: number): Outgoing {
    this.#sentDatagrams++;
    this.#sentBytes += length;
    return { to, length };
  }
}
