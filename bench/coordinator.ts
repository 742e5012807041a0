/**
 * What it costs a server that its jobs outlive it, in one run, with the cases in turns:
 *
 *   bun run bench/coordinator.ts [--only PART] [--rounds 9] [--seconds 2] [--kills 20]
 *                                [--directory DIR]
 *
 * First: chunk results a second of a whole fleet that offers 10,000 a second, and of one whose
 * miners answer at once, with `--data` against `--memory`, and against a second server with
 * `--memory` (what the machine alone makes of equal things). The ratios are medians of the ratio
 * within a round. Server on one core, miners on another. Second: from submit to accepted, one job
 * at a time, beside a bare write of as many bytes and `fdatasync` in the same directory; and with
 * `--memory`, which is the way there and back. Third: three servers, whose leader is killed; how
 * long until a client that knows their addresses, and begins at that moment, has a job accepted.
 *
 * @module
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type LspClient } from "../lsp/mod.ts";
import { type Message, MESSAGES_VERSION, type ToClient } from "../work/messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { Trio } from "./coordinator_cluster.ts";
import type { Load, LoadReport } from "./coordinator_load.ts";
import { median, quantile } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { endAll, linesOf, LoadProcess, nextLine, pinned } from "./processes.ts";

/** What issue 11 asks for: of results a second, at least, at so many a second. */
const RATIO_BAR = 0.98;
const RESULTS_BAR = 10_000;
/** Beyond the disk's own sync, at most. */
const ACCEPTED_BAR_MS = 1;
const FAILOVER_BAR_MS = 1500;
const MINERS = 64;
const WARM_UP_MS = 3000;
/** Submits of one round. */
const SUBMITS = 100;
/** What a submit puts into the log, about. */
const RECORD_BYTES = 200;
const BARE_BYTES = 1 << 20;

const options = benchOptions(import.meta.path, {
  rounds: count(9, "rounds, each with all cases"),
  seconds: count(2, "how long a fleet works in a round"),
  kills: count(20, "how often the leader of three is killed"),
  only: { value: "PART", help: "accepted, fleet or failover alone" },
  directory: { value: "DIR", default: tmpdir(), help: "where jobs are kept" },
});

/** A server that runs. */
interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const root = fs.mkdtempSync(join(options.text("directory")!, "motherlode-bench-"));

async function startServer(name: string, ...where: string[]): Promise<Server> {
  const source = join(import.meta.dir, "../server.ts");
  const child = pinned(0, [process.execPath, "run", source, "0", "--quiet", ...where], "ignore");
  const ready = await nextLine(linesOf(child.stdout));
  return { name, port: Number(ready.split(":").at(-1)), pid: child.pid };
}

/** A client that submits one job at a time. */
class Asker {
  readonly #client: LspClient;
  readonly #session = crypto.getRandomValues(new BigUint64Array(1))[0]!;
  #job = 0;

  constructor(client: LspClient) {
    this.#client = client;
  }

  static async of({ port }: Server): Promise<Asker> {
    return new Asker(await connect({ host: "127.0.0.1", port, appVersion: MESSAGES_VERSION }));
  }

  /** Milliseconds until a job is accepted; it is gone from the table when this resolves. */
  async submit(): Promise<number> {
    const job = ++this.#job;
    const work = { subject: "motherlode bench", lower: 0n, upper: 1n << 40n };
    const beganMs = performance.now();
    const { id } = await this.#ask(
      { kind: "submit", job, session: this.#session, work },
      "accepted",
    );
    const tookMs = performance.now() - beganMs;
    await this.#ask({ kind: "end", job, id, what: "cancel" }, "ended");
    return tookMs;
  }

  async #ask<Kind extends ToClient["kind"]>(
    question: Message,
    kind: Kind,
  ): Promise<Extract<ToClient, { kind: Kind }>> {
    this.#client.write(encodeMessage(question));
    for (;;) {
      const message = decodeMessage(await this.#client.read());
      if (typeof message === "string") throw new Error(message);
      if (message.kind === kind) return message as Extract<ToClient, { kind: Kind }>;
    }
  }
}

/** Milliseconds of bare writes with their syncs, in a file that is zero-filled as a log is. */
async function bareSyncs(times: number): Promise<number[]> {
  const fd = fs.openSync(join(root, "bare"), "w+");
  fs.writeSync(fd, new Uint8Array(BARE_BYTES));
  fs.fsyncSync(fd);
  const bytes = new Uint8Array(RECORD_BYTES).fill(7);
  const all: number[] = [];
  for (let i = 0; i < times; i++) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const beganMs = performance.now();
    fs.write(fd, bytes, 0, bytes.length, i * RECORD_BYTES, (error) => {
      if (error) return reject(error);
      fs.fdatasync(fd, (failure) => (failure ? reject(failure) : resolve()));
    });
    await promise;
    all.push(performance.now() - beganMs);
  }
  fs.closeSync(fd);
  return all;
}

