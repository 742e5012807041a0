/**
 * What a replicated state machine costs: three nodes as processes on loopback, each with a
 * directory, and etcd beside them if it is installed (Debian: etcd-server, and golang-go with
 * golang-etcd-server-dev for its client). Prints, by row: puts of 128 bytes with 1, 64 and 256
 * clients, and what one put must cost at least; the time until the first commit after the leader is
 * killed; bytes in the log for a command of 139 bytes; commands while a snapshot of 100 MB goes to
 * a node that was away; what an idle node takes; and a restart with 1,000,000 entries.
 *
 * @module
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openReplica } from "../raft/mod.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import {
  endAll,
  Etcd,
  lineToLeader,
  load,
  NodeLine,
  ProcessCluster,
  type Times,
} from "./raft_cluster.ts";
import { NodeRequest } from "./raft_node.ts";

const ROWS = "puts,failover,log,snapshot,idle,restart";

const options = benchOptions(import.meta.path, {
  seconds: count(2, "how long each case of puts is measured, each time"),
  rounds: count(3, "how often, in turn with etcd"),
  kills: count(20, "how many leaders are killed"),
  rows: { value: "ROWS", default: ROWS, help: "what is measured" },
  directory: { value: "DIR", default: tmpdir(), help: "where the nodes keep what they store" },
});

const seconds = options.number("seconds");
const rounds = options.number("rounds");
const root = fs.mkdtempSync(join(options.text("directory")!, "motherlode-bench-raft-"));

const VALUE_BYTES = 128;
const LOGGED_BYTES = 139;
const STATE_BYTES = 100_000_000;
const RESTART_ENTRIES = 1_000_000;
const IDLE_SECONDS = 10;
const WARM_UP_SECONDS = 4;
const WARM_UP_CLIENTS = [256, 64, 1];
/** After so long what runs now and then is compiled, and its compiler rests. */
const SETTLED_MS = 40_000;

const ms = (value: number): string => `${value.toFixed(2)} ms`;
const rate = (value: number): string => Math.round(value).toLocaleString("en");
const say = (what: string, text: string): void => console.log(`${what.padEnd(34)} ${text}`);

/** The median of each figure, and how far apart the smallest and the largest rate were. */
function summary(all: readonly Times[]): Times & { readonly spread: number } {
  const rates = all.map(({ perSecond }) => perSecond);
  return {
    perSecond: median(rates),
    p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
    spread: Math.max(...rates) / Math.min(...rates),
  };
}

/** How long a write of a few bytes and a sync of it take on this disk, p50. */
async function syncMs(): Promise<number> {
  const file = fs.openSync(join(root, "sync"), "w");
  fs.writeSync(file, new Uint8Array(1 << 20));
  fs.fsyncSync(file);
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const beganMs = performance.now();
    fs.writeSync(file, new Uint8Array(200), 0, 200, i * 200);
    await new Promise<void>((done) => fs.fdatasync(file, () => done()));
    times.push(performance.now() - beganMs);
  }
  fs.closeSync(file);
  return median(times);
}

/** A server runs for days: its code is compiled, and the compiler's threads rest. */
async function warmUp(line: NodeLine, etcd: Etcd | undefined): Promise<void> {
  for (const clients of WARM_UP_CLIENTS) {
    await load(line, clients, WARM_UP_SECONDS, VALUE_BYTES);
    await etcd?.load(clients, 1, VALUE_BYTES);
  }
}

