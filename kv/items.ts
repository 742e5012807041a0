/**
 * The keys that are there, in the order of their bytes, packed: a million small ones are some
 * thousand arrays and no objects, which costs little memory and gives a garbage collector nothing
 * to walk through.
 *
 * A block has the keys of a range. Its bytes hold a record for each: key, value, version and lease,
 * as a snapshot has them. A record that is replaced is left behind, until there is no room for the
 * next; then what counts moves together.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { Boundaries } from "./boundaries.ts";
import {
  bytesOfRecord,
  compareAt,
  headAt,
  type Item,
  itemAt,
  type ItemHead,
  keyAt,
  putRecord,
  recordBytes,
} from "./record.ts";

/** A block of more keys, or of more bytes if they are of several keys, is cut in two. */
const BLOCK_KEYS_MAX = 240;
const BLOCK_BYTES_MAX = 32 << 10;
/** The rooms that small blocks get; larger ones get a quarter more than they need. */
const ROOMS: readonly number[] = [1 << 10, 4 << 10, 16 << 10, BLOCK_BYTES_MAX];

const NO_BYTES = new Uint8Array(0);

interface Block {
  count: number;
  /** Where the records begin, in the order of their keys. */
  places: Uint32Array;
  bytes: Uint8Array;
  /** Bytes in use, and those of them that count. */
  used: number;
  live: number;
  /** The freezes behind which its places, and its bytes, were made or copied. */
  placesFreeze: number;
  bytesFreeze: number;
}

/** A block as it was: nothing changes the records that these places say. */
interface FrozenBlock {
  readonly count: number;
  readonly live: number;
  readonly places: Uint32Array;
  readonly bytes: Uint8Array;
}

/** See the module. */
export class Items {
  /** None is empty, but the only one. */
  readonly #blocks: Block[] = [newBlock(0)];
  /** Where their ranges begin. */
  readonly #boundaries = new Boundaries();
  #size = 0;
  #freezes = 0;
  #scratch: Uint8Array = NO_BYTES;
  /** What was last looked for, and where it is or would be: often it is looked for again. */
  #key: ByteString | undefined;
  #at = 0;
  #place = 0;
  #isFound = false;

  get size(): number {
    return this.#size;
  }

