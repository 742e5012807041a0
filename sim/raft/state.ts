/**
 * The state machine of a simulated node: it remembers what it applied as one number that depends on
 * every entry and on their order.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import type { Entry } from "../../raft/mod.ts";

const HEADER_BYTES = 16;

/** A number for `state` after `entry`. */
export function digestAfter(state: number, { index, term, data }: Entry): number {
  let hash = Math.imul(state ^ index, 0x9e3779b1) ^ Math.imul(term + 1, 0x85ebca6b);
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** What has been applied, and nothing else. */
export class SimState {
  index = 0;
  digest = 1;
  /** Bytes that a snapshot is long at least. */
  readonly #paddingBytes: number;

  constructor(paddingBytes: number) {
    this.#paddingBytes = paddingBytes;
  }

  apply(entry: Entry): void {
    this.index = entry.index;
    this.digest = digestAfter(this.digest, entry);
  }

  /** The state as bytes, in which every piece matters. */
  snapshot(): Uint8Array {
    const bytes = new Uint8Array(HEADER_BYTES + this.#paddingBytes);
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, this.index);
    view.setUint32(8, this.digest);
    for (let i = HEADER_BYTES; i < bytes.length; i++) bytes[i] = (this.digest + i) & 0xff;
    return bytes;
  }

  /** The state of a snapshot; one of no bytes is the state before any entry. */
  restore(bytes: Uint8Array): void {
    this.index = 0;
    this.digest = 1;
    if (bytes.length === 0) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.index = view.getFloat64(0);
    this.digest = view.getUint32(8);
    for (let i = HEADER_BYTES; i < bytes.length; i++) {
      invariant(bytes[i] === ((this.digest + i) & 0xff), `byte ${i} of a snapshot is wrong`);
    }
  }
}
