/**
 * `bun run demo`: a real fleet on this machine. Starts a server and three miners as processes of
 * their own, has them search a range that takes some seconds, kills one of them in the middle of
 * it and later the server, which it starts again, shows how it goes, verifies the result, and shuts
 * everything down. Exit code 0 means that all of it worked.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { oneLine, readableCount, readableDuration } from "../base/text.ts";
import { type JobAnswer, submit } from "../client/mod.ts";
import { progressLine } from "../client/progress_line.ts";
import { userCacheDirectory } from "../miner/mod.ts";
import { readCommandLine, type Usage } from "../run/args.ts";
import { Failure } from "../run/errors.ts";
import { hostAndPort, wholeNumber } from "../run/flags.ts";
import { usableCores } from "../run/machine_limits.ts";
import { printResult } from "../run/output.ts";
import { Display } from "../run/progress.ts";
import { onSignal, runScript, WITH_PARENT } from "../run/signals.ts";
import type { Status } from "../work/messages.ts";
import { hexDigits, readableRate } from "../work/readable.ts";
import { checkHash, type ClaimedAnswer, searchAgain } from "./demo_check.ts";

const MINERS = 3;
/** How long the job should take unless told. */
const JOB_SECONDS = 4;
/** The part of that which the smaller one before it takes, which measures the fleet, at least. */
const MEASURE_PART = 0.2;
/** A fleet that was measured in a busy moment gets a job so many times as large. */
const LARGER_TIMES = 4n;
/** How much longer than the job the second search may take; then it says how far it came. */
const SECOND_SEARCH_TIMES = 2;
const MEASURE_NONCES_MIN = 2_000_000n;
/** How much of the job is done when a miner is killed, in percent. */
const KILL_PERCENT = 30n;
/** How much of it is done when the server is killed, in percent. */
const KILL_SERVER_PERCENT = 60n;
/** A peer that is silent for 10 of these is lost. */
const EPOCH_MS = 100;
/** How long to wait for the miners to have chosen their kernels; it is no must. */
const CHOICE_MS = 5000;
/** How long to wait for the server's word that it was killed in the middle of the job. */
const SERVER_WORD_MS = 3000;
/** No step of the demo takes longer than this unless something is broken. */
const STEP_MS = 120_000;

const USAGE: Usage = {
  name: "demo",
  takes: "",
  count: [0, 0],
  about:
    `Shows a server and ${MINERS} miners at work, and what happens when a miner is killed, and then\n` +
    "the server.",
  flags: { seconds: { value: "N", help: `how long the job should take (${JOB_SECONDS})` } },
};

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

const display = new Display({ lineMillis: 1000 });
/** Where the server keeps its jobs; made at the start, removed at the end. */
let dataDirectory = "";
const children: Child[] = [];
/** Those of them that are meant to end. */
const expected = new Set<Child>();
/** Rejects when another one ends. */
const broken = Promise.withResolvers<never>();
broken.promise.catch(() => {});
/** Lines that children said, and who wants to hear of the next. */
const said: string[] = [];
let onSaid = (): void => {};
/** Whether what children say is shown. */
let telling = true;

async function main(): Promise<number> {
  const given = readCommandLine(USAGE, process.argv.slice(2)).flag("seconds");
  const seconds = Number(wholeNumber("--seconds", given ?? `${JOB_SECONDS}`, 1n, 60n));
  dataDirectory = mkdtempSync(join(tmpdir(), "motherlode-demo-"));
  onSignal(async () => {
    display.clear();
    await killAll();
  });
  let proof = "";
  try {
    proof = await demonstrate(seconds);
    const codes = await within("the end of all processes", shutDown());
    if (codes.some((code) => code !== 143)) {
      throw new Failure(`the processes did not end cleanly: exit codes ${codes.join(", ")}`);
    }
  } finally {
    display.clear();
    await killAll();
  }
  display.line("all shut down; the demo is done. Check the hash yourself, its first 16 digits:");
  display.line(proof);
  return 0;
}

/** Runs the demo; the command that checks its result with a tool that everybody has. */
async function demonstrate(jobSeconds: number): Promise<string> {
  const { host, port } = await startServer();
  const kernels = await startMiners(`${host}:${port}`);
  const rate = await measure(host, port, jobSeconds * MEASURE_PART);
  const claim = await bear(host, port, BigInt(Math.round(rate * jobSeconds)));
  const { message, answer } = claim;
  display.clear();
  await printResult(`Result ${answer.hash} ${answer.nonce}\n`);
  display.line(`its hash in hexadecimal: ${hexDigits(answer.hash)}`);
  await verify(claim, kernels, SECOND_SEARCH_TIMES * jobSeconds);
  return `printf '%s' '${message} ${answer.nonce}' | sha256sum`;
}

