/**
 * What the store costs beside bench/kv.ts, by row: `memory`, what a server takes for a million keys
 * of 12 bytes with values of 100, beside etcd; `followers`, what a read at a follower costs its
 * leader, next to a read at the leader, in processor time, of three servers; `snapshot`, puts of
 * 1,000 bytes beside 100 MB of state, without a snapshot and while one is made; and `puts`, of 128
 * bytes, to three servers, in turn with three of etcd and its own Go client, as bench/raft.ts does.
 *
 *   flock /tmp/bench.lock bun run bench/kv_state.ts [--rows memory,followers,snapshot,puts]
 *
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KvStore, openStore } from "../kv/mod.ts";
import type { Load, LoadReport, Peer } from "./kv_load.ts";
import { type Server, startServer } from "./kv_servers.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { cpuSeconds, endAll, freePorts, LoadProcess, pinned } from "./processes.ts";
import { closedLoop, endAll as endEtcd, Etcd, type Times } from "./raft_cluster.ts";

const options = benchOptions(import.meta.path, {
  rows: { value: "ROWS", default: "memory,followers,snapshot,puts", help: "what is measured" },
  rounds: count(3, "rounds of reads, and of puts"),
  ms: count(2000, "milliseconds of reads, and of puts, each time"),
  keys: count(1_000_000, "keys for the memory"),
});

const directory = mkdtempSync(join(tmpdir(), "motherlode-bench-kv-state-"));
const loader = new LoadProcess<Load, LoadReport>(join(import.meta.dir, "kv_load.ts"), "ignore");
const say = (what: string, text: string): void => console.log(`${what.padEnd(34)} ${text}`);
const STATE_RECORDS = 100_000;
const STATE_RECORD_BYTES = 1000;
const CALLERS = 64;
const PUT_BYTES = 128;
/** Turns of two seconds in which a snapshot must come. */
const SNAPSHOT_TURNS = 20;

function megabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
  return Number(kilobytes) / 1024;
}

async function started(peer: Peer): Promise<Server | undefined> {
  const server = startServer(peer, directory);
  // Until it listens.
  if (server !== undefined) await Bun.sleep(2000);
  return server;
}

async function fill({ peer, port, pid }: Server, records: number, bytes: number): Promise<void> {
  await loader.run({ peer, port, mode: "fill", callers: CALLERS, ms: 0, records, bytes }, pid);
}

async function memory(): Promise<void> {
  for (const peer of ["kv", "etcd"] as const) {
    const server = await started(peer);
    if (server === undefined) continue;
    const before = megabytes(server.pid);
    await fill(server, options.number("keys"), 100);
    const filled = megabytes(server.pid);
    await Bun.sleep(10_000);
    const after = megabytes(server.pid);
    const text = `${before.toFixed()} MB empty, ${filled.toFixed()} MB just filled`;
    say(`${options.number("keys")} keys, ${peer}`, `${text}, ${after.toFixed()} MB 10 s later`);
    server.child.kill("SIGKILL");
    await server.child.exited;
  }
}

/** Three servers, all on a core if it is given; which of them leads, and one that does not. */
async function cluster(core?: number): Promise<{ leader: Server; follower: Server }> {
  const ports = await freePorts(3);
  const members = ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(",");
  const servers = ports.map((port, i): Server => {
    const path = join(import.meta.dir, "../kv.ts");
    const data = join(directory, `node-${port}`);
    const flags = ["--node", `${i + 1}`, "--cluster", members, "--data", data];
    const command = [process.execPath, path, "serve", String(port), ...flags];
    const child = pinned(core, command, "ignore");
    return { peer: "kv", port, pid: child.pid, child };
  });
  await using store = openStore({ servers: ports.map((port) => `127.0.0.1:${port}`) });
  await store.put("x", "1");
  const { leader } = (await store.status()) as { leader: number };
  return { leader: servers[leader - 1]!, follower: servers[leader % 3]! };
}

