/**
 * What a connection is on either wire: two halves (what is sent, what is received), the epoch tick
 * with its liveness and heartbeat rules, and the ways to end (docs/lsp.md, sections 4 to 7).
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { SmallPaths } from "./small_paths.ts";
import type { Budget } from "./budget.ts";
import type { ConnectionStats, Rejections } from "./counters.ts";
import type { Timed } from "./deadlines.ts";
import { PayloadTooLarge, QueueFull } from "./errors.ts";
import { type ConnectionKey, type DatagramWriter, type Marks, NO_KEY } from "./frame.ts";
import { FlushWatch, leastProgress } from "./flush_watch.ts";
import type { End, Inbox } from "./inbox.ts";
import { type FullParams, type LspLimits, MESSAGE_OVERHEAD_BYTES } from "./params.ts";
import { ReceiveBuffer } from "./receive_buffer.ts";
import type { Seal } from "./seal.ts";
import { SendWindow } from "./send_window.ts";
import type { Address, ClosureCause, Wire } from "./types.ts";

/** What a connection needs of the endpoint around it. */
export interface Host {
  readonly limits: LspLimits;
  readonly budget: Budget;
  readonly inbox: Inbox;
  readonly rejections: Rejections;
  /** Whether frames may share a datagram. */
  readonly packing: boolean;
  /** Largest datagram of a cbor connection, in bytes; where it starts, if it `probesMtu`. */
  readonly mtu: number;
  readonly probesMtu: boolean;
  /** What is known of paths that large datagrams do not pass. */
  readonly paths: SmallPaths;
  /** What protects the datagrams of cbor connections. */
  readonly seal: Seal;
  /** Serves all connections: nothing of it outlives a `fill`. */
  readonly writer: DatagramWriter;
  /** Whether `connection` can queue `bytes` more, if need be by the end of one that keeps more. */
  canQueue(connection: Connection, bytes: number): boolean;
  /** Makes that room; false if there is none to be had. */
  makeRoom(connection: Connection, bytes: number): boolean;
  /** `connection` has something to send: ask its `fill` soon. */
  wantsToSend(connection: Connection): void;
  /** `connection` takes no more part in LSP; it may linger to tell its peer so. */
  ended(connection: Connection): void;
  /** The peer, at `to`, took leave of connection `connId`: let it know that we know. */
  answerClose(connId: number, key: ConnectionKey, to: Address): void;
  /** Forget `connection` altogether. */
  forget(connection: Connection): void;
}

/** What makes one connection. */
export interface ConnectionSpec {
  readonly id: number;
  readonly address: Address;
  readonly isn: number;
  readonly params: FullParams;
  /** When its first tick is. */
  readonly firstTickMs: Millis;
}

/**
 * `open`; `flushing` after we closed it while messages are unacknowledged; `ended` when it was
 * lost, closed by the peer, or flushed.
 */
export type Phase = "open" | "flushing" | "ended";

/** Why a connection ended. */
export type EndCause =
  | "flushed"
  | "lost"
  | "peer"
  | "replaced"
  | "shutdown"
  /** The peer broke the protocol. */
  | "breach"
  /** The peer kept memory, or a place, for which others waited; or took too little in time. */
  | "stalled"
  /** The peer does not know it any more. */
  | "forgotten"
  /** The path swallows datagrams of the size of our messages. */
  | "path";

/** A message larger than the limit may still wait alone. */
function mayQueue(queuedBytes: number, bytes: number, limit: number): boolean {
  return queuedBytes === 0 || queuedBytes + bytes <= limit;
}

/** The parts that both wires share; each wire adds its frames and its way to repair loss. */
export abstract class Connection implements Timed {
  abstract readonly wire: Wire;
  /** Longest payload that a message can have, and the name of that limit. */
  abstract readonly maxPayloadBytes: number;
  protected abstract readonly payloadLimit: string;

  readonly id: number;
  readonly isn: number;
  readonly params: FullParams;
  /** What its datagrams bear, ours and the peer's; those of the json wire bear none. */
  readonly key: ConnectionKey;
  /** What protects its datagrams; an endpoint unseals those that name this connection with it. */
  readonly seal: Seal;
  readonly send: SendWindow;
  readonly receive: ReceiveBuffer;
  address: Address;
  phase: Phase = "open";
  /** Its last event, once there is one. */
  lastEvent: End | undefined;
  /** Whether the endpoint has it on its list of those that want to send. */
  listed = false;
  /** Whether it ended with messages that its peer has not acknowledged. */
  isUndelivered = false;
  /** Epochs in a row in which messages waited and the peer took next to nothing. */
  stalledEpochs = 0;
  deadlineMs: Millis = Infinity;
  heapIndex = -1;

  protected readonly host: Host;
  protected nextTickMs: Millis;
  protected sentMessages = 0;
  protected retransmits = 0;
  #receivedMessages = 0;
  #duplicates = 0;
  #dropped = 0;
  #heard = true;
  #silentEpochs = 0;
  #sentSinceTick = false;
  #settledBefore = 0;
  /** Where that spares ticks: when the peer was heard, and told what came. */
  #heardMs: Millis = -Infinity;
  #ackedMs: Millis = -Infinity;
  /** Whether nothing was under way when something happened last; what was written since may be. */
  #isQuiet = false;
  /** While it flushes. */
  #flush: FlushWatch | undefined;

