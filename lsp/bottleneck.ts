/**
 * Congestion control by a model of the path: how fast its bottleneck delivers, and how long its
 * round trip takes without a queue. What is under way is what the two hold, and a little more, so
 * that the queue never runs dry and its length shows free capacity. After BBR (Cardwell et al.,
 * 2016; draft-ietf-ccwg-bbr), with the small standing queue of Vegas (Brakmo and Peterson, 1995),
 * which makes flows share evenly. docs/congestion.md explains it, with figures.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { integerBetween, type Random } from "../base/random.ts";
import {
  type AckSample,
  type CongestionControl,
  INITIAL_WINDOW_BYTES,
  BURST_BYTES_MAX,
} from "./congestion.ts";
import { DATAGRAM_BYTES_MAX } from "./frame.ts";
import { PathLoss } from "./path_loss.ts";

/**
 * - `startup`: grows with each round until the rate of delivery no longer does;
 * - `drain`: empties the queue that this has built;
 * - then in turn `ease`, a round of a little less than the path holds, in which loss is measured;
 *   some rounds of `cruise`, or of `probe` where the round trip shows no queue;
 * - `refresh`: now and then the path is left half empty, to measure its round trip.
 */
export type Phase = "startup" | "drain" | "ease" | "cruise" | "probe" | "refresh";

/** What a phase does, in multiples of what the model says. */
interface Gains {
  /** Of the rate. */
  readonly pacing: number;
  /** Of the bandwidth-delay product, and of the standing queue, that may be under way. */
  readonly window: number;
  readonly queue: number;
}

/** 2.77 = 4 ln 2: doubles the rate of delivery each round (BBR draft, section 2.4). */
const GAINS: Readonly<Record<Phase, Gains>> = {
  startup: { pacing: 2.77, window: 2.77, queue: 1 },
  drain: { pacing: 1 / 2.77, window: 1, queue: 1 },
  ease: { pacing: 0.75, window: 0.8, queue: 0.5 },
  cruise: { pacing: 1.05, window: 1, queue: 1 },
  probe: { pacing: 1.25, window: 1.25, queue: 1 },
  refresh: { pacing: 1, window: 0.5, queue: 0 },
};

/** Rounds whose best rate of delivery counts. */
const RATE_ROUNDS = 6;
/** Startup ends after this many rounds that were not faster by {@link STARTUP_GROWTH}. */
const STARTUP_FLAT_ROUNDS = 3;
const STARTUP_GROWTH = 1.25;
/** Rounds from one `ease` to the next, drawn so that flows don't march in step. */
const CYCLE_ROUNDS_MIN = 6;
const CYCLE_ROUNDS_MAX = 12;
/** Rounds after the start of `ease` until the losses in it are known. */
const LOSS_KNOWN_ROUNDS = 4;

/** The standing queue of a flow, in units of sqrt(bandwidth-delay product x datagram). */
const QUEUE_FACTOR = 1.5;
/** ... or in time, at least: an event loop may take this long to answer. */
const TURN_MS = 1;
/** Round trips above the least that still count as "no queue": a share of our own, and of RTT. */
const NO_QUEUE_SHARE = 0.5;
const NO_QUEUE_MOST = 1 / 8;
const NO_QUEUE_RTT = 1 / 32;

/** How long a least round trip is trusted that was not seen again, within {@link RTT_SEEN}. */
const LEAST_RTT_MS = 10_000;
const RTT_SEEN = 1.05;
const REFRESH_MS = 100;
/** The longest round trip is forgotten by this share of the queue a round. */
const MOST_RTT_DECAY = 0.02;
/** Up to this share of the longest queue seen it cannot have been full; or if all is as even as */
const NOT_FULL_SHARE = 0.5;
/** ... this share of the least round trip, or this. */
const EVEN_RTT = 1 / 64;
const EVEN_MS = 0.25;
/** Loss in a round beyond what is expected, as a share and in standard deviations: crowding. */
const CROWDED_SHARE = 0.03;
const CROWDED_SIGMAS = 2;

const LEAST_WINDOW_BYTES = 4 * DATAGRAM_BYTES_MAX;
/** Timers have millisecond steps: datagrams may leave this early ... */
const EARLY_MS = 1;
/** ... and time that a late timer lost is caught up with, this much. */
const LATE_MS = 5;
/** Round trips too short for timers to spread a window over: acknowledgements are the clock. */
const LEAST_PACED_RTT_MS = 2;

/** See the module. */
export class Bottleneck implements CongestionControl {
  windowBytes: number = INITIAL_WINDOW_BYTES;
  phase: Phase = "startup";
  /** Best rate of delivery of the last rounds, bytes a millisecond; 0 before the first sample. */
  deliveryRate = 0;
  /** The round trip without a queue. */
  leastRttMs: Millis = Infinity;

  readonly #random: Random;
  readonly #loss = new PathLoss();
  readonly #rates: number[] = [];
  #sentBytes = 0;
  #nextSendMs: Millis = -Infinity;

