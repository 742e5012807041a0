/**
 * A client: `bun run client.ts HOST:PORT MESSAGE MAXNONCE`. Has the fleet search the nonce in
 * 0..MAXNONCE whose hash with MESSAGE is least, or, with `--target`, the lowest that meets it.
 *
 * Its stdout is exactly `Result HASH NONCE` or `Disconnected`; progress goes to stderr.
 *
 * @module
 */
import { atPort, oneLine } from "./base/text.ts";
import { type JobAnswer, type Submission, submit, SubmitError } from "./client/mod.ts";
import { progressLine } from "./client/progress_line.ts";
import { LSP_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "./peer/flags.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { Failure, UsageError } from "./run/errors.ts";
import { hex64, hostAndPort, uint64 } from "./run/flags.ts";
import { Display } from "./run/progress.ts";
import { onSignal, runScript } from "./run/signals.ts";
import { hexDigits } from "./work/readable.ts";

/** A target that no nonce of the range met. */
const EXIT_UNMET = 3;

const USAGE: Usage = {
  name: "client",
  takes: "HOST:PORT MESSAGE MAXNONCE",
  count: [3, 3],
  about: "Finds the nonce in 0..MAXNONCE whose hash with MESSAGE is least.",
  flags: {
    lower: { value: "N", help: "first nonce of the range (0)" },
    target: { value: "HEX", help: "end at the lowest nonce with a hash <= 16 hex digits (none)" },
    wire: WIRE_FLAG,
    ...LSP_FLAGS,
    quiet: { help: "show no progress" },
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const [server, message, maxNonce] = line.positionals as [string, string, string];
  const { host, port } = hostAndPort(server);
  const upper = uint64("MAXNONCE", maxNonce);
  const lower = uint64("--lower", line.flag("lower") ?? "0");
  const hex = line.flag("target");
  const target = hex === undefined ? undefined : hex64("--target", hex);
  const params = lspParams(line);
  const wire = wireFlag(line);
  const display = new Display({ quiet: line.has("quiet") });
  const work = { message, lower, upper, ...(target !== undefined && { target }) };
  const job = submit({ host, port, wire, params, ...work });
  onSignal(async () => {
    display.clear();
    await job.cancel();
  });
  const where = atPort(host, port);
  let answer: JobAnswer;
  try {
    await showProgress(job, upper - lower + 1n, where, display);
    answer = await job.answer;
  } catch (error) {
    if (error instanceof SubmitError) return fail(error);
    throw error;
  } finally {
    display.clear();
  }
  process.stdout.write(`Result ${answer.hash} ${answer.nonce}\n`);
  if (answer.met) return 0;
  const best = `${hexDigits(answer.hash)} is the least`;
  process.stderr.write(`client: no hash meets the target ${hexDigits(target!)}, ${best}\n`);
  return EXIT_UNMET;
}

/** Shows how the job goes until it ends, one way or the other. */
async function showProgress(
  job: Submission,
  total: bigint,
  where: string,
  display: Display,
): Promise<void> {
  await job.connected;
  display.line(`connected to ${where}`);
  let waiting = false;
  for await (const status of job) {
    if (status.miners === 0 && !waiting) {
      display.line("no miner is connected: the job waits for miners");
    }
    waiting = status.miners === 0;
    display.status(progressLine(status, total, display.lineOptions));
  }
}

/** The exit code of a job without an answer; what is to be said of it, is. */
function fail(error: SubmitError): number {
  if (error.code === "INVALID_JOB") throw new UsageError(error.message);
  if (error.code !== "DISCONNECTED") throw new Failure(error.message);
  process.stdout.write("Disconnected\n");
  process.stderr.write(`client: ${oneLine(error.message)}\n`);
  return 1;
}

if (import.meta.main) await runScript(USAGE.name, main);