  /** Messages larger than `wholeBytes` are sent in pieces. */
  constructor(spec: ConnectionSpec, host: Host, wholeBytes: number, key: ConnectionKey = NO_KEY) {
    this.id = spec.id;
    this.key = key;
    this.isn = spec.isn;
    this.params = spec.params;
    this.seal = host.seal;
    this.address = spec.address;
    this.nextTickMs = spec.firstTickMs;
    this.host = host;
    this.send = new SendWindow(spec.isn, spec.params, host.budget, wholeBytes);
    this.receive = new ReceiveBuffer(
      spec.isn,
      host.limits,
      host.budget,
      (payload) => host.inbox.data(this, payload),
      () => this.noteRoom(),
    );
  }

  /** Writes the next datagram to send into `into`; its length, 0 when there is none. */
  abstract fill(into: Uint8Array, nowMs: Millis): number;
  /** Resends what a tick makes due; whether there was any. */
  protected abstract resendAtTick(nowMs: Millis): boolean;
  /** Has `fill` send a heartbeat. */
  protected abstract heartbeat(): void;
  /** Message `seq` arrived, perhaps again, and is not dropped: has `fill` acknowledge it. */
  protected abstract acknowledge(seq: number, isNew?: boolean): void;
  /** The end has come; what else a wire does about it. */
  protected abstract afterEnd(cause: EndCause): void;

  /** When `handleWake` has something to do; Infinity for never. */
  wakeAtMs(): Millis {
    return this.phase === "ended" ? Infinity : this.nextTickMs;
  }

  /** Does what is due. */
  handleWake(nowMs: Millis): void {
    this.passVainTick(nowMs);
    if (this.phase !== "ended" && nowMs >= this.nextTickMs) this.#tick(nowMs);
  }

  /**
   * Queues a copy of `payload`, or itself if it `isGiven`: then it must stay as it is. Throws
   * {@link PayloadTooLarge} and {@link QueueFull}.
   */
  write(payload: Uint8Array, isGiven = false): void {
    const { length } = payload;
    if (length > this.maxPayloadBytes) {
      throw new PayloadTooLarge(this.id, length, this.maxPayloadBytes, this.payloadLimit);
    }
    const { host, send } = this;
    const { maxQueuedBytes, maxQueuedMessages, maxQueuedBytesTotal } = host.limits;
    const { queuedBytes, queuedMessages } = send;
    if (!mayQueue(queuedBytes, length, maxQueuedBytes)) {
      throw new QueueFull(this.id, queuedBytes, maxQueuedBytes, "maxQueuedBytes");
    }
    if (queuedMessages >= maxQueuedMessages) {
      throw new QueueFull(this.id, queuedMessages, maxQueuedMessages, "maxQueuedMessages");
    }
    if (!host.makeRoom(this, length + MESSAGE_OVERHEAD_BYTES)) {
      const total = host.budget.queuedBytes;
      throw new QueueFull(this.id, total, maxQueuedBytesTotal, "maxQueuedBytesTotal");
    }
    send.push(isGiven ? payload : new Uint8Array(payload));
    host.wantsToSend(this);
  }

  /** Whether `write` takes a message of `bytes` bytes now; by default half of what may wait. */
  mayWrite(bytes?: number): boolean {
    const { maxQueuedBytes, maxQueuedMessages } = this.host.limits;
    const wanted = bytes ?? Math.ceil(maxQueuedBytes / 2);
    const { queuedBytes, queuedMessages } = this.send;
    if (!mayQueue(queuedBytes, wanted, maxQueuedBytes)) return false;
    const most = bytes === undefined ? Math.ceil(maxQueuedMessages / 2) : maxQueuedMessages;
    if (queuedMessages >= most) return false;
    return this.host.canQueue(this, wanted + MESSAGE_OVERHEAD_BYTES);
  }

  /** The application closes: no more is read; what was written is still brought over. */
  close(reason: string): void {
    if (this.phase !== "open") return;
    this.phase = "flushing";
    this.#flush = new FlushWatch(this.send, this.params, this.wire);
    this.receive.discard();
    this.#tellEnd({ kind: "closed", connId: this.id, code: "here", reason });
    this.#endIfFlushed();
  }

  /** The connection ends here and now, unflushed; the reader is told `code` and `reason`. */
  closeNow(cause: EndCause, code: ClosureCause, reason: string): void {
    if (this.phase === "ended") return;
    if (this.phase === "open") this.#tellEnd({ kind: "closed", connId: this.id, code, reason });
    this.#end(cause);
  }

  /** Whether it takes no more part in LSP. */
  get hasEnded(): boolean {
    return this.phase === "ended";
  }

  /** Told by the inbox: a message was read. */
  noteRead(): void {}

