/**
 * The machine code that has run in a child process on this machine and computed what it should,
 * by its digests, in memory that all threads of a miner share. A thread asks before it runs any:
 * so nothing is run that was not proved, whatever a stale record says.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import { sha256 } from "../../base/sha256.ts";

/** Pieces of code that can be proved: every shape of every kernel, many times over. */
export const PROVED_MAX = 2048;

// The first 32-bit word says how many digests there are; they begin at the next multiple of 8.
const COUNT = 0;
const HEADER_BYTES = 8;

/** Machine code that was not proved on this machine was about to be run. */
export class UnprovedCodeError extends Error {
  override name = "UnprovedCodeError";
}

/** The first 64 bits of the SHA-256 of `code`. */
export function codeDigest(code: Uint8Array): bigint {
  return new DataView(sha256(code).buffer).getBigUint64(0);
}

/** See the module's comment. One thread adds; all may ask. */
export class ProvedCode {
  readonly memory: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #digests: BigUint64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.#digests = new BigUint64Array(memory, HEADER_BYTES, PROVED_MAX);
  }

  /** Memory in which nothing is proved yet. */
  static create(): ProvedCode {
    return new ProvedCode(new SharedArrayBuffer(HEADER_BYTES + 8 * PROVED_MAX));
  }

  /** Adds what was proved. What there is no room for counts as not proved. */
  add(digests: Iterable<bigint>): void {
    for (const digest of digests) {
      const count = Atomics.load(this.#header, COUNT);
      if (count === PROVED_MAX) return;
      if (this.#has(digest, count)) continue;
      this.#digests[count] = digest;
      Atomics.store(this.#header, COUNT, count + 1);
    }
  }

  /** Throws {@link UnprovedCodeError} unless `code` may be run. */
  demand(code: Uint8Array): void {
    invariant(code.length > 0, "there is code to run");
    if (this.#has(codeDigest(code), Atomics.load(this.#header, COUNT))) return;
    throw new UnprovedCodeError("its code was not run in a child process on this machine yet");
  }

  #has(digest: bigint, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#digests[i] === digest) return true;
    return false;
  }
}
