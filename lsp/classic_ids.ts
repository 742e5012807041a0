/**
 * Numbers for connections of the json wire. There, the number is all that tells a peer from a
 * stranger who writes with the peer's address, so it must not follow from another's; and it must
 * never be given twice.
 *
 * @module
 */
import { sha256Words } from "../base/sha256.ts";

/** They are above those of cbor connections, and fit into 31 bits, for peers of every make. */
export const CLASSIC_ID_MIN: number = 2 ** 30;
export const CLASSIC_ID_MAX: number = 2 ** 31 - 1;
const HALF_BITS = 15;
const HALF_MASK = 2 ** HALF_BITS - 1;
/** A Feistel network of four rounds hides its input from those who see its outputs. */
const ROUNDS = 4;

/** See the module. */
export class ClassicIds {
  readonly #secret: Uint8Array;
  #count = 0;

  /** `secret` decides on the order of the numbers; it may be that of the cookies. */
  constructor(secret: Uint8Array) {
    this.#secret = new Uint8Array(secret);
  }

  /** The next, {@link CLASSIC_ID_MIN} to {@link CLASSIC_ID_MAX}: none comes twice in 2^30. */
  next(): number {
    const input = this.#count++;
    let left = (input >>> HALF_BITS) & HALF_MASK;
    let right = input & HALF_MASK;
    for (let round = 0; round < ROUNDS; round++) {
      [left, right] = [right, left ^ this.#mix(round, right)];
    }
    return CLASSIC_ID_MIN + left * 2 ** HALF_BITS + right;
  }

  #mix(round: number, half: number): number {
    const keyed = new Uint8Array(this.#secret.length + 4);
    keyed.set(this.#secret);
    // No text begins so: a cookie is a hash of the secret and of one.
    keyed.set([0xff, round, half >>> 8, half & 0xff], this.#secret.length);
    return sha256Words(keyed)[0]! & HALF_MASK;
  }
}
