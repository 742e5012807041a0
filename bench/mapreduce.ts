/**
 * Word count on a fleet (server, two miners; the text over LSP, or in a directory that they share),
 * on one machine alone (`--local`), with a function on strings, and by other means, on the same
 * text, in turns: MB/s by the clock, and by the processor time of all processes together, which
 * other programs on the machine change little. And the peak memory of a miner, and how long a small
 * job takes; and how fast a worker gets a partition of another one.
 *
 *   bun run bench/mapreduce.ts [--mb 200] [--rounds 3] [--rows fleet,shared,small,shuffle]
 *
 * The other means: a single thread of this language on bytes (bench/mapreduce_twin.ts),
 * `tr | sort | uniq -c`, `tr | mawk`, and GNU parallel with mawk; those that are not installed are
 * left out.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeText } from "./mapreduce_text.ts";
import { shuffleRates } from "./mapreduce_shuffle.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { cpuSeconds, withUs } from "./processes.ts";

const options = benchOptions(import.meta.path, {
  mb: count(200, "size of the text in MB"),
  rounds: count(3, "rounds, each with all cases"),
  rows: { value: "ROWS", help: "what is measured, all by default; coreutils costs most" },
});

/** What issue 14 asks for. */
const BARS = [
  ["fleet", "coreutils", 5],
  ["fleet", "parallel", 1.5],
  ["shared", "coreutils", 5],
  ["shared", "parallel", 1.5],
  ["user", "bare", 0.9],
  ["local", "single", 1.2],
] as const;
/** Of the rate of LSP. */
const SHUFFLE_BAR = 0.7;
const SMALL_MB = 3;
const SMALL_FILES = 8;

const rows = options.text("rows")?.split(",");
const isWanted = (row: string): boolean => rows === undefined || rows.includes(row);

const root = join(import.meta.dirname, "..");
const directory = mkdtempSync(join(tmpdir(), "motherlode-bench-"));
const children: Bun.Subprocess[] = [];

interface Case {
  readonly name: string;
  readonly command: readonly string[];
}

function has(program: string): boolean {
  return Bun.which(program) !== null;
}

/** A shell's pipeline. */
function shell(name: string, script: string): Case {
  return { name, command: ["sh", "-c", `export LC_ALL=C; ${script}`] };
}

function bun(...args: string[]): string[] {
  return [process.execPath, ...args];
}

