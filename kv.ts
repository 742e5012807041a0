/**
 * The replicated store: `bun run kv.ts VERB …` (docs/kv.md). `serve` is a server, and may be left
 * out in front of a port; the other verbs are its clients, but for `check`, which says whether a
 * history of operations is linearizable (docs/checker.md).
 *
 * @module
 */
import { ADMIN_VERBS } from "./kv/admin_verbs_adapter.ts";
import { CHECK_USAGE, runCheck } from "./kv/check_adapter.ts";
import { COPY_VERBS } from "./kv/copy_verbs_adapter.ts";
import { KEY_VERBS } from "./kv/key_verbs_adapter.ts";
import { LOCK_VERB } from "./kv/lock_verb_adapter.ts";
import { SERVE_VERB } from "./kv/serve_verb_adapter.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { UsageError } from "./run/errors.ts";
import { runScript } from "./run/signals.ts";
import { runVerb, type Verb, verbNames, type Verbs } from "./run/verbs.ts";

const VERBS: Verbs = {
  serve: SERVE_VERB,
  ...KEY_VERBS,
  lock: LOCK_VERB,
  ...COPY_VERBS,
  ...ADMIN_VERBS,
  check: { usage: CHECK_USAGE, run: runCheck },
};

const USAGE: Usage = {
  name: "kv",
  takes: "VERB …",
  count: [0, Infinity],
  about:
    "A linearizable store. `VERB --help` says more of each verb; `serve`, whose flags these\n" +
    `are, may be left out. SERVERS is HOST[:PORT][,HOST[:PORT]…].\n\n${Object.values(VERBS).map(summary).join("\n")}`,
  flags: SERVE_VERB.usage.flags,
};

/** A line on a verb for the help: what it takes. */
function summary({ usage: { takes } }: Verb): string {
  return `  ${takes.replace("HOST[:PORT][,HOST[:PORT]…]", "SERVERS")}`;
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const done = await runVerb(VERBS, argv);
  if (done !== undefined) return done;
  const { positionals } = readCommandLine(USAGE, argv);
  const isServe = positionals.every((word) => /^\d+$/.test(word));
  if (isServe) return await SERVE_VERB.run(readCommandLine(SERVE_VERB.usage, argv));
  const late = positionals.find((word) => Object.hasOwn(VERBS, word));
  if (late !== undefined) throw new UsageError(`"${late}" must be the first argument`);
  throw new UsageError(`"${positionals[0]}" is no verb, expected one of ${verbNames(VERBS)}`);
}

if (import.meta.main) await runScript(USAGE.name, main);
