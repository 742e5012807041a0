/** Packed items, beside a dumb twin; and the latest changes at their limits. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bytesOf, joinedBytes } from "../../base/byte_fields.ts";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { ChangeLog } from "../../kv/change_log.ts";
import { Items, partsOf } from "../../kv/items.ts";
import { HISTORY_BYTES_MAX, HISTORY_CHANGES_MAX } from "../../kv/limits.ts";
import { type Item, itemAt, recordBytes } from "../../kv/record.ts";

const NONE = new Uint8Array(0);
/** Bytes of values: none, more than one byte of length says, half a block, and several blocks. */
const SIZES = [0, 1, 100, 128, 1000, 17_000, 70_000];

function drawnItem(random: Random, key: string): Item {
  const size = SIZES[integerBetween(random, 0, chance(random, 0.05) ? SIZES.length - 1 : 3)]!;
  const value = new Uint8Array(size).fill(random() & 255);
  const version = [1, 127, 128, 2 ** 32 + 5][integerBetween(random, 0, 3)]!;
  return { key, value, version, lease: chance(random, 0.2) ? 2 ** 40 : 0 };
}

function inOrder(twin: ReadonlyMap<string, Item>): Item[] {
  return [...twin.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The items whose records `bytes` are. */
function itemsIn(bytes: Uint8Array): Item[] {
  const items: Item[] = [];
  for (let at = 0; at < bytes.length; at += recordBytes(bytes, at))
    items.push(itemAt(bytes, at, "kept"));
  return items;
}

const all = (items: Items): Item[] => itemsIn(joinedBytes([...partsOf(items.frozen(), NONE)]));

describe("items", () => {
  test("are what a map holds, in order, whatever is set, deleted and looked for", () => {
    for (let seed = 0; seed < 8; seed++) {
      const random = seededRandom(seed, 0);
      const [items, twin] = [new Items(), new Map<string, Item>()];
      const keys = [3, 40, 1500, 1500][seed % 4]!;
      const prefix = "k".repeat([1, 200][seed >> 2]!);
      const drawn = (): string => `${prefix}${integerBetween(random, 1, keys)}`;
      for (let i = 0; i < 2000; i++) {
        const key = drawn();
        assertEquals(items.get(key), twin.get(key));
        if (random() % 3 === 0) {
          items.delete(key);
          twin.delete(key);
        } else {
          const item = drawnItem(random, key);
          items.set(item);
          twin.set(key, item);
        }
        for (const other of [key, drawn()]) {
          const { value, version, lease } = twin.get(other) ?? {};
          const head = value && { valueBytes: value.length, version: version!, lease: lease! };
          assertEquals(items.head(other), head);
        }
        assertEquals(items.size, twin.size);
        if (chance(random, 0.003)) assertEquals(all(items), inOrder(twin), `seed ${seed}, ${i}`);
      }
      const from = drawn();
      const expected = inOrder(twin).filter(({ key }) => key >= from);
      assertEquals([...items.from(from)], expected);
      for (const key of twin.keys()) items.delete(key);
      assertEquals([items.size, [...items.from("")]], [0, []]);
    }
  });

  test("that were frozen stay as they were, whatever is changed between the parts", () => {
    for (let seed = 0; seed < 6; seed++) {
      const random = seededRandom(seed, 1);
      const [items, twin] = [new Items(), new Map<string, Item>()];
      const change = (): void => {
        const key = `k${integerBetween(random, 1, 1200)}`;
        if (chance(random, 0.3)) {
          items.delete(key);
          twin.delete(key);
          return;
        }
        const item = { ...drawnItem(random, key), value: new Uint8Array(900).fill(random() & 255) };
        items.set(item);
        twin.set(key, item);
      };
      for (let i = 0; i < 3000; i++) change();
      const head = Uint8Array.of(1, 2, 3);
      const expected = inOrder(twin);
      const parts: Uint8Array[] = [];
      for (const part of partsOf(items.frozen(), head)) {
        // What was handed out must stay as it is, too.
        parts.push(part);
        for (let i = 0; i < 1500; i++) change();
        if (chance(random, 0.5)) items.frozen();
      }
      const bytes = Buffer.concat(parts);
      assert(parts.length > 1, `${parts.length} parts`);
      assertEquals([...bytes.subarray(0, 3)], [1, 2, 3]);
      assertEquals(itemsIn(new Uint8Array(bytes.subarray(3))), expected);
      assertEquals(all(items), inOrder(twin));
    }
  });

  test("of a large value are one part, even if it is larger than parts are", () => {
    const items = new Items();
    const value = new Uint8Array(1 << 20).fill(5);
    for (const key of ["a", "b"]) items.set({ key, value, version: 1, lease: 0 });
    items.set({ key: "c", value: NONE, version: 1, lease: 0 });
    const lengths = [...partsOf(items.frozen(), NONE)].map(({ length }) => length);
    assertEquals(
      lengths.map((length) => length >> 20),
      [1, 1, 0],
    );
  });

  test("take little more memory than their bytes, in order and at random", () => {
    const key = (i: number): string => `user${String(i).padStart(8, "0")}`;
    const value = new Uint8Array(100);
    const roomOf = (items: Items): number =>
      items.frozen().reduce((sum, { bytes }) => sum + bytes.length, 0);
    const random = seededRandom(3);
    const drawn = Array.from({ length: 20_000 }, () => integerBetween(random, 0, 999_999));
    for (const [numbers, times] of [
      [[...drawn.keys()], 1.05],
      [drawn, 2],
    ] as const) {
      const items = new Items();
      for (const i of numbers) items.set({ key: key(i), value, version: 1, lease: 0 });
      const used = items.size * (12 + 100 + 4);
      assert(roomOf(items) < times * used, `${roomOf(items)} bytes for ${used}`);
      for (const i of numbers) items.set({ key: key(i), value, version: 2, lease: 0 });
      const taken = roomOf(items);
      assert(taken < 2 * used, `${taken} bytes for ${used}`);
      // Where most are deleted, the room of those goes.
      for (const i of numbers) if (i % 50 !== 0) items.delete(key(i));
      assert(roomOf(items) < taken / 4, `${roomOf(items)} bytes of ${taken}`);
    }
  });
});

describe("the change log", () => {
  /** Fills a log up; the revisions that it still knows. */
  function knownAfter(changes: number, valueBytes: number): { known: number; floor: number } {
    const log = new ChangeLog();
    const value = new Uint8Array(valueBytes);
    for (let revision = 1; revision <= changes; revision++) {
      log.push({ revision, key: `k${revision % 7}`, value, version: 1 });
    }
    const { floor } = log;
    assertEquals(log.after(floor - 1, "", 1, 1), undefined);
    const { events, upTo } = log.after(floor, "", Infinity, Infinity)!;
    assertEquals(upTo, changes);
    assertEquals(
      events.map(({ revision }) => revision),
      Array.from({ length: changes - floor }, (_, i) => floor + 1 + i),
    );
    return { known: events.length, floor };
  }

  test("knows about as many changes as its limit says, and no more", () => {
    const { known } = knownAfter(HISTORY_CHANGES_MAX + 3000, 4);
    assert(known <= HISTORY_CHANGES_MAX && known > HISTORY_CHANGES_MAX - 2000, `${known}`);
  });

  test("knows no more bytes than its limit says", () => {
    const { known } = knownAfter(100, 1 << 20);
    assert(known < HISTORY_BYTES_MAX >> 20 && known > (HISTORY_BYTES_MAX >> 20) - 4, `${known}`);
  });

  test("gives values that stay as they are, whatever comes after", () => {
    const log = new ChangeLog();
    const value = new Uint8Array(1200).fill(1);
    log.push({ revision: 1, key: "k", value, version: 1 });
    const other = new Uint8Array(1200).fill(2);
    let revision = 1;
    const push = (): void => {
      revision++;
      log.push({ revision, key: "k", value: other, version: revision });
    };
    while (revision < 150) push();
    const { events } = log.after(0, "", 9, Infinity)!;
    // The first page is forgotten, and its bytes are another's.
    while (log.floor < 200) push();
    assertEquals(events[0]!.value, value);
  });

  test("gives changes as they came, in pages, by prefix, and without keys of leases", () => {
    const log = new ChangeLog();
    log.restart(5);
    for (let revision = 6; revision <= 3000; revision++) {
      const value = revision % 5 === 0 ? undefined : bytesOf(`value ${revision}`);
      log.push(
        { revision, key: `${revision % 2} x`, value, version: revision },
        revision % 3 === 0,
      );
    }
    assertEquals(log.after(4, "", 1, 1), undefined);
    const expected = (revision: number, isLasting: boolean): unknown => {
      const isGone = revision % 5 === 0 || (isLasting && revision % 3 === 0);
      const value = isGone ? undefined : bytesOf(`value ${revision}`);
      return { revision, key: `${revision % 2} x`, value, version: revision };
    };
    for (const isLasting of [false, true]) {
      for (let after = 5, count = 0; after < 3000; count++) {
        const { events, upTo } = log.after(after, "1 ", 100, Infinity, isLasting)!;
        const revisions = Array.from({ length: upTo - after }, (_, i) => after + 1 + i);
        const odd = revisions.filter((revision) => revision % 2 === 1);
        assertEquals<unknown>(
          events,
          odd.map((revision) => expected(revision, isLasting)),
        );
        assert(count < 16 && upTo > after, `at ${after}`);
        after = upTo;
      }
    }
    assertEquals(log.after(2000, "", Infinity, 300)!.events.length, 4);
    assertEquals(log.after(3000, "", 9, 9), { events: [], upTo: 3000 });
  });
});