  #round = 0;
  #roundEndBytes = 0;
  #roundLostBytes = 0;
  #roundAckedBytes = 0;
  /** Least round trip of this round, and of the last. */
  #roundRttMs: Millis = Infinity;
  #lastRoundRttMs: Millis = Infinity;
  /** The last round lost more than chance explains, the queue being long. */
  #isCrowded = false;

  /** The application lacked data when the newest datagram that arrived had left. */
  #isAppLimited = false;

  #phaseRound = 0;
  #phaseSinceMs: Millis = 0;
  #flatRate = 0;
  #flatRounds = 0;
  #easeRound = 0;
  #easedRound = 0;
  #cycleRounds = 0;

  #leastRttAtMs: Millis = 0;
  #mostRttMs: Millis = 0;
  #refreshedRttMs: Millis = Infinity;

  /** `random` draws the lengths of cycles. */
  constructor(random: Random) {
    this.#random = random;
  }

  /** Rate at which to send, bytes a millisecond: what shall arrive, and what chance will take. */
  get rate(): number {
    const rate = this.deliveryRate / (1 - this.#loss.share);
    // What an application with little to say has shown is no reason to hold back its next message.
    const least =
      this.phase === "startup" && this.#isAppLimited ? INITIAL_WINDOW_BYTES / this.leastRttMs : 0;
    return Math.max(rate, least);
  }

  sendAtMs(nowMs: Millis): Millis {
    if (this.deliveryRate === 0 || this.leastRttMs < LEAST_PACED_RTT_MS) return nowMs;
    return this.#nextSendMs <= nowMs + EARLY_MS ? nowMs : this.#nextSendMs;
  }

  onSent(bytes: number, nowMs: Millis): void {
    this.#sentBytes += bytes;
    if (this.deliveryRate === 0) return;
    const rate = GAINS[this.phase].pacing * this.rate;
    this.#nextSendMs = Math.max(this.#nextSendMs, nowMs - LATE_MS) + bytes / rate;
  }

  onLost(bytes: number, sentAtMs: Millis): void {
    this.#roundLostBytes += bytes;
    this.#loss.noteLost(bytes, sentAtMs);
  }

  /** The model is kept: the first acknowledgement brings its window back. */
  onSilence(): void {
    this.windowBytes = LEAST_WINDOW_BYTES;
  }

  onAcked(ack: AckSample, nowMs: Millis): void {
    this.#roundAckedBytes += ack.ackedBytes;
    this.#isAppLimited = ack.isAppLimited;
    if (ack.rttMs > 0) this.#noteRtt(ack.rttMs, nowMs);
    const isNewRound = ack.deliveredAtSendBytes >= this.#roundEndBytes;
    if (isNewRound) this.#endRound(ack);
    this.#step(ack, isNewRound, nowMs);
    this.#setWindow(ack.ackedBytes);
  }

  /** Bytes that the path holds without a queue. */
  get #productBytes(): number {
    return this.leastRttMs === Infinity ? 0 : this.rate * this.leastRttMs;
  }

  /**
   * Bytes that we keep waiting at the bottleneck. The square root makes it grow more slowly than
   * the flow: of two flows the smaller gains on the other.
   */
  get #queueBytes(): number {
    if (this.#isCrowded && this.phase !== "startup") return 0;
    const product = this.#productBytes;
    const even = QUEUE_FACTOR * Math.sqrt(product * DATAGRAM_BYTES_MAX);
    return Math.max(even, Math.min(this.rate * TURN_MS, BURST_BYTES_MAX - product));
  }

  #noteRtt(rttMs: Millis, nowMs: Millis): void {
    this.#roundRttMs = Math.min(this.#roundRttMs, rttMs);
    this.#mostRttMs = Math.max(this.#mostRttMs, rttMs);
    if (this.#round === this.#easedRound) this.#loss.noteRtt(rttMs);
    if (this.phase === "refresh") this.#refreshedRttMs = Math.min(this.#refreshedRttMs, rttMs);
    if (rttMs <= this.leastRttMs * RTT_SEEN) this.#leastRttAtMs = nowMs;
    this.leastRttMs = Math.min(this.leastRttMs, rttMs);
  }

  /** What was sent when the last round ended has arrived: a round trip is over. */
  #endRound(ack: AckSample): void {
    this.#round++;
    this.#roundEndBytes = ack.deliveredBytes;
    this.#noteCrowding();
    this.#lastRoundRttMs = this.#roundRttMs;
    this.#roundRttMs = Infinity;
    this.#mostRttMs -= MOST_RTT_DECAY * (this.#mostRttMs - this.leastRttMs);
    if (ack.rate === 0 || (ack.isAppLimited && ack.rate < this.deliveryRate)) return;
    this.#rates.push(ack.rate);
    if (this.#rates.length > RATE_ROUNDS) this.#rates.shift();
    this.deliveryRate = Math.max(...this.#rates);
  }

  #noteCrowding(): void {
    const share = this.#loss.share;
    const bytes = this.#roundLostBytes + this.#roundAckedBytes;
    const sigma = Math.sqrt((bytes / DATAGRAM_BYTES_MAX) * share * (1 - share));
    const chance = DATAGRAM_BYTES_MAX * (1 + CROWDED_SIGMAS * sigma);
    const isLossy = this.#roundLostBytes > (share + CROWDED_SHARE) * bytes + chance;
    const isLong = this.#roundRttMs > (this.leastRttMs + this.#mostRttMs) / 2;
    this.#isCrowded = isLossy && isLong;
    this.#roundLostBytes = this.#roundAckedBytes = 0;
  }

