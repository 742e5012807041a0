/**
 * The server: `bun run server.ts [PORT]`. Takes jobs from clients and splits them among miners.
 *
 * Prints `listening on HOST:PORT` on stdout; everything else goes to stderr. Miners and clients of
 * the json wire are served on the same port without any setting.
 *
 * @module
 */
import { readableCount, readablePlural } from "./base/text.ts";
import { EXPORT_VERB } from "./client/export_adapter.ts";
import { SERVER_VERBS } from "./client/server_verbs_adapter.ts";
import { mapReduceKind } from "./mapreduce/coordinator.ts";
import { BOTH_WIRES_FLAGS, lspParams } from "./peer/flags.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { DEFAULT_PORT } from "./run/flags.ts";
import { sayListening } from "./run/listening.ts";
import { logLine } from "./run/log.ts";
import { onSignal, runScript } from "./run/signals.ts";
import { runVerb, type Verbs, verbNames } from "./run/verbs.ts";
import { DATA_FLAGS, serveKept } from "./server/data_adapter.ts";
import {
  LIMIT_FLAGS,
  serverLimits,
  TRANSPORT_FLAGS,
  transportLimits,
} from "./server/flags_adapter.ts";
import { IMPORT_VERB } from "./server/import_adapter.ts";
import type { RunningServer } from "./server/mod.ts";

/** Between two looks at what was turned away. */
const LOOK_MS = 60_000;
/** Reasons that are named; the rest are summed up. */
const REASONS = 6;

const VERBS: Verbs = { ...SERVER_VERBS, export: EXPORT_VERB, import: IMPORT_VERB };

const USAGE: Usage = {
  name: "server",
  verb: "serve",
  takes: "[PORT]",
  count: [0, 1],
  about: `Serves miners and clients on UDP PORT (${DEFAULT_PORT}); port 0 picks a free one.
Three servers that outlive each other, the same on all of them but for --node:
  server.ts --node 1 --cluster 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT
Other verbs, each with a --help of its own: ${verbNames(VERBS)}.`,
  flags: {
    host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
    quiet: { help: "say nothing about miners and jobs" },
    ...DATA_FLAGS,
    ...LIMIT_FLAGS,
    ...TRANSPORT_FLAGS,
    ...BOTH_WIRES_FLAGS,
  },
};

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  const done = await runVerb(VERBS, argv);
  if (done !== undefined) return done;
  const line = readCommandLine(USAGE, argv);
  const host = line.flag("host") ?? "127.0.0.1";
  const quiet = line.has("quiet");
  const advertise = line.flag("advertise");
  const { server, kept } = await serveKept(line, {
    host,
    params: lspParams(line),
    limits: serverLimits(line),
    transport: transportLimits(line),
    classic: !line.has("no-classic"),
    kinds: [mapReduceKind],
    log: (text, level) => {
      if (!quiet || level === "warn") logLine(text);
    },
  });
  const at = {
    host: server.host,
    port: server.port,
    answersFromAsked: server.answersFromAsked,
    advertise,
  };
  await sayListening(at, false, [kept]);
  const tell = toldOnce(server, (text) => void (quiet || logLine(text)));
  setInterval(tell, LOOK_MS);
  onSignal(async () => {
    tell();
    await server.close();
  });
  await server.closed;
  return 1;
}

/** Tells how much made no sense so far, when it is more than was told before. */
function toldOnce(server: RunningServer, write: (text: string) => void): () => void {
  let told = 0;
  return () => {
    const datagrams = server.transport().rejected;
    const messages = server.snapshot().rejected;
    const total = [datagrams, messages].flatMap(Object.values<number>).reduce((a, b) => a + b, 0);
    if (total === told) return;
    told = total;
    write(`ignored so far: ${listed("datagram", datagrams)}; ${listed("message", messages)}`);
  };
}

/** `1,234 datagrams (checksum 1,200, magic 34)`: the most frequent reasons first. */
function listed(what: string, rejected: Readonly<Record<string, number>>): string {
  const rows = Object.entries(rejected).sort(([, a], [, b]) => b - a);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const reasons = rows.slice(0, REASONS).map(([why, count]) => `${why} ${readableCount(count)}`);
  if (rows.length > REASONS) reasons.push("...");
  const why = reasons.length === 0 ? "" : ` (${reasons.join(", ")})`;
  return `${readablePlural(total, what)}${why}`;
}

if (import.meta.main) await runScript(USAGE.name, main);
