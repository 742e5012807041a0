/**
 * A connection on the native wire: messages and acknowledgements share datagrams, loss is repaired
 * from acknowledgements and by probes, the receiver's window and a congestion controller hold the
 * sender back, and a Close tells the peer at once.
 *
 * @module
 */
import type { Millis } from "../machine.ts";
import type { CongestionControl } from "./congestion.ts";
import { Connection, type ConnectionSpec, type EndCause, type Host } from "./connection.ts";
import type { ConnectionStats } from "./counters.ts";
import {
  ACCEPT_BYTES,
  type AcceptFields,
  type AckFields,
  CloseCode,
  type DatagramReader,
  type DatagramWriter,
  FrameType,
  Marks,
  MAX_ACK_RANGES,
  MAX_DATA_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_UINT32,
  type Offer,
} from "./frame.ts";
import { LossRecovery } from "./loss_recovery.ts";
import { pathAnswer, PathMtu } from "./path_mtu.ts";
import { fullParams, type Limits } from "./params.ts";
import { frameBytes, type Outbound } from "./send_window.ts";
import type { Params } from "./types.ts";

/** A peer whose epoch is shorter than ours hears from us that often, but not more often. */
const LEAST_HEARTBEAT_MS = 100;
/** Our epochs for which a closed connection goes on to tell a peer that missed the Close. */
const LINGER_EPOCHS = 2;

/** What makes a native connection. */
export interface NativeSpec extends ConnectionSpec {
  /** What the peer told of itself in the handshake. */
  readonly peer: Offer;
  readonly congestion: CongestionControl;
  readonly nowMs: Millis;
  /** A listener's end: the answer to every Connect of this connection. */
  readonly accept?: AcceptFields;
}

/** Serves all connections: nothing of it outlives a `fill`. */
const ackFields: AckFields = {
  cumulative: 0,
  echo: 0,
  echoDelayMicros: 0,
  windowMessages: 0,
  windowBytes: 0,
  rangeCount: 0,
  ranges: new Float64Array(2 * MAX_ACK_RANGES),
};

/** What we tell a peer of ourselves while connecting. */
export function ownOffer(limits: Limits, params?: Params): Offer {
  return {
    windowMessages: Math.min(limits.maxReorder, limits.maxUnreadMessages),
    windowBytes: limits.maxUnreadBytes,
    epochMillis: fullParams("cbor", params).epochMillis,
    maxMessageBytes: limits.maxMessageBytes,
  };
}

/** See the module. */
export class NativeConnection extends Connection {
  override readonly wire = "cbor";
  override readonly maxPayloadBytes: number;
  protected override readonly payloadLimit = "maxMessageBytes, ours or the peer's";

  private readonly congestion: CongestionControl;
  private readonly recovery: LossRecovery;
  private readonly mtu: PathMtu;
  /** How often a peer whose epoch is shorter must hear us; Infinity: our ticks will do. */
  private readonly heartbeatMillis: number;
  /** Datagrams sent on this connection. */
  private datagrams = 0;
  private lastSentMs: Millis;
  /** The newest datagram of the peer. */
  private newestNumber = 0;
  /** When a datagram that waits for its turn may leave; Infinity when none waits. */
  private pacedUntilMs: Millis = Infinity;

  /** Goes along with messages until the peer shows that it has it. */
  private accept: AcceptFields | undefined;
  private acceptWanted: boolean;
  private readonly granted: AcceptFields | undefined;
  private ackWanted = true;
  private pathToken: bigint | undefined;
  private closeCode: number | undefined;
  private closeWanted = false;
  private closeReason = "";
  private lingerUntilMs: Millis = Infinity;

  /** The newest datagram with data, and when it came. */
  private echo = 0;
  private echoAtMs: Millis = 0;
  /** What our last Ack let the peer send: a sequence number, and an offset in bytes. */
  private toldSeq = 0;
  private toldOffset = 0;

