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
import { compress, paddedWords, SHA256_INITIAL, SHA256_ROUND_CONSTANTS } from "../hash.ts";
import type { Candidate } from "../messages.ts";
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
    if (twoBlocks) fold(middle, this.#midstate, words, 0);
    for (let i = 0; ;) {
      fold(state, middle, words, twoBlocks ? 16 : 0);
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
      if (twoBlocks && at < 64) fold(middle, this.#midstate, words, 0);
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

const K = Int32Array.from(SHA256_ROUND_CONSTANTS);
const schedule = new Int32Array(64);

/**
 * `compress` of hash.ts again, tuned for the inner loop (three times as fast under JavaScriptCore):
 * the chaining value after `from` and one block goes to `to`, another array.
 */
function fold(to: Int32Array, from: Int32Array, words: Int32Array, offset: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = words[offset + t]!;
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0;
  }
  let a = from[0]!;
  let b = from[1]!;
  let c = from[2]!;
  let d = from[3]!;
  let e = from[4]!;
  let f = from[5]!;
  let g = from[6]!;
  let h = from[7]!;
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[t]! + w[t]!) | 0;
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  to[0] = (from[0]! + a) | 0;
  to[1] = (from[1]! + b) | 0;
  to[2] = (from[2]! + c) | 0;
  to[3] = (from[3]! + d) | 0;
  to[4] = (from[4]! + e) | 0;
  to[5] = (from[5]! + f) | 0;
  to[6] = (from[6]! + g) | 0;
  to[7] = (from[7]! + h) | 0;
}
