/**
 * What it costs to lose the leader of three servers: as processes on loopback, each with a
 * directory, with one miner of one thread. In the midst of a job the leader is killed with SIGKILL,
 * and later started again. Prints after how long another server leads, after how long a client that
 * comes when the leader is killed has a new job accepted, after how long the client that waits
 * hears of its job again, and how much is searched twice, in seconds of the miner's time; and what
 * was said, and when, where a new job took longest.
 *
 *   bun run bench/failover.ts [--kills 20] [--seconds 4] [--directory DIR]
 *
 * @module
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askServer } from "../client/asking_adapter.ts";
import { endJob, submit } from "../client/mod.ts";
import { mine } from "../miner/mod.ts";
import { median, quantile } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { freePorts, linesOf, withUs } from "./processes.ts";

const options = benchOptions(import.meta.path, {
  kills: count(20, "how many leaders are killed"),
  seconds: count(4, "how long each job takes"),
  directory: { value: "DIR", default: tmpdir(), help: "where the servers keep what they store" },
});

const SERVERS = 3;
const POLL_MS = 20;
const kills = options.number("kills");
const root = fs.mkdtempSync(join(options.text("directory")!, "motherlode-bench-failover-"));
const ports = await freePorts(SERVERS);
const servers = ports.map((port) => `127.0.0.1:${port}`);
const cluster = servers.map((server, i) => `${i + 1}=${server}`).join(",");
const processes: Bun.Subprocess[] = [];

function start(i: number): void {
  const node = ["--node", `${i + 1}`, "--cluster", cluster, "--data", join(root, `${i + 1}`)];
  const command = [process.execPath, "server.ts", ...node];
  const child = Bun.spawn(withUs(command), { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  processes[i] = child;
  void (async () => {
    for await (const line of linesOf(child.stderr)) note(`server ${i + 1}: ${line}`);
  })();
}

/** What was said since the last kill, and when. */
let said: { readonly atMs: number; readonly text: string }[] = [];
let killedMs = 0;

function note(text: string): void {
  said.push({ atMs: performance.now() - killedMs, text });
}

/** Whether a server answers, and leads. */
async function leads(server: string): Promise<boolean | undefined> {
  try {
    return await askServer(server, { epochMillis: 100, epochLimit: 5 }, async (ask) => {
      const question = { kind: "inspect", job: 1 } as const;
      return await ask(question, (answer) =>
        answer.kind === "report"
          ? (JSON.parse(answer.text) as { leads: boolean }).leads
          : undefined,
      );
    });
  } catch {
    return undefined;
  }
}

/** The number of the leader, once all servers answer. */
async function leader(): Promise<number> {
  for (;;) {
    const all = await Promise.all(servers.map(leads));
    const found = all.indexOf(true);
    if (found >= 0 && !all.includes(undefined)) return found;
    await Bun.sleep(POLL_MS);
  }
}

/** One kill. */
interface Loss {
  readonly electedMs: number;
  readonly acceptedMs: number;
  readonly statusMs: number;
  readonly again: number;
  readonly said: typeof said;
}

async function lose(round: number, rate: number): Promise<Loss> {
  const upper = BigInt(Math.ceil(rate * options.number("seconds")));
  const before = miner.status().searched;
  const job = submit({ servers, message: `round ${round}`, lower: 0n, upper });
  const statuses = job[Symbol.asyncIterator]();
  while (((await statuses.next()).value?.done ?? 0n) === 0n);
  const victim = await leader();
  processes[victim]!.kill("SIGKILL");
  killedMs = performance.now();
  said = [];
  note(`server ${victim + 1} is killed`);
  const onWaiting = (reason: string, waitMs: number): void =>
    note(`the client waits for ${waitMs.toFixed(0)} ms: ${reason}`);
  const where = { servers, onWaiting };
  const probe = submit({ ...where, message: "probe", lower: 0n, upper: 0n, detached: true });
  const accepted = probe.id.then(() => performance.now() - killedMs);
  while (job.server === servers[victim]) await statuses.next();
  const statusMs = performance.now() - killedMs;
  const acceptedMs = await accepted;
  note(`the job is accepted by ${probe.server}`);
  const elected = said.find(({ text }) => text.includes("this server leads: "));
  await job.answer;
  const again = Number(miner.status().searched - before - (upper + 1n));
  await probe.answer;
  await endJob({ servers }, await probe.id, "forget");
  start(victim);
  await leader();
  const electedMs = elected?.atMs ?? NaN;
  return { electedMs, acceptedMs, statusMs, again: again / rate, said };
}

for (let i = 0; i < SERVERS; i++) start(i);
await leader();
const log = (text: string): void => note(`miner: ${text}`);
const miner = mine({ servers, threads: 1, kernel: "plain", niceness: "normal", log });
try {
  const CALIBRATION = 2_000_000n;
  const sinceMs = performance.now();
  await submit({ servers, message: "calibration", lower: 1n, upper: CALIBRATION }).answer;
  const rate = (Number(CALIBRATION) * 1000) / (performance.now() - sinceMs);
  const losses: Loss[] = [];
  for (let round = 1; round <= kills; round++) losses.push(await lose(round, rate));
  const figures = (
    name: string,
    of: (loss: Loss) => number,
    digits: number,
    unit: string,
  ): void => {
    const all = losses.map(of).toSorted((a, b) => a - b);
    const [p99, most] = [quantile(all, 0.99), all.at(-1)!];
    const tail = `p99 ${p99.toFixed(digits)}, at most ${most.toFixed(digits)}`;
    console.log(`${name.padEnd(34)} p50 ${median(all).toFixed(digits)}, ${tail} ${unit}`);
  };
  console.log(`leaders killed: ${losses.length}`);
  figures("another server leads after", ({ electedMs }) => electedMs, 0, "ms");
  figures("a new job is accepted after", ({ acceptedMs }) => acceptedMs, 0, "ms");
  figures("one that waits hears again after", ({ statusMs }) => statusMs, 0, "ms");
  figures("searched twice", ({ again }) => again, 2, "s of the miner");
  const [slowest] = losses.toSorted((a, b) => b.acceptedMs - a.acceptedMs);
  console.log("the slowest of new jobs, in ms since the kill:");
  for (const { atMs, text } of slowest!.said) console.log(`${atMs.toFixed(0).padStart(7)} ${text}`);
} finally {
  await miner.close();
  for (const server of processes) server.kill("SIGKILL");
  await Promise.all(processes.map(({ exited }) => exited));
  fs.rmSync(root, { recursive: true, force: true });
}
process.exit(0);
