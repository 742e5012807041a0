/** The parts of the text server beside their dumb twins: lines in, lines out, lists, requests. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../base/machine.ts";
import { AnswerQueue, type ByteBuffer } from "../../textkv/answer_queue.ts";
import { LineInput } from "../../textkv/line_input.ts";
import { List, type View } from "../../textkv/list.ts";
import { Lists } from "../../textkv/lists.ts";
import { Request } from "../../textkv/request.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("LineInput", () => {
  test("finds the lines of a stream, however it is cut, and keeps nothing that was lent", () => {
    const text = fc.array(fc.constantFrom("a", "b\r", "\n", "\n", "\0", "ÿ", "x".repeat(300)), {
      maxLength: 60,
    });
    const cuts = fc.array(fc.nat({ max: 700 }), { maxLength: 20 });
    fc.assert(
      fc.property(text, cuts, fc.array(fc.boolean(), { minLength: 1 }), (parts, at, patience) => {
        const whole = parts.join("");
        const input = new LineInput();
        const got: string[] = [];
        const take = (): boolean => {
          if (!input.next()) return false;
          got.push(input.bytes.toString("latin1", input.from, input.to));
          return true;
        };
        const places = [0, ...at.map((one) => one % (whole.length + 1)), whole.length];
        const sorted = places.toSorted((a, b) => a - b);
        for (const [i, from] of sorted.slice(0, -1).entries()) {
          const lent = bytes(whole.slice(from, sorted[i + 1]));
          input.lend(lent);
          // Sometimes only one line is taken before the next bytes come.
          if (patience[i % patience.length] === true) while (take());
          else take();
          input.keep();
          lent.fill(0x2d);
        }
        while (take());
        const lines = whole.split("\n");
        const rest = lines.pop()!;
        assertEquals(got, lines);
        assertEquals([input.length, input.isUnfinished], [rest.length, rest !== ""]);
      }),
      { numRuns: 2000 },
    );
  });

  test("holds no buffer when nothing is left", () => {
    const input = new LineInput();
    input.lend(bytes("x".repeat(10_000)));
    input.keep();
    input.lend(bytes("y\n"));
    assert(input.next());
    input.keep();
    assertEquals([input.length, input.bytes.length], [0, 0]);
  });
});

describe("AnswerQueue", () => {
  test("gives every byte once and in order, whatever the socket takes", () => {
    const word = fc.constantFrom("", "a", "key", "ÿ\0", "v".repeat(40));
    const lines = fc.array(fc.tuple(word, word), { maxLength: 30 });
    const turns = fc.array(fc.record({ size: fc.integer({ min: 1, max: 90 }), take: fc.nat() }));
    fc.assert(
      fc.property(lines, turns, (all, steps) => {
        const queue = new AnswerQueue();
        let sent = "";
        let pushed = "";
        for (const [i, { size, take }] of [...steps, { size: 4096, take: 0 }].entries()) {
          const [key, value] = all[i] ?? ["k", "v"];
          queue.push(key, value);
          pushed += `${key}:${value}\n`;
          const into = Buffer.alloc(size) as ByteBuffer;
          const offered = queue.copy(into);
          assert(offered > 0 && offered <= size);
          const taken = i === steps.length ? offered : take % (offered + 1);
          sent += into.toString("latin1", 0, taken);
          queue.take(taken);
          assertEquals(queue.bytes, pushed.length - sent.length);
          assertEquals(queue.lines, pushed.slice(sent.length).split("\n").length - 1);
        }
        while (queue.bytes > 0) {
          const into = Buffer.alloc(64) as ByteBuffer;
          const offered = queue.copy(into);
          sent += into.toString("latin1", 0, offered);
          queue.take(offered);
        }
        assertEquals(sent, pushed);
      }),
      { numRuns: 1000 },
    );
  });

  test("offers no line before what it shows is durable, nor one behind such a line", () => {
    const queue = new AnswerQueue();
    const needs = [0, 0, 7, 0, 9, 8];
    for (const [i, need] of needs.entries()) queue.push("k", String(i), need);
    const into = Buffer.alloc(100) as ByteBuffer;
    const offered = (): string => into.toString("latin1", 0, queue.copy(into));
    assertEquals(offered(), "k:0\nk:1\n");
    queue.release(6);
    queue.take(4);
    assertEquals([offered(), queue.open], ["k:1\n", 1]);
    queue.release(7);
    assertEquals([offered(), queue.open, queue.isGated], ["k:1\nk:2\nk:3\n", 3, true]);
    queue.take(12);
    queue.release(8);
    assertEquals([offered(), queue.open], ["", 0]);
    queue.release(9);
    assertEquals([offered(), queue.open, queue.isGated], ["k:4\nk:5\n", 2, false]);
    assertThrows(() => queue.take(9), InvariantError);
  });
});

/** What a view shows, from where it is. */
function rest(view: View): string[] {
  const values: string[] = [];
  for (; view.left > 0; view.advance()) values.push(view.peek());
  return values;
}

