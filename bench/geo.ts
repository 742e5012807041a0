/**
 * The geo store on one server beside Redis (GET, SET; nothing kept on disk), in one run: requests a
 * second, round trips, and processor time a request; server on one core, clients on another, each
 * with a connection of its own, interleaved. Beside both: an echo of LSP with messages of that
 * size, and nothing else, which is what a store that costs nothing would come to. And, in virtual
 * time and so exact: what it costs to bring two replicas together, and how soon a put is
 * everywhere.
 *
 *   bun run bench/geo.ts [--rounds 5] [--ms 1000] [--json]
 *
 * Figures are medians over the rounds, ratios medians of the ratio within a round. Every process
 * has warmed up in every case before it is measured: the engine compiles for about 2 s.
 *
 * @module
 */
import { convergence, reconcile } from "./geo_virtual.ts";
import type { GeoLoad, GeoPeer, GeoReport, GeoVerb } from "./geo_load.ts";
import { median, quantile } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { endAll, freePort, linesOf, LoadProcess, nextLine, pinned } from "./processes.ts";

const CLIENTS = [1, 16] as const;
const VERBS: readonly GeoVerb[] = ["get", "put"];
/** Requests a second against Redis, at least. */
const BARS: Readonly<Record<number, number>> = { 1: 0.5, 16: 0.8 };
const WARM_UP_MS = 2000;
/** One way between servers that are far from each other. */
const LATENCY_MS = 250;
const PUTS = 1000;

const options = benchOptions(import.meta.path, {
  rounds: count(5, "rounds, each with all cases"),
  ms: count(1000, "milliseconds a case"),
  json: { help: "all figures as JSON" },
});

interface Server {
  readonly peer: GeoPeer;
  readonly port: number;
  readonly pid: number;
  /** Its clients, in a process of their own. */
  readonly loader: LoadProcess<GeoLoad, GeoReport>;
}

function newLoader(): Server["loader"] {
  return new LoadProcess("bench/geo_load.ts");
}

async function startOurs(peer: GeoPeer, program: readonly string[]): Promise<Server> {
  const child = pinned(0, [process.execPath, ...program]);
  const line = await nextLine(linesOf(child.stdout));
  const port = Number(line.split(/[: ]/).at(-1));
  return { peer, port, pid: child.pid, loader: newLoader() };
}

const startGeo = () => startOurs("geo", ["geo.ts", "serve", "0", "--quiet"]);
const startEcho = () => startOurs("lsp", ["bench/geo_load.ts", "echo"]);

async function startRedis(): Promise<Server | undefined> {
  const redis = Bun.which("redis-server");
  if (redis === null) return undefined;
  const port = freePort();
  const given = ["--port", `${port}`, "--save", "", "--bind", "127.0.0.1"];
  const child = pinned(0, [redis, ...given]);
  for await (const line of linesOf(child.stdout)) {
    if (line.includes("Ready to accept connections")) break;
  }
  return { peer: "redis", port, pid: child.pid, loader: newLoader() };
}

/** What a case came to in one round. */
interface Figure extends GeoReport {
  /** Processor time of the server a request. */
  readonly serverMicros: number;
}

const redis = await startRedis();
const servers = [await startGeo(), await startEcho(), ...(redis === undefined ? [] : [redis])];
if (redis === undefined) console.warn("no redis-server on this machine: not compared with it");
const cases = VERBS.flatMap((verb) => CLIENTS.map((clients) => ({ verb, clients })));
type Case = (typeof cases)[number];
const taken = new Map<string, Figure[]>();
const of = (peer: GeoPeer, { verb, clients }: Case): Figure[] =>
  taken.getOrInsert(`${peer} ${verb} ${clients}`, []);

async function measure({ peer, port, pid, loader }: Server, one: Case, ms: number) {
  const { report, cpu } = await loader.run({ peer, port, ...one, ms }, pid);
  return { ...report, serverMicros: (cpu / report.requests) * 1e6 };
}

for (const one of cases) {
  for (const server of servers) await measure(server, one, WARM_UP_MS);
}
for (let round = 0; round < options.number("rounds"); round++) {
  for (const one of cases) {
    for (const server of servers) {
      of(server.peer, one).push(await measure(server, one, options.number("ms")));
    }
  }
}
await endAll();

const figures = cases.flatMap((one) =>
  servers.map(({ peer }) => {
    const pick = (field: keyof Figure, digits = 0): number =>
      Number(median(of(peer, one).map((figure) => figure[field])).toFixed(digits));
    return {
      ...one,
      server: peer,
      "requests/s": pick("rate"),
      "p50 us": pick("p50Micros"),
      "p99 us": pick("p99Micros"),
      "us CPU, server": pick("serverMicros", 1),
      "us CPU, clients": pick("clientMicros", 1),
    };
  }),
);
const ratioTo = (peer: GeoPeer, to: GeoPeer, one: Case): number => {
  const base = of(to, one);
  return Number(median(of(peer, one).map(({ rate }, i) => rate / base[i]!.rate)).toFixed(2));
};
const ratios = cases.map((one) => ({
  ...one,
  "geo of lsp": ratioTo("geo", "lsp", one),
  ...(redis !== undefined && {
    "lsp of redis": ratioTo("lsp", "redis", one),
    "geo of redis": ratioTo("geo", "redis", one),
    bar: BARS[one.clients]!,
  }),
}));
const cost = reconcile(100_000, 100, LATENCY_MS);
const tookMs = convergence(PUTS, LATENCY_MS);
const spread = { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) };
if (options.has("json")) {
  console.log(JSON.stringify({ figures, ratios, reconcile: cost, convergenceMs: spread }));
} else {
  console.log(Bun.inspect.table(figures));
  console.log(Bun.inspect.table(ratios));
  const { bytes, roundTrips } = cost;
  console.log(
    `100,000 keys, 100 differences: ${bytes} bytes (bar: 50,000), ${roundTrips} round trips ` +
      `(bar: 4), ${cost.tookMs} ms at ${LATENCY_MS} ms one way`,
  );
  console.log(
    `a put is at all of three servers: p50 ${spread.p50} ms, p99 ${spread.p99} ms ` +
      `(bar: 1,200) at ${LATENCY_MS} ms one way`,
  );
}
