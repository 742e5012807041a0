/**
 * How large a connection's datagrams may be: from a size that passes every usual path, upward by
 * probes that carry no data, where the path is used enough and short enough for it to pay (RFC 8899
 * in spirit). A probe is a PathChallenge, padded to the size that is asked about; its answer proves
 * that the size passes. Above the usual size this makes sense on a socket that forbids fragments.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { type DatagramWriter, DATAGRAM_BYTES_MAX } from "./frame.ts";
import type { RoundTrip } from "./rtt.ts";

/**
 * Sizes that are asked about, in this order: the usual one, where the path was too small for it;
 * Ethernet's and that of jumbo frames, less IPv6 and UDP headers; and one for the loopback, where
 * 16 KiB took 0.6 of the time that 1,200 bytes took for a message of 200.
 */
const STEPS = [DATAGRAM_BYTES_MAX, 1452, 8952, 16_384] as const;
/** What an adapter must lend to `pollDatagram` for all steps to be tried. */
export const LARGEST_DATAGRAM_BYTES = 16_384;
/** Steps above Ethernet's are for paths that stay in a house. */
const ETHERNET_BYTES = STEPS[1];
const SHORT_ROUND_TRIP_MS = 5;
/** Full datagrams sent before a step is tried: an idle connection asks nothing. */
const FULL_DATAGRAMS_MIN = 16;
/** Probes in vain before a size is given up for good. */
const TRIES_MAX = 3;
/** Least wait for an answer: a peer whose machine is busy answers late. */
const LEAST_PATIENCE_MS = 100;
/**
 * Datagrams above the base lost in a row, with none arriving, that look like a black hole. Or like
 * a receiver whose buffer was full for a moment: so all is asked again after as many full datagrams
 * as here, after four times as many each further time, up to the most. A hole answers no probe.
 */
const BLACK_HOLE_LOSSES = 6;
const DATAGRAMS_AFTER_FALL = 64;
const DATAGRAMS_AFTER_FALL_MAX = 65_536;
/** Datagrams whose size is remembered; a power of two. */
const REMEMBERED = 1024;

/**
 * The answer to a PathChallenge: mixed with what only this connection's peer knows, so that the
 * peer of another server's connection of the same number cannot prove itself into ours.
 */
export function pathAnswer(token: bigint, isn: number): bigint {
  return token ^ BigInt(isn);
}

/** See the module. */
export class PathMtu {
  /** The largest datagram to send now, in bytes. */
  bytes: number = DATAGRAM_BYTES_MAX;

  readonly #isn: number;
  #base: number;
  readonly #mostBytes: number;
  /** Index into {@link STEPS}; at its end there is nothing left to try. */
  #step: number;
  #fullDatagrams = 0;
  #tries = 0;
  #probeUntilMs: Millis = -Infinity;
  /** Sizes of the last datagrams by number, once some were larger than the base. */
  #sizes: Uint16Array | undefined;
  #lossesInRow = 0;
  #newestLost = 0;
  /** Full datagrams to be sent after the next fall before all is asked again. */
  #pause = DATAGRAMS_AFTER_FALL;

  /** Of the connection with this `isn`; starts at `base`, and asks for `mostBytes` at most. */
  constructor(isn: number, base: number, mostBytes: number) {
    this.#isn = isn;
    this.#base = base;
    this.bytes = base;
    this.#mostBytes = mostBytes;
    this.#step = this.#firstStep;
  }

  /** Writes a probe into the empty datagram that `writer` has begun, if it is time for one. */
  writeProbe(writer: DatagramWriter, roundTrip: RoundTrip, nowMs: Millis): void {
    const bytes = this.probeBytes(roundTrip, nowMs);
    if (bytes === undefined || !writer.widen(bytes)) return;
    writer.pathChallenge(BigInt(bytes));
    writer.padding(writer.remaining);
  }

  /** Size of a probe to send now; `undefined` for none. */
  probeBytes(roundTrip: RoundTrip, nowMs: Millis): number | undefined {
    const bytes = STEPS[this.#step];
    if (bytes === undefined || bytes > this.#mostBytes) return undefined;
    if (this.#fullDatagrams < FULL_DATAGRAMS_MIN) return undefined;
    if (nowMs < this.#probeUntilMs) return undefined;
    if (bytes > ETHERNET_BYTES && roundTrip.leastMs > SHORT_ROUND_TRIP_MS) return undefined;
    if (this.#tries++ >= TRIES_MAX) {
      this.#step = STEPS.length;
      return undefined;
    }
    this.#probeUntilMs = nowMs + Math.max(2 * roundTrip.timeoutMs, LEAST_PATIENCE_MS);
    return bytes;
  }

  /** A PathResponse came from the peer's known address. */
  handleAnswer(token: bigint): void {
    const bytes = STEPS[this.#step];
    if (bytes === undefined || token !== pathAnswer(BigInt(bytes), this.#isn)) return;
    this.bytes = bytes;
    if (bytes === DATAGRAM_BYTES_MAX) this.#base = bytes;
    this.#step++;
    this.#tries = 0;
    this.#fullDatagrams = 0;
    this.#probeUntilMs = -Infinity;
    this.#sizes ??= new Uint16Array(REMEMBERED);
  }

  /** Datagram `number` left with `bytes` bytes. */
  noteSent(number: number, bytes: number): void {
    if (2 * bytes > this.bytes) this.#fullDatagrams++;
    if (this.#sizes !== undefined) this.#sizes[number % REMEMBERED] = bytes;
  }

  /** Datagram `number`, one of the last, arrived. */
  noteArrived(number: number): void {
    if (this.#isLarge(number)) this.#lossesInRow = 0;
  }

  /** Datagram `number` is believed lost; told once or more. */
  noteLost(number: number): void {
    if (number <= this.#newestLost || !this.#isLarge(number)) return;
    this.#newestLost = number;
    if (++this.#lossesInRow >= BLACK_HOLE_LOSSES) this.fallBack();
  }

  /** The path has changed, or goes silent: large datagrams may be why. */
  fallBack(): void {
    if (this.bytes === this.#base) return;
    this.bytes = this.#base;
    this.#step = this.#firstStep;
    this.#tries = 0;
    this.#probeUntilMs = -Infinity;
    this.#fullDatagrams = -this.#pause;
    this.#pause = Math.min(DATAGRAMS_AFTER_FALL_MAX, 4 * this.#pause);
  }

  /** The first to ask about. */
  get #firstStep(): number {
    const step = STEPS.findIndex((bytes) => bytes > this.#base);
    return step < 0 ? STEPS.length : step;
  }

  #isLarge(number: number): boolean {
    return this.#sizes !== undefined && this.#sizes[number % REMEMBERED]! > this.#base;
  }
}
