/**
 * What one end of a connection has sent, as a bystander sees it who knows every datagram that the
 * end sent and was given: the window rule, and that nothing is sent again without need.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { FullParams } from "../../lsp/params.ts";
import { demand } from "../engine/trace.ts";

/** A message, or piece of one, that was sent at least once. */
interface Sent {
  readonly bytes: number;
  acked: boolean;
  sends: number;
  atMs: Millis;
  /** Number of the datagram that carried it last (cbor wire). */
  datagram: number;
  /** Sent again so often since anything was heard that could be a reason. */
  inSilence: number;
}

/** The sending half of a connection. */
export class Outgoing {
  readonly isn: number;
  highest: number;
  unacked = 0;
  readonly #where: string;
  readonly #params: FullParams;
  /** By sequence number, from ISN + 1 on. */
  readonly #sent: Sent[] = [];
  /** Index of the oldest that is not acknowledged. */
  #head = 0;
  /** Bytes of all up to each index. */
  readonly #bytesThrough: number[] = [];
  #grantedSeq = Infinity;
  #grantedBytes = Infinity;
  #silentSinceMs: Millis = 0;

  constructor(isn: number, params: FullParams, where: string) {
    this.isn = isn;
    this.highest = isn;
    this.#params = params;
    this.#where = where;
  }

  /** The peer lets through so much after `cumulative`. */
  grant(cumulative: number, messages: number, bytes: number): void {
    const before = this.#grantedSeq === Infinity ? -Infinity : this.#grantedSeq;
    const beforeBytes = this.#grantedBytes === Infinity ? -Infinity : this.#grantedBytes;
    this.#grantedSeq = Math.max(before, cumulative + messages);
    const done = this.#bytesThrough[cumulative - this.isn - 1] ?? 0;
    this.#grantedBytes = Math.max(beforeBytes, done + bytes);
  }

  /** `seq` is acknowledged by what was handed in; whether that is news. */
  ack(seq: number): boolean {
    const sent = this.#sent[seq - this.isn - 1];
    if (sent === undefined || sent.acked) return false;
    sent.acked = true;
    this.unacked--;
    while (this.#sent[this.#head]?.acked) this.#head++;
    return true;
  }

  /** All up to `seq` is acknowledged; whether anything of that is news. */
  ackThrough(seq: number): boolean {
    let isNews = false;
    const last = Math.min(seq - this.isn, this.#sent.length);
    for (let i = this.#head; i < last; i++) if (this.ack(this.isn + 1 + i)) isNews = true;
    return isNews;
  }

  /** Something was handed in that explains why messages are sent again. */
  noteHeard(nowMs: Millis): void {
    this.#silentSinceMs = nowMs;
    for (let i = this.#head; i < this.#sent.length; i++) this.#sent[i]!.inSilence = 0;
  }

  /** The message as it was sent last; undefined before the first time. */
  at(seq: number): Readonly<Sent> | undefined {
    return this.#sent[seq - this.isn - 1];
  }

  /** `seq` leaves, with `bytes` bytes of payload. */
  send(seq: number, bytes: number, nowMs: Millis, datagram = 0): void {
    const known = this.at(seq) as Sent | undefined;
    if (known === undefined) this.#sendFirst(seq, bytes, nowMs, datagram);
    else this.#sendAgain(seq, known, nowMs, datagram);
  }

  #sendFirst(seq: number, bytes: number, nowMs: Millis, datagram: number): void {
    const where = (): string => `${this.#where}, message ${seq - this.isn}`;
    demand(seq === this.highest + 1, () => `${where()}: sent after ${this.highest - this.isn}`);
    const { windowSize, maxUnackedMessages } = this.#params;
    const oldest = this.isn + 1 + this.#head;
    demand(
      seq < oldest + windowSize,
      () => `${where()}: outside the window of ${windowSize} from ${oldest - this.isn} on`,
    );
    demand(
      this.unacked < maxUnackedMessages,
      () => `${where()}: sent while ${this.unacked} are under way`,
    );
    const through = (this.#bytesThrough.at(-1) ?? 0) + bytes;
    demand(
      seq <= this.#grantedSeq && through <= this.#grantedBytes,
      () =>
        `${where()}: the peer takes messages up to ${this.#grantedSeq - this.isn} ` +
        `and ${this.#grantedBytes} bytes, this makes ${through}`,
    );
    this.highest = seq;
    this.unacked++;
    this.#bytesThrough.push(through);
    this.#sent.push({ bytes, acked: false, sends: 1, atMs: nowMs, datagram, inSilence: 0 });
  }

  #sendAgain(seq: number, known: Sent, nowMs: Millis, datagram: number): void {
    const where = (): string => `${this.#where}, message ${seq - this.isn}`;
    demand(!known.acked, () => `${where()}: sent again although it is acknowledged`);
    known.sends++;
    known.atMs = nowMs;
    known.datagram = datagram;
    known.inSilence++;
    const epochs = (nowMs - this.#silentSinceMs) / this.#params.epochMillis;
    const most = SILENT_SENDS + SILENT_SENDS_AN_EPOCH * epochs;
    demand(
      known.inSilence <= most,
      () => `${where()}: sent again ${known.inSilence} times in ${epochs.toFixed(2)} silent epochs`,
    );
  }
}

/**
 * A probe comes after about a round trip, and each further one takes twice as long, up to an epoch;
 * besides there is the back-off of docs/lsp.md, section 5.
 */
const SILENT_SENDS = 12;
const SILENT_SENDS_AN_EPOCH = 3;
