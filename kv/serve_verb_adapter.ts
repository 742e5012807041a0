/**
 * `kv.ts serve [PORT]`: a server of the store.
 *
 * @module
 */
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import type { CommandLine } from "../run/args.ts";
import { CLUSTER_FLAGS, clusterFlags, clusterPlace, clusterPort } from "../run/cluster_flags.ts";
import { dataPlace, keptIn, openKept } from "../run/data_place.ts";
import { port as portOf } from "../run/flags.ts";
import { sayListening } from "../run/listening.ts";
import { logLine } from "../run/log.ts";
import { onSignal } from "../run/signals.ts";
import type { Verb } from "../run/verbs.ts";
import { type RunningStore, serveStore, type ServeStoreOptions } from "./adapter.ts";
import { KV_PORT } from "./client_adapter.ts";

export const SERVE_VERB: Verb = {
  usage: {
    name: "kv",
    takes: "serve [PORT]",
    count: [0, 1],
    about: `Serves the store on UDP PORT (${KV_PORT}); port 0 picks a free one. One node by default, durable in
--data; several with --node and --cluster, the same on all of them:
  kv.ts serve 6071 --node 1 --cluster 1=HOST:6071,2=HOST:6072,3=HOST:6073`,
    flags: {
      data: { value: "DIR", help: "keep everything in DIR (the user's state directory, kv-PORT)" },
      memory: { help: "keep everything in memory only" },
      ...CLUSTER_FLAGS,
      host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
      json: { help: "print the ready line as JSON" },
      quiet: { help: "say warnings only" },
      ...LSP_FLAGS,
    },
  },
  run: serve,
};

async function serve(line: CommandLine): Promise<number> {
  const cluster = clusterFlags(line);
  const given = line.positionals[0];
  const port = clusterPort(cluster, given) ?? portOf(given ?? String(KV_PORT), 0n);
  const host = line.flag("host") ?? "127.0.0.1";
  const quiet = line.has("quiet");
  const log = (text: string, level: "info" | "warn"): void => {
    if (!quiet || level === "warn") logLine(text);
  };
  const options = { ...cluster, params: lspParams(line), host, port, log };
  const server = await opened(line, options);
  const { advertise } = options;
  await sayListening({ host: server.host, port: server.port, advertise }, line.has("json"));
  onSignal(() => server.close());
  await server.closed;
  return 1;
}

/** Opens the server; where the default directory cannot be used, in memory, with a line. */
async function opened(line: CommandLine, options: ServeStoreOptions): Promise<RunningStore> {
  const place = clusterPlace(options, dataPlace(line, "kv", options.port ?? KV_PORT));
  const kept = await openKept(place, (directory) =>
    serveStore({ ...options, ...(directory !== undefined && { directory }) }),
  );
  if (kept.directory !== undefined) logLine(`keeping everything in ${keptIn(kept.directory)}`);
  else if (!line.has("memory")) {
    const because = kept.failure === undefined ? "" : `${kept.failure.message}; `;
    logLine(`${because}keeping everything in memory only, until the server ends`);
  }
  return kept.opened;
}