/** Starts a program of this project, and waits for a line of its output. */
async function start(
  stream: "stdout" | "stderr",
  mark: RegExp,
  ...args: string[]
): Promise<string> {
  const child = Bun.spawn(withUs(bun(...args)), { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  const decoder = new TextDecoder();
  const reader = (child[stream] as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${args[0]} ended: ${text}`);
    text += decoder.decode(value);
    const found = mark.exec(text);
    if (found === null) continue;
    void (async () => {
      while (!(await reader.read()).done);
    })();
    return found[1] ?? "";
  }
}

/** How long something took, and how much processor time, in seconds. */
interface Took {
  readonly seconds: number;
  readonly cpu: number;
}

/** Processor time of the server and the miners so far, in seconds; Linux only. */
function fleetCpu(): number {
  return children.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
}

/** Runs a command; `ofFleet`: what the fleet did meanwhile was for it. */
async function timed(command: readonly string[], ofFleet = false): Promise<Took> {
  const startMs = performance.now();
  const before = ofFleet ? fleetCpu() : 0;
  const child = Bun.spawn(withUs(command), { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  const code = await child.exited;
  if (code !== 0)
    throw new Error(`${command.join(" ")}: ${await new Response(child.stderr).text()}`);
  const seconds = (performance.now() - startMs) / 1000;
  const own = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { seconds, cpu: own + (ofFleet ? fleetCpu() - before : 0) };
}

const USER = "bench/mapreduce_user.ts";
const run = (where: string): string[] => ["mapreduce.ts", "run", where];

function casesFor(text: string, at: string): Case[] {
  const words = `tr -cs 'A-Za-z' '\\n' < ${text}`;
  const mawk = "mawk '{ n[$0]++ } END { for (w in n) print w, n[w] }'";
  const sum = "mawk '{ n[$1] += $2 } END { for (w in n) print w, n[w] }'";
  const cases: Case[] = [
    { name: "fleet", command: bun(...run(at), "wc", text, "--stdout", "--quiet") },
    {
      name: "shared",
      command: bun(...run(at), "wc", text, "--shared", directory, "--stdout", "--quiet"),
    },
    {
      name: "user",
      command: bun(...run("--local"), "--workers", "1", USER, text, "--stdout", "--quiet"),
    },
    { name: "bare", command: bun("bench/mapreduce_user.ts", text) },
    {
      name: "local",
      command: bun(...run("--local"), "wc", text, "--stdout", "--quiet"),
    },
    { name: "single", command: bun("bench/mapreduce_twin.ts", text) },
    shell("coreutils", `${words} | sort | uniq -c`),
  ];
  if (has("mawk")) cases.push(shell("mawk", `${words} | ${mawk} | sort`));
  if (has("mawk") && has("parallel")) {
    const part = `tr -cs A-Za-z "\\n" | ${mawk.replaceAll("'", `'"'"'`)}`;
    cases.push(
      shell("parallel", `parallel --pipepart -a ${text} --block 16M '${part}' | ${sum} | sort`),
    );
  }
  return cases;
}

/** The most memory that a process has had, in MiB; Linux only. */
function peakMib(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024);
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const { bavail, bsize } = statfsSync(directory);
  // The text, what lies between map and reduce, and what sort needs.
  const mb = Math.min(options.number("mb"), Math.floor((bavail * bsize) / 4e6));
  const text = join(directory, "text");
  await writeText(text, mb * 1e6);
  const at = await start("stdout", /listening on (\S+)/, "server.ts", "0", "--quiet");
  const miner = ["miner.ts", at, "--threads", "1", "--niceness", "normal", "--shared", directory];
  for (let i = 0; i < 2; i++) await start("stderr", /kernel \w+: ([\d.]+)/, ...miner);
  const cases = casesFor(text, at).filter(({ name }) => isWanted(name));
  const all = new Map<string, Took[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round < options.number("rounds"); round++) {
    for (const { name, command } of cases) {
      all.get(name)!.push(await timed(command, name === "fleet" || name === "shared"));
    }
  }
  console.log(`words of ${mb} MB, ${options.number("rounds")} rounds, medians`);
  for (const [name, runs] of all) {
    const rate = median(runs.map(({ seconds }) => mb / seconds)).toFixed(1);
    const perCore = median(runs.map(({ cpu }) => mb / cpu)).toFixed(1);
    console.log(`${name.padEnd(10)} ${rate.padStart(6)} MB/s, ${perCore} MB a second of a core`);
  }
  for (const [mine, other, bar] of BARS) {
    const others = all.get(other);
    if (others === undefined || !all.has(mine)) continue;
    const ratio = (of: keyof Took): number =>
      median(all.get(mine)!.map((run, i) => others[i]![of] / run[of]));
    const verdict = ratio("seconds") >= bar ? "met" : "MISSED";
    const byCpu = `by processor time ${ratio("cpu").toFixed(2)}`;
    console.log(
      `${mine} / ${other}: ${ratio("seconds").toFixed(2)} (${byCpu}), bar ${bar}: ${verdict}`,
    );
  }
  const [, ...miners] = children;
  console.log(`peak memory of the miners: ${miners.map(({ pid }) => peakMib(pid)).join(", ")} MiB`);
  await start("stderr", /kernel \w+: ([\d.]+)/, ...miner);
  if (isWanted("small")) await small(at);
  if (isWanted("shuffle")) await shuffle(text);
}

/** Partitions from worker to worker, beside LSP alone. */
async function shuffle(text: string): Promise<void> {
  const { shuffle: mine, lsp } = await shuffleRates(text, options.number("rounds"));
  const ratio = median(mine.map((rate, i) => rate / lsp[i]!));
  const rates = `${median(mine).toFixed(0)} MB/s, LSP alone one way ${median(lsp).toFixed(0)}`;
  const verdict = ratio >= SHUFFLE_BAR ? "met" : "MISSED";
  console.log(`shuffle: ${rates}: ${ratio.toFixed(2)}, bar ${SHUFFLE_BAR}: ${verdict}`);
}

/** A small job on three miners: eight files. */
async function small(at: string): Promise<void> {
  const files = Array.from({ length: SMALL_FILES }, (_, i) => join(directory, `small-${i}`));
  for (const file of files) await writeText(file, (SMALL_MB * 1e6) / SMALL_FILES);
  const run = bun("mapreduce.ts", "run", at, "wc", ...files, "--stdout", "--quiet");
  const times: number[] = [];
  for (let i = 0; i < options.number("rounds"); i++) times.push((await timed(run)).seconds);
  const verdict = median(times) <= 1 ? "met" : "MISSED";
  console.log(
    `${SMALL_MB} MB in ${SMALL_FILES} files: ${median(times).toFixed(2)} s, bar 1: ${verdict}`,
  );
}

try {
  await main();
} finally {
  for (const child of children) child.kill();
  rmSync(directory, { recursive: true, force: true });
}