  constructor(spec: NativeSpec, host: Host) {
    super(spec, host, MAX_DATA_BYTES);
    this.maxPayloadBytes = Math.min(host.limits.maxMessageBytes, spec.peer.maxMessageBytes);
    this.congestion = spec.congestion;
    this.mtu = new PathMtu(this.isn, host.mtu, host.probesMtu && host.packing);
    this.recovery = new LossRecovery(this.send, spec.congestion, this.params.epochMillis, this.mtu);
    this.send.grant(this.isn, spec.peer.windowMessages, spec.peer.windowBytes);
    const peerEpoch = Math.max(spec.peer.epochMillis, LEAST_HEARTBEAT_MS);
    this.heartbeatMillis = peerEpoch < this.params.epochMillis ? peerEpoch : Infinity;
    this.lastSentMs = spec.nowMs;
    this.granted = spec.accept;
    this.accept = spec.accept;
    this.acceptWanted = spec.accept !== undefined;
    host.wantsToSend(this);
  }

  /** Whether datagram `number` is newer than any from our peer's address. */
  isNews(number: number): boolean {
    return number > this.newestNumber;
  }

  /** A datagram with our number from our address: `reader` is at its start. */
  handleDatagram(reader: DatagramReader, nowMs: Millis): void {
    if (this.hasEnded) return this.repeatClose();
    this.newestNumber = Math.max(this.newestNumber, reader.number);
    this.accept = undefined;
    this.acceptWanted = false;
    while (reader.next()) {
      // No sign of life: a restarted server, which gave our number to another, challenges us.
      if (reader.type === FrameType.pathChallenge) {
        this.handlePathChallenge(reader.token);
        continue;
      }
      this.noteHeard();
      if (reader.type === FrameType.data) {
        this.noteData(reader.number, nowMs);
        this.takeData(reader.seq, new Uint8Array(reader.payload));
      } else if (reader.type === FrameType.fragment) {
        this.noteData(reader.number, nowMs);
        this.takeData(reader.seq, reader.payload, reader.marks, reader.remaining);
      } else if (reader.type === FrameType.ack) this.handleAck(reader, nowMs);
      else if (reader.type === FrameType.pathResponse) this.mtu.handleAnswer(reader.token);
      else if (reader.type === FrameType.close) return this.handleClose(reader);
      if (this.hasEnded) return;
    }
  }

  /** A datagram with data came: its number is the next that we echo. */
  private noteData(number: number, nowMs: Millis): void {
    if (number <= this.echo) return;
    this.echo = number;
    this.echoAtMs = nowMs;
  }

  /** A Connect with our ISN came again: answer it again. */
  handleConnectAgain(): void {
    this.noteHeard();
    this.accept = this.granted;
    this.acceptWanted = this.accept !== undefined;
    this.host.wantsToSend(this);
  }

  /** The peer proved that it is at another address now. */
  moveTo(address: string): void {
    this.address = address;
    this.mtu.fallBack();
    this.noteHeard();
    this.ackWanted = true;
    this.host.wantsToSend(this);
  }

  override wakeAtMs(): Millis {
    if (this.phase === "ended") return this.lingerUntilMs;
    const repairAtMs = this.recovery.wakeAtMs();
    const heartbeatAtMs = this.lastSentMs + this.heartbeatMillis;
    return Math.min(this.nextTickMs, repairAtMs, this.pacedUntilMs, heartbeatAtMs);
  }

  override handleWake(nowMs: Millis): void {
    if (this.phase === "ended") {
      if (nowMs >= this.lingerUntilMs) this.host.forget(this);
      return;
    }
    super.handleWake(nowMs);
    if (nowMs >= this.lastSentMs + this.heartbeatMillis) {
      this.lastSentMs = nowMs;
      this.heartbeat();
    }
    const isPaced = nowMs >= this.pacedUntilMs;
    if (isPaced) this.pacedUntilMs = Infinity;
    if (this.recovery.handleWake(nowMs) || isPaced) this.host.wantsToSend(this);
  }

