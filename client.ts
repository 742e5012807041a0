/**
 * A client: `bun run client.ts HOST:PORT MESSAGE MAXNONCE`. Has the fleet search the nonce in
 * 0..MAXNONCE whose hash with MESSAGE is least, or, with a target, the lowest that meets it.
 *
 * Its stdout is exactly `Result HASH NONCE` or `Disconnected`; progress goes to stderr.
 *
 * @module
 */
import { jobAsked } from "./client/asked_adapter.ts";
import { detach, follow } from "./client/follow_adapter.ts";
import { submit } from "./client/mod.ts";
import { JOB_VERBS } from "./client/verbs_adapter.ts";
import { BOTH_WIRES_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "./peer/flags.ts";
import { typedServers } from "./peer/targets.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { seconds } from "./run/flags.ts";
import { runScript } from "./run/signals.ts";
import { runVerb, verbNames } from "./run/verbs.ts";

const USAGE: Usage = {
  name: "client",
  verb: "submit",
  takes: "HOST[:PORT][,HOST[:PORT]…] MESSAGE MAXNONCE",
  count: [2, 3],
  about:
    "Finds the nonce in 0..MAXNONCE whose hash with MESSAGE is least: the first 64 bits of\n" +
    "SHA-256 over MESSAGE, one blank and the decimal nonce. Numbers may be 2^40 or 1e9.\n" +
    "When the server goes, it waits for it. Other verbs, each with a --help of its own:\n" +
    `${verbNames(JOB_VERBS)}.`,
  flags: {
    zeros: { value: "N", help: "end at the lowest nonce with N leading zero bits in its hash" },
    target: { value: "HEX", help: "end at the lowest nonce with a hash <= 16 hex digits" },
    lower: { value: "N", help: "first nonce of the range (0)" },
    file: { value: "FILE", help: "take MESSAGE from FILE, byte by byte (- for stdin)" },
    detach: { help: "print the job's id and leave: it goes on, and its answer is kept" },
    once: { help: "give up when the connection is lost" },
    timeout: { value: "SECONDS", help: "give up then, and exit with 4" },
    json: { help: "write progress and result as JSON, a line each" },
    quiet: { help: "show no progress" },
    wire: WIRE_FLAG,
    ...BOTH_WIRES_FLAGS,
  },
};

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const done = await runVerb(JOB_VERBS, argv);
  if (done !== undefined) return done;
  const line = readCommandLine(USAGE, argv);
  const at = { servers: typedServers(line.positionals[0]!) };
  const work = await jobAsked(line);
  const text = line.flag("timeout");
  const timeout = text === undefined ? undefined : { text, ms: seconds("--timeout", text) };
  const [json, quiet, once] = [line.has("json"), line.has("quiet"), line.has("once")];
  const asked = { ...at, wire: wireFlag(line), params: lspParams(line), ...work };
  if (line.has("detach")) {
    if (timeout !== undefined) throw new UsageError("got --detach and --timeout, expected one");
    // Of several servers another one may answer.
    const isAlone = at.servers.length === 1;
    return await detach(submit({ ...asked, detached: true, once: isAlone || once }), json);
  }
  const total = work.upper - work.lower + 1n;
  const { target } = work;
  const options = { ...at, json, quiet, timeout, total, target, end: "cancel" } as const;
  return await follow(options, ({ onWaiting }) => submit({ ...asked, once, onWaiting }));
}

if (import.meta.main) await runScript(USAGE.name, main);