  /** Told by the receive buffer: what was dropped for want of memory would be taken now. */
  protected noteRoom(): void {}

  stats(): ConnectionStats {
    return {
      connId: this.id,
      wire: this.wire,
      sentMessages: this.sentMessages,
      retransmits: this.retransmits,
      lost: 0,
      receivedMessages: this.#receivedMessages,
      duplicates: this.#duplicates,
      dropped: this.#dropped,
      queuedBytes: this.send.queuedBytes,
      inFlightBytes: this.send.inFlightBytes,
      unreadBytes: this.receive.unreadBytes,
      partialBytes: this.receive.partialBytes,
      rttMs: undefined,
      congestionWindow: undefined,
    };
  }

  /** A valid packet of this connection came: a sign of life. */
  protected noteHeard(nowMs: Millis = -Infinity): void {
    this.#heard = true;
    this.#heardMs = nowMs;
  }

  /** The peer was told what came from it. */
  protected noteAcked(nowMs: Millis): void {
    this.#ackedMs = nowMs;
  }

  /**
   * When a tick has something to do. The next one is in vain if nothing is under way and both ends
   * have heard of each other in the half of an epoch before it: nobody need be woken for that.
   */
  protected get tickAtMs(): Millis {
    const { nextTickMs } = this;
    if (this.phase !== "open" || !this.#isQuiet) return nextTickMs;
    const { epochMillis } = this.params;
    const isVain = Math.min(this.#heardMs, this.#ackedMs) > nextTickMs - epochMillis / 2;
    return isVain ? nextTickMs + epochMillis : nextTickMs;
  }

  /** Lets a tick go by at which there was nothing to do. */
  protected passVainTick(nowMs: Millis): void {
    const { nextTickMs, tickAtMs } = this;
    this.#isQuiet = this.send.isEmpty;
    if (nowMs < nextTickMs || tickAtMs === nextTickMs) return;
    this.nextTickMs = tickAtMs;
    this.#silentEpochs = 0;
    // What came or left since that tick comes behind this.
    this.#heard = false;
    this.#sentSinceTick = false;
  }

  /** Takes a Data frame's message, whose bytes must stay unchanged from now on; or a piece. */
  protected takeData(seq: number, bytes: Uint8Array, marks?: Marks, remaining?: number): void {
    if (seq <= this.isn) return this.host.rejections.count("seq");
    const arrival = this.receive.accept(seq, bytes, marks, remaining);
    if (arrival === "breach") {
      this.host.rejections.count("fragment");
      const reason = `the peer broke the protocol: ${this.receive.breach}`;
      return this.closeNow("breach", "protocol", reason);
    }
    if (arrival === "new") this.#receivedMessages++;
    else if (arrival === "duplicate") this.#duplicates++;
    else {
      this.#dropped++;
      return this.host.rejections.count("unreadable");
    }
    this.acknowledge(seq, arrival === "new");
  }

  /** Acknowledgements may have opened the window, or have finished a flush. */
  protected afterAcks(): void {
    this.#isQuiet = this.send.isEmpty;
    this.host.wantsToSend(this);
    this.#endIfFlushed();
  }

  /** Counts a message that went out; the first time it keeps a heartbeat from being needed. */
  protected countSent(isFirst: boolean): void {
    if (!isFirst) this.retransmits++;
    else {
      this.sentMessages++;
      this.#sentSinceTick = true;
    }
  }

  #endIfFlushed(): void {
    if (this.phase === "flushing" && this.send.isEmpty) this.#end("flushed");
  }

  /** One epoch is over, or several while nobody woke us: they count as one. */
  #tick(nowMs: Millis): void {
    const { epochMillis, epochLimit } = this.params;
    const passed = Math.floor((nowMs - this.nextTickMs) / epochMillis) + 1;
    this.nextTickMs += passed * epochMillis;
    this.#silentEpochs = this.#heard ? 0 : this.#silentEpochs + 1;
    this.#heard = false;
    if (this.#silentEpochs >= epochLimit) return this.#lose();
    if (this.#flush?.isOver(nowMs)) return this.#end("stalled");
    this.#noteProgress();
    const resent = this.resendAtTick(nowMs);
    if (!resent && !this.#sentSinceTick) this.heartbeat();
    this.#sentSinceTick = false;
  }

  #noteProgress(): void {
    const { send } = this;
    const taken = send.settledBytes - this.#settledBefore;
    const isStalled = !send.isEmpty && taken < leastProgress(send, this.wire);
    this.stalledEpochs = isStalled ? this.stalledEpochs + 1 : 0;
    this.#settledBefore = send.settledBytes;
  }

  #lose(): void {
    if (this.phase === "open") this.#tellEnd({ kind: "lost", connId: this.id });
    this.#end("lost");
  }

  #tellEnd(event: End): void {
    this.lastEvent = event;
    this.host.inbox.end(this, event);
  }

  #end(cause: EndCause): void {
    this.phase = "ended";
    this.isUndelivered = !this.send.isEmpty;
    this.receive.dropHeld();
    this.send.drop();
    this.afterEnd(cause);
    this.host.ended(this);
  }
}
