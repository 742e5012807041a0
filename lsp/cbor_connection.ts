/**
 * A connection on the cbor wire: messages and acknowledgements share datagrams, loss is repaired
 * from acknowledgements and by probes, the receiver's window and a congestion controller hold the
 * sender back, and a Close tells the peer at once.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Acknowledger } from "./acknowledger.ts";
import { SUSPICIOUS_SENDS } from "./black_hole.ts";
import type { CongestionControl } from "./congestion.ts";
import { Connection, type ConnectionSpec, type EndCause, type Host } from "./connection.ts";
import type { ConnectionStats } from "./counters.ts";
import {
  ACCEPT_BYTES,
  type AcceptFields,
  CloseCode,
  type ConnectionKey,
  type DatagramReader,
  type DatagramWriter,
  FrameType,
  keyOf,
  Marks,
  ACK_RANGES_MAX,
  DATAGRAM_BYTES_MAX,
  type Offer,
} from "./frame.ts";
import { closeText, closureOf, type Goodbye, goodbyeFor } from "./goodbye.ts";
import { LossRecovery } from "./loss_recovery.ts";
import { Path, wholeBytes } from "./path.ts";
import { pathAnswer } from "./path_mtu.ts";
import { frameBytes, type Outbound } from "./send_window.ts";
import { StallWatch } from "./stall_watch.ts";

/** A peer whose epoch is shorter than ours hears from us that often, but not more often. */
const LEAST_HEARTBEAT_MS = 100;
/** Our epochs for which an ended connection goes on to tell a peer that does not answer. */
const LINGER_EPOCHS = 2;

/** PathChallenges of one turn that are answered; of more, the newest. */
const PATH_ANSWERS_MAX = 4;

/** What makes a cbor connection. */
export interface CborSpec extends ConnectionSpec {
  /** What the peer told of itself in the handshake. */
  readonly peer: Offer;
  /** What all datagrams of the connection bear. */
  readonly key: ConnectionKey;
  /** Size of datagrams that is known to pass; that of messages begins with it. */
  readonly passedBytes: number;
  readonly congestion: CongestionControl;
  readonly nowMs: Millis;
  /** A listener's end: the answer to every Connect of this connection. */
  readonly accept?: AcceptFields;
}

/** See the module. */
export class CborConnection extends Connection {
  override readonly wire = "cbor";
  override readonly maxPayloadBytes: number;
  protected override readonly payloadLimit = "maxMessageBytes, ours or the peer's";

  /** The peer says that it does not know this connection. */
  isDoubted = false;
  readonly #congestion: CongestionControl;
  readonly #recovery: LossRecovery;
  readonly #acks: Acknowledger;
  readonly #stall: StallWatch;
  readonly #path: Path;
  /** How often a peer whose epoch is shorter must hear us; Infinity: our ticks will do. */
  readonly #heartbeatMillis: number;
  /** Datagrams sent on this connection. */
  #datagrams = 0;
  #lastSentMs: Millis;
  /** The newest datagram of the peer. */
  #newestNumber = 0;
  /** When a datagram that waits for its turn may leave; Infinity when none waits. */
  #pacedUntilMs: Millis = Infinity;

  /** Goes along with messages until the peer shows that it has it. */
  #accept: AcceptFields | undefined;
  #acceptWanted: boolean;
  readonly #granted: AcceptFields | undefined;
  #ackWanted = true;
  #ackedSinceTick = false;
  /** Answers to PathChallenges that are to be sent; created when needed. */
  #pathAnswers: bigint[] | undefined;
  /** Once it has ended, and the peer does not know. */
  #goodbye: Goodbye | undefined;

  constructor(spec: CborSpec, host: Host) {
    super(spec, host, wholeBytes(host, spec.address, spec.passedBytes), spec.key);
    this.maxPayloadBytes = Math.min(host.limits.maxMessageBytes, spec.peer.maxMessageBytes);
    this.#acks = new Acknowledger(this.receive, host.limits);
    this.#stall = new StallWatch(this.receive, this.params);
    this.#congestion = spec.congestion;
    this.#path = new Path(this.isn, this.address, spec.passedBytes, host, this.send);
    const { mtu } = this.#path;
    this.#recovery = new LossRecovery(this.send, spec.congestion, this.params.epochMillis, mtu);
    this.send.grant(this.isn, spec.peer.windowMessages, spec.peer.windowBytes);
    const peerEpoch = Math.max(spec.peer.epochMillis, LEAST_HEARTBEAT_MS);
    this.#heartbeatMillis = peerEpoch < this.params.epochMillis ? peerEpoch : Infinity;
    this.#lastSentMs = spec.nowMs;
    this.#granted = spec.accept;
    this.#accept = spec.accept;
    this.#acceptWanted = spec.accept !== undefined;
    host.wantsToSend(this);
  }