  override fill(into: Uint8Array, nowMs: Millis): number {
    if (this.phase === "ended") return this.fillClose(into, nowMs);
    const { writer } = this.host;
    const number = this.datagrams + 1;
    const hasMessages = this.mayStart(nowMs);
    // Beside a message that leaves no room, the Accept has to wait until it is asked for.
    const next = hasMessages ? this.nextMessage() : undefined;
    // A probe of the path for lost messages must not fail for its size.
    const isPlain = this.recovery.probes > 0;
    writer.begin(into, this.id, number, isPlain ? MAX_DATAGRAM_BYTES : this.mtu.bytes);
    const { accept } = this;
    const rides = next !== undefined && writer.fits(ACCEPT_BYTES + frameBytes(next));
    if (accept !== undefined && (rides || this.acceptWanted)) writer.accept(accept);
    this.acceptWanted = false;
    const isAckAlone = this.ackWanted && !this.host.packing;
    if (this.ackWanted) this.writeAck(nowMs);
    if (this.pathToken !== undefined) {
      writer.pathResponse(this.pathToken);
      this.pathToken = undefined;
    }
    if (hasMessages && !isAckAlone) this.writeMessages(number, nowMs);
    if (writer.frames === 0) this.mtu.writeProbe(writer, this.recovery.roundTrip, nowMs);
    return writer.frames > 0 ? this.finish(nowMs) : 0;
  }

  override noteRead(): void {
    const { receive, host } = this;
    const seq = receive.expected - 1 + receive.creditMessages - this.toldSeq;
    const bytes = receive.handedOnBytes + receive.creditBytes - this.toldOffset;
    const { maxReorder, maxUnreadMessages, maxUnreadBytes } = host.limits;
    const most = Math.min(maxReorder, maxUnreadMessages);
    if (this.phase !== "open" || (seq < most / 4 && bytes < maxUnreadBytes / 4)) return;
    this.ackWanted = true;
    host.wantsToSend(this);
  }

  override stats(): ConnectionStats {
    const rttMs = this.recovery.roundTrip.smoothedMs;
    return { ...super.stats(), rttMs, congestionWindow: this.congestion.windowBytes };
  }

  protected override noteRoom(): void {
    this.acknowledge();
  }

  protected override acknowledge(): void {
    this.ackWanted = true;
    this.host.wantsToSend(this);
  }

  protected override heartbeat(): void {
    this.acknowledge();
  }

  /**
   * The floor under repair from acknowledgements: whatever the back-off makes due and was not sent
   * within the last round trip. (The probe of each epoch is LossRecovery's, by its own timer.)
   */
  protected override resendAtTick(nowMs: Millis): boolean {
    const { recovery, send } = this;
    send.tick(nowMs - recovery.roundTrip.timeoutMs, (entry) => recovery.giveUp(entry));
    // The window is advertised every epoch, should the update that opened it be lost.
    this.acknowledge();
    return recovery.nextLost() !== undefined;
  }

  protected override afterEnd(cause: EndCause): void {
    if (cause === "flushed") this.closeCode = CloseCode.done;
    else if (cause === "shutdown") this.closeCode = CloseCode.shutdown;
    else if (cause === "lost") this.closeCode = CloseCode.lost;
    else if (cause === "breach") this.closeCode = CloseCode.protocol;
    else if (cause === "stalled") this.closeCode = CloseCode.limit;
    else return this.host.forget(this);
    this.closeReason = this.receive.breach ?? closeTexts[this.closeCode]!;
    this.repeatClose();
  }

  // ---- receiving

  private handleAck(reader: DatagramReader, nowMs: Millis): void {
    const { send, recovery } = this;
    const { cumulative, rangeCount, echo } = reader;
    const last = rangeCount > 0 ? reader.rangeLast(rangeCount - 1) : cumulative;
    const isForged = last > send.highestSent || cumulative < this.isn || echo > this.datagrams;
    if (isForged) return this.host.rejections.count("ack");
    const reported = rangeCount < MAX_ACK_RANGES ? Infinity : last;
    recovery.handleEcho(echo, reported, reader.echoDelayMicros / 1000, nowMs);
    const inFlight = send.inFlightBytes;
    const queued = send.queuedBytes;
    let removed = send.ackThrough(cumulative);
    for (let i = 0; i < rangeCount; i++) {
      removed += send.ackRange(reader.rangeFirst(i), reader.rangeLast(i));
    }
    send.grant(cumulative, reader.windowMessages, reader.windowBytes);
    recovery.handleAcks(removed, queued - send.queuedBytes, inFlight, nowMs);
    this.afterAcks();
  }

  private handlePathChallenge(token: bigint): void {
    this.pathToken = pathAnswer(token, this.isn);
    this.host.wantsToSend(this);
  }

