/**
 * The best candidate of a running search, and what a kernel must look out for because of it.
 *
 * @module
 */
import type { Candidate } from "../../work/candidate.ts";

/** Keeps the least hash; once a hash meets the target, the lowest nonce that does. */
export class Best {
  /** The lowest nonce with a hash at most the target, or no such hash yet. */
  met = false;
  #hash: bigint;
  #nonce: bigint;
  readonly #target: bigint | undefined;
  readonly #shift: bigint;
  #threshold = 0;

  /** Starts with one hashed nonce; hashes have `bits` bits. */
  constructor(hash: bigint, nonce: bigint, target: bigint | undefined, bits: number) {
    this.#hash = hash;
    this.#nonce = nonce;
    this.#target = target;
    this.#shift = BigInt(bits - 32);
    this.#take(hash, nonce);
  }

  /** Only hashes whose upper 32 bits are at most this can be better. */
  get threshold(): number {
    return this.#threshold;
  }

  get candidate(): Candidate {
    return { hash: this.#hash, nonce: this.#nonce };
  }

  /** Takes a hashed nonce into account. */
  offer(hash: bigint, nonce: bigint): void {
    const meets = this.#target !== undefined && hash <= this.#target;
    const better =
      hash < this.#hash || (hash === this.#hash && nonce < this.#nonce) ? !this.met : false;
    if (better || (meets && (!this.met || nonce < this.#nonce))) this.#take(hash, nonce);
  }

  #take(hash: bigint, nonce: bigint): void {
    this.#hash = hash;
    this.#nonce = nonce;
    this.met = this.#target !== undefined && hash <= this.#target;
    const limit = this.met ? this.#target! : hash;
    const upper = limit >> this.#shift;
    this.#threshold = upper > 0xffffffffn ? 0xffffffff : Number(upper);
  }
}
