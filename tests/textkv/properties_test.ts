/** What holds of the text server whatever its clients do, beside a twin without any limits. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Twin, VirtualServer } from "./virtual.ts";

const key = fc.constantFrom("a", "b", "", "k\0ÿ");
const value = fc.constantFrom("", "1", "2", "x:y", "ÿ\0", "v".repeat(30));
const plain = fc.constantFrom("1", "2", "", "ÿ\0");
const line = fc.oneof(
  fc.tuple(key, value).map(([k, v]) => `Put:${k}:${v}`),
  fc.tuple(key, plain, value).map(([k, o, v]) => `Update:${k}:${o}:${v}`),
  key.map((k) => `Get:${k}`),
  { arbitrary: key.map((k) => `Delete:${k}`), weight: 1 },
  fc.constantFrom("", "nonsense", "Put:a", "Get:a:b", "get:a"),
);

describe("whatever the clients send, and however it is cut,", () => {
  test("readers that read get exactly what the lists were", () => {
    const step = fc.record({ who: fc.nat({ max: 3 }), lines: fc.array(line), cut: fc.nat() });
    const run = (steps: { who: number; lines: string[]; cut: number }[], end: string): void => {
      // Small limits, so that everything has to go through them.
      const limits = { queueLinesMax: 3, queueBytesMax: 40, sliceWork: 4, aheadBytesMax: 16 };
      const server = new VirtualServer({ ...limits, uselessMax: 1e9 });
      const clients = [0, 1, 2, 3].map(() => server.connect());
      const expected: string[][] = clients.map(() => []);
      const twin = new Twin();
      for (const { who, lines, cut } of steps) {
        const text = lines.map((one) => `${one}${end}`).join("");
        const at = cut % (text.length + 1);
        clients[who]!.send(text.slice(0, at)).send(text.slice(at));
        for (const one of lines) expected[who]!.push(...twin.answer(one));
      }
      for (const [i, client] of clients.entries()) assertEquals(client.lines, expected[i]!);
      const { ignored, droppedLines, waitingBytes, keys } = server.core.counts();
      assertEquals([droppedLines, waitingBytes, keys], [0, 0, twin.lists.size]);
      assertEquals(ignored.unknown + ignored.malformed, twin.ignored);
    };
    const ends = fc.constantFrom("\n", "\r\n");
    fc.assert(fc.property(fc.array(step, { maxLength: 25 }), ends, run), { numRuns: 800 });
  });
});

/** What happens to a reader, one after the other. */
const event = fc.record({
  kind: fc.constantFrom("get", "get", "get", "read", "read", "wait", "publish", "publish"),
  who: fc.nat({ max: 2 }),
  count: fc.integer({ min: 1, max: 12 }),
});
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const LIMITS = { queueLinesMax: 8, queueBytesMax: 120, sliceWork: 16, aheadBytesMax: 32 };

/**
 * A board that a good client publishes anew now and then, in one write, and slow readers get. Each
 * of its lines names the edition, its place in it and how many lines there are.
 */
class Board {
  readonly server = new VirtualServer(LIMITS);
  readonly #publisher = this.server.connect();
  readonly readers = [0, 1, 2].map(() => this.server.connect(40));
  readonly gets = [0, 0, 0];
  #edition = 0;

  constructor() {
    this.publish(1);
  }

  publish(lines: number): void {
    this.#edition++;
    const puts = Array.from({ length: lines }, (_, i) => `Put:b:${this.#edition},${i},${lines}\n`);
    this.#publisher.send(`Delete:b\n${puts.join("")}Get:b\n`);
    // Nobody else waits: a good reader has it all, and no time has gone by.
    const shown = Array.from({ length: lines }, (_, i) => `b:${this.#edition},${i},${lines}`);
    assertEquals(this.#publisher.lines.slice(-lines), shown);
  }

  happen({ kind, who, count }: Event): void {
    const reader = this.readers[who]!;
    if (kind === "publish") this.publish(count);
    else if (kind === "wait") this.server.advance(count * 700);
    else if (kind === "read") reader.read(count * 9);
    else {
      reader.send("Get:b\n".repeat(count));
      this.gets[who]! += count;
    }
    const { waitingLines, waitingBytes } = this.server.core.counts();
    assert(waitingLines <= 3 * LIMITS.queueLinesMax && waitingBytes <= 3 * LIMITS.queueBytesMax);
  }

  /** Everybody reads on until nothing comes any more. */
  finish(): void {
    for (let i = 0; i < 400; i++) {
      for (const reader of this.readers) reader.read(30);
      this.server.advance(10);
    }
    this.server.advance(60_000);
  }
}

/** Lines in a row that are of one answer: of one edition, from the first line of it on. */
function answersIn(lines: string[]): { edition: number; shown: number; of: number }[] {
  const answers: { edition: number; shown: number; of: number }[] = [];
  for (const text of lines) {
    const [edition, place, of] = text.slice(2).split(",").map(Number) as [number, number, number];
    const last = answers.at(-1);
    if (place === 0) answers.push({ edition, shown: 1, of });
    else {
      assert(last?.edition === edition && last.shown === place, `${text} out of place`);
      last.shown++;
    }
    assert(answers.length < 2 || answers.at(-2)!.edition <= edition, "an older edition came later");
  }
  return answers;
}

describe("however slow readers are,", () => {
  test("what each gets is a faithful part of what it asked for, and nobody else waits", () => {
    let cut = 0;
    const run = (events: Event[]): void => {
      const board = new Board();
      for (const one of events) board.happen(one);
      board.finish();
      const { droppedLines, waitingLines } = board.server.core.counts();
      let missing = 0;
      for (const [i, reader] of board.readers.entries()) {
        const answers = answersIn(reader.lines);
        const whole = answers.filter(({ shown, of }) => shown === of);
        assert(answers.length <= board.gets[i]!);
        missing += board.gets[i]! - whole.length;
        cut += answers.length - whole.length;
      }
      assertEquals(waitingLines, 0);
      assertEquals(missing > 0, droppedLines > 0, `${missing} answers, ${droppedLines} lines`);
    };
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), run), { numRuns: 1500 });
    assert(cut > 50, `only ${cut} answers were cut: nothing was tried`);
  });

  test("a reader that is never away for 5 s loses nothing of its long lists", () => {
    const pace = fc.array(fc.record({ ms: fc.nat({ max: 4999 }), bytes: fc.nat({ max: 400 }) }), {
      minLength: 1,
    });
    const run = (steps: { ms: number; bytes: number }[]): void => {
      const server = new VirtualServer(LIMITS);
      const writer = server.connect();
      for (let i = 0; i < 300; i++) writer.send(`Put:k:${i}\n`);
      const reader = server.connect(0).send("Get:k\nGet:k\nUpdate:k:0:300\nGet:k\n");
      for (let i = 0; server.core.counts().waitingLines > 0; i++) {
        const { ms, bytes } = steps[i % steps.length]!;
        server.advance(ms);
        reader.read(bytes + 1);
      }
      const once = Array.from({ length: 301 }, (_, i) => `k:${i}`);
      assertEquals(reader.lines, [...once.slice(0, 300), ...once.slice(0, 300), ...once.slice(1)]);
      assertEquals(server.core.counts().droppedLines, 0);
    };
    fc.assert(fc.property(pace, run), { numRuns: 300 });
  });
});
