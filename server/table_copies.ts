/**
 * Copies of the table that are being fetched, a part at a time: each stays what it was when it was
 * taken, whatever becomes of the table meanwhile.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { type Part, TABLE_PART_BYTES_MAX } from "../work/server_messages.ts";

/** Copies that are fetched at a time; of more, the one that was asked for longest ago goes. */
export const COPIES_MAX = 2;
/** A copy that is not asked for goes after this. */
export const COPY_KEPT_MS: Millis = 60_000;
/** A copy takes the server's time by its size: this is what strangers get of it, a second. */
export const COPIED_BYTES_PER_SECOND = 10_000_000;

interface Copy {
  readonly bytes: Uint8Array;
  askedMs: Millis;
}

/** See the module. `Who` fetches one at a time. */
export class TableCopies<Who> {
  /** The one that was asked for longest ago first. */
  readonly #copies = new Map<Who, Copy>();
  /** When the next copy may be taken. */
  #nextMs: Millis = -Infinity;

  /** Copies that are held. */
  get size(): number {
    return this.#copies.size;
  }

  /** The part from byte `from` on, from 0 of a new copy by `take`; or why there is none. */
  part(
    who: Who,
    from: number,
    take: () => Uint8Array,
    nowMs: Millis,
  ): Pick<Part, "size" | "bytes"> | string {
    for (const [other, { askedMs }] of this.#copies) {
      if (nowMs - askedMs >= COPY_KEPT_MS) this.#copies.delete(other);
    }
    const isNew = from === 0;
    if (isNew && nowMs < this.#nextMs) return "a copy was taken just now: try again soon";
    const bytes = isNew ? take() : this.#copies.get(who)?.bytes;
    if (bytes === undefined) return "this copy of the table is not kept any more: begin again";
    if (isNew) this.#nextMs = nowMs + (1000 * bytes.length) / COPIED_BYTES_PER_SECOND;
    this.#copies.delete(who);
    const end = Math.min(bytes.length, from + TABLE_PART_BYTES_MAX);
    if (end < bytes.length) this.#keep(who, { bytes, askedMs: nowMs });
    return { size: bytes.length, bytes: bytes.slice(Math.min(from, end), end) };
  }

  #keep(who: Who, copy: Copy): void {
    const [longest] = this.#copies.keys();
    if (this.#copies.size >= COPIES_MAX && longest !== undefined) this.#copies.delete(longest);
    this.#copies.set(who, copy);
  }
}
