/**
 * The geo store on one server beside Redis (GET, SET; nothing kept on disk), in one run: requests a
 * second and round trips, server on one core, clients on another, interleaved. And, in virtual time
 * and so exact: what it costs to bring two replicas together, and how soon a put is everywhere.
 *
 *   bun run bench/geo.ts [--rounds 5] [--ms 1000] [--json]
 *
 * Figures are medians over the rounds, ratios medians of the ratio within a round.
 *
 * @module
 */
import { convergence, reconcile } from "./geo_virtual.ts";
import type { GeoLoad, GeoPeer, GeoReport, GeoVerb } from "./geo_load.ts";
import { median } from "./median.ts";
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
}

async function startGeo(): Promise<Server> {
  const child = pinned(0, [process.execPath, "geo.ts", "serve", "0", "--quiet"]);
  const line = await nextLine(linesOf(child.stdout));
  return { peer: "geo", port: Number(line.split(":").at(-1)), pid: child.pid };
}

async function startRedis(): Promise<Server | undefined> {
  const redis = Bun.which("redis-server");
  if (redis === null) return undefined;
  const port = freePort();
  const given = ["--port", `${port}`, "--save", "", "--bind", "127.0.0.1"];
  const child = pinned(0, [redis, ...given]);
  for await (const line of linesOf(child.stdout)) {
    if (line.includes("Ready to accept connections")) break;
  }
  return { peer: "redis", port, pid: child.pid };
}

const loader = new LoadProcess<GeoLoad, GeoReport>("bench/geo_load.ts");
const geo = await startGeo();
const redis = await startRedis();
const servers = redis === undefined ? [geo] : [geo, redis];
if (redis === undefined) console.warn("no redis-server on this machine: not compared with it");
const cases = VERBS.flatMap((verb) => CLIENTS.map((clients) => ({ verb, clients })));
const reports = new Map<string, GeoReport[]>();
const nameOf = (peer: GeoPeer, { verb, clients }: (typeof cases)[number]): string =>
  `${peer} ${verb} ${clients}`;
for (const { peer, port, pid } of servers) {
  for (const one of cases) await loader.run({ peer, port, ...one, ms: WARM_UP_MS / 4 }, pid);
}
for (let round = 0; round < options.number("rounds"); round++) {
  for (const one of cases) {
    for (const { peer, port, pid } of servers) {
      const { report } = await loader.run({ peer, port, ...one, ms: options.number("ms") }, pid);
      reports.set(nameOf(peer, one), [...(reports.get(nameOf(peer, one)) ?? []), report]);
    }
  }
}
await endAll();

const figures = cases.flatMap((one) =>
  servers.map(({ peer }) => {
    const all = reports.get(nameOf(peer, one)) ?? [];
    const pick = (field: keyof GeoReport): number => Math.round(median(all.map((r) => r[field])));
    const [rate, p50, p99] = [pick("rate"), pick("p50Micros"), pick("p99Micros")];
    return { ...one, server: peer, "requests/s": rate, "p50 us": p50, "p99 us": p99 };
  }),
);
const ratios = cases.flatMap((one) => {
  if (redis === undefined) return [];
  const [ours, theirs] = (["geo", "redis"] as const).map((peer) => reports.get(nameOf(peer, one))!);
  const ratio = median(ours!.map(({ rate }, i) => rate / theirs![i]!.rate));
  return [{ ...one, "of redis": Number(ratio.toFixed(2)), bar: BARS[one.clients]! }];
});
const cost = reconcile(100_000, 100, LATENCY_MS);
const tookMs = convergence(PUTS, LATENCY_MS);
const spread = { p50: tookMs[PUTS / 2]!, p99: tookMs[Math.ceil(0.99 * PUTS) - 1]! };
if (options.has("json")) {
  console.log(JSON.stringify({ figures, ratios, reconcile: cost, convergenceMs: spread }));
} else {
  console.log(Bun.inspect.table(figures));
  if (ratios.length > 0) console.log(Bun.inspect.table(ratios));
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
