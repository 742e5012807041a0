/**
 * `mud.ts bot HOST:PORT,… N`: N bots play, and their books are checked at the end.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import { GEO_PORT, GeoError } from "../geo/mod.ts";
import type { CommandLine } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { Display } from "../run/progress.ts";
import { onSignal } from "../run/signals.ts";
import { JSON_FLAG, printLine, SERVERS, serversOf } from "../run/verb_values.ts";
import type { Verb } from "../run/verbs.ts";
import { Bots, checkBooks, countsOf } from "./bots_adapter.ts";
import { coinsKey, hardwareKey, isName } from "./keys.ts";
import { FLEET_FLAG, newSeed, searchOf } from "./play_verb_adapter.ts";
import { HARDWARE_NAMES } from "./rules.ts";

/** More bots in one process would be slow ones. */
const BOTS_MAX = 200;
/** How long servers may take to agree at the end. */
const AGREE_MS = 60_000;
/** The same after a signal, when somebody waits for the end. */
const SIGNAL_AGREE_MS = 1000;
/** Between two lines of progress. */
const LINE_MS = 1000;

export const BOT_VERB: Verb = {
  usage: {
    name: "mud",
    takes: `bot ${SERVERS} N`,
    count: [2, 2],
    about: `Has N bots play until Ctrl-C, or for --seconds. At the end every coin and every piece of hardware
that they have must have a reason in their books, on every server.`,
    flags: {
      seconds: { value: "S", help: "how long they play (until Ctrl-C)" },
      names: { value: "PREFIX", help: "they are called PREFIX-1 and so on (bot)" },
      seed: { value: "N", help: "of their dice (by chance)" },
      fleet: FLEET_FLAG,
      json: JSON_FLAG,
    },
  },
  run: bot,
};

/** Everything that belongs to players of these names. */
export function counterKeys(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => [
    coinsKey(name),
    ...HARDWARE_NAMES.map((kind) => hardwareKey(name, kind)),
  ]);
}

async function bot(line: CommandLine): Promise<number> {
  const [where = "", many = ""] = line.positionals;
  const servers = serversOf(where, GEO_PORT);
  const count = Number(wholeNumber("N", many, 1n, BigInt(BOTS_MAX)));
  const prefix = line.flag("names") ?? "bot";
  const names = Array.from({ length: count }, (_, at) => `${prefix}-${at + 1}`);
  const bad = names.find((name) => !isName(name));
  if (bad !== undefined) throw new UsageError(`--names makes "${bad}", which is no player's name`);
  const lasts = line.flag("seconds");
  const seed = Number(
    wholeNumber("--seed", line.flag("seed") ?? `${newSeed()}`, 0n, 2n ** 53n - 1n),
  );
  const keys = counterKeys(names);
  const before = await sums(servers, keys);
  const display = new Display({ lineMillis: LINE_MS });
  const done: Record<string, number> = {};
  const bots = new Bots({
    servers,
    names,
    seed,
    search: searchOf(line),
    onEvent: (_, { kind }) => {
      done[kind] = (done[kind] ?? 0) + 1;
      display.status(statusLine(bots.joined, done));
    },
  });
  const end = Promise.withResolvers<"time" | "signal">();
  let code = 0;
  const lastsMs = lasts === undefined ? undefined : seconds("--seconds", lasts);
  const timer = lastsMs === undefined ? undefined : setTimeout(() => end.resolve("time"), lastsMs);
  onSignal(async () => {
    end.resolve("signal");
    await ended;
  });
  const ended = (async (): Promise<void> => {
    const isNow = (await end.promise) === "signal";
    clearTimeout(timer);
    await bots.stop(isNow);
    display.clear();
    const withinMs = isNow ? SIGNAL_AGREE_MS : AGREE_MS;
    code = await report(line, { servers, keys, before, books: bots.books, withinMs }, names);
  })();
  await ended;
  return code;
}

/** What the counters come to before the bots play; the servers must answer. */
async function sums(
  servers: readonly string[],
  keys: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  try {
    const counts = await countsOf(servers, keys);
    return new Map([...counts].map(([key, [first = 0]]) => [key, first]));
  } catch (error) {
    if (error instanceof GeoError) throw new Failure(error.message);
    throw error;
  }
}

function statusLine(joined: number, done: Readonly<Record<string, number>>): string {
  const of = (kind: string): number => done[kind] ?? 0;
  return `${readablePlural(joined, "bot")}: mined ${of("mined")}, bought ${of("bought")}, hits ${of("hit")}, broke ${of("broke")}, rose ${of("risen")}, troubles ${of("trouble")}`;
}

async function report(
  line: CommandLine,
  check: Parameters<typeof checkBooks>[0],
  names: readonly string[],
): Promise<number> {
  const wrong = await checkBooks(check);
  const { books } = check;
  for (const name of names) {
    const coins = books.sure(coinsKey(name));
    const perhaps = books.perhaps(coinsKey(name));
    const amount = readablePlural(coins, "coin");
    if (line.has("json")) await printLine({ name, coins, perhaps });
    else if (perhaps.length === 0) await printResult(`${name} has earned ${amount}\n`);
    else await printResult(`${name} has earned ${amount}, and perhaps ${perhaps.join(", ")}\n`);
  }
  if (wrong.length > 0) throw new Failure(`the books do not add up: ${wrong.join("; ")}`);
  return 0;
}
