/**
 * A hash tree over the entries of a replica (Merkle, 1987): a node's hash is the exclusive or of
 * the hashes of all entries below it, so a put changes one node a level. Where an entry lies is
 * decided by the hash of its key, six bits a level. Two replicas find what they differ in by
 * walking down where hashes differ (docs/geo.md, "Anti-entropy").
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import type { Hash } from "./entry_hash.ts";

/** Children of a node, and the bits that choose one. */
export const FAN_OUT = 64;
const FAN_BITS = 6;
/** Levels below the root, at most. */
export const LEVEL_MAX = 3;
/** With more entries a bucket, on average, the tree grows a level. */
const BUCKET_ENTRIES = 32;

/** What lies in the tree: all entries of one key. */
export interface Leaf {
  readonly hash: Hash;
}

/** A node: its level, 0 for the root, and the first `level` groups of six bits of its keys. */
export interface TreeNode {
  readonly level: number;
  readonly prefix: number;
}

export const ROOT: TreeNode = { level: 0, prefix: 0 };

/** How many nodes a level has. */
export function nodesAt(level: number): number {
  return FAN_OUT ** level;
}

/** The nodes of a level, in typed arrays. */
class Level {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly counts: Uint32Array;

  constructor(nodes: number) {
    this.high = new Uint32Array(nodes);
    this.low = new Uint32Array(nodes);
    this.counts = new Uint32Array(nodes);
  }

  change(at: number, hash: Hash, by: 1 | -1): void {
    this.high[at]! ^= hash.high;
    this.low[at]! ^= hash.low;
    this.counts[at]! += by;
  }
}

/** See the module. */
export class HashTree<L extends Leaf> {
  /** By level, the root's first. */
  #levels: Level[] = [];
  /** Leaves by node of the lowest level. */
  #buckets: L[][] = [];
  /** Gives the hashes of a leaf's entries. */
  readonly #hashesOf: (leaf: L) => Iterable<Hash>;

  constructor(hashesOf: (leaf: L) => Iterable<Hash>) {
    this.#hashesOf = hashesOf;
    this.#grow([]);
  }

  /** Levels below the root that it keeps. */
  get depth(): number {
    return this.#levels.length - 1;
  }

  /** How many entries there are. */
  get count(): number {
    return this.#levels[0]!.counts[0]!;
  }

  /** The hash of everything. */
  get root(): Hash {
    return this.hashOf(ROOT);
  }

  /** An entry of `leaf` is new; `isFirst` if it is the only one of its key. */
  add(leaf: L, entry: Hash, isFirst: boolean): void {
    if (isFirst) this.#bucketOf(leaf).push(leaf);
    this.#change(leaf, entry, 1);
    if (this.count > BUCKET_ENTRIES * this.#buckets.length && this.depth < LEVEL_MAX) {
      this.#grow(this.#buckets.flat());
    }
  }

  /** An entry of `leaf` is gone; `isLast` if its key has no other. */
  remove(leaf: L, entry: Hash, isLast: boolean): void {
    this.#change(leaf, entry, -1);
    if (!isLast) return;
    const bucket = this.#bucketOf(leaf);
    const at = bucket.indexOf(leaf);
    invariant(at >= 0, "a leaf lies in the bucket of its hash");
    bucket[at] = bucket.at(-1)!;
    bucket.pop();
  }

  /** The hash of a node; two zeros where there is nothing. */
  hashOf({ level, prefix }: TreeNode): Hash {
    const kept = this.#levels[level];
    if (kept !== undefined) return { high: kept.high[prefix]!, low: kept.low[prefix]! };
    let high = 0;
    let low = 0;
    for (const leaf of this.leavesOf({ level, prefix })) {
      for (const hash of this.#hashesOf(leaf)) {
        high ^= hash.high;
        low ^= hash.low;
      }
    }
    return { high: high >>> 0, low: low >>> 0 };
  }

  /** How many entries lie below a node. */
  countOf({ level, prefix }: TreeNode): number {
    const kept = this.#levels[level];
    if (kept !== undefined) return kept.counts[prefix]!;
    let count = 0;
    for (const leaf of this.leavesOf({ level, prefix })) count += [...this.#hashesOf(leaf)].length;
    return count;
  }

  /** The leaves below a node, in no particular order. */
  *leavesOf({ level, prefix }: TreeNode): Iterable<L> {
    const { depth } = this;
    if (level > depth) {
      const bucket = this.#buckets[Math.floor(prefix / nodesAt(level - depth))]!;
      for (const leaf of bucket) if (placeOf(leaf.hash, level) === prefix) yield leaf;
      return;
    }
    const buckets = nodesAt(depth - level);
    for (let i = 0; i < buckets; i++) yield* this.#buckets[prefix * buckets + i]!;
  }

  #bucketOf(leaf: L): L[] {
    return this.#buckets[placeOf(leaf.hash, this.depth)]!;
  }

  #change(leaf: L, entry: Hash, by: 1 | -1): void {
    for (const [level, kept] of this.#levels.entries()) {
      kept.change(placeOf(leaf.hash, level), entry, by);
    }
  }

  /** Makes the tree anew, one level deeper, with these leaves. */
  #grow(leaves: readonly L[]): void {
    const depth = Math.max(1, this.#levels.length);
    this.#levels = Array.from({ length: depth + 1 }, (_, level) => new Level(nodesAt(level)));
    this.#buckets = Array.from({ length: nodesAt(depth) }, () => []);
    for (const leaf of leaves) {
      this.#bucketOf(leaf).push(leaf);
      for (const hash of this.#hashesOf(leaf)) this.#change(leaf, hash, 1);
    }
  }
}

/** The node of a level below which a key lies. */
function placeOf({ high }: Hash, level: number): number {
  return level === 0 ? 0 : high >>> (32 - FAN_BITS * level);
}
