/**
 * One direction of the way between two places: what it does to datagrams, whether it is cut, and
 * how much of it is taken. The simulator's networks are made of such links, and so is the relay
 * that the benchmarks put between real sockets.
 *
 * @module
 */
import type { Millis } from "./machine.ts";
import { chance, type Random, unitReal } from "./random.ts";

/**
 * What may happen to a datagram or message on its way in one direction. Shares are probabilities;
 * what is left out is 0.
 */
export interface Faults {
  readonly lossShare: number;
  readonly duplicateShare: number;
  /** One random bit to four are flipped, where the harness's `Wire` allows it. */
  readonly flipShare?: number;
  readonly truncateShare?: number;
  /** Datagrams that come up to `lateMs` late, behind many sent after them. */
  readonly lateShare?: number;
  readonly lateMs?: Millis;
  /** Every datagram takes `latencyMs` and up to `jitterMs` more, so that some overtake others. */
  readonly latencyMs: Millis;
  readonly jitterMs: Millis;
}

/** How much a link carries: a bottleneck, and a queue before it that drops what overflows. */
export interface Capacity {
  readonly bytesPerMs: number;
  readonly queueBytes: number;
}

/** A link that comes and goes. */
export interface Flapping {
  readonly upMs: Millis;
  readonly downMs: Millis;
}

/** What a link did, in datagrams and bytes. */
export interface LinkCounts {
  datagrams: number;
  bytes: number;
  /** Lost by chance, or while the link was down. */
  lost: number;
  lostBytes: number;
  /** Lost because the queue was full, or the datagram too large. */
  overflowed: number;
  overflowedBytes: number;
}

/** What becomes of one copy of a datagram: how long it takes, and whether it was lost. */
export interface Passage {
  readonly delayMs: Millis;
  readonly why: "lost" | "cut" | "overflow" | "too large" | undefined;
}

/** One direction between two places. */
export class Link {
  faults: Faults;
  /** Nothing passes. */
  isCut = false;
  /** Infinity: as much as comes. */
  capacity: Capacity | undefined;
  /** Datagrams above this many bytes are lost without a word. */
  mtuBytes: number = Infinity;
  flapping: Flapping | undefined;
  /** So many datagrams more are lost, whatever the faults. */
  dropNext = 0;
  readonly counts: LinkCounts = {
    datagrams: 0,
    bytes: 0,
    lost: 0,
    lostBytes: 0,
    overflowed: 0,
    overflowedBytes: 0,
  };
  #busyUntilMs: Millis = 0;

  constructor(faults: Faults) {
    this.faults = faults;
  }

  /** Whether anything passes at `nowMs`. */
  isUp(nowMs: Millis): boolean {
    if (this.isCut) return false;
    if (this.flapping === undefined) return true;
    const { upMs, downMs } = this.flapping;
    return nowMs % (upMs + downMs) < upMs;
  }

  /** As if new: `faults`, and nothing in the way. */
  heal(faults: Faults): void {
    this.faults = faults;
    this.isCut = false;
    this.flapping = undefined;
    this.dropNext = 0;
    this.capacity = undefined;
    this.mtuBytes = Infinity;
  }

  /** Bytes that wait at the bottleneck, the one under way included. */
  queuedBytes(nowMs: Millis): number {
    const { capacity } = this;
    return capacity === undefined
      ? 0
      : Math.max(0, this.#busyUntilMs - nowMs) * capacity.bytesPerMs;
  }

  /** A datagram of `bytes` bytes enters now; `faults` if it has others than the link. */
  pass(bytes: number, random: Random, nowMs: Millis, faults: Faults = this.faults): Passage {
    const { counts } = this;
    const { lateShare = 0, lateMs = 0 } = faults;
    counts.datagrams++;
    counts.bytes += bytes;
    if (!this.isUp(nowMs)) return this.#lose(bytes, "cut");
    if (this.dropNext > 0) {
      this.dropNext--;
      return this.#lose(bytes, "lost");
    }
    if (bytes > this.mtuBytes) return this.#overflow(bytes, "too large");
    let delayMs = faults.latencyMs;
    if (this.capacity !== undefined) {
      const { bytesPerMs, queueBytes } = this.capacity;
      const busyUntilMs = Math.max(this.#busyUntilMs, nowMs);
      if ((busyUntilMs - nowMs) * bytesPerMs + bytes > queueBytes) {
        return this.#overflow(bytes, "overflow");
      }
      this.#busyUntilMs = busyUntilMs + bytes / bytesPerMs;
      delayMs += this.#busyUntilMs - nowMs;
    }
    if (faults.lossShare > 0 && chance(random, faults.lossShare)) return this.#lose(bytes, "lost");
    if (faults.jitterMs > 0) delayMs += unitReal(random) * faults.jitterMs;
    if (lateShare > 0 && chance(random, lateShare)) delayMs += unitReal(random) * lateMs;
    return { delayMs, why: undefined };
  }

  #lose(bytes: number, why: "lost" | "cut"): Passage {
    this.counts.lost++;
    this.counts.lostBytes += bytes;
    return { delayMs: 0, why };
  }

  #overflow(bytes: number, why: "overflow" | "too large"): Passage {
    this.counts.overflowed++;
    this.counts.overflowedBytes += bytes;
    return { delayMs: 0, why };
  }
}

/** No faults but `latencyMs`. */
export function calmFaults(latencyMs: Millis): Faults {
  return { lossShare: 0, duplicateShare: 0, latencyMs, jitterMs: 0 };
}
