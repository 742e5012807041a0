/**
 * The text server: `bun run textkv.ts [PORT]`. Keeps lists of values under keys for anybody who
 * writes lines to it; netcat will do (docs/textkv.md).
 *
 * Prints `listening on HOST:PORT` on stdout; everything else goes to stderr.
 *
 * @module
 */
import { atPort, readableCount, readablePlural } from "./base/text.ts";
import { KV_PORT } from "./kv/mod.ts";
import { readCommandLine, type Usage } from "./run/args.ts";
import { type Failure, UsageError } from "./run/errors.ts";
import { hostAndPort, port as portOf } from "./run/flags.ts";
import { keptIn } from "./run/data_place.ts";
import { sayListening } from "./run/listening.ts";
import { logLine } from "./run/log.ts";
import { printResult } from "./run/output.ts";
import { onSignal, runScript } from "./run/signals.ts";
import { type Counts, serveAdmin, TEXT_PORT, TextServer } from "./textkv/mod.ts";

/** Between two lines on how things stand, if they changed. */
const LOOK_MS = 60_000;

const USAGE: Usage = {
  name: "textkv",
  verb: "serve",
  takes: "[PORT]",
  count: [0, 1],
  about: `Serves lists of values to clients that write lines to TCP PORT (${TEXT_PORT}); port 0 picks a
free one. The lines are:
  Put:key:value  Get:key  Delete:key  Update:key:old:new`,
  flags: {
    data: { value: "DIR", help: "keep everything in DIR, through crashes (in memory only)" },
    store: {
      value: "HOST:PORT,…",
      help: "keep everything in the replicated store of these servers (kv.ts)",
    },
    admin: { value: "PORT", help: "serve counts as JSON over HTTP on 127.0.0.1:PORT (none)" },
    host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
    advertise: {
      value: "HOST:PORT",
      help: "how others reach it, for what it says (what it binds)",
    },
    json: { help: "print the ready line, and counts now and then, as JSON on stdout" },
    quiet: { help: "say nothing about clients and lines" },
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const port = portOf(line.positionals[0] ?? String(TEXT_PORT), 0n);
  const adminText = line.flag("admin");
  const adminPort = adminText === undefined ? undefined : portOf(adminText, 0n, "--admin");
  const advertise = line.flag("advertise");
  if (advertise !== undefined) hostAndPort(advertise, undefined, "--advertise");
  const json = line.has("json");
  const data = line.flag("data");
  const store = storeOf(line.flag("store"));
  if (data !== undefined && store !== undefined) {
    throw new UsageError("got --data and --store, expected one of the two");
  }
  const kept = { ...(data !== undefined && { data }), ...(store !== undefined && { store }) };
  const server = new TextServer({ log: logLine, ...kept });
  await server.start({ host: line.flag("host") ?? "127.0.0.1", port });
  const admin = adminPort === undefined ? undefined : serveAdmin(adminPort, () => server.counts());
  const more: string[] = [];
  if (data !== undefined) more.push(`keeping everything in ${keptIn(data)}`);
  if (admin !== undefined) more.push(`counts at http://${atPort(admin.host, admin.port)}/`);
  await sayListening({ host: server.host, port: server.port, advertise }, json, more);
  let told = "";
  let isUnread = false;
  const unread = ({ message }: Failure): void => {
    if (!isUnread) logLine(`${message}; counts are said no more`);
    isUnread = true;
  };
  const tell = (): void => {
    const counts = server.counts();
    const text = countsLine(counts);
    if (text === told || isUnread) return;
    told = text;
    // A server goes on, although nobody reads its counts any more.
    if (json) printResult(`${JSON.stringify({ kind: "counts", ...counts })}\n`).catch(unread);
    else if (!line.has("quiet")) logLine(text);
  };
  setInterval(tell, LOOK_MS);
  onSignal(async () => {
    await server.close();
    tell();
  });
  await server.closed;
  return 1;
}

/** Addresses of the store's servers. Throws UsageError. */
function storeOf(text: string | undefined): string[] | undefined {
  const servers = text?.split(",");
  for (const server of servers ?? []) hostAndPort(server, KV_PORT, "--store");
  return servers;
}

/** `3 clients, 17 gone; 1,200 requests, 4 lines dropped; 2 lines ignored (unknown 2); 5 keys`. */
function countsLine(counts: Counts): string {
  const reasons = Object.entries(counts.ignored).filter(([, count]) => count > 0);
  const ignored = reasons.reduce((sum, [, count]) => sum + count, 0);
  const why = reasons.map(([reason, count]) => `${reason} ${readableCount(count)}`).join(", ");
  const turnedAway = counts.refused > 0 ? `, ${readableCount(counts.refused)} turned away` : "";
  return [
    `${readablePlural(counts.active, "client")}, ${readableCount(counts.dropped)} gone${turnedAway}`,
    `${readablePlural(counts.requests, "request")}`,
    `${readablePlural(counts.droppedLines, "line")} dropped`,
    `${readablePlural(ignored, "line")} ignored${why === "" ? "" : ` (${why})`}`,
    `${readablePlural(counts.values, "value")} of ${readablePlural(counts.keys, "key")}`,
  ].join("; ");
}

if (import.meta.main) await runScript(USAGE.name, main);
