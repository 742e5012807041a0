/**
 * The replicated store: `bun run kv.ts VERB …`. `check FILE` says whether a history of operations
 * is linearizable (docs/checker.md).
 *
 * @module
 */
import { CHECK_USAGE, runCheck } from "./kv/check_adapter.ts";
import { type CommandLine, readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { runScript } from "./run/signals.ts";

interface Verb {
  readonly usage: Usage;
  readonly run: (line: CommandLine) => Promise<number>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  check: { usage: CHECK_USAGE, run: runCheck },
};

const USAGE: Usage = {
  name: "kv",
  takes: "VERB …",
  count: [0, Infinity],
  about: `VERB is one of ${Object.keys(VERBS).join(", ")}; VERB --help says what it takes.`,
  flags: Object.assign({}, ...Object.values(VERBS).map(({ usage }) => usage.flags)),
};

function main(): Promise<number> {
  const [first = "", ...rest] = process.argv.slice(2);
  const verb = Object.hasOwn(VERBS, first) ? VERBS[first] : undefined;
  if (verb !== undefined) return verb.run(readCommandLine(verb.usage, rest));
  const { positionals } = readCommandLine(USAGE, process.argv.slice(2));
  const got = positionals.length === 0 ? "got no verb" : `"${positionals[0]}" is no verb`;
  throw new UsageError(`${got}, expected ${Object.keys(VERBS).join(", ")}`);
}

if (import.meta.main) await runScript(USAGE.name, main);
