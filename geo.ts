/**
 * The geo-replicated store: `bun run geo.ts VERB …` (docs/geo.md). `serve` is a server, and may be
 * left out in front of a port; the other verbs are its clients.
 *
 * @module
 */
import { SERVE_VERB } from "./geo/serve_verb_adapter.ts";
import { CLIENT_VERBS } from "./geo/verbs_adapter.ts";
import { runScript } from "./run/signals.ts";
import { runServing } from "./run/verbs.ts";

const GEO = {
  name: "geo",
  about: "A store whose servers answer at once, whatever is cut off, and agree afterwards.",
  verbs: { serve: SERVE_VERB, ...CLIENT_VERBS },
};

if (import.meta.main) await runScript(GEO.name, () => runServing(GEO, process.argv.slice(2)));
