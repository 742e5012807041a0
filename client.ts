/**
 * A client: `bun run client.ts HOST:PORT MESSAGE MAXNONCE`. Has the fleet search the nonce in
 * 0..MAXNONCE whose hash with MESSAGE is least, or, with a target, the lowest that meets it.
 *
 * Its stdout is exactly `Result HASH NONCE` or `Disconnected`; progress goes to stderr.
 *
 * @module
 */
import { atPort, oneLine } from "./base/text.ts";
import { jobAsked } from "./client/asked_adapter.ts";
import { type JobAnswer, submit, SubmitError } from "./client/mod.ts";
import { showProgress } from "./client/show_adapter.ts";
import { LSP_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "./peer/flags.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { Failure, UsageError } from "./run/errors.ts";
import { DEFAULT_PORT, hostAndPort, seconds } from "./run/flags.ts";
import { printResult } from "./run/output.ts";
import { Display } from "./run/progress.ts";
import { onSignal, runScript } from "./run/signals.ts";
import { hexDigits, leadingZeroBits } from "./work/readable.ts";

/** A target that no nonce of the range met. */
const EXIT_UNMET = 3;
/** The time that was given is over. */
const EXIT_TIMED_OUT = 4;

const USAGE: Usage = {
  name: "client",
  takes: "HOST[:PORT] MESSAGE MAXNONCE",
  count: [2, 3],
  about:
    "Finds the nonce in 0..MAXNONCE whose hash with MESSAGE is least: the first 64 bits of\n" +
    "SHA-256 over MESSAGE, one blank and the decimal nonce. Numbers may be 2^40 or 1e9.",
  flags: {
    zeros: { value: "N", help: "end at the lowest nonce with N leading zero bits in its hash" },
    target: { value: "HEX", help: "end at the lowest nonce with a hash <= 16 hex digits" },
    lower: { value: "N", help: "first nonce of the range (0)" },
    file: { value: "FILE", help: "take MESSAGE from FILE, byte by byte (- for stdin)" },
    timeout: { value: "SECONDS", help: "give up then, and exit with 4" },
    json: { help: "write progress and result as JSON, a line each" },
    quiet: { help: "show no progress" },
    wire: WIRE_FLAG,
    ...LSP_FLAGS,
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const { host, port } = hostAndPort(line.positionals[0]!, DEFAULT_PORT);
  const work = await jobAsked(line);
  const timeout = line.flag("timeout");
  const timeoutMs = timeout === undefined ? undefined : seconds("--timeout", timeout);
  const [params, wire, json] = [lspParams(line), wireFlag(line), line.has("json")];
  const display = new Display({ quiet: line.has("quiet") || json });
  const job = submit({ host, port, wire, params, ...work });
  const shown = showProgress(job, { ...work, where: atPort(host, port), json, display });
  onSignal(async () => {
    shown.end();
    await job.cancel();
  });
  let late = false;
  if (timeoutMs !== undefined) setTimeout(() => void ((late = true), job.cancel()), timeoutMs);
  let answer: JobAnswer;
  try {
    await shown.over;
    answer = await job.answer;
  } catch (error) {
    if (late) shown.end();
    else display.clear();
    if (late) process.stderr.write(`client: no answer within ${timeout} s\n`);
    if (late) return EXIT_TIMED_OUT;
    if (error instanceof SubmitError) return await fail(error, json);
    throw error;
  }
  display.clear();
  return await tell(answer, work.target, json, line.has("quiet"));
}

/** Writes the result; its exit code. */
async function tell(
  { hash, nonce, met }: JobAnswer,
  target: bigint | undefined,
  json: boolean,
  quiet: boolean,
): Promise<number> {
  const hex = hexDigits(hash);
  if (json)
    await printResult(`${JSON.stringify({ result: { hash: hex, nonce: `${nonce}`, met } })}\n`);
  else await printResult(`Result ${hash} ${nonce}\n`);
  if (!quiet && !json) {
    process.stderr.write(`hash ${hex}: ${leadingZeroBits(hash)} leading zero bits\n`);
  }
  if (met) return 0;
  process.stderr.write(
    `client: no hash meets the target ${hexDigits(target!)}, ${hex} is the least\n`,
  );
  return EXIT_UNMET;
}

/** The exit code of a job without an answer; it also says what there is to say. */
async function fail(error: SubmitError, json: boolean): Promise<number> {
  if (error.code === "INVALID_JOB") throw new UsageError(error.message);
  if (error.code !== "DISCONNECTED") throw new Failure(error.message);
  await printResult(
    json ? `${JSON.stringify({ disconnected: error.message })}\n` : "Disconnected\n",
  );
  process.stderr.write(`client: ${oneLine(error.message)}\n`);
  return 1;
}

if (import.meta.main) await runScript(USAGE.name, main);
