/**
 * The plain kernel: SHA-256 in TypeScript that runs wherever Bun does, and the twin that every
 * faster kernel is compared with.
 *
 * The blocks that hold only message are hashed once (the midstate). The nonce's decimal digits are
 * bumped in place in the one or two blocks left, and the first of these is hashed again only when a
 * digit inside it has changed.
 *
 * @module
 */
import { compress, paddedWords, SHA256_INITIAL } from "../base/sha256.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Kernel, Searcher } from "./kernel.ts";

/** Nonces searched in one go, so that their count is a small integer. */
const RUN_NONCES = 2 ** 30;
const BLANK = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/** See the module's comment. */
export const plainKernel: Kernel = { name: "plain", bind: (message) => new PlainSearcher(message) };

class PlainSearcher implements Searcher {
  /** SHA-256's state after the blocks that no nonce can change. */
  readonly #midstate = Int32Array.from(SHA256_INITIAL);
  /** What of message and blank is left for the last blocks, 0..63 bytes. */
  readonly #rest: Uint8Array;
  readonly #lengthBytes: number;
  /** The least hash of the current call as two unsigned halves, and where in the run it is. */
  #bestHigh = 0;
  #bestLow = 0;
  #bestAt = -1;

  constructor(message: Uint8Array) {
    const prefix = new Uint8Array(message.length + 1);
    prefix.set(message);
    prefix[message.length] = BLANK;
    const whole = prefix.length - (prefix.length % 64);
    const words = paddedWords(prefix.subarray(0, whole));
    for (let at = 0; at < whole / 4; at += 16) compress(this.#midstate, words, at);
    this.#rest = prefix.slice(whole);
    this.#lengthBytes = prefix.length;
  }

  search(lower: bigint, upper: bigint, target?: bigint): Candidate {
    // Without a target the run never ends early: no hash is below 0, and 0 cannot be improved on.
    const stopHigh = target === undefined ? -1 : Number(target >> 32n);
    const stopLow = target === undefined ? 0 : Number(target & 0xffff_ffffn);
    this.#bestHigh = 2 ** 32;
    this.#bestLow = 0;
    let bestNonce = lower;
    for (let at = lower; at <= upper;) {
      const digits = at.toString();
      const lastOfLength = 10n ** BigInt(digits.length) - 1n;
      const end = [upper, lastOfLength, at + BigInt(RUN_NONCES - 1)].reduce((a, b) =>
        a < b ? a : b,
      );
      this.#bestAt = -1;
      this.#run(digits, Number(end - at) + 1, stopHigh, stopLow);
      if (this.#bestAt >= 0) bestNonce = at + BigInt(this.#bestAt);
      if (isAtMost(this.#bestHigh, this.#bestLow, stopHigh, stopLow)) break;
      at = end + 1n;
    }
    return { hash: (BigInt(this.#bestHigh) << 32n) | BigInt(this.#bestLow), nonce: bestNonce };
  }

  /** Searches `count` nonces of as many digits from `first` on; stops after the first hit. */
  #run(first: string, count: number, stopHigh: number, stopLow: number): void {
    const { words, bytes, last } = this.#layOut(first);
    const state = new Int32Array(8);
    const twoBlocks = words.length > 16;
    const middle = Int32Array.from(this.#midstate);
    if (twoBlocks) compress(middle, words, 0, this.#midstate);
    for (let i = 0; ;) {
      compress(state, words, twoBlocks ? 16 : 0, middle);
      const high = state[0]! >>> 0;
      if (high <= this.#bestHigh) {
        const low = state[1]! >>> 0;
        if (high < this.#bestHigh || low < this.#bestLow) {
          this.#bestHigh = high;
          this.#bestLow = low;
          this.#bestAt = i;
          if (isAtMost(high, low, stopHigh, stopLow)) return;
        }
      }
      if (++i === count) return;
      let at = last;
      while (bytes[at] === NINE) {
        bytes[at] = ZERO;
        words[at >> 2]! -= 9 << (24 - 8 * (at & 3));
        at--;
      }
      bytes[at]!++;
      words[at >> 2]! += 1 << (24 - 8 * (at & 3));
      if (twoBlocks && at < 64) compress(middle, words, 0, this.#midstate);
    }
  }

  /** The last one or two blocks with `digits` in them, as bytes and as big-endian words. */
  #layOut(digits: string): { words: Int32Array; bytes: Uint8Array; last: number } {
    const tail = new Uint8Array(this.#rest.length + digits.length);
    tail.set(this.#rest);
    for (let i = 0; i < digits.length; i++) tail[this.#rest.length + i] = digits.charCodeAt(i);
    const words = paddedWords(tail);
    const bits = (this.#lengthBytes + digits.length) * 8;
    words[words.length - 1] = bits | 0;
    words[words.length - 2] = Math.floor(bits / 2 ** 32);
    return { words, bytes: tail, last: tail.length - 1 };
  }
}

function isAtMost(high: number, low: number, limitHigh: number, limitLow: number): boolean {
  return high < limitHigh || (high === limitHigh && low <= limitLow);
}
