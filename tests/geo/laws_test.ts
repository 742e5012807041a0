/** The laws that merging rests on, and the clock, for all entries there can be. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../../base/byte_fields.ts";
import {
  type Cell,
  type Entry,
  joinedCell,
  laterRegister,
  readEntry,
  type Register,
  writeEntry,
} from "../../geo/entry.ts";
import { TOMBSTONE_MS } from "../../geo/limits.ts";
import { Replica } from "../../geo/replica.ts";
import { compareStamps, COUNTER_MAX, HybridClock } from "../../geo/stamp.ts";

const stamp = { wallMs: fc.nat(3), counter: fc.nat(2), actor: fc.nat(2) };
/** A stamp stands for one value. */
const register = fc.record(stamp).map((at): Register => {
  const isDeleted = (at.wallMs + at.counter + at.actor) % 3 === 0;
  const value = new Uint8Array([at.wallMs, at.counter, at.actor]);
  return { kind: "register", key: "k", ...at, value: isDeleted ? undefined : value };
});
const cell = fc
  .record({ plus: fc.nat(5), minus: fc.nat(5) })
  .map((sums): Cell => ({ kind: "cell", key: "k", actor: 1, ...sums }));
const entry: fc.Arbitrary<Entry> = fc
  .tuple(fc.oneof(register, cell), fc.constantFrom("a", "b", "c\u00ff"), fc.nat(3))
  .map(([one, key, actor]) => (one.kind === "cell" ? { ...one, key, actor } : { ...one, key }));

describe("merging", () => {
  test("registers: commutative, associative, idempotent", () => {
    fc.assert(
      fc.property(register, register, register, (a, b, c) => {
        assertEquals(laterRegister(a, b), laterRegister(b, a));
        assertEquals(laterRegister(a, laterRegister(b, c)), laterRegister(laterRegister(a, b), c));
        assertEquals(laterRegister(a, a), a);
      }),
    );
  });

  test("cells: commutative, associative, idempotent", () => {
    fc.assert(
      fc.property(cell, cell, cell, (a, b, c) => {
        assertEquals(joinedCell(a, b), joinedCell(b, a));
        assertEquals(joinedCell(a, joinedCell(b, c)), joinedCell(joinedCell(a, b), c));
        assertEquals(joinedCell(a, a), a);
      }),
    );
  });

  test("replicas: whatever the order, however often, the state and its hash are the same", () => {
    const some = fc.array(entry, { maxLength: 30 });
    fc.assert(
      fc.property(some, fc.infiniteStream(fc.nat()), (entries, order) => {
        const [a, b] = [new Replica(), new Replica()];
        for (const one of entries) a.merge(one, 0);
        const shuffled = entries
          .flatMap((one) => [one, one])
          .map((one) => ({ one, at: order.next().value }))
          .toSorted((x, y) => x.at - y.at);
        for (const { one } of shuffled) b.merge(one, 0);
        assertEquals(
          [...a.entries()].map(plain).toSorted(),
          [...b.entries()].map(plain).toSorted(),
        );
        assertEquals(a.tree.root, b.tree.root);
        assertEquals(a.bytes, b.bytes);
      }),
    );
  });

  test("a tree's hash is that of its entries, after any changes", () => {
    const some = fc.array(entry, { maxLength: 40 });
    fc.assert(
      fc.property(some, (entries) => {
        const changed = new Replica();
        for (const one of entries) changed.merge(one, 0);
        const fresh = new Replica();
        for (const one of changed.entries()) fresh.merge(one, 0);
        assertEquals(changed.tree.root, fresh.tree.root);
        assertEquals(changed.tree.count, [...changed.entries()].length);
      }),
    );
  });
});

function plain(one: Entry): string {
  return JSON.stringify(one, (_, value: unknown) => (value === undefined ? null : value));
}

describe("deletions", () => {
  const at = (wallMs: number, value?: number): Register => {
    const bytes = value === undefined ? undefined : new Uint8Array([value]);
    return { kind: "register", key: "k", wallMs, counter: 0, actor: 1, value: bytes };
  };

  test("are remembered for 30 days, and no longer", () => {
    const replica = new Replica();
    replica.merge(at(1, 7), 0);
    replica.merge(at(2), 0);
    replica.sweep(2 + TOMBSTONE_MS);
    assertEquals([replica.size, replica.tree.count], [1, 1]);
    assertEquals(replica.merge(at(1, 7), 2 + TOMBSTONE_MS), "old");
    replica.sweep(3 + TOMBSTONE_MS);
    assertEquals([replica.size, replica.tree.count, replica.bytes], [0, 0, 0]);
    assertEquals(replica.merge(at(2), 3 + TOMBSTONE_MS), "old");
  });

  test("that are too old to be remembered delete nevertheless", () => {
    const replica = new Replica();
    replica.merge(at(1, 7), 0);
    assertEquals(replica.merge(at(2), 3 + TOMBSTONE_MS), "new");
    assertEquals([replica.size, replica.shown("k").value], [0, undefined]);
  });

  test("that were replaced take nothing with them when they are forgotten", () => {
    const replica = new Replica();
    replica.merge(at(1), 0);
    replica.merge(at(2, 7), 0);
    replica.sweep(2 * TOMBSTONE_MS);
    assertEquals(replica.shown("k").value, new Uint8Array([7]));
    assertEquals(replica.tree.count, 1);
  });
});

describe("entries as bytes", () => {
  test("what is written is read", () => {
    fc.assert(
      fc.property(entry, (one) => {
        const writer = new ByteWriter();
        writeEntry(writer, one);
        const reader = new ByteReader(writer.taken());
        assertEquals(readEntry(reader), one);
        assert(reader.isGood);
      }),
    );
  });
});

describe("the hybrid clock", () => {
  test("its stamps are behind all that it gave and saw, whatever the wall clock does", () => {
    const step = fc.oneof(fc.nat(1000), fc.record({ ...stamp, wallMs: fc.nat(2000) }));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const clock = new HybridClock(1);
        let last = clock.next(0);
        for (const one of steps) {
          if (typeof one === "number") {
            const next = clock.next(one);
            assert(compareStamps(next, last) > 0);
            last = next;
          } else {
            clock.observe(one);
            if (compareStamps(one, last) > 0) last = one;
          }
        }
        assert(compareStamps(clock.next(0), { ...last, actor: 0 }) > 0);
      }),
    );
  });

  test("a counter that is full goes on in the next millisecond", () => {
    const clock = new HybridClock(1);
    clock.observe({ wallMs: 7, counter: COUNTER_MAX, actor: 9 });
    assertEquals(clock.next(5), { wallMs: 8, counter: 0, actor: 1 });
  });
});
