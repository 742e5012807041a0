/**
 * The game: `bun run mud.ts HOST:PORT NAME` (docs/mud.md). `bot` has bots play, `demo` shows it all
 * on this machine, and `serve` is a server of its world, as `geo.ts serve` is.
 *
 * @module
 */
import { SERVE_VERB } from "./geo/serve_verb_adapter.ts";
import { BOT_VERB } from "./mud/bot_verb_adapter.ts";
import { DEMO_VERB } from "./mud/demo_verb_adapter.ts";
import { PLAY_VERB } from "./mud/play_verb_adapter.ts";
import { readCommandLine } from "./run/args.ts";
import { runScript } from "./run/signals.ts";
import { runVerb, type Verbs } from "./run/verbs.ts";

const VERBS: Verbs = { bot: BOT_VERB, demo: DEMO_VERB, serve: SERVE_VERB };

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const done = await runVerb(VERBS, argv);
  return done ?? (await PLAY_VERB.run(readCommandLine(PLAY_VERB.usage, argv)));
}

if (import.meta.main) await runScript("mud", main);