  /** Whether datagram `number` is newer than any from our peer's address. */
  isNews(number: number): boolean {
    return number > this.#newestNumber;
  }

  /** A datagram with our number from our address: `reader` is at its start. */
  handleDatagram(reader: DatagramReader, nowMs: Millis): void {
    if (this.hasEnded) return this.#handleAfterEnd(reader);
    this.passVainTick(nowMs);
    this.#newestNumber = Math.max(this.#newestNumber, reader.number);
    this.#accept = undefined;
    this.#acceptWanted = false;
    while (reader.next()) {
      // No sign of life: a restarted server, which gave our number to another, challenges us.
      if (reader.type === FrameType.pathChallenge) {
        this.#handlePathChallenge(reader.token);
        continue;
      }
      if (reader.type === FrameType.unknown) {
        this.isDoubted = reader.echo <= this.#datagrams;
        continue;
      }
      this.noteHeard(nowMs);
      if (reader.type === FrameType.data) {
        this.#acks.noteData(reader.number, nowMs);
        this.takeData(reader.seq, reader.copyPayload());
      } else if (reader.type === FrameType.fragment) {
        this.#acks.noteData(reader.number, nowMs);
        this.takeData(reader.seq, reader.payload, reader.marks, reader.remaining);
      } else if (reader.type === FrameType.ack) this.#handleAck(reader, nowMs);
      else if (reader.type === FrameType.pathResponse) this.#handlePathAnswer(reader.token, nowMs);
      else if (reader.type === FrameType.close) return this.#handleClose(reader);
      if (this.hasEnded) return;
    }
  }

  /** A Connect with our ISN came again: answer it again. It is our peer's if it bears the key. */
  handleConnectAgain(token: bigint): void {
    const { high, low } = keyOf(token);
    if (high === this.key.high && low === this.key.low) this.noteHeard();
    this.#accept = this.#granted;
    this.#acceptWanted = this.#accept !== undefined;
    this.host.wantsToSend(this);
  }

  /** The peer proved that it is at another address now. */
  moveTo(address: string): void {
    this.address = address;
    this.#path.moveTo(address);
    this.noteHeard();
    this.#ackWanted = true;
    this.host.wantsToSend(this);
  }