const memory = await startServer("--memory", "--memory");
const again = await startServer("--memory, again", "--memory");
const data = await startServer("--data", "--data", join(root, "data"));
const servers = [memory, data, again];

/** What a fleet came to in a while: results a second, and microseconds of the server for each. */
interface Pace {
  readonly rate: number;
  readonly cpu: number;
}

async function throughput(): Promise<void> {
  const load = new LoadProcess<Load, LoadReport>(join(import.meta.dir, "coordinator_load.ts"));
  const fleet = async ({ port, pid }: Server, ms: number, perSecond: number): Promise<Pace> => {
    const { report, cpu } = await load.run({ port, miners: MINERS, ms, perSecond }, pid);
    return { rate: report.results / report.seconds, cpu: (cpu * 1e6) / report.results };
  };
  for (const server of servers) await fleet(server, WARM_UP_MS, 0);
  for (const offered of [RESULTS_BAR, 0]) {
    const runs = new Map(servers.map((server) => [server, [] as Pace[]]));
    for (let round = 0; round < options.number("rounds"); round++) {
      // The one that is first in one round is last in the next.
      const order = round % 2 === 0 ? servers : servers.toReversed();
      for (const server of order) {
        runs.get(server)!.push(await fleet(server, options.number("seconds") * 1000, offered));
      }
    }
    const what = offered === 0 ? "as many as they can" : `${offered} a second`;
    console.log(`miners that offer ${what}:\n${Bun.inspect.table(rowsOf(runs))}`);
  }
  console.log(`bar: --data ${RATIO_BAR} of --memory at ${RESULTS_BAR} results a second`);
}

function rowsOf(runs: ReadonlyMap<Server, readonly Pace[]>): object[] {
  const of = (server: Server, field: keyof Pace): number[] =>
    runs.get(server)!.map((run) => run[field]);
  return servers.map((server) => ({
    server: server.name,
    "results/s": Math.round(median(of(server, "rate"))),
    "CPU us a result": median(of(server, "cpu")).toFixed(1),
    "of --memory": ratioOf(of(server, "rate"), of(memory, "rate")),
    "by CPU": ratioOf(of(memory, "cpu"), of(server, "cpu")),
  }));
}

function ratioOf(these: readonly number[], those: readonly number[]): string {
  return median(these.map((value, i) => value / those[i]!)).toFixed(3);
}

async function accepted(): Promise<void> {
  const askers = [await Asker.of(memory), await Asker.of(data)] as const;
  const times = { memory: [] as number[], data: [] as number[], disk: [] as number[] };
  for (let round = 0; round <= options.number("rounds"); round++) {
    const [disk, kept, unkept] = [await bareSyncs(SUBMITS), [] as number[], [] as number[]];
    for (let i = 0; i < SUBMITS; i++) unkept.push(await askers[0].submit());
    for (let i = 0; i < SUBMITS; i++) kept.push(await askers[1].submit());
    // The first one warms up.
    if (round === 0) continue;
    times.disk.push(...disk);
    times.memory.push(...unkept);
    times.data.push(...kept);
  }
  const rows = Object.entries({
    "the disk alone: write, fdatasync": times.disk,
    "submit to accepted, --memory": times.memory,
    "submit to accepted, --data": times.data,
  }).map(([what, all]) => ({ what, "p50 ms": median(all).toFixed(3), "p99 ms": p99(all) }));
  console.log(Bun.inspect.table(rows));
  const beyond = (median(times.data) - median(times.disk)).toFixed(3);
  console.log(`p50 beyond the disk's: ${beyond} ms (bar: ${ACCEPTED_BAR_MS})`);
}

async function failover(): Promise<void> {
  const trio = await Trio.start(join(root, "three"));
  const times: number[] = [];
  for (let i = 0; i < options.number("kills"); i++) times.push(await trio.failover());
  const sorted = times.toSorted((a, b) => a - b).map(Math.round);
  const last = quantile(sorted, 0.99);
  const of = `of ${sorted.length}: p50 ${median(sorted)} ms, p99 ${last} ms`;
  console.log(`leader killed to job accepted, ${of} (bar: p99 ${FAILOVER_BAR_MS})`);
}

function p99(all: readonly number[]): string {
  return quantile(
    all.toSorted((a, b) => a - b),
    0.99,
  ).toFixed(3);
}

try {
  const only = options.text("only");
  if (only === undefined || only === "accepted") await accepted();
  if (only === undefined || only === "fleet") await throughput();
  if (only === undefined || only === "failover") await failover();
} finally {
  await endAll();
  fs.rmSync(root, { recursive: true, force: true });
}
process.exit(0);
