/**
 * How fast actors tell: within a system, for small messages, which are copied; and to another
 * process, one way and as an echo, beside LSP's own echo, with messages of 200 bytes, in turns.
 *
 *   bun run bench/actors.ts [--rounds 3] [--ms 2000] [--json]
 *
 * Bars: 1 M local tells a second on one core; remote tells (one way, as they arrive) 0.8 of LSP's
 * echo rate. On a machine that others use too, look at the rates by processor time.
 *
 * @module
 */
import { type Message, openSystem } from "../actors/mod.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { type Case, measure, type Run } from "./transport_case.ts";

const LSP: Case = { name: "echo, LSP", role: "lsp-echo" };
const program = "actors_roles.ts";
const TELLS: Case = { name: "tells, actors, as they arrive", role: "actors-sink", program };
const ECHO: Case = { name: "echo, actors", role: "actors-echo", program };
const CASES = [LSP, TELLS, ECHO];

/** Small messages, each as it is told once. */
const MESSAGES: Readonly<Record<string, (i: number) => Message>> = {
  "a number": (i) => i,
  "an object of two fields": (i) => ({ kind: "add", value: i }),
  "an array of three": (i) => ["add", i, true],
  "an object with a reference": (i) => ({
    add: i,
    to: { address: "127.0.0.1:7000", incarnation: 123_456_789, counter: 7 },
  }),
};
/** Messages that two actors have under way. */
const UNDER_WAY = 100;

/** Messages a second of the clock, and of processor time. */
interface Rates {
  readonly byClock: number;
  readonly byCpu: number;
}

/** Two actors tell each other messages for `ms` milliseconds, after as long to warm up. */
async function local(make: (i: number) => Message, ms: number): Promise<Rates> {
  await using system = await openSystem();
  const [one, other] = [1, 2].map((number) =>
    system.startActor((context) => {
      let told = 0;
      const to = { ...context.self, counter: number === 1 ? 2 : 1 };
      return { onMessage: () => context.tell(to, make(told++)) };
    }),
  );
  for (let i = 0; i < UNDER_WAY; i++) system.tell(i % 2 === 0 ? one! : other!, make(i));
  await Bun.sleep(ms);
  const [before, beforeMs, cpu] = [system.stats().sent, performance.now(), process.cpuUsage()];
  await Bun.sleep(ms);
  const tells = system.stats().sent - before;
  const { user, system: kernel } = process.cpuUsage(cpu);
  const seconds = (performance.now() - beforeMs) / 1000;
  return { byClock: tells / seconds, byCpu: tells / ((user + kernel) / 1e6) };
}

const options = benchOptions(import.meta.path, {
  rounds: count(3, "rounds"),
  ms: count(2000, "milliseconds a case"),
  json: { help: "all figures as JSON" },
});
const rounds = options.number("rounds");
const ms = options.text("ms")!;

const locals: { case: string; "tells/s": number; "tells/s of CPU": number }[] = [];
for (const [name, make] of Object.entries(MESSAGES)) {
  const rates: Rates[] = [];
  for (let round = 0; round < rounds; round++) rates.push(await local(make, Number(ms) / 2));
  locals.push({
    case: `local, ${name}`,
    "tells/s": Math.round(median(rates.map(({ byClock }) => byClock))),
    "tells/s of CPU": Math.round(median(rates.map(({ byCpu }) => byCpu))),
  });
}

const runs = new Map<Case, Run[]>(CASES.map((one) => [one, []]));
for (let round = 0; round < rounds; round++) {
  for (const one of CASES) runs.get(one)!.push(await measure(one, ms));
}
const cpuOf = (run: Run): number => Math.max(run.clientMicros, run.serverMicros);
const toLsp = (one: Case, of: (run: Run) => number): string => {
  const lsp = runs.get(LSP)!;
  return median(runs.get(one)!.map((run, i) => of(run) / of(lsp[i]!))).toFixed(2);
};
const remotes = CASES.map((one) => ({
  case: `remote, ${one.name}`,
  "messages/s": Math.round(median(runs.get(one)!.map(({ rate }) => rate))),
  "us CPU": median(runs.get(one)!.map(cpuOf)).toFixed(2),
  "to LSP's echo": toLsp(one, ({ rate }) => rate),
  "by CPU": toLsp(one, (run) => 1 / cpuOf(run)),
}));

if (options.has("json")) console.log(JSON.stringify({ locals, remotes }));
else {
  console.log(Bun.inspect.table(locals, { colors: false }));
  console.log(Bun.inspect.table(remotes, { colors: false }));
}
