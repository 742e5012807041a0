/**
 * A search by an engine: any range behind a message or in a block header, cut into tiles that the
 * engine's code can do, with exact ends; every hit is judged by the plain hash.
 *
 * @module
 */
import { hashHeader } from "../../work/hash.ts";
import { invariant } from "../../base/machine.ts";
import { compress } from "../../base/sha256.ts";
import type { Candidate } from "../../work/candidate.ts";
import type { HeaderSearcher, Kernel, Searcher } from "../kernel.ts";
import { Best } from "./best.ts";
import { CodeCache, littleEndian } from "./code_cache.ts";
import type { Engine, StraddleCode } from "./engine.ts";
import { blockWordsOf, checkedHeader, ExactMessage, midstate } from "./exact.ts";
import {
  HEADER_TILE_NONCES,
  INPUT_LAST,
  INPUT_STATE,
  INPUT_WORDS,
  scheduleWithConstants,
} from "./shapes.ts";
import { type Layout, layoutOf, tileShape } from "./tile_layout.ts";

/** Ranges up to this many nonces are not worth a tile. */
const EXACT_NONCES = 8;
/** Digits of a straddling nonce's prefix that vary among the states held at once. */
const PREFIX_DIGITS = 3;

/**
 * The kernel that searches with an engine. Code is made when a shape is first met. Up to
 * `exactNonces` nonces are hashed one by one.
 */
export function engineKernel(engine: Engine, exactNonces: number = EXACT_NONCES): Kernel {
  const cache = new CodeCache(engine);
  const few = BigInt(exactNonces);
  return {
    name: engine.name,
    bind: (message) => new MessageSearcher(cache, new ExactMessage(message), few),
    bindHeader: (header) => new EngineHeaderSearcher(cache, header),
  };
}

/** One batch-wise scan, and what its hits mean. */
interface Scan {
  readonly lanes: number;
  readonly hits: Uint32Array;
  run(from: number, to: number, threshold: number): number;
  /** The nonce of a lane, and its exact hash. */
  nonce(lane: number): bigint;
  exact(nonce: bigint): bigint;
  /** Leading 32 bits of an exact hash. */
  readonly shift: bigint;
}

/**
 * Runs a scan over lanes `from..to-1`, offering every hit. Stops early when the target is met;
 * returns the lane that met it, else `to`.
 */
function scanLanes(scan: Scan, from: number, to: number, best: Best): number {
  const { lanes, hits } = scan;
  for (let batch = from; batch < to; batch += lanes) {
    const { threshold } = best;
    batch = scan.run(batch, to, threshold);
    if (batch >= to) break;
    let found = false;
    for (let lane = 0; lane < lanes; lane++) {
      if (hits[lane]! > threshold) continue;
      found = true;
      if (batch + lane >= to) break;
      const nonce = scan.nonce(batch + lane);
      const hash = scan.exact(nonce);
      // A wrong word here means wrong code: every miss would go unnoticed. Never go on.
      invariant(Number(hash >> scan.shift) === hits[lane], `kernel hashed ${nonce} wrongly`);
      best.offer(hash, nonce);
      if (best.met) return batch + lane;
    }
    invariant(found, "kernel reported a batch without a hit");
  }
  return to;
}

class MessageSearcher implements Searcher {
  readonly #cache: CodeCache;
  readonly #message: ExactMessage;
  readonly #few: bigint;

  constructor(cache: CodeCache, message: ExactMessage, few: bigint) {
    this.#cache = cache;
    this.#message = message;
    this.#few = few;
  }

