/**
 * A sequence of items as bytes, each behind its length in four bytes, big-endian: the shape of the
 * table's snapshots and of its commands. CBOR alone would limit how many there are.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import type { JobName } from "./table.ts";

const LENGTH_BYTES = 4;

/** The items as one. */
export function joined(items: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(items.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const item of items) {
    view.setUint32(at, item.length);
    bytes.set(item, at + LENGTH_BYTES);
    at += LENGTH_BYTES + item.length;
  }
  return bytes;
}

/** The items that `bytes` are made of. Throws an Error of one line where they are cut off. */
export function separated(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const items: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = at + LENGTH_BYTES <= bytes.length ? view.getUint32(at) : Infinity;
    const end = at + LENGTH_BYTES + length;
    if (end > bytes.length) throw new Error(`Cannot read a table: cut off at byte ${at}`);
    items.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return items;
}

/** A job's name, as two fields. */
export function writeName(f: FieldWriter, { session, number }: JobName): FieldWriter {
  return f.uint256(session).count(number);
}

/** See {@link writeName}. */
export function readName(f: FieldReader): JobName {
  return { session: f.uint256(), number: f.count() };
}
