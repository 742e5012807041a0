/**
 * Finds out what was lost on a cbor connection, from acknowledgements and from their absence, in
 * the spirit of RFC 9002, section 6 (by datagram number and by time) and RFC 8985. It decides what
 * is sent again, and when a probe must ask for an answer.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import type { CongestionControl } from "./congestion.ts";
import { DeliveryRate } from "./delivery_rate.ts";
import { DATA_OVERHEAD_BYTES } from "./frame.ts";
import type { PathMtu } from "./path_mtu.ts";
import { RoundTrip } from "./rtt.ts";
import { frameBytes, type Outbound, type SendWindow } from "./send_window.ts";

/** Later datagrams that arrived before an earlier one counts as lost (RFC 9002, section 6.1.1). */
const REORDERING_DATAGRAMS = 3;
/** Messages sent again by one probe: the oldest, and one more should the first be lost too. */
const PROBE_MESSAGES = 2;
/** Probes in vain after which the path counts as silent (RFC 9002, section 7.6). */
const SILENT_PROBES = 3;

/** See the module. */
export class LossRecovery {
  readonly roundTrip: RoundTrip = new RoundTrip();
  readonly delivery: DeliveryRate = new DeliveryRate();
  /** Datagrams that may go out whatever the congestion window says. */
  probes = 0;
  /** Times that a message was found to be lost. */
  lostCount = 0;

  readonly #send: SendWindow;
  readonly #congestion: CongestionControl;
  /** Longest time between two probes. */
  readonly #mostSilenceMs: Millis;
  readonly #mtu: PathMtu;
  readonly #lost = new Queue<Outbound>();
  /** The newest datagram known to have arrived. */
  #newestArrived = 0;
  /** Up to here the newest acknowledgement reported all that had arrived; beyond, perhaps not. */
  #reportedSeq = Infinity;
  #lastDataSentMs: Millis = -Infinity;
  #timeouts = 0;
  #overtakenAtMs: Millis = Infinity;

  constructor(
    send: SendWindow,
    congestion: CongestionControl,
    mostSilenceMs: Millis,
    mtu: PathMtu,
  ) {
    this.#mtu = mtu;
    this.#send = send;
    this.#congestion = congestion;
    this.#mostSilenceMs = mostSilenceMs;
  }

  /** When `handleWake` has something to do; Infinity for never. */
  wakeAtMs(): Millis {
    return Math.min(this.#overtakenAtMs, this.#probeAtMs());
  }

  /** Notes that datagram `number` left with messages; `isFirst`: nothing was under way. */
  noteSent(number: number, isFirst: boolean, nowMs: Millis): void {
    this.#lastDataSentMs = nowMs;
    this.probes = 0;
    this.delivery.noteSent(number, isFirst, nowMs);
  }

  /** The next message to send again. */
  nextLost(): Outbound | undefined {
    for (let entry = this.#lost.at(0); entry; entry = this.#lost.at(0)) {
      if (entry.state === "lost") return entry;
      this.#lost.shift();
    }
    return undefined;
  }

  /**
   * The peer has datagram `echo`, the newest that carried data, for `delayMs` now, and tells all
   * that it has up to message `reportedSeq`.
   */
  handleEcho(echo: number, reportedSeq: number, delayMs: Millis, nowMs: Millis): void {
    if (echo >= this.#newestArrived) {
      this.#reportedSeq = reportedSeq;
      this.delivery.isTrusted = reportedSeq === Infinity;
    }
    if (echo <= this.#newestArrived) return;
    this.#newestArrived = echo;
    this.#mtu.noteArrived(echo);
    const sentAtMs = this.delivery.noteArrived(echo);
    if (sentAtMs === undefined) return;
    this.roundTrip.sample(nowMs - sentAtMs, delayMs);
  }

  /**
   * `messages` messages, with `bytes` of payload, were acknowledged: whatever was overtaken by what
   * arrived is lost, and the congestion controller learns of both.
   */
  handleAcks(messages: number, bytes: number, inFlightBeforeBytes: number, nowMs: Millis): void {
    if (messages > 0) this.#timeouts = 0;
    this.#detect(nowMs);
    if (messages === 0) return;
    const ackedBytes = bytes + messages * DATA_OVERHEAD_BYTES;
    const ack = this.delivery.take(ackedBytes, this.roundTrip.latestMs, nowMs);
    ack.inFlightBeforeBytes = inFlightBeforeBytes;
    ack.inFlightBytes = this.#send.inFlightBytes;
    this.#congestion.onAcked(ack, nowMs);
  }

  /** Does what is due; whether there is something to send. */
  handleWake(nowMs: Millis): boolean {
    if (nowMs >= this.#overtakenAtMs) this.#detect(nowMs);
    if (nowMs >= this.#probeAtMs()) {
      if (++this.#timeouts === SILENT_PROBES) {
        this.#congestion.onSilence();
        this.#mtu.fallBack();
      }
      // The probe leaves in this turn; from now on its answer is waited for.
      this.#lastDataSentMs = nowMs;
      this.probe();
    }
    return this.nextLost() !== undefined;
  }

  /** Sends the oldest messages again, and lets them pass the congestion window. */
  probe(): void {
    let left = PROBE_MESSAGES;
    this.#send.eachSent((entry) => {
      this.giveUp(entry);
      return --left > 0;
    });
    this.probes = 1;
  }

  /** Sends `entry` again although nothing says that the path is to blame. */
  giveUp(entry: Outbound): void {
    this.#send.markLost(entry);
    this.#lost.push(entry);
  }

  /** RFC 9002's probe timeout, doubling with each in vain, at most an epoch: the floor. */
  #probeAtMs(): Millis {
    if (this.#send.inFlightCount === 0) return Infinity;
    const backedOff = this.roundTrip.timeoutMs * 2 ** Math.min(this.#timeouts, 16);
    return this.#lastDataSentMs + Math.min(backedOff, this.#mostSilenceMs);
  }

  #detect(nowMs: Millis): void {
    const newestArrived = this.#newestArrived;
    const { reorderingMs, timeoutMs } = this.roundTrip;
    this.#overtakenAtMs = Infinity;
    this.#send.eachSent((entry) => {
      // Messages first go out in order: behind one sent after `newestArrived` none is overtaken,
      // except such as were sent again, and those left even later.
      if (entry.datagram >= newestArrived) return entry.sends > 1;
      // What no acknowledgement can report may have arrived; yet it must not fill the window.
      const isReported = entry.seq <= this.#reportedSeq;
      const isOvertaken = isReported && entry.datagram <= newestArrived - REORDERING_DATAGRAMS;
      const dueMs = entry.sentAtMs + (isReported ? reorderingMs : timeoutMs);
      if (!isOvertaken && nowMs < dueMs) {
        this.#overtakenAtMs = Math.min(this.#overtakenAtMs, dueMs);
        return true;
      }
      this.giveUp(entry);
      if (!isReported) return true;
      this.#mtu.noteLost(entry.datagram);
      this.lostCount++;
      this.#congestion.onLost(frameBytes(entry), entry.sentAtMs, nowMs);
      return true;
    });
  }
}