async function puts(): Promise<void> {
  const cluster = await ProcessCluster.start(join(root, "puts"), 3);
  // Building its client takes all cores: the line, which soon gives up silence, is made after that.
  const etcd = await Etcd.start(join(root, "etcd"));
  const [line] = await lineToLeader(cluster);
  await warmUp(line, etcd);
  for (const clients of [1, 64, 256]) {
    const ours: Times[] = [];
    const theirs: Times[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await load(line, clients, seconds, VALUE_BYTES));
      if (etcd !== undefined) theirs.push(await etcd.load(clients, seconds, VALUE_BYTES));
    }
    const one = summary(ours);
    const figures = (t: Times): string =>
      `${rate(t.perSecond)}/s, p50 ${ms(t.p50Ms)}, p99 ${ms(t.p99Ms)}`;
    say(`${clients} clients, put of 128 B`, `${figures(one)} (A/A ${one.spread.toFixed(2)})`);
    if (theirs.length === 0) continue;
    const other = summary(theirs);
    const quotient =
      clients === 1
        ? `p50 of ours / etcd's ${(one.p50Ms / other.p50Ms).toFixed(2)}`
        : `ours / etcd's ${(one.perSecond / other.perSecond).toFixed(1)}`;
    say("  etcd, Go client", `${figures(other)} (A/A ${other.spread.toFixed(2)}); ${quotient}`);
  }
  await floor(line);
  await cluster.end();
  endAll();
}

/** What one put must cost: the client's round trip, and the slower of own disk and a peer's way. */
async function floor(line: NodeLine): Promise<void> {
  const trips: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const beganMs = performance.now();
    await line.ask(NodeRequest.ping);
    trips.push(performance.now() - beganMs);
  }
  const [trip, sync] = [median(trips), await syncMs()];
  const sum = trip + Math.max(sync, trip + sync);
  say("  what one put must cost", `${ms(sum)}: round trips ${ms(trip)}, sync ${ms(sync)}`);
}

/** From the kill of a leader until the first command is committed again. */
async function failover(): Promise<void> {
  const cluster = await ProcessCluster.start(join(root, "failover"), 3);
  const times: number[] = [];
  for (let kill = 0; kill < options.number("kills"); kill++) {
    const [line, leader] = await lineToLeader(cluster);
    await line.close();
    const others = cluster.nodes.filter((_, i) => i !== leader - 1);
    const lines = await Promise.all(others.map(({ port }) => NodeLine.open(port)));
    const beganMs = performance.now();
    await cluster.nodes[leader - 1]!.kill();
    for (let isDone = false; !isDone;) {
      const asked = lines.map((each) => each.ask(NodeRequest.submit, new Uint8Array(VALUE_BYTES)));
      const replies = await Promise.all(asked);
      isDone = replies.some((reply) => reply?.isOk);
      if (!isDone) await Bun.sleep(2);
    }
    times.push(performance.now() - beganMs);
    await Promise.all(lines.map((each) => each.close()));
    await cluster.startNode(leader).ready;
    await Bun.sleep(300);
  }
  await cluster.end();
  say(
    `leader killed, of ${times.length}`,
    `p50 ${ms(median(times))}, max ${ms(Math.max(...times))}`,
  );
}

/** Bytes of a log's files that are in use. */
function usedBytes(directory: string): number {
  let used = 0;
  for (const name of fs.readdirSync(directory)) {
    if (!name.startsWith("log-")) continue;
    const bytes = fs.readFileSync(join(directory, name));
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    used += end;
  }
  return used;
}

async function log(): Promise<void> {
  for (const together of [1, 64]) {
    const directory = join(root, `log-${together}`);
    const machine = { apply: () => new Uint8Array(1), snapshot: () => new Uint8Array(1) };
    const whole = { ...machine, restore: () => {} };
    const replica = await openReplica({ group: "bench", machine: whole, directory });
    while (replica.status().role !== "leader") await Bun.sleep(5);
    const before = usedBytes(directory);
    const commands = 64 * 20;
    for (let sent = 0; sent < commands; sent += together) {
      const batch = Array.from({ length: together }, () => {
        return replica.submit(new Uint8Array(LOGGED_BYTES).fill(1));
      });
      await Promise.all(batch);
    }
    const each = (usedBytes(directory) - before) / commands;
    say(`log, 139 B, ${together} at a time`, `${each.toFixed(0)} bytes a command`);
    await replica.close();
  }
}

