/**
 * Hashes of keys and entries, 64 bits in two halves: what hash trees are made of. They tell honest
 * states apart; they are no defence against a server that lies.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import type { Entry } from "./entry.ts";

/** 64 bits, as two numbers of 32. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

/** FNV-1a's offset and prime (Fowler, Noll, Vo), and another offset for the other half. */
const FNV_OFFSET = 0x811c9dc5;
const OTHER_OFFSET = 0x3c6ef372;
const FNV_PRIME = 0x01000193;
const OTHER_PRIME = 0x0100011b;

/** MurmurHash3's finalizer (Appleby): each bit of the input changes half of the output's. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The hash of a key. Its first bits say where the key's entries lie in the tree. */
export function keyHash(key: ByteString): Hash {
  let high = FNV_OFFSET;
  let low = OTHER_OFFSET;
  for (let i = 0; i < key.length; i++) {
    const byte = key.charCodeAt(i);
    high = Math.imul(high ^ byte, FNV_PRIME);
    low = Math.imul(low ^ byte, OTHER_PRIME);
  }
  return { high: mixed(high), low: mixed(low) };
}

/** The hash of an entry, given that of its key. A stamp stands for the value that it was given. */
export function entryHash(entry: Entry, key: Hash): Hash {
  const isCell = entry.kind === "cell";
  const parts = isCell
    ? [1, entry.actor, entry.plus, entry.minus]
    : [2, entry.wallMs, entry.counter, entry.actor];
  let { high, low } = key;
  for (const part of parts) {
    const upper = Math.floor(part / 2 ** 32);
    high = mixed(Math.imul(high, 5) + part) ^ mixed(upper + FNV_OFFSET);
    low = mixed(Math.imul(low, 9) ^ part) + mixed(upper ^ OTHER_OFFSET);
  }
  return { high: mixed(high ^ low), low: mixed(low) };
}
