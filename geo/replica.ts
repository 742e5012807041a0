/**
 * All that one actor holds: registers and counters in the order of their keys, and the hash tree
 * over them.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { Heap } from "../base/heap.ts";
import type { Millis } from "../base/machine.ts";
import {
  type Cell,
  type Entry,
  joinedCell,
  laterRegister,
  type Register,
  weightOf,
} from "./entry.ts";
import { entryHash, type Hash, keyHash } from "./entry_hash.ts";
import { HashTree, type TreeNode } from "./hash_tree.ts";
import { CELLS_MAX, TOMBSTONE_MS } from "./limits.ts";
import { Sorted } from "./sorted.ts";

/** All entries of one key. */
interface Item {
  readonly key: ByteString;
  readonly hash: Hash;
  register: Register | undefined;
  readonly cells: Map<number, Cell>;
}

/** A key with what people see of it. */
export interface Shown {
  readonly key: ByteString;
  /** Undefined: there is none, or it was deleted. */
  readonly value: Uint8Array | undefined;
  /** Undefined: nobody ever added to it. */
  readonly count: number | undefined;
}

/** What became of an entry that was merged. */
export type Merged =
  /** The replica has changed. */
  | "new"
  /** It is here already, or something later. */
  | "old"
  /** Its counter has too many cells. */
  | "refused";

/** The rules by which entries merge; the simulator plants faults here. */
export interface MergeRules {
  readonly laterRegister: (a: Register, b: Register) => Register;
  readonly joinedCell: (a: Cell, b: Cell) => Cell;
  /** How long a deletion is remembered. */
  readonly tombstoneMs: Millis;
}

export const MERGE_RULES: MergeRules = { laterRegister, joinedCell, tombstoneMs: TOMBSTONE_MS };

/** So many tombstones that were replaced may be remembered beside the others. */
const STALE_TOMBSTONES = 1024;

function newTombstones(): Heap<Register> {
  return new Heap((a, b) => a.wallMs < b.wallMs);
}

/** See the module. */
export class Replica {
  readonly #rules: MergeRules;
  readonly #items = new Sorted<Item>();
  /** Tombstones by age; some have been replaced since. */
  #tombstones = newTombstones();
  readonly #tree = new HashTree<Item>(hashesOf);
  #bytes = 0;

  constructor(rules: MergeRules = MERGE_RULES) {
    this.#rules = rules;
  }

  /** What all of it weighs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keys, deleted ones included. */
  get size(): number {
    return this.#items.size;
  }

  get tree(): Pick<HashTree<Item>, "root" | "count" | "depth" | "hashOf" | "countOf"> {
    return this.#tree;
  }

  /** The register of a key, a tombstone perhaps. */
  register(key: ByteString): Register | undefined {
    return this.#items.get(key)?.register;
  }

  cell(key: ByteString, actor: number): Cell | undefined {
    return this.#items.get(key)?.cells.get(actor);
  }

