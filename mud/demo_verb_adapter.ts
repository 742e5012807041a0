/**
 * `mud.ts demo`: three servers far from each other, bots that play, one server that is killed and
 * brought back, and a screen that shows it. At the end the books must add up.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readableCount, readablePlural } from "../base/text.ts";
import type { CommandLine } from "../run/args.ts";
import { Failure } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { Display } from "../run/progress.ts";
import { onSignal } from "../run/signals.ts";
import type { Verb } from "../run/verbs.ts";
import { counterKeys } from "./bot_verb_adapter.ts";
import { Bots, checkBooks, type CheckOptions } from "./bots_adapter.ts";
import { DemoServer } from "./demo_servers_adapter.ts";
import { newSeed } from "./play_verb_adapter.ts";
import { hitPoints, RANKS } from "./rules.ts";
import { linesOf } from "./text.ts";
import type { GameEvent } from "./types.ts";

/** The servers, and how long a datagram takes to each of them from the others. */
const CITIES = [
  ["Frankfurt", 40],
  ["Boston", 60],
  ["Sydney", 120],
] as const;
const SECONDS = 20;
const BOTS = 12;
/** How long servers may take to agree at the end. */
const AGREE_MS = 60_000;
const LOOK_MS = 250;
const COLUMNS = 100;

export const DEMO_VERB: Verb = {
  usage: {
    name: "mud",
    takes: "demo",
    count: [0, 0],
    about: `Starts three servers on this machine, as far from each other as ${CITIES.map(([name]) => name).join(", ")}, and
bots that play on all of them; kills one of the servers and brings it back; and checks that
every coin, piece of hardware and hit has a reason, on every server.`,
    flags: {
      seconds: { value: "S", help: `how long the bots play (${SECONDS})` },
      bots: { value: "N", help: `how many there are (${BOTS})` },
    },
  },
  run: demo,
};

async function demo(line: CommandLine): Promise<number> {
  const lastsMs =
    1000 * Number(wholeNumber("--seconds", line.flag("seconds") ?? `${SECONDS}`, 3n, 3600n));
  const count = Number(wholeNumber("--bots", line.flag("bots") ?? `${BOTS}`, 1n, 100n));
  const directory = mkdtempSync(join(tmpdir(), "motherlode-mud-"));
  const servers: DemoServer[] = [];
  const cleanUp = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    rmSync(directory, { recursive: true, force: true });
  };
  onSignal(cleanUp);
  try {
    for (const [name, delayMs] of CITIES) {
      const joins = (): readonly string[] =>
        servers.filter((one) => one.name !== name).map(({ farAddress }) => farAddress);
      servers.push(await DemoServer.start({ name, directory, delayMs, joins }));
    }
    await new Demo(servers, count).run(lastsMs);
  } finally {
    await cleanUp();
  }
  return 0;
}

/** One performance. */
class Demo {
  readonly #servers: readonly DemoServer[];
  readonly #display = new Display({ lineMillis: 1000 });
  readonly #counts: Record<string, number> = {};
  /** What is left of problems, as it was told last. */
  readonly #left = new Map<number, number>();
  readonly #names: readonly string[];

  constructor(servers: readonly DemoServer[], bots: number) {
    this.#servers = servers;
    this.#names = Array.from({ length: bots }, (_, at) => `bot-${at + 1}`);
  }

  async run(lastsMs: number): Promise<void> {
    const display = this.#display;
    for (const { name, address } of this.#servers) display.line(`${name} serves at ${address}`);
    const addresses = this.#servers.map(({ address }) => address);
    const bots = new Bots({
      servers: addresses,
      names: this.#names,
      seed: newSeed(),
      onEvent: (name, event) => this.#told(name, event),
    });
    const timer = setInterval(() => display.status(this.#statusLine(bots)), LOOK_MS);
    const [, victim] = this.#servers;
    try {
      await Bun.sleep(lastsMs / 3);
      await victim?.kill();
      display.line(`${victim?.name} is killed: its players go on elsewhere`);
      await Bun.sleep(lastsMs / 3);
      await victim?.start();
      display.line(`${victim?.name} is back, and catches up`);
      await Bun.sleep(lastsMs / 3);
    } finally {
      clearInterval(timer);
      display.status("the bots finish what they do ...");
      await bots.stop();
    }
    display.clear();
    await this.#check(addresses, bots);
  }

  async #check(servers: readonly string[], bots: Bots): Promise<void> {
    this.#display.line("the servers catch up with each other, and the books are checked ...");
    const { books } = bots;
    const keys = new Set([...counterKeys(this.#names), ...books.keys]);
    const check: CheckOptions = { servers, books, before: new Map(), keys, withinMs: AGREE_MS };
    const wrong = await checkBooks(check);
    if (wrong.length > 0) throw new Failure(`the books do not add up: ${wrong.join("; ")}`);
    const { mined = 0, hit = 0, broke = 0, risen = 0 } = this.#counts;
    const sums = `${readablePlural(mined, "time")} mined, ${readablePlural(hit, "hit")}, ${broke} times hardware broke, ${readablePlural(risen, "rise")}`;
    await printResult(
      `${sums}: every coin, piece of hardware and hit has a reason, the same on ${servers.length} servers\n`,
    );
  }

  #told(name: string, event: GameEvent): void {
    this.#counts[event.kind] = (this.#counts[event.kind] ?? 0) + 1;
    if (event.kind === "hit") this.#left.set(event.rank, event.left);
    if (event.kind === "problem") this.#left.set(event.rank, event.left);
    if (event.kind !== "risen") return;
    for (const { text } of linesOf({ kind: "rose", name, rank: event.rank }, COLUMNS)) {
      this.#display.line(text);
    }
  }

  #statusLine(bots: Bots): string {
    const servers = this.#servers.map(({ name, isUp }) => `${name} ${isUp ? "up" : "DOWN"}`);
    const problems = [...this.#left].sort().map(([rank, left]) => {
      return `${RANKS[rank]} ${readableCount(left)}/${readableCount(hitPoints(rank))}`;
    });
    const { mined = 0, hit = 0 } = this.#counts;
    return `${servers.join("  ")} | ${readablePlural(bots.joined, "bot")}, mined ${mined}, hits ${hit} | ${problems.join("  ")}`;
  }
}
