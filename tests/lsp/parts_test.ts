/** The small parts of LSP, each against a dumb twin on random input. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Queue } from "../../base/queue.ts";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { Budget } from "../../lsp/budget.ts";
import { Deadlines, type Timed } from "../../lsp/deadlines.ts";
import { DEFAULT_LSP_LIMITS } from "../../lsp/params.ts";
import { ReceiveBuffer } from "../../lsp/receive_buffer.ts";
import { RoundTrip } from "../../lsp/rtt.ts";

test("Deadlines gives what is due like a sorted list", () => {
  const random = seededRandom(1);
  const heap = new Deadlines<Timed>();
  const items: Timed[] = Array.from({ length: 50 }, () => ({
    deadlineMs: Infinity,
    heapIndex: -1,
  }));
  const twin = new Map<Timed, number>();
  for (let step = 0; step < 20_000; step++) {
    const item = items[integerBetween(random, 0, 49)]!;
    const choice = integerBetween(random, 0, 9);
    const atMs = choice === 0 ? Infinity : integerBetween(random, 0, 1000);
    if (choice === 1) {
      heap.remove(item);
      twin.delete(item);
    } else if (choice === 2) {
      const due = heap.takeDue(atMs);
      const least = Math.min(Infinity, ...twin.values());
      assertEquals(due === undefined, least > atMs || least === Infinity);
      if (due !== undefined) assertEquals(twin.get(due), least);
      if (due !== undefined) twin.delete(due);
    } else {
      heap.set(item, atMs);
      if (atMs === Infinity) twin.delete(item);
      else twin.set(item, atMs);
    }
    assertEquals(heap.earliestMs, Math.min(Infinity, ...twin.values()));
  }
});

test("Queue gives what an array gives", () => {
  const random = seededRandom(2);
  const queue = new Queue<number>();
  const twin: number[] = [];
  for (let step = 0; step < 50_000; step++) {
    // Long phases of growth and of decline, so that the compaction is met.
    const grows = Math.floor(step / 5000) % 2 === 0 ? 8 : 2;
    if (integerBetween(random, 0, 9) < grows) {
      queue.push(step);
      twin.push(step);
    } else assertEquals(queue.shift(), twin.shift());
    assertEquals([queue.length, queue.at(0), queue.at(1)], [twin.length, twin[0], twin[1]]);
  }
});

test("ReceiveBuffer delivers a prefix in order, once, and tells its runs like a set", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const delivered: number[] = [];
    const limits = { ...DEFAULT_LSP_LIMITS, maxReorder: 20, maxUnreadBytes: 3010 };
    const budget = new Budget(limits);
    const buffer = new ReceiveBuffer(0, limits, budget, ([first = 0]) => delivered.push(first));
    const kept = new Set<number>();
    let unread = 0;
    for (let step = 0; step < 400; step++) {
      const seq = integerBetween(random, 1, 60);
      const arrival = buffer.accept(seq, Uint8Array.of(seq));
      assertEquals(arrival === "duplicate", kept.has(seq), `seed ${seed}`);
      if (arrival === "new") kept.add(seq);
      const runs = new Float64Array(100);
      const count = buffer.writeRuns(runs, 50);
      const named = new Set<number>();
      for (let i = 0; i < count; i++) {
        for (let s = runs[2 * i]!; s <= runs[2 * i + 1]!; s++) named.add(s);
      }
      const held = [...kept].filter((s) => s > buffer.expected).sort((a, b) => a - b);
      assertEquals([...named], held, `seed ${seed}`);
      assertEquals(
        delivered,
        Array.from({ length: buffer.expected - 1 }, (_, i) => i + 1),
      );
      assertEquals(budget.bytes, buffer.unreadBytes + buffer.heldBytes);
      unread = buffer.unreadCount;
      if (unread > 0 && integerBetween(random, 0, 3) === 0) buffer.noteRead(1);
    }
    assert(delivered.length > 0);
  }
});

describe("RoundTrip", () => {
  test("starts as RFC 6298 says: SRTT = R, RTTVAR = R / 2", () => {
    const path = new RoundTrip();
    assertEquals(path.timeoutMs, 250);
    path.sample(100, 0);
    assertEquals([path.smoothedMs, path.timeoutMs], [100, 100 + 4 * 50]);
  });

  test("goes on as RFC 6298 says: 1/8 and 1/4", () => {
    const path = new RoundTrip();
    path.sample(100, 0);
    path.sample(180, 0);
    // RTTVAR = 3/4 * 50 + 1/4 * 80 = 57.5; SRTT = 7/8 * 100 + 1/8 * 180 = 110.
    assertEquals([path.smoothedMs, path.timeoutMs], [110, 110 + 4 * 57.5]);
  });

  test("subtracts the peer's delay, but never below the least round trip", () => {
    const path = new RoundTrip();
    path.sample(100, 0);
    path.sample(150, 30);
    assertEquals(path.latestMs, 120);
    path.sample(110, 60);
    assertEquals(path.latestMs, 110);
  });
});