  /** What the counter of that key comes to; undefined if nobody ever added to it. */
  count(key: ByteString): number | undefined {
    return countOf(this.#items.get(key));
  }

  /** Whether it is what the replica holds under its name. */
  isCurrent(entry: Entry): boolean {
    const item = this.#items.get(entry.key);
    if (item === undefined) return false;
    return entry.kind === "cell" ? item.cells.get(entry.actor) === entry : item.register === entry;
  }

  /** Takes an entry in. A deletion that is too old to be remembered only deletes. */
  merge(entry: Entry, wallMs: Millis): Merged {
    const known = this.#items.get(entry.key);
    if (entry.kind === "cell") return this.#mergeCell(known, entry);
    const old = known?.register;
    const register = old === undefined ? entry : this.#rules.laterRegister(old, entry);
    if (register === old) return "old";
    if (this.#isExpired(register, wallMs)) {
      if (known === undefined || old === undefined) return "old";
      this.#drop(known, old);
      return "new";
    }
    if (register.value === undefined) this.#remember(register);
    this.#put(known ?? this.#newItem(entry.key), old, register);
    return "new";
  }

  /** Forgets deletions that are older than they are remembered. */
  sweep(wallMs: Millis): void {
    for (let top = this.#tombstones.top; top !== undefined; top = this.#tombstones.top) {
      if (!this.#isExpired(top, wallMs)) return;
      this.#tombstones.shift();
      if (this.isCurrent(top)) this.#drop(this.#items.get(top.key)!, top);
    }
  }

  /** Keys from `from` on that begin with `prefix` and have something to show, in order. */
  *list(prefix: ByteString, from: ByteString = prefix): Iterable<Shown> {
    for (const item of this.#items.from(from > prefix ? from : prefix)) {
      if (!item.key.startsWith(prefix)) return;
      const shown = shownOf(item);
      if (shown.value !== undefined || shown.count !== undefined) yield shown;
    }
  }

  /** Registers whose keys begin with `prefix`, tombstones included. */
  *registersOf(prefix: ByteString): Iterable<Register> {
    for (const { key, register } of this.#items.from(prefix)) {
      if (!key.startsWith(prefix)) return;
      if (register !== undefined) yield register;
    }
  }

  shown(key: ByteString): Shown {
    const item = this.#items.get(key);
    return item === undefined ? { key, value: undefined, count: undefined } : shownOf(item);
  }

  /** All entries below a node of the tree, with their hashes. */
  *entriesOf(node: TreeNode): Iterable<{ readonly entry: Entry; readonly hash: Hash }> {
    for (const item of this.#tree.leavesOf(node)) {
      for (const entry of entriesOf(item)) yield { entry, hash: entryHash(entry, item.hash) };
    }
  }

  /** All entries, in the order of their keys. */
  *entries(): Iterable<Entry> {
    for (const item of this.#items.from("")) yield* entriesOf(item);
  }

  #mergeCell(known: Item | undefined, cell: Cell): Merged {
    const old = known?.cells.get(cell.actor);
    if (old === undefined && known !== undefined && known.cells.size >= CELLS_MAX) return "refused";
    const joined = old === undefined ? cell : this.#rules.joinedCell(old, cell);
    if (joined === old) return "old";
    this.#put(known ?? this.#newItem(cell.key), old, joined);
    return "new";
  }

  #remember(tombstone: Register): void {
    this.#tombstones.push(tombstone);
    if (this.#tombstones.size < 2 * this.#items.size + STALE_TOMBSTONES) return;
    const current = this.#tombstones.items.filter(
      (one) => one === tombstone || this.isCurrent(one),
    );
    this.#tombstones = newTombstones();
    for (const one of current) this.#tombstones.push(one);
  }

  #isExpired(register: Register, wallMs: Millis): boolean {
    if (register.value !== undefined) return false;
    return register.wallMs + this.#rules.tombstoneMs < wallMs;
  }

  #newItem(key: ByteString): Item {
    const item: Item = { key, hash: keyHash(key), register: undefined, cells: new Map() };
    this.#items.set(item);
    return item;
  }

  /** Puts `entry` in the place of `old`. */
  #put(item: Item, old: Entry | undefined, entry: Entry): void {
    const isFirst = isEmpty(item);
    if (old !== undefined) {
      this.#tree.remove(item, entryHash(old, item.hash), false);
      this.#bytes -= weightOf(old);
    }
    if (entry.kind === "cell") item.cells.set(entry.actor, entry);
    else item.register = entry;
    this.#tree.add(item, entryHash(entry, item.hash), isFirst);
    this.#bytes += weightOf(entry);
  }

  /** Takes a register out. */
  #drop(item: Item, register: Register): void {
    item.register = undefined;
    const isLast = isEmpty(item);
    this.#tree.remove(item, entryHash(register, item.hash), isLast);
    this.#bytes -= weightOf(register);
    if (isLast) this.#items.delete(item.key);
  }
}

function isEmpty({ register, cells }: Item): boolean {
  return register === undefined && cells.size === 0;
}

function* entriesOf({ register, cells }: Item): Iterable<Entry> {
  if (register !== undefined) yield register;
  yield* cells.values();
}

function* hashesOf(item: Item): Iterable<Hash> {
  for (const entry of entriesOf(item)) yield entryHash(entry, item.hash);
}

function countOf(item: Item | undefined): number | undefined {
  if (item === undefined || item.cells.size === 0) return undefined;
  let count = 0;
  for (const { plus, minus } of item.cells.values()) count += plus - minus;
  return count;
}

function shownOf(item: Item): Shown {
  return { key: item.key, value: item.register?.value, count: countOf(item) };
}