  /** What there is of `key` but its value, which is not copied; undefined: there is no such key. */
  head(key: ByteString): ItemHead | undefined {
    this.#find(key);
    if (!this.#isFound) return undefined;
    const { bytes, places } = this.#blocks[this.#at]!;
    return headAt(bytes, places[this.#place]!);
  }

  /** The value is good until something is changed: copy what is to stay. */
  get(key: ByteString): Item | undefined {
    this.#find(key);
    if (!this.#isFound) return undefined;
    const { bytes, places } = this.#blocks[this.#at]!;
    return itemAt(bytes, places[this.#place]!, "seen", key);
  }

  /** Puts an item in, in the place of one with its key. */
  set(item: Item): void {
    this.#find(item.key);
    const block = this.#blocks[this.#at]!;
    this.#ownPlaces(block);
    const place = this.#place;
    if (this.#isFound) block.live -= recordBytes(block.bytes, block.places[place]!);
    else {
      block.places.copyWithin(place + 1, place, block.count);
      block.count++;
      this.#size++;
      this.#isFound = true;
    }
    const need = bytesOfRecord(item);
    if (block.used + need > block.bytes.length) this.#makeRoom(block, need, place);
    block.places[place] = block.used;
    block.live += need;
    block.used = putRecord(block.bytes, block.used, item);
    const isLarge = block.live > BLOCK_BYTES_MAX && block.count > 1;
    if (isLarge || block.count > BLOCK_KEYS_MAX) this.#split(block);
  }

  delete(key: ByteString): void {
    this.#find(key);
    if (!this.#isFound) return;
    const block = this.#blocks[this.#at]!;
    const { bytes, places } = this.#ownPlaces(block);
    const place = this.#place;
    block.live -= recordBytes(bytes, places[place]!);
    places.copyWithin(place, place + 1, block.count);
    block.count--;
    this.#size--;
    this.#key = undefined;
    if (block.count === 0 && this.#blocks.length > 1) {
      this.#blocks.splice(this.#at, 1);
      this.#boundaries.remove(this.#at);
    } else if (bytes.length > 4 * roomFor(block.live)) this.#makeRoom(block, 0);
  }

  /** Items from `key` on, in order, as `get` gives them. What changes meanwhile is seen or not. */
  *from(key: ByteString): Iterable<Item> {
    let at = this.#boundaries.rangeOf(key);
    let place = placeIn(this.#blocks[at]!, key);
    for (; at < this.#blocks.length; at++, place = 0) {
      for (; place < this.#blocks[at]!.count; place++) {
        const { bytes, places } = this.#blocks[at]!;
        yield itemAt(bytes, places[place]!, "seen");
      }
    }
  }

  /** All items as they are now, whatever changes from now on: what {@link partsOf} takes. */
  frozen(): readonly FrozenBlock[] {
    this.#freezes++;
    return this.#blocks.map(({ count, live, places, bytes }) => ({ count, live, places, bytes }));
  }

  /** Looks for `key`, unless that is what was last looked for. */
  #find(key: ByteString): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#at = this.#boundaries.rangeOf(key);
    const block = this.#blocks[this.#at]!;
    const { count, places, bytes } = block;
    const place = placeIn(block, key);
    this.#place = place;
    this.#isFound = place < count && compareAt(bytes, places[place]!, key) === 0;
  }

  /** Makes the block's places ones that nobody froze. */
  #ownPlaces(block: Block): Block {
    if (block.placesFreeze < this.#freezes) {
      block.places = block.places.slice();
      block.placesFreeze = this.#freezes;
    }
    return block;
  }

  /** Moves the records together, but the one at the place `except`, with room for `need` bytes. */
  #makeRoom(block: Block, need: number, except = -1): void {
    const size = roomFor(block.live + need);
    const { length } = block.bytes;
    const isFrozen = block.bytesFreeze < this.#freezes;
    const isFitting = size <= length && length <= 2 * size;
    if (isFrozen || !isFitting) {
      const bytes = new Uint8Array(size);
      block.used = gather(block, 0, block.count, except, bytes, block.places);
      block.bytes = bytes;
      block.bytesFreeze = this.#freezes;
      return;
    }
    if (this.#scratch.length < block.live) this.#scratch = new Uint8Array(roomFor(block.live));
    block.used = gather(block, 0, block.count, except, this.#scratch, block.places);
    block.bytes.set(this.#scratch.subarray(0, block.used));
    if (this.#scratch.length > 4 * BLOCK_BYTES_MAX) this.#scratch = NO_BYTES;
  }

  /** Cuts the block in two that was changed last. */
  #split(block: Block): void {
    const { count, places, bytes } = block;
    // At the end keys often come in order: then blocks are left full.
    const isInOrder = this.#at === this.#blocks.length - 1 && this.#place === count - 1;
    const cut = isInOrder ? count - 1 : middleOf(block);
    const behind = newBlock(this.#freezes);
    this.#boundaries.insert(this.#at + 1, keyAt(bytes, places[cut]!));
    behind.count = count - cut;
    for (let i = cut; i < count; i++) behind.live += recordBytes(bytes, places[i]!);
    behind.bytes = new Uint8Array(roomFor(behind.live));
    behind.used = gather(block, cut, count, -1, behind.bytes, behind.places);
    block.count = cut;
    block.live -= behind.live;
    if (isInOrder) this.#trim(block);
    this.#blocks.splice(this.#at + 1, 0, behind);
    this.#key = undefined;
  }

  /** Gives a block that is left full the room that it needs, and no more. */
  #trim(block: Block): void {
    const bytes = new Uint8Array(block.live);
    block.used = gather(block, 0, block.count, -1, bytes, block.places);
    block.bytes = bytes;
    block.bytesFreeze = this.#freezes;
  }
}

/** Bytes of a part of a snapshot: about a millisecond's work. */
export const PART_BYTES: number = 1 << 19;

/** The records of `blocks` in order, in parts; each ends behind a record. `head` is before them. */
export function* partsOf(
  blocks: readonly FrozenBlock[],
  head: Uint8Array,
): Generator<Uint8Array, void, void> {
  let left = blocks.reduce((sum, { live }) => sum + live, head.length);
  let part = new Uint8Array(Math.max(Math.min(PART_BYTES, left), head.length));
  part.set(head);
  let used = head.length;
  for (const { count, places, bytes } of blocks) {
    for (let i = 0; i < count;) {
      const start = places[i]!;
      // What lies in order is copied together.
      let end = start;
      do end += recordBytes(bytes, end);
      while (++i < count && places[i] === end && end - start < PART_BYTES / 8);
      if (used + end - start > part.length) {
        if (used > 0) yield part.subarray(0, used);
        left -= used;
        part = new Uint8Array(Math.max(Math.min(PART_BYTES, left), end - start));
        used = 0;
      }
      part.set(bytes.subarray(start, end), used);
      used += end - start;
    }
  }
  if (used > 0) yield part.subarray(0, used);
}

function newBlock(freezes: number): Block {
  return {
    count: 0,
    places: new Uint32Array(BLOCK_KEYS_MAX + 1),
    bytes: NO_BYTES,
    used: 0,
    live: 0,
    placesFreeze: freezes,
    bytesFreeze: freezes,
  };
}

/** The room that a block gets for so many bytes. */
function roomFor(bytes: number): number {
  const least = bytes + (bytes >>> 2);
  return ROOMS.find((room) => room >= least) ?? least;
}

/**
 * Copies the records at the places start..end - 1, but the one at `except`, to the beginning of
 * `into`, and notes where they are now, from `placesInto[0]` on; the bytes that they take.
 */
function gather(
  { places, bytes }: Pick<Block, "places" | "bytes">,
  start: number,
  end: number,
  except: number,
  into: Uint8Array,
  placesInto: Uint32Array,
): number {
  let used = 0;
  for (let i = start; i < end; i++) {
    if (i === except) continue;
    const from = places[i]!;
    const length = recordBytes(bytes, from);
    into.set(bytes.subarray(from, from + length), used);
    placesInto[i - start] = used;
    used += length;
  }
  return used;
}

/** The place that about half of a block's bytes are before; neither its first nor its end. */
function middleOf({ count, places, bytes, live }: Block): number {
  let before = 0;
  for (let i = 0; i < count - 1; i++) {
    before += recordBytes(bytes, places[i]!);
    if (before * 2 >= live) return i + 1;
  }
  return count - 1;
}

/** The place of the first record whose key is `key` or greater. */
function placeIn({ count, places, bytes }: Block, key: ByteString): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareAt(bytes, places[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
