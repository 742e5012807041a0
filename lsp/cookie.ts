/**
 * Tokens by which an address proves that it can receive, without the listener remembering anything
 * about it: a keyed hash of what the stranger claims, valid for half a minute to a minute. The
 * purpose says what a token proves; those of different purposes have nothing in common.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { sha256Words } from "../base/sha256.ts";
import type { Address } from "./types.ts";

/** A token is good in the slot of time in which it was made, and in the next. */
const SLOT_MS = 30_000;

const utf8 = new TextEncoder();

/** See the module. */
export class Cookies {
  readonly #secret: Uint8Array;

  constructor(secret: Uint8Array) {
    this.#secret = new Uint8Array(secret);
  }

  /** The token for `number` (an ISN, or a connection's) claimed from `address` at `nowMs`. */
  make(purpose: string, address: Address, number: number, nowMs: Millis): bigint {
    return this.#at(purpose, address, number, Math.floor(nowMs / SLOT_MS));
  }

  /** Whether `token` was made for these a short while ago. */
  check(token: bigint, purpose: string, address: Address, number: number, nowMs: Millis): boolean {
    const slot = Math.floor(nowMs / SLOT_MS);
    return (
      token === this.#at(purpose, address, number, slot) ||
      token === this.#at(purpose, address, number, slot - 1)
    );
  }

  #at(purpose: string, address: Address, number: number, slot: number): bigint {
    const claim = utf8.encode(`${purpose} ${address} ${number} ${slot}`);
    const keyed = new Uint8Array(this.#secret.length + claim.length);
    keyed.set(this.#secret);
    keyed.set(claim, this.#secret.length);
    const words = sha256Words(keyed);
    // 0 stands for "no token" on the wire.
    return (BigInt(words[0]! >>> 0) << 32n) | BigInt(words[1]! >>> 0) || 1n;
  }
}
