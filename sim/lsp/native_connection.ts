/**
 * One connection of the cbor wire as a bystander sees it: what one end was given, and whether
 * what it sends is justified by that.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { CloseCode, type ConnectionKey, type DatagramReader, FrameType } from "../../lsp/frame.ts";
import type { Address } from "../../lsp/types.ts";
import { demand } from "../engine/trace.ts";
import type { Watched } from "./watched.ts";
import { Outgoing } from "./outgoing.ts";

/** Later datagrams that must have arrived before an earlier one counts as lost at once. */
const REORDERING_DATAGRAMS = 3;
/** It counts as lost after so much more than a round trip; or a probe comes after this. */
const REORDERING_SHARE = 1 / 8;
const PROBE_SLACK_MS = 10;
/** Closes are repeated over two epochs, each after twice the time of the last: 10 ms, 20 ... */
const CLOSES_MAX = 10;

/** See the module. */
export class NativeConnection {
  readonly id: number;
  readonly isn: number;
  readonly key: ConnectionKey;
  readonly out: Outgoing;
  address: Address;
  /** The newest datagram that the peer sent from its known address. */
  newestNumber = 0;
  /** The last datagram that was given had the peer's Close in it. */
  hasPeersClose = false;
  /** It has taken leave, or its peer has. */
  isOver = false;
  readonly #end: Watched;
  readonly #where: string;
  /** Sequence numbers that were given beyond the first gap; and up to there. */
  readonly #came = new Set<number>();
  #cameThrough: number;
  #highestCame: number;
  /** The newest datagram with data that was given. */
  #echo = 0;
  /** When each of our datagrams with data left, by number. */
  readonly #leftMs = new Map<number, Millis>();
  #lastNumber = 0;
  #newestEcho = 0;
  #leastRttMs = Infinity;
  #lastDataMs: Millis;
  #closes = 0;
  #excuses = 0;
  #sentEcho: number | undefined;
  #isAnswered = false;
  #hasFragments = false;