  search(lower: bigint, upper: bigint, target?: bigint): Candidate {
    const best = new Best(this.#message.hash(lower), lower, target, 64);
    let from = lower + 1n;
    while (from <= upper && !best.met) {
      const digits = String(from).length;
      const limit = 10n ** BigInt(digits) - 1n;
      const to = upper < limit ? upper : limit;
      if (to - from < this.#few) this.#exactly(from, to, best);
      else {
        const layout = layoutOf(this.#message.bytes.length, digits);
        if (layout.straddles)
          new StraddleSearch(this.#cache, this.#message, layout).run(from, to, best);
        else this.#tiles(layout, from, to, best);
      }
      from = to + 1n;
    }
    return best.candidate;
  }

  #exactly(from: bigint, to: bigint, best: Best): void {
    for (let nonce = from; nonce <= to && !best.met; nonce++) {
      best.offer(this.#message.hash(nonce), nonce);
    }
  }

  #tiles(layout: Layout, from: bigint, to: bigint, best: Best): void {
    const { suffix, length } = layout;
    const code = this.#cache.tile(tileShape(layout), (length - 1) & 63, suffix);
    const template = new BlockTemplate(this.#message, layout, code.inputs);
    const nonces = 10n ** BigInt(suffix);
    let base = 0n;
    const scan: Scan = {
      lanes: code.lanes,
      hits: code.hits,
      run: (first, end, threshold) => code.scan(first, end, threshold),
      nonce: (lane) => base + BigInt(lane),
      exact: (nonce) => this.#message.hash(nonce),
      shift: 32n,
    };
    if (layout.padded) template.lastBlock(code.inputs);
    for (let tile = from / nonces; tile <= to / nonces && !best.met; tile++) {
      base = tile * nonces;
      template.fill(code.inputs, suffix < layout.digits ? String(tile) : "");
      code.prepare();
      const first = base < from ? Number(from - base) : 0;
      const end = to - base < nonces ? Number(to - base) + 1 : Number(nonces);
      scanLanes(scan, first, end, best);
    }
  }
}

/** The block with the varying digits, for any digits before them. */
class BlockTemplate {
  readonly #message: ExactMessage;
  readonly #layout: Layout;
  /** Everything up to the end of the block. */
  readonly #text: Uint8Array;
  readonly #view: DataView;
  readonly #start: number;
  #before = "";

  /**
   * Sets the state and all words in `inputs`. `block` is the number of the block; by default that
   * of the last digit.
   */
  constructor(message: ExactMessage, layout: Layout, inputs: Int32Array, block = layout.block) {
    this.#message = message;
    this.#layout = layout;
    this.#start = 64 * block;
    this.#text = new Uint8Array(this.#start + 64);
    this.#view = new DataView(this.#text.buffer);
    this.#text.set(message.bytes);
    const { length } = layout;
    if (length < this.#text.length) this.#text[length] = 0x80;
    if (block === layout.block && !layout.padded) {
      this.#view.setBigUint64(this.#start + 56, BigInt(length) * 8n);
    }
    inputs.set(message.state, INPUT_STATE);
    inputs.set(blockWordsOf(this.#text.subarray(this.#start)), INPUT_WORDS);
  }

  /** Sets what of the state and the words depends on the leading digits of a tile, `digits`. */
  fill(inputs: Int32Array, digits: string): void {
    const at = this.#message.bytes.length;
    const end = at + digits.length;
    for (let i = 0; i < digits.length; i++) this.#text[at + i] = digits.charCodeAt(i);
    if (this.#message.taken < this.#start) {
      // The block before holds leading digits too.
      const before = digits.slice(0, this.#start - at);
      if (before !== this.#before) {
        const state = Int32Array.from(this.#message.state);
        compress(state, blockWordsOf(this.#text.subarray(this.#start - 64, this.#start)));
        inputs.set(state, INPUT_STATE);
        this.#before = before;
      }
    }
    for (let byte = Math.max(at & ~3, this.#start); byte < end; byte += 4) {
      inputs[INPUT_WORDS + ((byte - this.#start) >> 2)] = this.#view.getInt32(byte);
    }
  }

  /** Sets W + K of the block after, which holds padding only. */
  lastBlock(inputs: Int32Array): void {
    const block = new Uint8Array(64);
    if ((this.#layout.length & 63) === 0) block[0] = 0x80;
    new DataView(block.buffer).setBigUint64(56, BigInt(this.#layout.length) * 8n);
    scheduleWithConstants(blockWordsOf(block), inputs, INPUT_LAST);
  }
}

/** Nonces whose last 1 to 3 digits begin the last block. */
class StraddleSearch {
  readonly #message: ExactMessage;
  readonly #layout: Layout;
  readonly #code: StraddleCode;
  readonly #varying: number;

  constructor(cache: CodeCache, message: ExactMessage, layout: Layout) {
    this.#message = message;
    this.#layout = layout;
    this.#varying = Math.min(PREFIX_DIGITS, layout.digits - layout.suffix);
    this.#code = cache.straddle(this.#varying);
    this.#fillRows();
  }

  run(from: bigint, to: bigint, best: Best): void {
    const { suffix, digits, block } = this.#layout;
    const suffixes = 10n ** BigInt(suffix);
    const prefixes = 10n ** BigInt(this.#varying);
    const { inputs } = this.#code;
    const template = new BlockTemplate(this.#message, this.#layout, inputs, block - 1);
    const [firstPrefix, lastPrefix] = [from / suffixes, to / suffixes];
    for (let tile = firstPrefix / prefixes; tile <= lastPrefix / prefixes && !best.met; tile++) {
      const base = tile * prefixes;
      template.fill(inputs, this.#varying + suffix < digits ? String(tile) : "");
      const first = base < firstPrefix ? Number(firstPrefix - base) : 0;
      const end = lastPrefix - base < prefixes ? Number(lastPrefix - base) + 1 : Number(prefixes);
      this.#code.prepare(first, end);
      // The first and the last prefix may have a part of the suffixes only.
      const least = base + BigInt(first) === firstPrefix ? Number(from % suffixes) : 0;
      const most = base + BigInt(end) > lastPrefix ? Number(to % suffixes) : Number(suffixes) - 1;
      this.#scanSuffixes(base, { first, end, least, most }, best);
    }
  }

  #scanSuffixes(
    base: bigint,
    range: { first: number; end: number; least: number; most: number },
    best: Best,
  ): void {
    const suffixes = 10 ** this.#layout.suffix;
    let suffix = 0;
    const scan: Scan = {
      lanes: this.#code.lanes,
      hits: this.#code.hits,
      run: (first, end, threshold) => this.#code.scan(suffix, first, end, threshold),
      nonce: (lane) => (base + BigInt(lane)) * BigInt(suffixes) + BigInt(suffix),
      exact: (nonce) => this.#message.hash(nonce),
      shift: 32n,
    };
    let { end } = range;
    for (; suffix < suffixes; suffix++) {
      const first = range.first + (suffix < range.least ? 1 : 0);
      const until = Math.min(end, range.end - (suffix > range.most ? 1 : 0));
      if (first >= until) continue;
      const met = scanLanes(scan, first, until, best);
      // A lower nonce with a later suffix can only have a lower prefix.
      if (met < until) end = met;
    }
  }

  #fillRows(): void {
    const { suffix, length } = this.#layout;
    const block = new Uint8Array(64);
    new DataView(block.buffer).setBigUint64(56, BigInt(length) * 8n);
    block[suffix] = 0x80;
    for (let row = 0; row < 10 ** suffix; row++) {
      const digits = String(row).padStart(suffix, "0");
      for (let i = 0; i < suffix; i++) block[i] = digits.charCodeAt(i);
      scheduleWithConstants(blockWordsOf(block), this.#code.rows, 64 * row);
    }
  }
}

class EngineHeaderSearcher implements HeaderSearcher {
  readonly #cache: CodeCache;
  readonly #header: Uint8Array;

  constructor(cache: CodeCache, header: Uint8Array) {
    this.#cache = cache;
    this.#header = checkedHeader(header);
  }

  search(lower: bigint, upper: bigint, target?: bigint): Candidate {
    const exact = (nonce: bigint): bigint => hashHeader(this.#header, nonce);
    const best = new Best(exact(lower), lower, target, 256);
    const code = this.#cache.header();
    const nonces = BigInt(HEADER_TILE_NONCES);
    let base = 0n;
    const scan: Scan = {
      lanes: code.lanes,
      hits: code.hits,
      run: (first, end, threshold) => code.scan(first, end, threshold),
      nonce: (lane) => base + BigInt(lane),
      exact,
      shift: 224n,
    };
    code.inputs.set(midstate(this.#header, 64), INPUT_STATE);
    code.inputs.set(blockWordsOf(this.#header.subarray(64)), INPUT_WORDS);
    for (let tile = lower / nonces; tile <= upper / nonces && !best.met; tile++) {
      base = tile * nonces;
      code.inputs[INPUT_WORDS + 3] = littleEndian(Number(base));
      code.prepare();
      const first = base < lower ? Number(lower - base) : 0;
      const end = upper - base < nonces ? Number(upper - base) + 1 : HEADER_TILE_NONCES;
      scanLanes(scan, first, end, best);
    }
    return best.candidate;
  }
}
