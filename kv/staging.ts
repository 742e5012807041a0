/**
 * Parts of commands that are too large for one entry of the log, until the last says what they are.
 * They are a part of the replicated state.
 *
 * @module
 */
import type { ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { Command } from "./commands.ts";
import { COMMAND_BYTES_MAX, STAGED_BYTES_MAX } from "./limits.ts";

/** A command that is coming in. */
interface Upload {
  readonly bytes: Uint8Array;
  /** Parts come in their order: so many bytes are there. */
  filled: number;
}

/** See the module. */
export class Staging {
  /** In the order in which they began. */
  readonly #uploads = new Map<number, Upload>();
  #bytes = 0;

  /** The upload that began last; undefined: there is none. */
  get last(): number | undefined {
    return [...this.#uploads.keys()].at(-1);
  }

  get size(): number {
    return this.#uploads.size;
  }

  /** Takes a part in; one that does not follow what came before is of no use. */
  add({ upload: name, size, offset, bytes }: Command & { readonly kind: "part" }): void {
    let upload = this.#uploads.get(name);
    if (upload === undefined && offset === 0) {
      upload = { bytes: new Uint8Array(size), filled: 0 };
      this.#uploads.set(name, upload);
      this.#bytes += size;
    }
    if (upload?.bytes.length !== size || upload.filled !== offset) return;
    upload.bytes.set(bytes, offset);
    upload.filled += bytes.length;
    for (const oldest of this.#uploads.keys()) {
      if (this.#bytes <= STAGED_BYTES_MAX) break;
      this.#remove(oldest);
    }
  }

  /** The whole command, which is gone from here; undefined when parts are missing. */
  take(name: number): Uint8Array | undefined {
    const upload = this.#uploads.get(name);
    this.#remove(name);
    return upload?.filled === upload?.bytes.length ? upload?.bytes : undefined;
  }

  /** Drops `upTo`, if it is there, and what began before it; how many. */
  discard(upTo: number): number {
    if (!this.#uploads.has(upTo)) return 0;
    let count = 0;
    for (const name of this.#uploads.keys()) {
      this.#remove(name);
      count++;
      if (name === upTo) break;
    }
    return count;
  }

  write(writer: ByteWriter): void {
    writer.uint(this.#uploads.size);
    for (const [name, { bytes, filled }] of this.#uploads) {
      writer.uint(name).uint(bytes.length).blob(bytes.subarray(0, filled));
    }
  }

  read(reader: ByteReader): void {
    for (let left = reader.uint(); left > 0 && reader.isSound; left--) {
      const name = reader.uint();
      const size = reader.uint(COMMAND_BYTES_MAX);
      const filled = reader.view(size);
      const bytes = new Uint8Array(size);
      bytes.set(filled);
      this.#uploads.set(name, { bytes, filled: filled.length });
      this.#bytes += size;
    }
  }

  #remove(name: number): void {
    this.#bytes -= this.#uploads.get(name)?.bytes.length ?? 0;
    this.#uploads.delete(name);
  }
}
