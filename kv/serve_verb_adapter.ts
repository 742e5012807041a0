/**
 * `kv.ts serve [PORT]`: a server of the store.
 *
 * @module
 */
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import type { CommandLine } from "../run/args.ts";
import { dataPlace, openKept } from "../run/data_place.ts";
import { UsageError } from "../run/errors.ts";
import { hostAndPort, port as portOf, wholeNumber } from "../run/flags.ts";
import { openLine, readyLine } from "../run/listening.ts";
import { logLine } from "../run/log.ts";
import { printResult } from "../run/output.ts";
import { onSignal } from "../run/signals.ts";
import type { Verb } from "../run/verbs.ts";
import { type RunningStore, serveStore, type ServeStoreOptions } from "./adapter.ts";
import { KV_PORT } from "./client_adapter.ts";

const NODE_MAX = 2n ** 32n - 1n;

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
      node: { value: "N", help: "this node's number (1)" },
      cluster: { value: "N=HOST:PORT,…", help: "the first members, this one included" },
      bootstrap: { help: "found the cluster now, without asking the other members" },
      join: { value: "HOST:PORT", help: "be taken into the cluster of that server" },
      "force-new-cluster": { help: "go on alone, with what is here: when most nodes are lost" },
      host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
      advertise: { value: "HOST:PORT", help: "what others are to call this server" },
      json: { help: "print the ready line as JSON" },
      quiet: { help: "say warnings only" },
      ...LSP_FLAGS,
    },
  },
  run: serve,
};

async function serve(line: CommandLine): Promise<number> {
  const port = portOf(line.positionals[0] ?? String(KV_PORT), 0n);
  const host = line.flag("host") ?? "127.0.0.1";
  const quiet = line.has("quiet");
  const log = (text: string, level: "info" | "warn"): void => {
    if (!quiet || level === "warn") logLine(text);
  };
  const options = { ...optionsOf(line), host, port, log };
  const server = await opened(line, options);
  const { advertise } = options;
  const at = {
    host: server.host,
    port: server.port,
    ...(advertise !== undefined && { advertise }),
  };
  const ready = line.has("json") ? JSON.stringify({ kind: "listening", ...at }) : readyLine(at);
  await printResult(`${ready}\n`);
  const open = openLine(at);
  if (open !== undefined) logLine(open);
  onSignal(() => server.close());
  await server.closed;
  return 1;
}

function optionsOf(line: CommandLine): ServeStoreOptions {
  const node = Number(wholeNumber("--node", line.flag("node") ?? "1", 1n, NODE_MAX));
  const clusterText = line.flag("cluster");
  const members = clusterText === undefined ? undefined : membersOf(clusterText);
  const join = line.flag("join");
  const advertise = line.flag("advertise");
  if (join !== undefined) hostAndPort(join, undefined, "--join");
  if (advertise !== undefined) hostAndPort(advertise, undefined, "--advertise");
  const isCluster = members !== undefined || join !== undefined;
  if (isCluster && line.has("memory")) {
    throw new UsageError("--memory is for a single node: a cluster keeps its word on disks");
  }
  if (members !== undefined && join !== undefined) {
    throw new UsageError("--cluster is for the first members, --join for later ones: expected one");
  }
  if (isCluster && line.flag("node") === undefined) {
    throw new UsageError("--node is missing: which of the members this is");
  }
  if (members?.has(node) === false) {
    throw new UsageError(`--node is ${node}, which --cluster does not have`);
  }
  return {
    node,
    params: lspParams(line),
    bootstrap: line.has("bootstrap"),
    forceNewCluster: line.has("force-new-cluster"),
    ...(members !== undefined && { members }),
    ...(join !== undefined && { join }),
    ...(advertise !== undefined && { advertise }),
  };
}

/** `1=HOST:PORT,2=HOST:PORT` */
function membersOf(text: string): Map<number, string> {
  const members = new Map<number, string>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,10})=(.+)$/.exec(part);
    if (match === null) throw new UsageError(`--cluster has "${part}", expected N=HOST:PORT`);
    const node = Number(wholeNumber("--cluster", match[1]!, 1n, NODE_MAX));
    hostAndPort(match[2]!, undefined, `--cluster, node ${node},`);
    if (members.has(node)) throw new UsageError(`--cluster has node ${node} twice`);
    members.set(node, match[2]!);
  }
  return members;
}

/** Opens the server; where the default directory cannot be used, in memory, with a line. */
async function opened(line: CommandLine, options: ServeStoreOptions): Promise<RunningStore> {
  const isCluster = options.members !== undefined || options.join !== undefined;
  const place = dataPlace(line, "kv", options.port ?? KV_PORT);
  if (isCluster && place.directory === undefined) {
    const why = place.why === "port" ? "a cluster on port 0" : "this user";
    throw new UsageError(`--data is missing: ${why} has no default`);
  }
  // A cluster keeps its word on disks: there, memory never has to do.
  const strict = isCluster && "isDefault" in place ? { ...place, isDefault: false } : place;
  const kept = await openKept(strict, (directory) =>
    serveStore({ ...options, ...(directory !== undefined && { directory }) }),
  );
  if (kept.directory !== undefined) logLine(`keeping everything in ${kept.directory}`);
  else if (!line.has("memory")) {
    const because = kept.failure === undefined ? "" : `${kept.failure.message}; `;
    logLine(`${because}keeping everything in memory only, until the server ends`);
  }
  return kept.opened;
}
