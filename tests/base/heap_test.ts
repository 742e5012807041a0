/** Heaps against a sorted list. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Heap, IndexedHeap } from "../../base/heap.ts";

describe("Heap", () => {
  test("gives all in order without taking any out", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (keys) => {
        const heap = new Heap<number>((a, b) => a < b);
        for (const key of keys) heap.push(key);
        expect([...heap.inOrder()]).toEqual(keys.toSorted((a, b) => a - b));
        expect(heap.size).toBe(keys.length);
      }),
    );
  });

  test("gives the least first, and always knows where it put each item", () => {
    const operation = fc.record({
      kind: fc.constantFrom("push", "push", "push", "move", "remove", "shift"),
      pick: fc.nat(),
      key: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const placed: { key: number; place: number }[] = [];
        const heap = new Heap<{ key: number; place: number }>(
          (a, b) => a.key < b.key,
          (item, place) => (item.place = place),
        );
        const forget = (item: (typeof placed)[number]) => placed.splice(placed.indexOf(item), 1);
        for (const { kind, pick, key } of operations) {
          const item = placed[pick % placed.length];
          if (kind === "push") {
            const pushed = { key, place: -1 };
            placed.push(pushed);
            heap.push(pushed);
          } else if (kind === "shift") {
            const least = Math.min(...placed.map((one) => one.key));
            const first = heap.shift();
            if (placed.length === 0) expect(first).toBeUndefined();
            else expect(first!.key).toBe(least);
            if (first !== undefined) forget(first);
          } else if (item !== undefined && kind === "move") {
            item.key = key;
            heap.move(item.place);
          } else if (item !== undefined) {
            heap.remove(item.place);
            forget(item);
          }
          expect(heap.size).toBe(placed.length);
          for (const one of placed) expect(heap.items[one.place]).toBe(one);
          const keys = placed.map((one) => one.key);
          if (heap.top !== undefined) expect(heap.top.key).toBe(Math.min(...keys));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("IndexedHeap", () => {
  test("gives the least first after any inserts, moves and removals", () => {
    const operation = fc.record({
      kind: fc.constantFrom("update", "update", "remove"),
      item: fc.nat(20),
      key: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const keys = new Map<number, number>();
        const key = (item: number): number => keys.get(item)! * 100 + item;
        const heap = new IndexedHeap<number>((a, b) => key(a) < key(b));
        const inside = new Set<number>();
        for (const { kind, item, key: value } of operations) {
          if (kind === "remove") {
            heap.remove(item);
            inside.delete(item);
          } else {
            keys.set(item, value);
            heap.update(item);
            inside.add(item);
          }
          expect(heap.size).toBe(inside.size);
          expect(heap.top).toBe([...inside].toSorted((a, b) => key(a) - key(b))[0]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
