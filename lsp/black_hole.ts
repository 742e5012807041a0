/**
 * Paths that swallow large datagrams without a word, while small ones pass and keep the connection
 * alive (RFC 8899, section 4.3; RFC 2923). Not every loss of the same message again and again is
 * that, so the path is asked: by pairs of PathChallenges, one of the size in question and a small
 * one. Where only the small ones are answered, the size is to blame.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { DatagramWriter } from "./frame.ts";
import type { RoundTrip } from "./rtt.ts";
import type { Outbound } from "./send_window.ts";
import { smallerSize } from "./small_paths.ts";

/** A message that was sent so often, in vain, is suspicious. */
export const SUSPICIOUS_SENDS = 4;
/**
 * Small challenges that were answered, with none of the large ones, for us to be certain. Were it
 * chance that loses datagrams, then this would come about once in 3,000 times (e^-8).
 */
const ANSWERS_MIN = 8;
/** Least time between two pairs. */
const LEAST_INTERVAL_MS = 50;
/** Tokens of the two kinds; the pair's number is added. (Probes of path_mtu.ts are below.) */
const LARGE_TOKENS = 1n << 32n;
const SMALL_TOKENS = 2n << 32n;

/** The suspicions of one connection. */
export class BlackHole {
  /** The size in question, of a whole datagram; `undefined` while nothing is suspected. */
  bytes: number | undefined;
  /** When to have a datagram written; Infinity for never. */
  wakeAtMs: Millis = Infinity;
  #message: Outbound | undefined;
  #pair = 0n;
  #isSmallDue = false;
  #smallSentMs: Millis = 0;
  #answered = 0;
  #answeredPair = 0n;
  /** One that was wrong once takes more to come up again. */
  #suspiciousSends = SUSPICIOUS_SENDS;

  /** Whether only small datagrams pass. */
  get isCertain(): boolean {
    return this.#answered >= ANSWERS_MIN;
  }

  /** `message` left once more, and needs a datagram of `bytes`. True: a suspicion begins. */
  noteSent(message: Outbound, bytes: number, nowMs: Millis): boolean {
    if (message.sends < this.#suspiciousSends || this.#message !== undefined) return false;
    if (smallerSize(bytes) === undefined) return false;
    this.#message = message;
    this.bytes = bytes;
    this.wakeAtMs = nowMs;
    return true;
  }

  /** Something was acknowledged. True: what was suspected has arrived after all. */
  noteAcked(): boolean {
    if (this.#message?.state !== "acked") return false;
    this.#clear();
    return true;
  }

  /** Writes a challenge into the empty datagram that `writer` has begun, if it is time for one. */
  writeProbe(writer: DatagramWriter, roundTrip: RoundTrip, nowMs: Millis): void {
    if (this.bytes === undefined || nowMs < this.wakeAtMs) return;
    if (!this.#isSmallDue) {
      if (!writer.widen(this.bytes)) return;
      writer.pathChallenge(LARGE_TOKENS + ++this.#pair);
      writer.padding(writer.remaining);
    } else {
      writer.pathChallenge(SMALL_TOKENS + this.#pair);
      this.#smallSentMs = nowMs;
      this.wakeAtMs = nowMs + Math.max(2 * roundTrip.timeoutMs, LEAST_INTERVAL_MS);
    }
    this.#isSmallDue = !this.#isSmallDue;
  }

  /** A PathResponse came, of the challenge `token`. True: the suspicion is over. */
  handleAnswer(token: bigint, nowMs: Millis): boolean {
    if (this.bytes === undefined) return false;
    if (token === SMALL_TOKENS + this.#pair && this.#answeredPair !== this.#pair) {
      this.#answeredPair = this.#pair;
      this.#answered++;
      // The large one was sent before it; its answer has as much time again.
      const rttMs = nowMs - this.#smallSentMs;
      this.wakeAtMs = Math.min(this.wakeAtMs, nowMs + Math.max(rttMs, LEAST_INTERVAL_MS));
    }
    if (token <= LARGE_TOKENS || token > LARGE_TOKENS + this.#pair) return false;
    // It is not the size: the peer takes no more, say.
    this.#suspiciousSends = 2 * this.#message!.sends;
    this.#clear();
    return true;
  }

  #clear(): void {
    this.#message = undefined;
    this.bytes = undefined;
    this.#answered = 0;
    this.#isSmallDue = false;
    this.wakeAtMs = Infinity;
  }
}
