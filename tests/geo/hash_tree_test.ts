/** The hash tree beside a twin that knows no tree: nodes, counts and leaves, as it grows. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import type { Hash } from "../../geo/entry_hash.ts";
import { HashTree, LEVEL_MAX, nodesAt } from "../../geo/hash_tree.ts";

interface Leaf {
  readonly hash: Hash;
  readonly entries: Hash[];
}

/** Compared one by one; of the levels below the root some nodes are. */
const LOOKS = 40;

test("nodes have the hashes, the counts and the leaves below them, whatever comes and goes", () => {
  const random = seededRandom(1);
  const newHash = (): Hash => ({ high: random(), low: random() });
  const tree = new HashTree<Leaf>(({ entries }) => entries);
  const leaves: Leaf[] = [];

  function add(leaf: Leaf): void {
    const hash = newHash();
    leaf.entries.push(hash);
    tree.add(leaf, hash, leaf.entries.length === 1);
  }

  function remove(at: number): void {
    const leaf = leaves[at]!;
    const hash = leaf.entries.pop()!;
    const isLast = leaf.entries.length === 0;
    tree.remove(leaf, hash, isLast);
    if (isLast) leaves.splice(at, 1);
  }

  function look(level: number, prefix: number): void {
    const shift = 32 - 6 * level;
    const below = leaves.filter(({ hash }) => level === 0 || hash.high >>> shift === prefix);
    const all = below.flatMap(({ entries }) => entries);
    const high = all.reduce((sum, hash) => sum ^ hash.high, 0) >>> 0;
    const low = all.reduce((sum, hash) => sum ^ hash.low, 0) >>> 0;
    const node = { level, prefix };
    assertEquals(tree.hashOf(node), { high, low }, `hash of ${level}, ${prefix}`);
    assertEquals(tree.countOf(node), all.length);
    const got = new Set(tree.leavesOf(node));
    assertEquals([got.size, below.every((leaf) => got.has(leaf))], [below.length, true]);
  }

  const depths = new Set<number>();
  for (const share of [0.9, 0.9, 0.3, 0.8]) {
    for (let i = 0; i < 1500; i++) {
      const isAdd = leaves.length === 0 || integerBetween(random, 1, 100) <= 100 * share;
      const at = integerBetween(random, 0, Math.max(0, leaves.length - 1));
      if (!isAdd) remove(at);
      else if (leaves.length > 0 && integerBetween(random, 1, 4) === 1) add(leaves[at]!);
      else {
        const leaf: Leaf = { hash: newHash(), entries: [] };
        leaves.push(leaf);
        add(leaf);
      }
    }
    depths.add(tree.depth);
    look(0, 0);
    for (let level = 1; level <= LEVEL_MAX; level++) {
      for (let i = 0; i < LOOKS; i++) {
        const known = leaves[integerBetween(random, 0, leaves.length - 1)]!.hash.high;
        const any = integerBetween(random, 0, nodesAt(level) - 1);
        look(level, i % 2 === 0 ? known >>> (32 - 6 * level) : any);
      }
    }
  }
  assert(depths.size > 1, "the tree grew");
});
