/**
 * Lives of a text server on a simulated disk that crashes and loses power, one after the other.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { SimulatedDisk } from "../../sim/engine/disk.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { Twin, VirtualServer } from "./virtual.ts";

/** What one writer sent in all lives so far, and what was shown of it. */
export class Lives {
  readonly loop: Loop = new Loop();
  readonly disk: SimulatedDisk;
  readonly random: Random;
  /** What its one writer sent, line by line, and how many of them a Get has shown to be durable. */
  readonly sent: string[] = [];
  shown: number = 0;

  /** Snapshots that are on its disk. */
  get snapshots(): number {
    return this.disk.files.names.filter((name) => name.startsWith("snapshot")).length;
  }

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new SimulatedDisk(this.loop, seededRandom(seed, 1));
    this.disk.faults = { operationMs: 1, slowShare: 0.1, slowMs: 20, failShare: 0 };
  }

  /** One life: reads back what is there, changes things for a while, and dies. */
  live(turns: number): void {
    // Small segments and snapshots that are not handed over whole: every path is gone.
    const wholeSnapshotBytesMax = integerBetween(this.random, 0, 1) * 1000;
    const options = { kind: "textkv", segmentBytes: 32 << 10, wholeSnapshotBytesMax };
    const { disk, state } = this.disk.open(options);
    const limits = { snapshotLogBytes: 60_000, snapshotPartBytes: 9000 };
    const server = new VirtualServer(limits, state, (effect) => disk.handle(effect));
    disk.start((input) => {
      server.core.handle(input, this.loop.nowMs);
      server.nowMs = this.loop.nowMs;
      server.connect().kill();
    });
    server.begin();
    this.#pass(server, 5000, () => server.isRestored);
    this.#compare(server);
    const writer = server.connect();
    const mark = this.sent.length;
    for (let turn = 0; turn < turns; turn++) {
      const line = this.#line();
      this.sent.push(line);
      const number = this.sent.length;
      // The line, and a count of lines behind it, which a Get may show.
      writer.send(`${line}\nUpdate:count:${number - 1}:${number}\nGet:count\n`);
      this.#pass(server, integerBetween(this.random, 0, 3));
      this.#look(writer.lines);
    }
    assert(this.sent.length === mark + turns);
    if (this.random() % 2 === 0) this.disk.crashProcess();
    else this.disk.cutPower();
  }

  #look(lines: string[]): void {
    for (const line of lines.slice(-1)) this.shown = Math.max(this.shown, Number(line.slice(6)));
  }

  #line(): string {
    const key = `k${integerBetween(this.random, 0, 9)}`;
    const value = `${this.sent.length}:${"v".repeat(integerBetween(this.random, 0, 1) * 2000)}`;
    const kind = integerBetween(this.random, 0, 9);
    if (kind < 3) return `Delete:${key}`;
    return kind < 6 ? `Update:${key}:${this.sent.length - 5}:${value}` : `Put:${key}:${value}`;
  }

  /** What is there is what the first so many lines made, and at least what was shown. */
  #compare(server: VirtualServer): void {
    const reader = server.connect();
    reader.send("Get:count\n");
    this.#pass(server, 5000);
    const kept = Number(reader.lines[0]?.slice(6) ?? 0);
    assert(kept >= this.shown, `${kept} lines are kept, ${this.shown} were shown`);
    assert(kept <= this.sent.length);
    // A crash may come between a line and its count: then the line is there, too.
    const twin = new Twin();
    for (const line of this.sent.slice(0, kept)) twin.answer(line);
    const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
    const expected = (): string[] => keys.flatMap((key) => twin.answer(`Get:${key}`));
    reader.received = "";
    reader.send(keys.map((key) => `Get:${key}\n`).join(""));
    this.#pass(server, 60_000);
    if (Bun.deepEquals(reader.lines, expected())) this.sent.length = kept;
    else {
      twin.answer(this.sent[kept]!);
      assertEquals(reader.lines, expected());
      // The count of it is lost: it is counted now.
      this.sent.length = kept + 1;
      server
        .connect()
        .send(`Update:count:${kept}:${kept + 1}\n`)
        .kill();
    }
  }

  #pass(server: VirtualServer, ms: number, holds: () => boolean = () => false): void {
    const endMs = this.loop.nowMs + ms;
    while (this.loop.nowMs < endMs && !holds()) {
      this.loop.runUntil(Math.min(endMs, this.loop.nowMs + 1), () => {}, Infinity);
      server.advance(Math.max(0, this.loop.nowMs - server.nowMs));
    }
  }
}

/** Six lives, the third of them a long one. Throws if something that was shown is lost. */
export function runLives(seed: number): Lives {
  const lives = new Lives(seed);
  for (let life = 0; life < 6; life++) {
    lives.live(integerBetween(lives.random, 1, life === 2 ? 500 : 150));
  }
  return lives;
}
