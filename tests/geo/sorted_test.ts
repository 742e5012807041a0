/** Items in the order of their keys, beside a dumb twin. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { Sorted } from "../../geo/sorted.ts";

interface Item {
  readonly key: string;
  readonly value: number;
}

describe("Sorted", () => {
  test("holds what a map holds, in order, whatever is set, deleted and looked for", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom(seed, 0);
      const [sorted, twin] = [new Sorted<Item>(), new Map<string, Item>()];
      const keys = [3, 40, 2000][seed % 3]!;
      const drawn = (): string => `k${integerBetween(random, 1, keys)}`;
      for (let i = 0; i < 3000; i++) {
        const key = drawn();
        // The same key again and again, as a store that looks before it writes.
        assertEquals(sorted.get(key), twin.get(key));
        if (random() % 3 === 0) {
          sorted.delete(key);
          twin.delete(key);
        } else {
          const item = { key, value: i };
          sorted.set(item);
          twin.set(key, item);
        }
        assertEquals(sorted.get(key), twin.get(key));
        const other = drawn();
        assertEquals(sorted.get(other), twin.get(other));
        assertEquals(sorted.size, twin.size);
      }
      const inOrder = [...twin.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
      assertEquals([...sorted.from("")], inOrder);
      const from = drawn();
      assertEquals(
        [...sorted.from(from)],
        inOrder.filter(({ key }) => key >= from),
      );
    }
  });

  test("a key can be set anew where it was just deleted, even if it was the last of many", () => {
    const sorted = new Sorted<Item>();
    // From the back: behind the last there is nothing that could take its place.
    const keys = Array.from({ length: 1000 }, (_, i) => `k${String(999 - i).padStart(3, "0")}`);
    for (const [value, key] of keys.entries()) sorted.set({ key, value });
    for (const [value, key] of keys.entries()) {
      sorted.delete(key);
      assertEquals(sorted.get(key), undefined);
      sorted.set({ key, value });
      assertEquals([...sorted.from("")].length, 1000 - value);
      sorted.delete(key);
    }
    assertEquals(sorted.size, 0);
  });
});
