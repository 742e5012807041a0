/** The replicated state does what a plain model does, and survives its snapshots. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { bytesOf } from "../../base/byte_fields.ts";
import {
  type Answer,
  type Change,
  type Command,
  decodeAnswer,
  decodeCommand,
  encodeAnswer,
  encodeCommand,
} from "../../kv/commands.ts";
import { COMMAND_BYTES_MAX, ITEM_BYTES, PAGE_KEYS_MAX, VALUE_BYTES_MAX } from "../../kv/limits.ts";
import type { Item } from "../../kv/record.ts";
import { Store } from "../../kv/store.ts";
import { GroupState } from "../../raft/group_state.ts";
import { openCommand, plainCommand, requestCommand } from "../../raft/mod.ts";
import { drawnCommand, PlainModel } from "./plain_model.ts";

function apply(store: Store, command: Command, index = 1): Answer {
  return decodeAnswer(store.apply(encodeCommand(command), index))!;
}

function put(key: string, value: string, at?: number, lease = 0): Command {
  return { kind: "put", change: { key, at, value: bytesOf(value), lease } };
}

const del = (key: string, at?: number): Command => {
  return { kind: "delete", change: { key, at, value: undefined, lease: 0 } };
};

const everything = (store: Store): [string, string, number][] =>
  store.list("", "").items.map(({ key, value, version }) => {
    return [key, String.fromCharCode(...value), version];
  });

describe("a store", () => {
  test("does what a plain model does, through snapshots, over random commands", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      const model = new PlainModel();
      let store = new Store();
      for (let index = 1; index <= 150; index++) {
        const command = drawnCommand(random, store, index);
        const expected = model.apply(command, index);
        assertEquals(apply(store, command, index), expected, `seed ${seed}, index ${index}`);
        if (chance(random, 0.05)) {
          const bytes = store.snapshot();
          store = new Store();
          store.restore(bytes);
          assertEquals(store.snapshot(), bytes, `seed ${seed}, snapshot ${index}`);
        }
        assertEquals(everything(store), model.entries(), `seed ${seed}, index ${index}`);
        assertEquals(store.bytes, model.bytes(), `seed ${seed}, index ${index}`);
      }
      assertEquals([...store.leases.keys()], [...model.leases.keys()]);
    }
  });

  test("remembers changes without a gap, or says that they are forgotten", () => {
    const random = seededRandom(4);
    const store = new Store();
    const all: { revision: number; key: string; version: number }[] = [];
    for (let index = 1; index <= 400; index++) {
      const before = store.revision;
      apply(store, drawnCommand(random, store, index), index);
      const known = store.changes.after(before, "", 1000, Infinity)!;
      assertEquals(known.upTo, store.revision);
      all.push(...known.events);
    }
    assertEquals(
      all.map(({ revision }) => revision),
      Array.from({ length: store.revision }, (_, i) => i + 1),
    );
    const some = store.changes.after(10, "b", 3, Infinity)!;
    const expected = all.filter(({ revision, key }) => revision > 10 && key.startsWith("b"));
    assertEquals<unknown>(some.events, expected.slice(0, 3));
    assertEquals(some.upTo, expected[3]!.revision - 1);
    const bytes = store.snapshot();
    store.restore(bytes);
    assertEquals(store.changes.after(store.revision - 1, "", 9, Infinity), undefined);
    assertEquals(store.changes.after(store.revision, "", 9, Infinity)!.events, []);
  });

  test("lets a key go on above its tombstone, until that is swept", () => {
    const store = new Store();
    apply(store, put("x", "1"));
    apply(store, put("x", "2"));
    assertEquals(apply(store, del("x")), { kind: "done", revision: 3, version: 2 });
    assertEquals(apply(store, del("x")), { kind: "refused", revision: 3, version: 0 });
    assertEquals(apply(store, put("x", "3", 2)), { kind: "refused", revision: 3, version: 0 });
    assertEquals(apply(store, put("x", "3", 0)), { kind: "done", revision: 4, version: 3 });
    apply(store, del("x"));
    assertEquals(apply(store, { kind: "sweep", revision: 4 }), {
      kind: "swept",
      revision: 5,
      count: 0,
    });
    assertEquals(apply(store, { kind: "sweep", revision: 5 }), {
      kind: "swept",
      revision: 5,
      count: 1,
    });
    assertEquals([store.bytes, store.tombstones], [0, 0]);
    assertEquals(apply(store, put("x", "4")), { kind: "done", revision: 6, version: 1 });
  });

  test("gives a list in pages, in the order of bytes", () => {
    const store = new Store();
    const keys = Array.from(
      { length: 2500 },
      (_, i) => `p${String.fromCharCode(i >> 4, 255 - (i & 15))}`,
    );
    for (const key of [...keys, "o", "q", "p"]) apply(store, put(key, "v"));
    const listed: Item[] = [];
    let pages = 0;
    for (let after = "", hasMore = true; hasMore; pages++) {
      const page = store.list("p", after);
      assert(page.items.length <= PAGE_KEYS_MAX);
      listed.push(...page.items);
      after = listed.at(-1)!.key;
      ({ hasMore } = page);
    }
    assertEquals(pages, 3);
    assertEquals(
      listed.map(({ key }) => key),
      [...keys, "p"].sort(),
    );
    assertEquals(store.list("pz\x01", "").items, []);
    const large = "v".repeat(VALUE_BYTES_MAX);
    for (const key of ["r1", "r2", "r3"]) apply(store, put(key, large));
    assertEquals(store.list("r", "").items.length, 1);
    assertEquals(store.list("r", "r1").hasMore, true);
  });

  test("refuses what is against its limits, and nothing is half done", () => {
    const store = new Store();
    const append = (value: Uint8Array): Command => ({
      kind: "append",
      key: "x",
      at: undefined,
      value,
    });
    apply(store, append(new Uint8Array(VALUE_BYTES_MAX)));
    const before = store.snapshot();
    assertEquals(apply(store, append(new Uint8Array(1))), { kind: "failed", why: "too large" });
    const changes: Change[] = [
      { key: "a", at: undefined, value: new Uint8Array(1), lease: 0 },
      { key: "b", at: undefined, value: new Uint8Array(1), lease: 77 },
    ];
    assertEquals(apply(store, { kind: "multi", changes }), { kind: "failed", why: "no lease" });
    assertEquals(store.snapshot(), before);
    assertEquals(apply(store, put("x", "", undefined, 5)), { kind: "failed", why: "no lease" });
    const wrong = encodeCommand(put("", "x"));
    assertEquals(decodeAnswer(store.apply(wrong, 1)), { kind: "failed", why: "malformed" });
    assertEquals(decodeCommand(encodeCommand(put("k".repeat(1025), "x"))), undefined);
    const twice: Command = { kind: "multi", changes: [changes[0]!, changes[0]!] };
    assertEquals(decodeCommand(encodeCommand(twice)), undefined);
  });

  test("is full at its limit, where what makes it smaller is still done", () => {
    const store = new Store(10 * (100 + ITEM_BYTES + 4) + 80);
    const value = new Uint8Array(100);
    const fill = (key: string): Answer => {
      return apply(store, { kind: "put", change: { key, at: undefined, value, lease: 0 } });
    };
    for (let i = 0; i < 10; i++) assertEquals(fill(`k00${i}`).kind, "done");
    assertEquals(fill("last"), { kind: "failed", why: "full" });
    assertEquals(fill("k000").kind, "done");
    assertEquals(apply(store, del("k000")).kind, "done");
    assertEquals(fill("last").kind, "done");
  });

  test("ends a lease's keys in one order on every node, whatever it restored", () => {
    const store = new Store();
    const { lease } = apply(store, { kind: "lease", ttlMs: 1000 }, 7) as { lease: number };
    for (const key of ["z", "m", "a"]) apply(store, put(key, "v", undefined, lease));
    const other = new Store();
    other.restore(store.snapshot());
    const { revision } = store;
    for (const one of [store, other]) {
      apply(one, { kind: "expire", leases: [lease] });
      const { events } = one.changes.after(revision, "", 9, Infinity)!;
      assertEquals(
        events.map(({ key }) => key),
        ["a", "m", "z"],
      );
    }
  });

  test("puts parts together, through snapshots, and refuses what is not whole", () => {
    const large = encodeCommand(put("x", "v".repeat(250)));
    const size = large.length;
    const partsOf = (upload: number): Command[] => {
      return [0, 100, 200].map((offset): Command => {
        const bytes = large.slice(offset, offset + 100);
        return { kind: "part", upload, size, offset, bytes };
      });
    };
    let store = new Store();
    for (const part of partsOf(7)) {
      assertEquals(apply(store, part), { kind: "swept", revision: 0, count: 1 });
      const bytes = store.snapshot();
      store = new Store();
      store.restore(bytes);
    }
    assertEquals(store.lastUpload, 7);
    const done = { kind: "done", revision: 1, version: 1 } as const;
    assertEquals(apply(store, { kind: "whole", upload: 7 }), done);
    const incomplete = { kind: "failed", why: "incomplete" } as const;
    assertEquals(apply(store, { kind: "whole", upload: 7 }), incomplete);
    const [first, second, third] = partsOf(8);
    for (const part of [first!, third!, second!]) apply(store, part);
    assertEquals(apply(store, { kind: "whole", upload: 8 }), incomplete);
    const itself = encodeCommand({ kind: "whole", upload: 9 });
    apply(store, { kind: "part", upload: 9, size: itself.length, offset: 0, bytes: itself });
    assertEquals(apply(store, { kind: "whole", upload: 9 }), incomplete);
    for (const upload of [10, 11, 12]) apply(store, partsOf(upload)[0]!);
    assertEquals(apply(store, { kind: "discard", upTo: 11 }), {
      kind: "swept",
      revision: 1,
      count: 2,
    });
    assertEquals(store.lastUpload, 12);
    const huge = (upload: number): Command => {
      return { kind: "part", upload, size: COMMAND_BYTES_MAX, offset: 0, bytes: large };
    };
    for (let upload = 13; upload < 60; upload++) apply(store, huge(upload));
    assertEquals(apply(store, { kind: "discard", upTo: 13 }).kind, "swept");
    assert(store.snapshot().length < 60 * 300, "the oldest are dropped");
    assertEquals(apply(store, { kind: "whole", upload: 12 }), incomplete);
  });

  test("makes a snapshot in steps of what it was, whatever is changed between them", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = seededRandom(seed, 5);
      const store = new Store();
      const value = new Uint8Array(20_000);
      const keys: string[] = [];
      for (let i = 0; i < 500; i++) {
        const key = `${integerBetween(random, 0, 99)} ${i % 350}`;
        keys.push(key);
        apply(store, { kind: "put", change: { key, at: undefined, value, lease: 0 } }, i + 1);
      }
      const expected = store.snapshot();
      const steps = store.snapshotSteps();
      const parts: Uint8Array[] = [];
      for (let count = 0; ; count++) {
        for (let i = 0; i < 20; i++) apply(store, drawnCommand(random, store, count * 20 + i));
        for (const key of keys.filter(() => chance(random, 0.02))) apply(store, del(key));
        const step = steps.next();
        parts.push(step.value);
        if (step.done !== true) continue;
        assert(count > 10, `it took ${count} steps`);
        assert(Buffer.compare(Buffer.concat(parts), expected) === 0, `seed ${seed}`);
        break;
      }
      assert(Buffer.compare(store.snapshot(), expected) !== 0, "the store has changed");
    }
  });

  test("makes a snapshot of many tombstones in steps, in the order of their deletes", () => {
    const store = new Store();
    const name = "k".repeat(900);
    const keys = Array.from({ length: 2000 }, (_, i) => `${(i * 7919) % 2000} ${name}`);
    for (const key of keys) apply(store, put(key, ""));
    for (const key of keys) apply(store, del(key));
    const expected = store.snapshot();
    const parts: Uint8Array[] = [];
    for (const steps = store.snapshotSteps(); ;) {
      const { done, value } = steps.next();
      parts.push(value);
      if (done === true) break;
      // Neither what is made again nor what is swept is missing in what was frozen.
      apply(store, put(keys[parts.length]!, "again"));
      apply(store, { kind: "sweep", revision: 2000 + 500 * parts.length });
    }
    assert(parts.length > 3 && parts.every(({ length }) => length < 600_000), `${parts.length}`);
    assert(Buffer.compare(Buffer.concat(parts), expected) === 0, "what was frozen");
    const other = new Store();
    other.restore(expected);
    assertEquals(other.tombstones, 2000);
    assertEquals(apply(other, { kind: "sweep", revision: 2007 }), {
      kind: "swept",
      revision: 4000,
      count: 7,
    });
    assert(Buffer.compare(store.snapshot(), expected) !== 0, "the store has changed");
  });

  test("does not change when a snapshot cannot be read", () => {
    const store = new Store();
    apply(store, put("x", "1"));
    const bytes = store.snapshot();
    for (const wrong of [bytes.subarray(0, -1), new Uint8Array([...bytes, 0])]) {
      assertThrows(() => store.restore(wrong), Error, "its snapshot is damaged");
    }
    assertThrows(() => store.restore(new Uint8Array([9])), Error, "of version 9: expected 1");
    assertEquals(store.snapshot(), bytes);
  });

  test("has a snapshot of at most 500 bytes after 400 puts to few keys", () => {
    const machine = new GroupState(new Store());
    const { session } = machine.apply(openCommand(), 1) as { session: number };
    for (let number = 1; number <= 400; number++) {
      const command = encodeCommand(put(`k${number % 5}`, `value ${number}`));
      machine.apply(requestCommand(session, number, number, command), 1 + number);
    }
    const { length } = machine.snapshot();
    assert(length <= 500, `it has ${length} bytes`);
  });
});

describe("a machine", () => {
  test("does what is sent again once, also when a snapshot came between", () => {
    const machine = new GroupState(new Store());
    assertEquals(machine.apply(openCommand(), 7), { kind: "opened", session: 7 });
    const command = encodeCommand({ kind: "append", key: "x", at: undefined, value: bytesOf("a") });
    const request = requestCommand(7, 1, 1, command);
    const first = machine.apply(request, 8);
    const store = new Store();
    const other = new GroupState(store);
    other.restore(machine.snapshot());
    const again = other.apply(request, 9);
    assert(first.kind === "done" && again.kind === "done");
    assertEquals([again.isRepeated, again.answer], [true, first.answer]);
    other.apply(plainCommand(command), 10);
    assertEquals(everything(store), [["x", "aa", 2]]);
  });
});

test("commands and answers are read as they were written, and random bytes never throw", () => {
  const random: Random = seededRandom(9);
  const store = new Store();
  for (let i = 1; i <= 3000; i++) {
    const command = drawnCommand(random, store, i);
    const bytes = encodeCommand(command);
    assertEquals(decodeCommand(bytes), command);
    const answer = decodeAnswer(store.apply(bytes, i))!;
    assertEquals(decodeAnswer(encodeAnswer(answer)), answer);
    const wrong = bytes.slice(0, integerBetween(random, 0, bytes.length));
    for (let j = 0; j < 3 && wrong.length > 0; j++) {
      wrong[integerBetween(random, 0, wrong.length - 1)] = integerBetween(random, 0, 255);
    }
    const read = decodeCommand(wrong);
    if (read !== undefined) assertEquals(encodeCommand(read), wrong, "one way of writing each");
    decodeAnswer(wrong);
    assert(read === undefined || store.apply(wrong, i) instanceof Uint8Array);
  }
});