/** What the leader takes for a read, in microseconds, beyond what it takes when nobody reads. */
async function followers(): Promise<void> {
  const { leader, follower } = await cluster(0);
  await fill(leader, 10_000, 100);
  await Bun.sleep(5000);
  const before = cpuSeconds(leader.pid);
  await Bun.sleep(5000);
  const idle = (cpuSeconds(leader.pid) - before) / 5;
  const cost = async ({ peer, port }: Server): Promise<number> => {
    const load = { peer, port, mode: "get", callers: CALLERS, ms: options.number("ms") } as const;
    const { report, cpu } = await loader.run(load, leader.pid);
    return ((cpu - idle * report.seconds) * 1e6) / report.operations;
  };
  const own: number[] = [];
  const others: number[] = [];
  for (let round = 0; round < options.number("rounds"); round++) {
    own.push(await cost(leader));
    others.push(await cost(follower));
  }
  const [mine, theirs] = [median(own), median(others)];
  const text = `${mine.toFixed(1)} us of it for its own, ${theirs.toFixed(1)} for a follower's`;
  say("a read costs the leader", `${text}: ${(theirs / mine).toFixed(2)}`);
}

async function snapshot(): Promise<void> {
  const server = (await started("kv"))!;
  const { peer, port, pid } = server;
  await fill(server, STATE_RECORDS, STATE_RECORD_BYTES);
  const data = readdirSync(directory).find((name) => name === `kv-${port}`)!;
  const newest = (): string =>
    readdirSync(join(directory, data))
      .filter((name) => name.startsWith("snapshot-"))
      .join();
  await Bun.sleep(5000);
  const puts = async (callers: number, ms: number): Promise<string> => {
    const load = { peer, port, mode: "put", callers, ms, bytes: STATE_RECORD_BYTES } as const;
    const { p50Micros, p99Micros, worstMicros } = (await loader.run(load, pid)).report;
    const times = [p50Micros, p99Micros, worstMicros].map((us) => `${(us / 1000).toFixed(1)} ms`);
    return `p50, p99, worst ${times.join(", ")}`;
  };
  // One after the other, they write too little for a snapshot; 16 at a time soon enough for one.
  let before = newest();
  const calm = await puts(1, 2000);
  if (newest() === before) say("1 caller, 100 MB of state", calm);
  for (let turn = 0; turn < SNAPSHOT_TURNS; turn++) {
    before = newest();
    const times = await puts(16, 2000);
    const isOver = newest() !== before;
    if (isOver || turn === 0) {
      say(`16 callers, ${isOver ? "a snapshot meanwhile" : "no snapshot"}`, times);
    }
    if (isOver) return;
  }
}

/** Callers of one program, which put one value after the other each. */
function putAll(store: KvStore, callers: number, ms: number): Promise<Times> {
  const value = new Uint8Array(PUT_BYTES);
  return closedLoop(callers, ms / 1000, async (i, n) => {
    await store.put(`key${i}-${n % 100}`, value);
    return true;
  });
}

async function puts(): Promise<void> {
  const { leader } = await cluster();
  await using store = openStore({ servers: [`127.0.0.1:${leader.port}`] });
  const etcd = await Etcd.start(join(directory, "etcd"));
  const ms = options.number("ms");
  for (const callers of [256, 64, 1]) {
    await putAll(store, callers, 2 * ms);
    await etcd?.load(callers, 1, PUT_BYTES);
  }
  for (const callers of [1, 64, 256]) {
    const [ours, theirs]: [Times[], Times[]] = [[], []];
    for (let round = 0; round < options.number("rounds"); round++) {
      ours.push(await putAll(store, callers, ms));
      if (etcd !== undefined) theirs.push(await etcd.load(callers, ms / 1000, PUT_BYTES));
    }
    const text = (all: Times[]): string => {
      const [rate, p50] = [all.map((t) => t.perSecond), all.map((t) => t.p50Ms)].map(median);
      return `${Math.round(rate!)}/s, p50 ${p50!.toFixed(2)} ms`;
    };
    say(`${callers} callers put, three servers`, text(ours));
    if (theirs.length > 0) say("  etcd, Go client", text(theirs));
  }
}

const measures = { memory, followers, snapshot, puts };
try {
  for (const row of options.text("rows")!.split(",")) {
    await measures[row as keyof typeof measures]();
  }
} finally {
  endEtcd();
  await endAll();
  rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
