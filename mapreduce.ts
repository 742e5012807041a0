/**
 * MapReduce: `bun run mapreduce.ts run HOST:PORT APP INPUT... --reducers R --out DIR`. Runs an
 * application over files on the miners of a server, or with `--local` on this machine.
 *
 * Outputs go to files (or, merged, to stdout with `--stdout`); progress goes to stderr.
 *
 * @module
 */
import { BUILTIN_NAMES } from "./mapreduce/code_name.ts";
import { isTaskProcess, runOnFleet, serveTasks } from "./mapreduce/mod.ts";
import { peerHost } from "./mapreduce/peers_adapter.ts";
import { JOB_FLAGS, runJob } from "./mapreduce/script_adapter.ts";
import { JOB_VERBS } from "./mapreduce/verbs_adapter.ts";
import { LSP_FLAGS, lspParams } from "./peer/flags.ts";
import { typedServers } from "./peer/targets.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { hostAndPort } from "./run/flags.ts";
import { runScript } from "./run/signals.ts";
import { runVerb, verbNames } from "./run/verbs.ts";

const USAGE: Usage = {
  name: "mapreduce",
  takes: "run [HOST[:PORT][,HOST[:PORT]…]] APP INPUT...",
  count: [0, 1_000_000],
  about:
    "Runs APP over the INPUT files, directories or patterns, and writes the files mr-out-0 to\n" +
    `mr-out-(R-1). APP is ${BUILTIN_NAMES}, or a TypeScript file that exports map(name,\n` +
    "contents) and reduce(key, values). HOST:PORT is left out with --local. Verbs for\n" +
    `jobs that are there, each with a --help of its own: ${verbNames(JOB_VERBS)}.`,
  flags: { ...JOB_FLAGS, ...LSP_FLAGS },
};

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const done = await runVerb(JOB_VERBS, argv);
  if (done !== undefined) return done;
  const line = readCommandLine(USAGE, argv);
  const [verb, ...rest] = line.positionals;
  if (verb !== "run")
    throw new UsageError(`the verb is "${verb ?? ""}", expected run, ${verbNames(JOB_VERBS)}`);
  const isLocal = line.has("local");
  const [application, ...inputs] = isLocal ? rest : rest.slice(1);
  if (application === undefined || inputs.length === 0) {
    const where = isLocal ? "" : "HOST:PORT (or --local), ";
    throw new UsageError(`expected ${where}an application and at least one input`);
  }
  if (isLocal) return await runJob(line, application, inputs);
  const servers = typedServers(rest[0]!);
  const at = { servers, params: lspParams(line) };
  const { host } = hostAndPort(servers[0]!);
  return await runJob(line, application, inputs, (options) =>
    runOnFleet({ ...options, ...at, peerHost: peerHost(host, options.peerHost) }),
  );
}

if (import.meta.main && Bun.isMainThread) {
  if (isTaskProcess()) await serveTasks();
  else await runScript(USAGE.name, main);
}