const change = fc.record({
  kind: fc.constantFrom(
    "append",
    "append",
    "update",
    "update",
    "update",
    "view",
    "read",
    "release",
  ),
  value: fc.integer({ min: 0, max: 9 }),
  which: fc.nat(),
});

/** A list and its dumb twin: an array, copied whole for each view. */
class Pair {
  readonly list = new List();
  readonly twin: string[] = [];
  readonly views: { view: View; left: string[] }[] = [];

  append(value: string): void {
    this.list.append(value);
    this.twin.push(value);
  }

  update(old: string, value: string): void {
    const place = this.twin.indexOf(old);
    if (place >= 0) this.twin.splice(place, 1);
    assertEquals(this.list.remove(old), place >= 0);
    this.append(value);
  }

  view(): void {
    this.views.push({ view: this.list.view(), left: [...this.twin] });
  }

  read(which: number): void {
    const { view, left } = this.views[which % this.views.length] ?? { left: [] };
    if (view === undefined || left.length === 0) return;
    assertEquals(view.peek(), left.shift()!);
    view.advance();
  }

  release(which: number): void {
    if (this.views.length === 0) return;
    const { view, left } = this.views.splice(which % this.views.length, 1)[0]!;
    assertEquals(rest(view), left);
    this.list.release(view);
  }

  compare(): void {
    assertEquals([...this.list], this.twin);
    assertEquals(this.list.length, this.twin.length);
    assertEquals(this.list.bytes, this.twin.join("").length);
    if (this.list.whole !== undefined) assertEquals([...this.list.whole], this.twin);
  }
}

describe("List", () => {
  test.each([0, 3, 63, 200])(
    "with %d values at first does as its twin does, and views show what was there",
    (size) => {
      const run = (changes: { kind: string; value: number; which: number }[]): void => {
        const pair = new Pair();
        for (let i = 0; i < size; i++) pair.append(`v${i % 13}`);
        for (const { kind, value, which } of changes) {
          if (kind === "append") pair.append(`v${value}`);
          else if (kind === "update") pair.update(`v${value}`, `v${which % 11}`);
          else if (kind === "view") pair.view();
          else if (kind === "read") pair.read(which);
          else pair.release(which);
          assertEquals(pair.list.length, pair.twin.length);
        }
        pair.compare();
        while (pair.views.length > 0) pair.release(0);
        pair.compare();
      };
      fc.assert(fc.property(fc.array(change, { maxLength: 150 }), run), { numRuns: 400 });
    },
  );

  test("finds what was appended after it began to keep an index", () => {
    const list = new List();
    for (let i = 0; i < 100; i++) list.append(`v${i}`);
    // A list so long is searched by an index from its first removal on.
    assert(list.remove("v99"));
    list.append("young");
    assert(list.remove("young"));
    assert(!list.remove("young"));
    assertEquals(list.length, 99);
  });

  test("keeps what was taken out only as long as somebody sees it", () => {
    const list = new List();
    for (let i = 0; i < 100; i++) list.append("x".repeat(50));
    const cost = list.cost;
    const views = [list.view(), list.view()];
    for (let i = 0; i < 60; i++) list.remove("x".repeat(50));
    assertEquals(list.cost, cost);
    list.release(views[0]!);
    assertEquals(list.cost, cost);
    list.release(views[1]!);
    assertEquals(list.cost, (cost / 100) * 40);
    assertThrows(() => list.release(views[1]!), InvariantError);
  });
});

