/**
 * A disk that is none: what it is asked to keep is kept in memory, and gone with the process. For
 * nodes that need not outlive their process; the code on top is the same.
 *
 * @module
 */
import { joinedBytes } from "../base/byte_fields.ts";
import { invariant } from "../base/machine.ts";
import type { Load, Save, StoredState, StoreEffect, StoreInput } from "../base/store.ts";

/** What an empty disk holds. */
export const NOTHING_STORED: StoredState = {
  meta: undefined,
  snapshot: undefined,
  records: {
    first: 1,
    next: 1,
    at: () => {
      throw new Error("an empty disk has no records");
    },
  },
};

/** Keeps snapshots, for they are read again; records and metadata are in the core. */
export class MemoryDisk {
  readonly #tell: (input: StoreInput) => void;
  readonly #snapshots = new Map<number, Uint8Array>();
  readonly #unfinished = new Map<number, Uint8Array[]>();

  constructor(tell: (input: StoreInput) => void) {
    this.#tell = tell;
  }

  /** Takes what a core asks of its disk, and answers at once. */
  handle(effect: StoreEffect): void {
    switch (effect.kind) {
      case "store":
        return this.#tell({ kind: "stored", token: effect.token });
      case "save":
        return this.#save(effect);
      case "forget":
        return void this.#unfinished.delete(effect.index);
      case "load":
        return this.#load(effect);
    }
  }

  #save({ token, index, offset, bytes, last }: Save): void {
    if (offset === 0) this.#unfinished.set(index, []);
    const parts = this.#unfinished.get(index);
    invariant(parts, `snapshot ${index} was begun`);
    parts.push(bytes);
    if (last !== undefined) {
      this.#unfinished.delete(index);
      for (const old of this.#snapshots.keys()) {
        if (!last.retain?.includes(old)) this.#snapshots.delete(old);
      }
      // One part of all, as it mostly is, need not be copied.
      const filled = parts.filter(({ length }) => length > 0);
      this.#snapshots.set(index, filled.length === 1 ? filled[0]! : joinedBytes(filled));
    }
    this.#tell({ kind: "saved", token });
  }

  #load({ index, offset, bytesMax }: Load): void {
    const whole = this.#snapshots.get(index);
    const size = whole?.length ?? 0;
    const bytes = whole?.subarray(offset, offset + bytesMax);
    this.#tell({ kind: "loaded", index, offset, size, ...(bytes && { bytes }) });
  }
}