  #enter(phase: Phase, nowMs: Millis): void {
    this.phase = phase;
    this.#phaseSinceMs = nowMs;
    this.#phaseRound = this.#round;
  }

  #step(ack: AckSample, isNewRound: boolean, nowMs: Millis): void {
    const { phase } = this;
    if (phase === "startup") {
      if (isNewRound) this.#stepStartup(ack, nowMs);
    } else if (phase === "drain") {
      if (ack.inFlightBytes <= this.#productBytes) this.#ease(nowMs);
    } else if (phase === "ease") {
      if (this.#round > this.#phaseRound) this.#endEase(nowMs);
    } else if (phase === "refresh") this.#stepRefresh(ack, nowMs);
    else if (isNewRound) this.#stepCycle(nowMs);
  }

  #stepStartup(ack: AckSample, nowMs: Millis): void {
    // A sender that lacked data, or room, proves nothing, unless it had more than enough under way.
    if (ack.isAppLimited && ack.inFlightBeforeBytes <= this.#productBytes) return;
    if (this.deliveryRate >= this.#flatRate * STARTUP_GROWTH) {
      this.#flatRate = this.deliveryRate;
      this.#flatRounds = 0;
    } else if (++this.#flatRounds >= STARTUP_FLAT_ROUNDS) this.#enter("drain", nowMs);
  }

  #ease(nowMs: Millis): void {
    this.#enter("ease", nowMs);
    this.#easeRound = this.#round;
    this.#cycleRounds = integerBetween(this.#random, CYCLE_ROUNDS_MIN, CYCLE_ROUNDS_MAX);
    this.#loss.begin(this.#sentBytes, nowMs);
  }

  #endEase(nowMs: Millis): void {
    this.#loss.end(this.#sentBytes, nowMs);
    this.#enter("cruise", nowMs);
    this.#easedRound = this.#round;
  }

  /** A round of cruise or probe is over. */
  #stepCycle(nowMs: Millis): void {
    const rounds = this.#round - this.#easeRound;
    if (rounds >= LOSS_KNOWN_ROUNDS) this.#learnLoss();
    if (nowMs - this.#leastRttAtMs > LEAST_RTT_MS) return this.#enter("refresh", nowMs);
    if (rounds >= this.#cycleRounds) return this.#ease(nowMs);
    this.#enter(this.#hasNoQueue() ? "probe" : "cruise", nowMs);
  }

  #hasNoQueue(): boolean {
    if (this.#isCrowded) return false;
    const { leastRttMs } = this;
    const own = (NO_QUEUE_SHARE * this.#queueBytes) / this.rate;
    const longest = Math.min(own, NO_QUEUE_MOST * leastRttMs) + NO_QUEUE_RTT * leastRttMs;
    return this.#lastRoundRttMs - leastRttMs < longest;
  }

  #learnLoss(): void {
    const longestMs = this.#mostRttMs - this.leastRttMs;
    const isEven = longestMs <= this.leastRttMs * EVEN_RTT + EVEN_MS;
    this.#loss.learn(isEven ? Infinity : this.leastRttMs + NOT_FULL_SHARE * longestMs);
  }

  #stepRefresh(ack: AckSample, nowMs: Millis): void {
    if (ack.inFlightBytes > this.#productBytes / 2 + LEAST_WINDOW_BYTES) {
      // Still emptying: what this sees is not the least.
      this.#phaseSinceMs = nowMs;
      this.#refreshedRttMs = Infinity;
      return;
    }
    if (nowMs - this.#phaseSinceMs <= REFRESH_MS || this.#round === this.#phaseRound) return;
    this.#leastRttAtMs = nowMs;
    // Others may have kept the queue full: then that is no round trip without a queue.
    if (!this.#isCrowded) this.leastRttMs = this.#refreshedRttMs;
    this.#enter("cruise", nowMs);
  }

  #setWindow(ackedBytes: number): void {
    if (this.deliveryRate === 0) {
      this.windowBytes = Math.min(this.windowBytes + ackedBytes, BURST_BYTES_MAX);
      return;
    }
    const { window, queue } = GAINS[this.phase];
    const bytes = window * this.#productBytes + queue * this.#queueBytes;
    // What is not paced arrives as a burst.
    const isPaced = this.leastRttMs >= LEAST_PACED_RTT_MS;
    const most = Math.max(BURST_BYTES_MAX, this.#productBytes + this.#queueBytes);
    this.windowBytes = Math.max(isPaced ? bytes : Math.min(bytes, most), LEAST_WINDOW_BYTES);
  }
}