  /** The connection whose Accept is in `reader`, with the peer at `address`. */
  constructor(end: Watched, address: Address, reader: DatagramReader, nowMs: Millis) {
    const { connId: id, isn } = reader;
    this.#end = end;
    this.id = id;
    this.address = address;
    this.isn = isn;
    this.key = reader.key;
    this.#where = `${end.name}, connection ${id}`;
    this.out = new Outgoing(isn, end.native, this.#where);
    this.#cameThrough = isn;
    this.#highestCame = isn;
    this.#lastDataMs = nowMs;
  }

  moveTo(address: Address): void {
    this.address = address;
  }

  /** The endpoint is given a datagram from the peer's address; `reader` is at its start. */
  handled(reader: DatagramReader, nowMs: Millis): void {
    this.newestNumber = Math.max(this.newestNumber, reader.number);
    this.hasPeersClose = false;
    if (this.isOver) this.#excuses++;
    while (reader.next()) {
      switch (reader.type) {
        case FrameType.fragment:
          this.#hasFragments = true;
          this.#noteData(reader.number, reader.seq);
          break;
        case FrameType.data:
          this.#noteData(reader.number, reader.seq);
          break;
        case FrameType.ack:
          this.#handledAck(reader, nowMs);
          break;
        case FrameType.close:
          this.hasPeersClose = reader.code !== CloseCode.answer;
          if (this.isOver) this.#isAnswered = true;
          return;
      }
    }
  }

  /** The endpoint sends on it; `reader` stands at the first frame that is not an Accept. */
  sent(reader: DatagramReader, isPastAccept: boolean, nowMs: Millis): void {
    const { number } = reader;
    demand(reader.bears(this.key), () => `${this.#where}: sends with another key`);
    demand(number > this.#lastNumber, () => `${this.#where}: datagram ${number} sent twice`);
    this.#lastNumber = number;
    let hasData = false;
    this.#sentEcho = undefined;
    for (let more = !isPastAccept || reader.next(); more; more = reader.next()) {
      switch (reader.type) {
        case FrameType.data:
        case FrameType.fragment:
          if (!hasData) this.#noteProbe(nowMs);
          hasData = true;
          this.#sentData(reader, nowMs);
          break;
        case FrameType.ack:
          this.#sentAck(reader);
          break;
        case FrameType.close:
          this.#sentClose();
      }
    }
    // An end may come before the last that was given is looked at.
    const echo = this.#sentEcho;
    demand(
      echo === undefined || this.isOver || echo === this.#echo,
      () => `${this.#where}: echoes ${echo}, the newest is ${this.#echo}`,
    );
    if (!hasData) return;
    this.#leftMs.set(number, nowMs);
    this.#lastDataMs = nowMs;
  }

  #noteData(number: number, seq: number): void {
    this.#echo = Math.max(this.#echo, number);
    if (seq <= this.#cameThrough) return;
    this.#came.add(seq);
    this.#highestCame = Math.max(this.#highestCame, seq);
    while (this.#came.delete(this.#cameThrough + 1)) this.#cameThrough++;
  }

  #handledAck(reader: DatagramReader, nowMs: Millis): void {
    const { cumulative, rangeCount, echo, windowMessages, windowBytes } = reader;
    const { out } = this;
    const last = rangeCount > 0 ? reader.rangeLast(rangeCount - 1) : cumulative;
    // Nobody can have received what was never sent: such an Ack is forged, and means nothing.
    if (last > out.highest || cumulative < this.isn || echo > this.#lastNumber) return;
    let isNews = out.ackThrough(cumulative);
    for (let i = 0; i < rangeCount; i++) {
      const to = reader.rangeLast(i);
      for (let seq = reader.rangeFirst(i); seq <= to; seq++) if (out.ack(seq)) isNews = true;
    }
    out.grant(cumulative, windowMessages, windowBytes);
    if (echo > this.#newestEcho) {
      isNews = true;
      this.#newestEcho = echo;
      const leftMs = this.#leftMs.get(echo);
      if (leftMs !== undefined) {
        const rttMs = nowMs - leftMs - reader.echoDelayMicros / 1000;
        this.#leastRttMs = Math.min(this.#leastRttMs, Math.max(0, rttMs));
      }
    }
    if (isNews) out.noteHeard(nowMs);
  }

  /** In every epoch with something under way at least one datagram asks for an answer. */
  #noteProbe(nowMs: Millis): void {
    const { computer, native } = this.#end;
    if (this.out.unacked === 0 || this.isOver) return;
    const sinceMs = this.#lastDataMs;
    if (computer.hasSleptSince(sinceMs)) return;
    // A turn may begin late twice: for the wake-up, and for what it sends.
    const mostMs = native.epochMillis + 2 * computer.slowestTurnMs + 1e-6;
    demand(
      nowMs - sinceMs <= mostMs,
      () => `${this.#where}: asked for no answer for ${nowMs - sinceMs} ms`,
    );
  }

  #sentData(reader: DatagramReader, nowMs: Millis): void {
    const { seq, number } = reader;
    const where = (): string => `${this.#where}, message ${seq - this.isn}`;
    demand(!this.isOver, () => `${where()}: sent although the connection is over`);
    const before = this.out.at(seq);
    if (before === undefined && this.out.unacked === 0) this.#lastDataMs = nowMs;
    if (before !== undefined) {
      const agoMs = nowMs - before.atMs;
      const isOvertaken = this.#newestEcho >= before.datagram + REORDERING_DATAGRAMS;
      const rttMs = this.#leastRttMs;
      const spareMs = isOvertaken ? 0 : Math.min(rttMs * REORDERING_SHARE, PROBE_SLACK_MS);
      const leastMs = Math.min(rttMs + spareMs, this.#end.native.epochMillis);
      demand(
        rttMs === Infinity || agoMs >= leastMs * 0.999 - 0.01,
        () => `${where()}: sent again after ${agoMs} ms, a round trip takes ${rttMs}`,
      );
    }
    this.out.send(seq, reader.payloadLength, nowMs, number);
  }

  /** Acknowledged is what came, and nothing else; let through is what there is room for. */
  #sentAck(reader: DatagramReader): void {
    const { cumulative, rangeCount, echo, windowMessages } = reader;
    const where = (): string => `${this.#where}: acknowledges ..${cumulative - this.isn}`;
    demand(cumulative <= this.#cameThrough, () => `${where()}, not all of that came`);
    let highest = cumulative;
    for (let i = 0; i < rangeCount; i++) {
      highest = reader.rangeLast(i);
      for (let seq = reader.rangeFirst(i); seq <= highest; seq++) {
        const came = seq <= this.#cameThrough || this.#came.has(seq);
        demand(came, () => `${where()} and ${seq - this.isn}, which did not come`);
      }
    }
    this.#sentEcho = echo;
    if (this.#hasFragments || !this.#end.isOpen(this.id)) return;
    const { maxReorder, maxUnreadMessages } = this.#end.limits;
    const read = this.#end.readOf(this.id);
    const room = Math.max(maxUnreadMessages + read, 0) + this.isn;
    demand(
      highest <= room && highest <= cumulative + maxReorder,
      () => `${where()}, holds up to ${highest - this.isn}, read are ${read}`,
    );
    demand(
      cumulative + windowMessages <= room && windowMessages <= maxReorder,
      () => `${where()}, lets ${windowMessages} more through, read are ${read}`,
    );
  }

  #sentClose(): void {
    this.isOver = true;
    demand(!this.#isAnswered, () => `${this.#where}: takes leave of a peer that knows`);
    demand(
      ++this.#closes <= CLOSES_MAX + this.#excuses,
      () => `${this.#where}: takes leave ${this.#closes} times`,
    );
  }
}