/** A node is away, its log is compacted, and it comes back while commands flow. */
async function snapshot(): Promise<void> {
  const env = {
    RAFT_NODE_STATE_BYTES: `${STATE_BYTES}`,
    RAFT_NODE_TRAILING_ENTRIES: "10",
    RAFT_NODE_SNAPSHOT_BYTES: `${1 << 30}`,
  };
  const cluster = await ProcessCluster.start(join(root, "snapshot"), 3, env);
  const [line, leader] = await lineToLeader(cluster);
  const laggard = (leader % 3) + 1;
  await cluster.nodes[laggard - 1]!.kill();
  await load(line, 16, 1, VALUE_BYTES);
  await line.ask(NodeRequest.snapshot);
  await Bun.sleep(3000);
  const before = await load(line, 4, 3, VALUE_BYTES);
  const elections = cluster.nodes.map(({ roles }) => roles.length);
  const beganMs = performance.now();
  const back = cluster.startNode(laggard);
  await back.ready;
  let isBack = false;
  const arrival = (async () => {
    const own = await NodeLine.open(back.port);
    while (!(await own.ask(NodeRequest.read))?.isOk) await Bun.sleep(20);
    isBack = true;
  })();
  const during = await load(line, 4, 120, VALUE_BYTES, () => isBack);
  await arrival;
  const tookSeconds = (performance.now() - beganMs) / 1000;
  const isCalm = cluster.nodes.every(({ roles }, i) => {
    return i === laggard - 1 || roles.length === elections[i];
  });
  say("100 MB snapshot, p99 of commands", `${ms(before.p99Ms)} before, ${ms(during.p99Ms)} during`);
  say("  until it is there", `${tookSeconds.toFixed(1)} s; elections: ${isCalm ? "none" : "some"}`);
  await cluster.end();
}

async function idle(): Promise<void> {
  const cluster = await ProcessCluster.start(join(root, "idle"), 3);
  const [line] = await lineToLeader(cluster);
  await line.close();
  await Bun.sleep(SETTLED_MS);
  const before = cluster.nodes.map((node) => node.usage());
  await Bun.sleep(IDLE_SECONDS * 1000);
  for (const [i, node] of cluster.nodes.entries()) {
    const { cpuSeconds, megabytes } = node.usage();
    const share = ((cpuSeconds - before[i]!.cpuSeconds) / IDLE_SECONDS) * 100;
    say(`idle node ${i + 1}`, `${share.toFixed(1)} % of a core, ${megabytes.toFixed(0)} MB`);
  }
  await cluster.end();
}

async function restart(): Promise<void> {
  const env = { RAFT_NODE_SNAPSHOT_BYTES: `${2 ** 31}` };
  const cluster = await ProcessCluster.start(join(root, "restart"), 1, env);
  const [line] = await lineToLeader(cluster);
  const command = new Uint8Array(VALUE_BYTES);
  for (let sent = 0; sent < RESTART_ENTRIES; sent += 2000) {
    await Promise.all(Array.from({ length: 2000 }, () => line.ask(NodeRequest.submit, command)));
  }
  await cluster.nodes[0]!.kill();
  const beganMs = performance.now();
  const node = cluster.startNode(1);
  await node.ready;
  const readyMs = performance.now() - beganMs;
  const [next] = await lineToLeader(cluster);
  const appliedMs = performance.now() - beganMs;
  const { cpuSeconds, megabytes } = node.usage();
  const text = `${ms(readyMs)} until it listens, ${ms(appliedMs)} until all is applied`;
  const cost = `${cpuSeconds.toFixed(2)} s of processor, ${megabytes.toFixed(0)} MB`;
  say("restart with 1,000,000 entries", `${text}; ${cost}`);
  await next.close();
  await cluster.end();
}

const measures = { puts, failover, log, snapshot, idle, restart };
try {
  for (const row of options.text("rows")!.split(",")) {
    await measures[row as keyof typeof measures]();
  }
} finally {
  endAll();
  fs.rmSync(root, { recursive: true, force: true });
}
process.exit(0);