  override wakeAtMs(): Millis {
    if (this.hasEnded) return this.#goodbye?.wakeAtMs ?? Infinity;
    const repairAtMs = this.#recovery.wakeAtMs();
    const heartbeatAtMs = this.#lastSentMs + this.#heartbeatMillis;
    const { wakeAtMs: pathAtMs } = this.#path.hole;
    const ownAtMs = Math.min(this.tickAtMs, this.#pacedUntilMs, this.#acks.heldUntilMs);
    return Math.min(ownAtMs, repairAtMs, heartbeatAtMs, pathAtMs);
  }

  override handleWake(nowMs: Millis): void {
    if (this.hasEnded) {
      if (this.#goodbye?.handleWake(nowMs)) this.host.wantsToSend(this);
      else this.host.forget(this);
      return;
    }
    super.handleWake(nowMs);
    if (this.#stall.isOver(nowMs)) {
      const reason = "too slow with a message while others waited for memory";
      return this.closeNow("stalled", "limit", reason);
    }
    if (nowMs >= this.#lastSentMs + this.#heartbeatMillis) {
      this.#lastSentMs = nowMs;
      this.heartbeat();
    }
    const isPaced = nowMs >= this.#pacedUntilMs;
    if (isPaced) this.#pacedUntilMs = Infinity;
    const asksPath = nowMs >= this.#path.hole.wakeAtMs;
    const isOverdue = this.#acks.isOverdue(nowMs);
    const isDue = this.#recovery.handleWake(nowMs) || isPaced || asksPath || isOverdue;
    if (isDue) this.host.wantsToSend(this);
  }

  override fill(into: Uint8Array, nowMs: Millis): number {
    if (this.hasEnded) return this.#fillClose(into, nowMs);
    this.passVainTick(nowMs);
    const { writer } = this.host;
    const number = this.#datagrams + 1;
    const next = this.#firstMessage(nowMs);
    const maxBytes = this.#path.bytesFor(next, this.#recovery.probes > 0);
    writer.begin(into, this.id, this.key, number, maxBytes, this.seal);
    // Beside a message that leaves no room, the Accept has to wait until it is asked for.
    const rides = next !== undefined && writer.fits(ACCEPT_BYTES + frameBytes(next));
    if (this.#accept && (rides || this.#acceptWanted)) writer.accept(this.#accept);
    this.#acceptWanted = false;
    // One that is held goes along with a message, or when its time has come.
    const hasAck = this.#ackWanted && (next !== undefined || !this.#acks.isHeld);
    if (hasAck) this.#writeAck(nowMs);
    for (const answer of this.#pathAnswers ?? []) writer.pathResponse(answer);
    this.#pathAnswers = undefined;
    const { sentMessages } = this;
    const isAlone = next === undefined || (hasAck && !this.host.packing);
    if (!isAlone) this.#writeMessages(next, number, nowMs);
    this.#acks.noteSent(hasAck, this.sentMessages > sentMessages, nowMs);
    if (writer.frames === 0) this.#path.writeProbe(writer, this.#recovery.roundTrip, nowMs);
    return writer.frames > 0 ? this.#finish(nowMs) : 0;
  }

  override noteRead(): void {
    if (this.phase === "open" && this.#acks.hasNews) this.acknowledge();
  }

  override stats(): ConnectionStats {
    const { roundTrip, lostCount: lost } = this.#recovery;
    const { windowBytes: congestionWindow } = this.#congestion;
    return { ...super.stats(), lost, rttMs: roundTrip.smoothedMs, congestionWindow };
  }

  protected override noteRoom(): void {
    this.acknowledge();
  }

  protected override acknowledge(seq = 0, isNew = false): void {
    this.#ackWanted = true;
    if (isNew && this.#acks.mayHold(seq)) return;
    this.#acks.release();
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
    const { send } = this;
    const recovery = this.#recovery;
    send.tick(nowMs - recovery.roundTrip.timeoutMs, (entry) => recovery.giveUp(entry));
    // Should the update that opened the window be lost, silence would last: so every epoch ends it.
    if (!this.#ackedSinceTick) this.acknowledge();
    this.#ackedSinceTick = false;
    return recovery.nextLost() !== undefined;
  }

  protected override afterEnd(cause: EndCause): void {
    this.#goodbye = goodbyeFor(cause, this.receive.breach);
    if (this.#goodbye === undefined) this.host.forget(this);
    else this.host.wantsToSend(this);
  }

  // ---- receiving

  #handleAck(reader: DatagramReader, nowMs: Millis): void {
    const { send } = this;
    const recovery = this.#recovery;
    const { cumulative, rangeCount, echo } = reader;
    const last = rangeCount > 0 ? reader.rangeLast(rangeCount - 1) : cumulative;
    const isForged = last > send.highestSent || cumulative < this.isn || echo > this.#datagrams;
    if (isForged) return this.host.rejections.count("ack");
    const reported = rangeCount < ACK_RANGES_MAX ? Infinity : last;
    recovery.handleEcho(echo, reported, reader.echoDelayMicros / 1000, nowMs);
    const { inFlightBytes: inFlight, queuedBytes: queued } = send;
    let removed = send.ackThrough(cumulative);
    for (let i = 0; i < rangeCount; i++) {
      removed += send.ackRange(reader.rangeFirst(i), reader.rangeLast(i));
    }
    if (this.#path.hole.bytes !== undefined) this.#path.noteAcked();
    send.grant(cumulative, reader.windowMessages, reader.windowBytes);
    recovery.handleAcks(removed, queued - send.queuedBytes, inFlight, nowMs);
    this.afterAcks();
  }

  #handlePathAnswer(answer: bigint, nowMs: Millis): void {
    const reason = this.#path.handleAnswer(answer, nowMs);
    if (reason !== undefined) this.closeNow("path", "path", reason);
  }

  #handlePathChallenge(token: bigint): void {
    this.#pathAnswers ??= [];
    if (this.#pathAnswers.length >= PATH_ANSWERS_MAX) this.#pathAnswers.shift();
    this.#pathAnswers.push(pathAnswer(token, this.isn));
    this.host.wantsToSend(this);
  }

  #handleClose(reader: DatagramReader): void {
    const { code, reason } = reader;
    if (code === CloseCode.answer) return this.host.rejections.count("answer");
    if (code === CloseCode.path) this.#path.noteTooLarge();
    this.closeNow("peer", closureOf(code), reason === "" ? closeText(code) : reason);
    this.host.answerClose(this.id, this.key, this.address);
  }

  /** The peer took leave, or answers ours; or it missed it, and shall hear it again. */
  #handleAfterEnd(reader: DatagramReader): void {
    while (reader.next()) {
      if (reader.type !== FrameType.close) continue;
      // Not once more, though it may be its turn to send.
      this.#goodbye = undefined;
      return this.host.forget(this);
    }
    if (this.#goodbye === undefined) return;
    this.#goodbye.isWanted = true;
    this.host.wantsToSend(this);
  }

  // ---- sending

  #nextMessage(): Outbound | undefined {
    return this.#recovery.nextLost() ?? this.send.peekFresh();
  }

  /** The next message, if there is one, and one more datagram with some may leave. */
  #firstMessage(nowMs: Millis): Outbound | undefined {
    const { send } = this;
    const congestion = this.#congestion;
    this.#pacedUntilMs = Infinity;
    const next = this.#nextMessage();
    if (next === undefined) {
      this.#recovery.delivery.noteAppLimited(send.inFlightBytes);
      return undefined;
    }
    if (this.#recovery.probes > 0) return next;
    if (send.inFlightCount > 0 && send.inFlightBytes >= congestion.windowBytes) return undefined;
    const atMs = congestion.sendAtMs(nowMs);
    if (atMs <= nowMs) return next;
    this.#pacedUntilMs = atMs;
    return undefined;
  }

  /**
   * Writes messages, `first` and what follows, until the datagram is full; a large one may have to
   * wait for the next.
   */
  #writeMessages(first: Outbound, number: number, nowMs: Millis): void {
    const { send, host } = this;
    const isFirst = send.inFlightCount === 0;
    let bytes = 0;
    for (let entry: Outbound | undefined = first; entry; entry = this.#nextMessage()) {
      if (!writeMessage(host.writer, entry)) break;
      this.countSent(entry.sends === 0);
      send.markSent(entry, nowMs, number);
      bytes += frameBytes(entry);
      if (entry.sends >= SUSPICIOUS_SENDS) this.#path.noteSent(entry, nowMs);
      if (!host.packing) break;
    }
    if (bytes === 0) return;
    this.#recovery.noteSent(number, isFirst, nowMs);
    this.#congestion.onSent(bytes, nowMs);
  }

  #writeAck(nowMs: Millis): void {
    this.#acks.write(this.host.writer, nowMs);
    this.#ackWanted = false;
    this.#ackedSinceTick = true;
    this.noteAcked(nowMs);
  }

  #finish(nowMs: Millis): number {
    this.#datagrams++;
    this.#lastSentMs = nowMs;
    const bytes = this.host.writer.finish();
    this.#path.mtu.noteSent(this.#datagrams, bytes);
    return bytes;
  }

  #fillClose(into: Uint8Array, nowMs: Millis): number {
    const { host } = this;
    const goodbye = this.#goodbye;
    if (!goodbye?.isWanted) return 0;
    const lingerMs = LINGER_EPOCHS * this.params.epochMillis;
    goodbye.noteSent(nowMs, this.#recovery.roundTrip.timeoutMs, lingerMs);
    const number = this.#datagrams + 1;
    host.writer.begin(into, this.id, this.key, number, DATAGRAM_BYTES_MAX, this.seal);
    // The peer may lack our last acknowledgement; behind a Close nobody would repeat it.
    this.#writeAck(nowMs);
    host.writer.close(goodbye.code, this.send.highestSent, goodbye.reason);
    return this.#finish(nowMs);
  }
}

function writeMessage(writer: DatagramWriter, entry: Outbound): boolean {
  const { seq, payload, marks, remaining } = entry;
  if (marks === Marks.whole) return writer.data(seq, payload);
  return writer.fragment(seq, marks, remaining, payload);
}
