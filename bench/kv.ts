/**
 * The store beside etcd, one durable node each, in one run: puts and gets a second, mixes of YCSB
 * (10,000 records of 1 KB, zipfian 0.99), their times, and the server's processor time. Server on
 * one core, callers on another, the cases interleaved.
 *
 *   flock /tmp/bench.lock bun run bench/kv.ts [--rounds 2] [--ms 1000] [--json]
 *
 * Both sync every write before they answer, in the same directory, and both read linearizably.
 * Callers share up to 8 connections. etcd is spoken to by gRPC on Bun's HTTP/2, which may be the
 * slower half there: so the server's processor time an operation stands beside the rates.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load, LoadReport, Mode } from "./kv_load.ts";
import { type Server, startServer } from "./kv_servers.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { endAll, LoadProcess } from "./processes.ts";

const CASES: readonly (readonly [Mode, number])[] = [
  ["put", 1],
  ["put", 16],
  ["put", 64],
  ["put", 256],
  ["get", 1],
  ["get", 16],
  ["get", 64],
  ["get", 256],
  ["A", 64],
  ["B", 64],
  ["C", 64],
  ["F", 64],
];

const WARM_UP_MS = 4000;

const options = benchOptions(import.meta.path, {
  rounds: count(2, "rounds, each with all cases"),
  ms: count(1000, "milliseconds a case"),
  json: { help: "all figures as JSON" },
});

const directory = mkdtempSync(join(tmpdir(), "motherlode-bench-kv-"));

const loader = new LoadProcess<Load, LoadReport>(join(import.meta.dir, "kv_load.ts"), "ignore");

interface Run extends LoadReport {
  readonly rate: number;
  /** Processor time of the server an operation. */
  readonly cpuMicros: number;
}

async function measured(
  { peer, port, pid }: Server,
  mode: Mode,
  callers: number,
  ms: number = options.number("ms"),
): Promise<Run> {
  const load: Load = { peer, mode, port, callers, ms };
  const { report, cpu } = await loader.run(load, pid);
  const { operations, seconds } = report;
  return { ...report, rate: operations / seconds, cpuMicros: (cpu * 1e6) / operations };
}

const servers: Server[] = [];
for (const peer of ["kv", "etcd"] as const) {
  const server = startServer(peer, directory);
  if (server === undefined) console.warn("no etcd on this machine: not compared with it");
  else servers.push(server);
}
try {
  // Until both listen; and the records of the mixes.
  await Bun.sleep(2000);
  for (const server of servers) await measured(server, "load", 64);
  // Just-in-time compilers, ours and the callers', are through by then.
  for (const server of servers) {
    for (const mode of ["get", "put"] as const) await measured(server, mode, 64, WARM_UP_MS);
  }
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < options.number("rounds"); round++) {
    for (const [mode, callers] of CASES) {
      for (const server of servers) {
        const key = `${mode} ${callers} ${server.peer}`;
        runs.set(key, [...(runs.get(key) ?? []), await measured(server, mode, callers)]);
      }
    }
  }
  const rows = CASES.flatMap(([mode, callers]) =>
    servers.map(({ peer }) => {
      const all = runs.get(`${mode} ${callers} ${peer}`)!;
      const of = (field: "rate" | "p50Micros" | "p99Micros" | "cpuMicros"): number =>
        Math.round(median(all.map((one) => one[field])));
      return {
        case: mode,
        callers,
        server: peer,
        "op/s": of("rate"),
        "p50 us": of("p50Micros"),
        "p99 us": of("p99Micros"),
        "cpu us/op": of("cpuMicros"),
      };
    }),
  );
  if (options.has("json")) for (const row of rows) console.log(JSON.stringify(row));
  else console.log(Bun.inspect.table(rows));
} finally {
  await endAll();
  rmSync(directory, { recursive: true, force: true });
}
