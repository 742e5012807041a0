/**
 * How fast actors tell: within a system, for small messages, which are copied; and to another
 * process, beside LSP's own echo of messages of 200 bytes, 256 under way, in turns.
 *
 *   bun run bench/actors.ts [--rounds 3] [--ms 2000] [--json]
 *
 * Bars: 1 M local tells a second on one core; remote ones 0.8 of LSP's echo. On a machine that
 * others use too, look at the rates by processor time.
 *
 * @module
 */
import { type Message, openSystem } from "../actors/mod.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { type Case, measure, type Run } from "./transport_case.ts";

const LSP: Case = { name: "echo, LSP", role: "lsp-echo" };
const ACTORS: Case = { name: "echo, actors", role: "actors-echo", program: "actors_roles.ts" };

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

const runs: { lsp: Run; actors: Run }[] = [];
for (let round = 0; round < rounds; round++) {
  runs.push({ lsp: await measure(LSP, ms), actors: await measure(ACTORS, ms) });
}
const cpuOf = (run: Run): number => Math.max(run.clientMicros, run.serverMicros);
const remotes = [LSP, ACTORS].map((one) => {
  const of = runs.map((run) => (one === LSP ? run.lsp : run.actors));
  return {
    case: `remote, ${one.name}`,
    "messages/s": Math.round(median(of.map(({ rate }) => rate))),
    "us CPU": median(of.map(cpuOf)).toFixed(2),
  };
});
const ratio = median(runs.map(({ lsp, actors }) => actors.rate / lsp.rate)).toFixed(2);
const byCpu = median(runs.map(({ lsp, actors }) => cpuOf(lsp) / cpuOf(actors))).toFixed(2);

if (options.has("json")) console.log(JSON.stringify({ locals, remotes, ratio, byCpu }));
else {
  console.log(Bun.inspect.table(locals, { colors: false }));
  console.log(Bun.inspect.table(remotes, { colors: false }));
  console.log(`remote tells against LSP's echo: ${ratio}, by processor time ${byCpu} (bar >= 0.8)`);
}
