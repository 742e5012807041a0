/**
 * Slices of bytes: compared, copied, made from text and back.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The UTF-8 of `text`; lone surrogates become U+FFFD. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes; what is none becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** A part of an array of bytes, `from` included, `to` not; it moves when its owner moves on. */
export interface Slice {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** Below 0 when `a` comes before `b` in the order of bytes, 0 when they are equal. */
export function compareSlices(a: Slice, b: Slice): number {
  // Taken apart by hand: a pattern would make garbage, and this is called for every record.
  const left = a.bytes;
  const right = b.bytes;
  const leftFrom = a.from;
  const rightFrom = b.from;
  const leftLength = a.to - leftFrom;
  const rightLength = b.to - rightFrom;
  const length = leftLength < rightLength ? leftLength : rightLength;
  for (let i = 0; i < length; i++) {
    const difference = left[leftFrom + i]! - right[rightFrom + i]!;
    if (difference !== 0) return difference;
  }
  return leftLength - rightLength;
}

/** A slice of all of `bytes`. */
export function whole(bytes: Uint8Array): Slice {
  return { bytes, from: 0, to: bytes.length };
}

/** The slice's bytes, where they are: good until their owner moves on. */
export function viewOf({ bytes, from, to }: Slice): Uint8Array {
  return bytes.subarray(from, to);
}

/** The slice's bytes as a copy of their own. */
export function copyOf({ bytes, from, to }: Slice): Uint8Array {
  return bytes.slice(from, to);
}