/** A job of so many nonces, or more: of as many that a miner and the server can die meanwhile. */
async function bear(host: string, port: number, nonces: bigint): Promise<ClaimedAnswer> {
  const upper = nonces - 1n;
  const message = `motherlode ${new Date().toISOString()}`;
  display.line(`the job: the least hash of "${message}" with a nonce in 0..${upper}`);
  const startMs = performance.now();
  const answer = await run(host, port, message, upper, (status) => {
    display.status(progressLine(status, nonces, display.lineOptions));
    if (status.done * 100n > KILL_PERCENT * upper) killOne();
    if (status.done * 100n > KILL_SERVER_PERCENT * upper) killServer(port);
  });
  const seconds = (performance.now() - startMs) / 1000;
  const speed = readableRate(Number(nonces) / seconds);
  if (serverKilled && !(await wentOn())) serverKilled = false;
  const both = serverKilled ? ", and the server, too" : "";
  const despite = killed ? `, although miner ${MINERS} was killed${both}` : "";
  display.line(
    `found nonce ${answer.nonce} in ${readableDuration(seconds)}, at ${speed}${despite}`,
  );
  if (killed && serverKilled) return { message, upper, answer };
  display.line("that was too fast to kill anything meanwhile: once more, with a larger job");
  return await bear(host, port, nonces * LARGER_TIMES);
}

/** Whether the server that was started again found the job unfinished, and did not die too late. */
async function wentOn(): Promise<boolean> {
  const word = /^server: going on with /;
  await Promise.race([saying(word, 1), Bun.sleep(SERVER_WORD_MS)]);
  return said.some((line) => word.test(line));
}

/** Starts the miners one by one, so that the server numbers them as we do; their kernels. */
async function startMiners(at: string): Promise<Set<string>> {
  const threads = Math.max(1, Math.floor(usableCores() / MINERS));
  for (let i = 1; i <= MINERS; i++) {
    // Threads that step back for other programs would get nothing done on a busy machine.
    const pace = ["--niceness", "normal", "--epoch-millis", String(EPOCH_MS)];
    const args = [at, "--threads", String(threads), ...pace];
    tellLines(`miner ${i}`, start("miner.ts", args).stderr);
    await within(`miner ${i}`, saying(/^server: miner \d+ .*joined/, i));
  }
  const chosen = /^miner \d+: kernel (\S+): /;
  await Promise.race([saying(chosen, MINERS), Bun.sleep(CHOICE_MS)]);
  return new Set(said.flatMap((line) => chosen.exec(line)?.[1] ?? []));
}

let killed = false;

/** What the fleet must bear: a miner's sudden death. */
function killOne(): void {
  if (killed) return;
  killed = true;
  const victim = children[MINERS]!;
  expected.add(victim);
  victim.kill("SIGKILL");
  display.line(`killed miner ${MINERS} in the middle of its work (kill -9); the others go on`);
}

let serverKilled = false;

/** What the fleet must bear, too: the server's. It is started again on what its disk kept. */
function killServer(port: number): void {
  if (serverKilled) return;
  serverKilled = true;
  const victim = children[0]!;
  expected.add(victim);
  victim.kill("SIGKILL");
  display.line("killed the server with the miners at work (kill -9), and start it again");
  void victim.exited.then(() => {
    tellLines("server", start("server.ts", serverArguments(port)).stderr);
    // It takes the place of the first one.
    children[0] = children.pop()!;
  });
}

function serverArguments(port: number): string[] {
  return [String(port), "--data", dataDirectory, "--epoch-millis", String(EPOCH_MS)];
}

/** Starts the server on a free port; where it listens. */
async function startServer(): Promise<{ host: string; port: number }> {
  const server = start("server.ts", serverArguments(0));
  tellLines("server", server.stderr);
  const first = await within("the server's start", firstLine(server.stdout));
  const where = /^listening on (.+)$/.exec(first)?.[1];
  if (where === undefined) throw new Failure(`the server said "${oneLine(first)}"`);
  display.line(`server: ${first}`);
  return hostAndPort(where);
}