describe("Lists", () => {
  const step = fc.record({
    kind: fc.constantFrom("put", "put", "update", "delete", "view", "release"),
    key: fc.constantFrom("a", "b", "c".repeat(30)),
    value: fc.constantFrom("", "x", "y".repeat(200)),
    which: fc.nat(),
  });

  test("reckons what keys, values and views take, and nothing is left when all is gone", () => {
    const run = (steps: { kind: string; key: string; value: string; which: number }[]): void => {
      const lists = new Lists(3000);
      const views: View[] = [];
      for (const { kind, key, value, which } of steps) {
        const before = lists.bytes;
        const list = lists.get(key);
        if (kind === "put" && !lists.put(key, value)) assertEquals(lists.bytes, before);
        if (kind === "update" && !lists.update(key, "x", value)) assertEquals(lists.bytes, before);
        if (kind === "delete") lists.delete(key);
        if (kind === "view" && list !== undefined) views.push(list.view());
        if (kind === "release" && views.length > 0) {
          lists.release(views.splice(which % views.length, 1)[0]!);
        }
        assert(lists.bytes <= 3000, `${lists.bytes} bytes`);
        assert(lists.bytes >= 0 && lists.values >= lists.keys);
      }
      for (const view of views) lists.release(view);
      for (const key of ["a", "b", "c".repeat(30)]) lists.delete(key);
      assertEquals([lists.bytes, lists.keys, lists.values], [0, 0, 0]);
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 150 }), run), { numRuns: 1000 });
  });

  test("when full takes what needs no more room, and nothing else", () => {
    const lists = new Lists(1000);
    assert(lists.put("k", "v".repeat(100)));
    assert(lists.put("k", "w".repeat(100)));
    assertEquals(lists.put("k", "x".repeat(500)), false);
    assertEquals(lists.update("k", "none", "x".repeat(500)), false);
    assertEquals(lists.update("k", "v".repeat(100), "x".repeat(500)), false);
    assert(lists.update("k", "v".repeat(100), "x".repeat(100)));
    assertEquals([...lists.get("k")!], ["w".repeat(100), "x".repeat(100)]);
    assertEquals(lists.put("other", ""), false);
    lists.delete("k");
    assert(lists.put("other", ""));
  });
});

describe("Request", () => {
  const read = (line: string): string => {
    const request = new Request();
    const text = bytes(`Put:before:it\n${line}\nGet:behind:it`);
    const why = request.read(text, 14, 14 + line.length, 300);
    if (why !== undefined) return why;
    const { verb, key, old, value } = request;
    const parts = { Get: [key], Delete: [key], Put: [key, value], Update: [key, old, value] }[verb];
    return [verb, ...parts].join("|");
  };

  test.each([
    ["Put:k:v", "Put|k|v"],
    ["Put:k:", "Put|k|"],
    ["Put::v", "Put||v"],
    ["Put:k:v:w::", "Put|k|v:w::"],
    ["Put:k:v\r", "Put|k|v"],
    ["Put:k:v\r\r", "Put|k|v\r"],
    ["Put:k :\0ÿ ", "Put|k |\0ÿ "],
    ["Get:k", "Get|k"],
    ["Get:", "Get|"],
    ["Get:\r", "Get|"],
    ["Delete:a b", "Delete|a b"],
    ["Update:k:old:new", "Update|k|old|new"],
    ["Update:k::", "Update|k||"],
    ["Update:k:old:new:er", "Update|k|old|new:er"],
    [`Put:k:${"v".repeat(294)}\r`, `Put|k|${"v".repeat(294)}`],
    [`Put:k:${"v".repeat(295)}`, "long"],
    ["", "unknown"],
    ["\r", "unknown"],
    ["Put", "unknown"],
    ["Get", "unknown"],
    ["get:k", "unknown"],
    [" Get:k", "unknown"],
    ["Gets:k", "unknown"],
    ["Updat:k:a:b", "unknown"],
    ["Put:", "malformed"],
    ["Put:k", "malformed"],
    ["Update:k:old", "malformed"],
    ["Update:k", "malformed"],
    ["Get:k:v", "malformed"],
    ["Delete:k:", "malformed"],
  ])("takes %j for %j", (line, meaning) => assertEquals(read(line), meaning));

  test("keeps every byte", () => {
    const all = Array.from({ length: 256 }, (_, i) => i).filter((byte) => byte !== 0x0a);
    const value = Buffer.from([...all, 0x21]).toString("latin1");
    assertEquals(read(`Put:k:${value}`), `Put|k|${value}`);
  });
});
