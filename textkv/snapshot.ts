/**
 * All lists as bytes, part by part, while they go on changing.
 *
 * A snapshot is taken list by list, each as it is when its turn comes, so parts of it are younger
 * than the moment at which it began. That does no harm, because each list carries the index of the
 * last record that changed it: a replay of the log behind the snapshot passes over what a list
 * already has.
 *
 * Numbers are little-endian. First a byte, the version (1). Then the lists: 4 bytes, the length of
 * the key; 8 bytes, the index of its last change as a double; 4 bytes, the number of values; the
 * key; and for each value 4 bytes, its length, and the value.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { List, View } from "./list.ts";
import type { Lists } from "./lists.ts";

const VERSION = 1;
/** Bytes in front of a key, and in front of a value. */
const HEAD_BYTES = 16;
const LENGTH_BYTES = 4;

/** A part of a snapshot. */
export interface Part {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** Takes a snapshot of `lists`; they may change between the parts. */
export class SnapshotWriter {
  readonly #lists: Lists;
  readonly #partBytes: number;
  readonly #all: Iterator<[string, List]>;
  /** Keys of the beginning that were not reached. Those that came since are behind them. */
  #left: number;
  #view: View | undefined;
  #parts: Buffer[] = [Buffer.of(VERSION)];
  #bytes = 1;

  /** A part is finished when it has `partBytes` bytes; one value more may be in it. */
  constructor(lists: Lists, partBytes: number) {
    this.#lists = lists;
    this.#partBytes = partBytes;
    this.#all = lists.entries();
    this.#left = lists.keys;
  }

  /** The next part. Nothing is to be called behind the last one. */
  next(): Part {
    let isLast = false;
    while (this.#bytes < this.#partBytes && !isLast) {
      if (this.#view !== undefined) this.#writeValue(this.#view);
      else isLast = !this.#beginList();
    }
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return { bytes, isLast };
  }

  /** Whether there was another list. */
  #beginList(): boolean {
    const next = this.#left-- > 0 ? this.#all.next() : undefined;
    if (next === undefined || next.done === true) return false;
    const [key, list] = next.value;
    this.#view = list.view();
    const head = Buffer.allocUnsafe(HEAD_BYTES + key.length);
    head.writeUInt32LE(key.length, 0);
    head.writeDoubleLE(list.changedAt, 4);
    head.writeUInt32LE(list.length, 12);
    head.write(key, HEAD_BYTES, "latin1");
    this.#write(head);
    return true;
  }

  #writeValue(view: View): void {
    const value = view.peek();
    view.advance();
    const bytes = Buffer.allocUnsafe(LENGTH_BYTES + value.length);
    bytes.writeUInt32LE(value.length, 0);
    bytes.write(value, LENGTH_BYTES, "latin1");
    this.#write(bytes);
    if (view.left > 0) return;
    this.#lists.release(view);
    this.#view = undefined;
  }

  #write(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }
}

/** Fills `lists` from the parts of a snapshot. */
export class SnapshotReader {
  readonly #lists: Lists;
  #rest: Buffer = Buffer.alloc(0);
  #at = 0;
  #hasVersion = false;
  /** The list that is being read. */
  #key = "";
  #changedAt = 0;
  #valuesLeft = 0;

  constructor(lists: Lists) {
    this.#lists = lists;
  }

  /** Takes the next bytes. Throws an Error of one line if they are of another version. */
  read(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest.subarray(this.#at), bytes]);
    this.#at = 0;
    if (!this.#hasVersion && this.#rest.length > 0) {
      const version = this.#rest[this.#at++];
      if (version !== VERSION) {
        throw new Error(`its snapshot has version ${version}, this program knows ${VERSION}`);
      }
      this.#hasVersion = true;
    }
    while (this.#valuesLeft > 0 ? this.#readValue() : this.#readHead());
  }

  /** There is no more. Throws an Error of one line if there should be. */
  end(): void {
    const isWhole = this.#hasVersion && this.#at === this.#rest.length && this.#valuesLeft === 0;
    if (!isWhole) throw new Error("its snapshot ends in the middle of a list");
  }

  #readHead(): boolean {
    const left = this.#rest.length - this.#at;
    if (left < HEAD_BYTES) return false;
    const keyLength = this.#rest.readUInt32LE(this.#at);
    if (left < HEAD_BYTES + keyLength) return false;
    const keyAt = this.#at + HEAD_BYTES;
    this.#key = this.#rest.toString("latin1", keyAt, keyAt + keyLength);
    this.#valuesLeft = this.#rest.readUInt32LE(this.#at + 12);
    // A key that went and came again was perhaps reached twice: the later list is the true one.
    this.#lists.delete(this.#key, 0);
    this.#changedAt = this.#rest.readDoubleLE(this.#at + 4);
    this.#at = keyAt + keyLength;
    return true;
  }

  #readValue(): boolean {
    const left = this.#rest.length - this.#at;
    if (left < LENGTH_BYTES) return false;
    const length = this.#rest.readUInt32LE(this.#at);
    if (left < LENGTH_BYTES + length) return false;
    const valueAt = this.#at + LENGTH_BYTES;
    const value = this.#rest.toString("latin1", valueAt, valueAt + length);
    invariant(this.#lists.put(this.#key, value, this.#changedAt), "there is room to restore");
    this.#at = valueAt + length;
    this.#valuesLeft--;
    return true;
  }
}
