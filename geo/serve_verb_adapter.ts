/**
 * `geo.ts serve [PORT]`: a server of the geo store.
 *
 * @module
 */
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import type { CommandLine } from "../run/args.ts";
import { hostAndPort, port as portOf, wholeNumber } from "../run/flags.ts";
import { keptIn } from "../run/data_place.ts";
import { sayListening } from "../run/listening.ts";
import { logLine } from "../run/log.ts";
import { onSignal } from "../run/signals.ts";
import type { Verb } from "../run/verbs.ts";
import { addressesOf, GEO_PORT, serveGeo } from "./adapter.ts";
import { ACTORS_MAX } from "./limits.ts";

/** A server that was to be joined, and has not answered for so long, is worth a line. */
const JOINED_MS = 5000;

export const SERVE_VERB: Verb = {
  usage: {
    name: "geo",
    takes: "serve [PORT]",
    count: [0, 1],
    about: `Serves the store on UDP PORT (${GEO_PORT}); port 0 picks a free one. Without --data a put is
taken once it is in memory; with it, once it is on the disk. A server that is given any other
gets all that there is, and is known to all:
  geo.ts serve 6091 --join HOST:6090`,
    flags: {
      join: { value: "HOST:PORT,…", help: "any other servers of the store" },
      data: { value: "DIR", help: "keep everything in DIR (memory only)" },
      actors: { value: "Q", help: "query actors, each with a whole replica (1)" },
      host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
      advertise: { value: "HOST:PORT", help: "what other servers are to call this one" },
      json: { help: "print the ready line as JSON" },
      quiet: { help: "say warnings only" },
      ...LSP_FLAGS,
    },
  },
  run: serve,
};

async function serve(line: CommandLine): Promise<number> {
  const port = portOf(line.positionals[0] ?? String(GEO_PORT), 0n);
  const host = line.flag("host") ?? "127.0.0.1";
  const advertise = line.flag("advertise");
  const join = line.flag("join");
  const directory = line.flag("data");
  if (advertise !== undefined) hostAndPort(advertise, undefined, "--advertise");
  const isQuiet = line.has("quiet");
  const server = await serveGeo({
    host,
    port,
    actors: Number(wholeNumber("--actors", line.flag("actors") ?? "1", 1n, BigInt(ACTORS_MAX))),
    params: lspParams(line),
    log: (text, level) => {
      if (!isQuiet || level === "warn") logLine(text);
    },
    ...(join !== undefined && { join: addressesOf(join, "--join") }),
    ...(advertise !== undefined && { advertise }),
    ...(directory !== undefined && { directory }),
  });
  await sayListening({ host: server.host, port: server.port, advertise }, line.has("json"));
  if (!isQuiet) {
    logLine(
      directory === undefined
        ? "keeping everything in memory only"
        : `keeping everything in ${keptIn(directory)}`,
    );
  }
  const lonely = setTimeout(() => {
    const joins = server.cores.flatMap(({ sync }) => sync.joins);
    for (const at of joins) logLine(`no server of a geo store has answered at ${at} yet`);
  }, JOINED_MS);
  onSignal(() => {
    clearTimeout(lonely);
    return server.close();
  });
  await server.closed;
  return 1;
}