/** Nonces a second of the fleet, by jobs that grow until one takes long enough to tell. */
async function measure(host: string, port: number, leastSeconds: number): Promise<number> {
  telling = false;
  // The first one also warms the kernels up: it says nothing.
  for (let nonces = MEASURE_NONCES_MIN, warm = false; ; nonces *= 4n, warm = true) {
    const startMs = performance.now();
    await run(host, port, "motherlode measurement", nonces - 1n);
    const seconds = (performance.now() - startMs) / 1000;
    const rate = Number(nonces) / seconds;
    if (seconds < leastSeconds || !warm) continue;
    display.line(`this fleet does about ${readableRate(rate)}, as a small job shows`);
    telling = true;
    return rate;
  }
}

async function run(
  host: string,
  port: number,
  message: string,
  upper: bigint,
  show: (status: Status) => void = () => {},
): Promise<JobAnswer> {
  const params = { epochMillis: EPOCH_MS };
  const job = submit({ host, port, params, message, lower: 0n, upper });
  const shown = (async () => {
    for await (const status of job) show(status);
    return await job.answer;
  })();
  return await within("the answer to a job", shown);
}

/** Checks the result without the code that found it. */
async function verify(
  claim: ClaimedAnswer,
  kernels: ReadonlySet<string>,
  mostSeconds: number,
): Promise<void> {
  const { upper, answer } = claim;
  checkHash(claim);
  const percentOf = (part: bigint): bigint => (part * 100n) / (upper + 1n);
  const show = (next: bigint, name: string): void =>
    display.status(`searching again with another kernel (${name}): ${percentOf(next)} %`);
  const cacheDirectory = userCacheDirectory();
  const cache = cacheDirectory === undefined ? {} : { cacheDirectory };
  const again = searchAgain(claim, kernels, show, mostSeconds * 1000, cache);
  const { kernel, searched } = await within("the second search", again);
  const all = searched > upper;
  const part = all ? "all" : `the first ${percentOf(searched)} %`;
  const what = `a second search of ${part} of the ${readableCount(upper + 1n)} nonces`;
  const found = all || answer.nonce < searched ? "found the same nonce" : "found none smaller";
  display.line(`verified: the hash is right, and ${what} with another kernel (${kernel}) ${found}`);
}

// ---- processes

function start(script: string, args: string[]): Child {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const child = Bun.spawn([process.execPath, path, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, [WITH_PARENT]: "yes" },
  });
  children.push(child);
  void child.exited.then((code) => {
    if (expected.has(child)) return;
    broken.reject(new Failure(`${script} ended unexpectedly, exit code ${code}`));
  });
  return child;
}

/** Ends the miners that live, then the server they work for; the exit codes. */
async function shutDown(): Promise<number[]> {
  const [server, ...all] = children;
  const miners = killed ? all.slice(0, -1) : all;
  const codes = [];
  for (const group of [miners, [server!]]) {
    for (const child of group) {
      expected.add(child);
      child.kill("SIGTERM");
    }
    codes.push(...(await Promise.all(group.map((child) => child.exited))));
  }
  return codes;
}

/** Ends by force whatever still runs, and removes what it kept. */
async function killAll(): Promise<void> {
  for (const child of children) {
    expected.add(child);
    if (child.exitCode === null) child.kill("SIGKILL");
  }
  await Promise.all(children.map((child) => child.exited));
  rmSync(dataDirectory, { recursive: true, force: true });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of stream) {
    text += decoder.decode(part, { stream: true });
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0]!;
}

/** The time in front of a server's log line. */
const LOG_TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z /;

/** Shows the lines of a child as they come. */
function tellLines(name: string, stream: ReadableStream<Uint8Array>): void {
  void (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const part of stream) {
      const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const text of lines) hear(`${name}: ${text.replace(LOG_TIME, "")}`);
    }
  })();
}

function hear(line: string): void {
  if (telling) display.line(line);
  said.push(line);
  onSaid();
}

/** Resolves when children have said `count` lines of that kind. */
async function saying(pattern: RegExp, count: number): Promise<void> {
  while (said.filter((line) => pattern.test(line)).length < count) {
    await new Promise<void>((resolve) => (onSaid = resolve));
  }
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `${what} did not come within ${STEP_MS / 1000} s`;
    timer = setTimeout(() => reject(new Failure(text)), STEP_MS);
  });
  try {
    return await Promise.race([promise, late, broken.promise]);
  } finally {
    clearTimeout(timer);
  }
}

if (import.meta.main) await runScript("demo", main);
