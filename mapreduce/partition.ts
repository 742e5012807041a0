/**
 * Which reducer a key belongs to.
 *
 * @module
 */

/** Offset basis and prime of FNV-1a in 32 bits (Fowler, Noll, Vo; RFC 9923, section 5). */
export const FNV_OFFSET = 0x811c9dc5;
export const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bits, of `bytes[from..to-1]`, as a signed number of 32 bits. */
export function fnv1a(bytes: Uint8Array, from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash | 0;
}

/** The partition, 0..reducers-1, of a key whose UTF-8 has the FNV-1a hash `hash`. */
export function partitionOf(hash: number, reducers: number): number {
  return (hash & 0x7fffffff) % reducers;
}