  private handleClose(reader: DatagramReader): void {
    const known = closeTexts[reader.code] ?? "closed by the peer";
    this.closeNow("peer", reader.reason === "" ? known : reader.reason);
  }

  // ---- sending

  private nextMessage(): Outbound | undefined {
    return this.recovery.nextLost() ?? this.send.peekFresh();
  }

  /** Whether there are messages to send, and one more datagram with some may leave. */
  private mayStart(nowMs: Millis): boolean {
    const { recovery, send, congestion } = this;
    this.pacedUntilMs = Infinity;
    if (this.nextMessage() === undefined) {
      recovery.delivery.noteAppLimited(send.inFlightBytes);
      return false;
    }
    if (recovery.probes > 0) return true;
    if (send.inFlightCount > 0 && send.inFlightBytes >= congestion.windowBytes) return false;
    const atMs = congestion.sendAtMs(nowMs);
    if (atMs <= nowMs) return true;
    this.pacedUntilMs = atMs;
    return false;
  }

  /** Writes messages until the datagram is full; a large one may have to wait for the next. */
  private writeMessages(number: number, nowMs: Millis): void {
    const { recovery, send, congestion, host } = this;
    const isFirst = send.inFlightCount === 0;
    let bytes = 0;
    for (let entry = this.nextMessage(); entry !== undefined; entry = this.nextMessage()) {
      if (!writeMessage(host.writer, entry)) break;
      this.countSent(entry.sends === 0);
      send.markSent(entry, nowMs, number);
      bytes += frameBytes(entry);
      if (!host.packing) break;
    }
    if (bytes === 0) return;
    recovery.noteSent(number, isFirst, nowMs);
    congestion.onSent(bytes, nowMs);
  }

  private writeAck(nowMs: Millis): void {
    const { receive } = this;
    const delayMicros = Math.round((nowMs - this.echoAtMs) * 1000);
    ackFields.cumulative = receive.expected - 1;
    ackFields.echo = this.echo;
    ackFields.echoDelayMicros = Math.min(Math.max(0, delayMicros), MAX_UINT32);
    ackFields.windowMessages = receive.creditMessages;
    ackFields.windowBytes = receive.creditBytes;
    ackFields.rangeCount = receive.writeRuns(ackFields.ranges, MAX_ACK_RANGES);
    this.host.writer.ack(ackFields);
    this.toldSeq = ackFields.cumulative + ackFields.windowMessages;
    this.toldOffset = receive.handedOnBytes + ackFields.windowBytes;
    this.ackWanted = false;
  }

  private finish(nowMs: Millis): number {
    this.datagrams++;
    this.lastSentMs = nowMs;
    const bytes = this.host.writer.finish();
    this.mtu.noteSent(this.datagrams, bytes);
    return bytes;
  }

  private repeatClose(): void {
    this.closeWanted = this.closeCode !== undefined;
    if (this.closeWanted) this.host.wantsToSend(this);
  }

  private fillClose(into: Uint8Array, nowMs: Millis): number {
    if (!this.closeWanted) return 0;
    const { writer } = this.host;
    this.closeWanted = false;
    if (this.lingerUntilMs === Infinity) {
      this.lingerUntilMs = nowMs + LINGER_EPOCHS * this.params.epochMillis;
    }
    writer.begin(into, this.id, this.datagrams + 1);
    // The peer may lack our last acknowledgement; behind a Close nobody would repeat it.
    this.writeAck(nowMs);
    writer.close(this.closeCode ?? CloseCode.done, this.send.highestSent, this.closeReason);
    return this.finish(nowMs);
  }
}

function writeMessage(writer: DatagramWriter, entry: Outbound): boolean {
  const { seq, payload, marks, remaining } = entry;
  if (marks === Marks.whole) return writer.data(seq, payload);
  return writer.fragment(seq, marks, remaining, payload);
}

const closeTexts: Record<number, string> = {
  [CloseCode.done]: "closed by the peer",
  [CloseCode.shutdown]: "the peer shut down",
  [CloseCode.protocol]: "the peer saw a breach of the protocol",
  [CloseCode.limit]: "the peer reached a limit",
  [CloseCode.lost]: "the peer heard nothing for too long",
  [CloseCode.replaced]: "replaced by a newer connection from the same address",
};
