/**
 * `bun run demo`: a real fleet on this machine. Starts a server and two miners as processes of
 * their own, has them search a range that takes some seconds, shows how it goes, verifies the
 * result, and shuts everything down. Exit code 0 means that all of it worked.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Failure, hostAndPort, oneLine, onSignal, runScript } from "./cli.ts";
import { Display, progressLine } from "./cli_progress.ts";
import { readableRate, readableTime } from "./readable.ts";
import { hashNonce, type JobAnswer, submit, usableCores } from "./mod.ts";

const MINERS = 2;
/** How long the job should take, and the smaller one before it that measures the fleet. */
const JOB_SECONDS = 6;
const MEASURE_SECONDS = 0.8;
const MEASURE_NONCES_MIN = 2_000_000n;
/** Random nonces hashed one by one, none of which may beat the result. */
const SAMPLE = 50_000;
/** No step of the demo takes longer than this unless something is broken. */
const STEP_MILLIS = 60_000;

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

const display = new Display({ lineMillis: 1000 });
const children: Child[] = [];

async function main(): Promise<number> {
  onSignal(async () => {
    display.clear();
    await killAll();
  });
  try {
    await demonstrate();
    const codes = await within("the end of all processes", shutDown());
    if (codes.some((code) => code !== 143)) {
      throw new Failure(`the processes did not end cleanly: exit codes ${codes.join(", ")}`);
    }
  } finally {
    display.clear();
    await killAll();
  }
  display.line("all shut down; the demo is done");
  return 0;
}

async function demonstrate(): Promise<void> {
  const { host, port } = await startServer();
  const threads = Math.max(1, Math.floor(usableCores() / MINERS));
  for (let i = 1; i <= MINERS; i++) {
    const args = [`${host}:${port}`, "--threads", String(threads)];
    tellLines(`miner ${i}`, start("miner.ts", args).stderr);
  }
  const rate = await measure(host, port);
  const upper = BigInt(Math.round(rate * JOB_SECONDS)) - 1n;
  const message = `motherlode ${new Date().toISOString()}`;
  display.line(`the job: the least hash of "${message}" with a nonce in 0..${upper}`);
  const startMs = performance.now();
  const answer = await run(host, port, message, upper, true);
  const seconds = (performance.now() - startMs) / 1000;
  const speed = readableRate(Number(upper + 1n) / seconds);
  display.line(`found nonce ${answer.nonce} in ${readableTime(seconds)}, at ${speed}`);
  process.stdout.write(`Result ${answer.hash} ${answer.nonce}\n`);
  verify(message, upper, answer);
}

/** Starts the server on a free port; where it listens. */
async function startServer(): Promise<{ host: string; port: number }> {
  const server = start("server.ts", ["0"]);
  tellLines("server", server.stderr);
  const first = await within("the server's start", firstLine(server.stdout));
  const where = /^listening on (.+)$/.exec(first)?.[1];
  if (where === undefined) throw new Failure(`the server said "${oneLine(first)}"`);
  display.line(`server: ${first}`);
  return hostAndPort(where);
}

/** Nonces a second of the fleet, by jobs that grow until one takes long enough to tell. */
async function measure(host: string, port: number): Promise<number> {
  for (let nonces = MEASURE_NONCES_MIN; ; nonces *= 4n) {
    const startMs = performance.now();
    await run(host, port, "motherlode measurement", nonces - 1n, false);
    const seconds = (performance.now() - startMs) / 1000;
    const rate = Number(nonces) / seconds;
    if (seconds < MEASURE_SECONDS) continue;
    display.line(`this fleet does about ${readableRate(rate)}`);
    return rate;
  }
}

async function run(
  host: string,
  port: number,
  message: string,
  upper: bigint,
  show: boolean,
): Promise<JobAnswer> {
  const job = submit({ host, port, message, lower: 0n, upper });
  const shown = (async () => {
    for await (const status of job) {
      if (show) display.status(progressLine(status, upper + 1n, display.lineOptions));
    }
    return await job.answer;
  })();
  return await within("the answer to a job", shown);
}

/** Checks the result without any of the code that found it. */
function verify(message: string, upper: bigint, { hash, nonce }: JobAnswer): void {
  if (nonce < 0n || nonce > upper) throw new Failure(`nonce ${nonce} is outside 0..${upper}`);
  const native = new Bun.CryptoHasher("sha256").update(`${message} ${nonce}`).digest();
  for (const own of [hashNonce(message, nonce), native.readBigUInt64BE(0)]) {
    if (own !== hash) throw new Failure(`nonce ${nonce} has hash ${own}, not ${hash}`);
  }
  for (let i = 0; i < SAMPLE; i++) {
    const other = BigInt(Math.floor(Math.random() * Number(upper)));
    const better = hashNonce(message, other);
    if (better < hash || (better === hash && other < nonce)) {
      throw new Failure(`nonce ${other} has the smaller hash ${better}`);
    }
  }
  display.line(`verified: the hash is right, and ${SAMPLE} random nonces have none smaller`);
}

// ---- processes

function start(script: string, args: string[]): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = Bun.spawn([process.execPath, path, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  return child;
}

/** Ends the miners, then the server they work for; the exit codes. */
async function shutDown(): Promise<number[]> {
  const [server, ...miners] = children;
  const codes = [];
  for (const group of [miners, [server!]]) {
    for (const child of group) child.kill("SIGTERM");
    codes.push(...(await Promise.all(group.map((child) => child.exited))));
  }
  return codes;
}

/** Ends by force whatever still runs. */
function killAll(): Promise<number[]> {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  return Promise.all(children.map((child) => child.exited));
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

/** Shows the lines of a child as they come. */
function tellLines(name: string, stream: ReadableStream<Uint8Array>): void {
  void (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const part of stream) {
      const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const text of lines) display.line(`${name}: ${text}`);
    }
  })();
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `${what} did not come within ${STEP_MILLIS / 1000} s`;
    timer = setTimeout(() => reject(new Failure(text)), STEP_MILLIS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

if (import.meta.main) await runScript("demo", main);
