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
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load, LoadReport, Mode, Peer } from "./kv_load.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";

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
const TICKS_PER_SECOND = 100;

const options = benchOptions(import.meta.path, {
  rounds: count(2, "rounds, each with all cases"),
  ms: count(1000, "milliseconds a case"),
  json: { help: "all figures as JSON" },
});

type Child = Bun.Subprocess<"pipe", "pipe", "ignore">;
const children: Child[] = [];
const directory = mkdtempSync(join(tmpdir(), "motherlode-bench-kv-"));

function pinned(core: number, command: readonly string[]): Child {
  const taskset = Bun.which("taskset");
  const pin = taskset === null ? [] : [taskset, "-c", String(core)];
  const child = Bun.spawn([...pin, ...command], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  children.push(child);
  return child;
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop();
  return listener.port;
}

interface Server {
  readonly peer: Peer;
  readonly port: number;
  readonly pid: number;
}

function startServer(peer: Peer): Server | undefined {
  const port = freePort();
  const data = join(directory, peer);
  if (peer === "kv") {
    const source = join(import.meta.dir, "../kv.ts");
    const command = [process.execPath, source, "serve", String(port), "--data", data];
    return { peer, port, pid: pinned(0, command).pid };
  }
  const etcd = Bun.which("etcd");
  if (etcd === null) return undefined;
  const url = `http://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${freePort()}`;
  const flags = {
    "data-dir": data,
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
  };
  const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const { pid } = pinned(0, [etcd, ...words]);
  return { peer, port, pid };
}

/** Processor time of a process so far, in seconds; NaN where /proc is not. */
function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}

const loader = pinned(1, [process.execPath, join(import.meta.dir, "kv_load.ts")]);
const reports = (async function* (): AsyncGenerator<LoadReport, void, void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of loader.stdout) {
    text += decoder.decode(part, { stream: true });
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as LoadReport;
  }
})();

interface Run extends LoadReport {
  readonly rate: number;
  /** Processor time of the server an operation. */
  readonly cpuMicros: number;
}

async function measured({ peer, port, pid }: Server, mode: Mode, callers: number): Promise<Run> {
  const load: Load = { peer, mode, port, callers, ms: options.number("ms") };
  const before = cpuSeconds(pid);
  loader.stdin.write(`${JSON.stringify(load)}\n`);
  await loader.stdin.flush();
  const { value: report } = await reports.next();
  if (report === undefined) throw new Error("the callers' process has ended");
  const { operations, seconds } = report;
  const cpuMicros = ((cpuSeconds(pid) - before) / operations) * 1e6;
  return { ...report, rate: operations / seconds, cpuMicros };
}

const servers: Server[] = [];
for (const peer of ["kv", "etcd"] as const) {
  const server = startServer(peer);
  if (server === undefined) console.warn("no etcd on this machine: not compared with it");
  else servers.push(server);
}
try {
  // Until both listen; and the records of the mixes.
  await Bun.sleep(2000);
  for (const server of servers) await measured(server, "load", 64);
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
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map(({ exited }) => exited));
  rmSync(directory, { recursive: true, force: true });
}
