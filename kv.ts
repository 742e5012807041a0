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
import { runScript } from "./run/signals.ts";
import { runServing, type ServingProgram } from "./run/verbs.ts";

/** The program, for those who run it without a process of its own. */
export const KV: ServingProgram = {
  name: "kv",
  about: "A linearizable store.",
  verbs: {
    serve: SERVE_VERB,
    ...KEY_VERBS,
    lock: LOCK_VERB,
    ...COPY_VERBS,
    ...ADMIN_VERBS,
    check: { usage: CHECK_USAGE, run: runCheck },
  },
};

if (import.meta.main) await runScript(KV.name, () => runServing(KV, process.argv.slice(2)));
