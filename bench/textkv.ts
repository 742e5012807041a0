/**
 * The text server beside Redis (RPUSH, LRANGE, LREM, DEL; nothing kept on disk) and beside an echo
 * that does nothing, in one run: requests a second, round trips, processor time, and what one slow
 * reader costs the others. Server on one core, clients on another, the cases interleaved.
 *
 *   bun run bench/textkv.ts [--rounds 5] [--ms 500] [--json]
 *
 * A client has one answer under way (unpipelined) or 112 in one write. A mutation goes in one write
 * with the read behind it, for all alike, since this protocol answers reads alone. Figures are
 * medians over the rounds, ratios medians of the ratio within a round. Beside each ratio by the
 * clock stands the one by the server's processor time a request: on a machine that others use too,
 * the clock measures them as well.
 *
 * @module
 */
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import type { Mode, Peer } from "./textkv_load.ts";
import { endAll } from "./processes.ts";
import { Loader, type Run, type Server, startServer } from "./textkv_servers.ts";

const CLIENTS = [1, 10, 100];
const MODES: readonly Mode[] = ["mix", "get", "pipelined mix"];
/** What issue 13 asks for: requests a second against Redis, at least. */
const BARS: Readonly<Record<Mode, number>> = { mix: 0.8, get: 0.8, "pipelined mix": 0.5 };
const WARM_UP_MS = 1500;
/** The slow reader's list: 4 MB. */
const SLOW_LINES = 1000;
const SLOW_VALUE_BYTES = 4096;
/** How often it reads, half a megabyte at most each time: about 1 MB a second. */
const SLOW_READ_MS = 450;
/** How long the others are measured beside it: the bar is 5 %, so longer than the cases. */
const SLOW_MS = 1000;

const options = benchOptions(import.meta.path, {
  rounds: count(5, "rounds, each with all cases"),
  ms: count(500, "milliseconds a case"),
  json: { help: "all figures as JSON" },
});

/** A client that asks for 4 MB again and again and reads about 1 MB a second; ends it. */
async function slowReader({ port }: Server): Promise<() => void> {
  const filled = Promise.withResolvers<void>();
  const puts = `Put:slow:${"v".repeat(SLOW_VALUE_BYTES)}\n`.repeat(SLOW_LINES);
  const unsent = [Buffer.from(`Delete:slow\n${puts}Put:filled:yes\nGet:filled\n`)];
  let isReading = false;
  const flush = (socket: Bun.Socket): void => {
    const bytes = unsent[0];
    if (bytes === undefined) return;
    const taken = Math.max(0, socket.write(bytes));
    if (taken < bytes.length) unsent[0] = bytes.subarray(taken);
    else unsent.shift();
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (self) => {
        if (isReading) self.pause();
        else filled.resolve();
      },
      drain: flush,
    },
  });
  flush(socket);
  await filled.promise;
  isReading = true;
  socket.pause();
  socket.write("Get:slow\n".repeat(20));
  const timer = setInterval(() => socket.resume(), SLOW_READ_MS);
  return () => {
    clearInterval(timer);
    socket.terminate();
  };
}

const loader = new Loader(options.number("ms"));
const servers: Server[] = [];
for (const peer of ["textkv", "redis", "echo"] as const) {
  const server = await startServer(peer);
  if (server === undefined) console.warn("no redis-server on this machine: not compared with it");
  else servers.push(server);
}
const textkv = servers[0]!;
// Long enough for just-in-time compilers, ours and the clients', to be through.
for (const server of servers) {
  for (const mode of MODES) await loader.measure(server, mode, 10, WARM_UP_MS);
}
const cases = MODES.flatMap((mode) => CLIENTS.map((clients) => ({ mode, clients })));
const runs = new Map<string, Run[]>();
const nameOf = (peer: Peer, mode: Mode, clients: number): string => `${peer} ${mode} ${clients}`;
const costs: { readonly rate: number; readonly cpu: number }[] = [];
for (let round = 0; round < options.number("rounds"); round++) {
  for (const { mode, clients } of cases) {
    for (const server of servers) {
      const name = nameOf(server.peer, mode, clients);
      runs.set(name, [...(runs.get(name) ?? []), await loader.measure(server, mode, clients)]);
    }
  }
  const before = await loader.measure(textkv, "mix", 10, SLOW_MS);
  const endSlow = await slowReader(textkv);
  const beside = await loader.measure(textkv, "mix", 10, SLOW_MS);
  endSlow();
  const after = await loader.measure(textkv, "mix", 10, SLOW_MS);
  costs.push({
    rate: (2 * beside.rate) / (before.rate + after.rate),
    cpu: (before.cpuMicros + after.cpuMicros) / (2 * beside.cpuMicros),
  });
}
await endAll();

const of = (peer: Peer, { mode, clients }: (typeof cases)[number]): Run[] =>
  runs.get(nameOf(peer, mode, clients)) ?? [];
const figures = cases.flatMap((one) =>
  servers.map(({ peer }) => {
    const pick = (field: (run: Run) => number): number => median(of(peer, one).map(field));
    return {
      mode: one.mode,
      clients: one.clients,
      server: peer,
      "requests/s": Math.round(pick((run) => run.rate)),
      "p50 us": Math.round(pick((run) => run.p50Micros)),
      "p99 us": Math.round(pick((run) => run.p99Micros)),
      "CPU us a request": Number(pick((run) => run.cpuMicros).toFixed(2)),
    };
  }),
);
const ratios = cases.map((one) => {
  const ratio = (peer: Peer, field: (run: Run) => number): string => {
    const theirs = of(peer, one);
    return median(of("textkv", one).map((run, i) => field(run) / field(theirs[i]!))).toFixed(2);
  };
  const hasRedis = of("redis", one).length > 0;
  return {
    ...one,
    "of redis": hasRedis ? ratio("redis", (run) => run.rate) : "",
    "by CPU": hasRedis ? ratio("redis", (run) => 1 / run.cpuMicros) : "",
    bar: `>= ${BARS[one.mode]}`,
    "of echo": ratio("echo", (run) => run.rate),
  };
});
const slow = {
  "others beside one slow reader of 4 MB": median(costs.map(({ rate }) => rate)).toFixed(3),
  "by CPU": median(costs.map(({ cpu }) => cpu)).toFixed(3),
  bar: ">= 0.95",
};
if (options.has("json")) console.log(JSON.stringify({ figures, ratios, slow }));
else {
  for (const table of [figures, ratios, [slow]]) {
    console.log(Bun.inspect.table(table, { colors: false }));
  }
}
process.exit(0);
