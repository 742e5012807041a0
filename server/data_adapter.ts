/**
 * Where a server that is started from the command line keeps its jobs.
 *
 * @module
 */
import type { CommandLine, Flag } from "../run/args.ts";
import {
  CLUSTER_FLAGS,
  clusterFlags,
  clusterPlace,
  clusterPort,
  clusterText,
  isCluster,
} from "../run/cluster_flags.ts";
import { dataPlace, keptIn, openKept } from "../run/data_place.ts";
import { DEFAULT_PORT, port as portOf } from "../run/flags.ts";
import { type RunningServer, serve, type ServeOptions } from "./adapter.ts";

/** The flags that say where. */
export const DATA_FLAGS: Readonly<Record<string, Flag>> = {
  data: { value: "DIR", help: "keep the jobs in DIR (a directory of its own for each PORT)" },
  memory: { help: "keep the jobs in memory only: they end with the server" },
  ...CLUSTER_FLAGS,
};

/** A server, and one line for people on where its jobs are. */
export interface StartedServer {
  readonly server: RunningServer;
  readonly kept: string;
}

/**
 * Starts a server whose jobs are kept where the command line says, or in the user's own directory.
 * Where that cannot be written, and for port 0, memory has to do. Rejects as `serve`.
 */
export async function serveKept(
  line: CommandLine,
  options: Omit<ServeOptions, "port">,
): Promise<StartedServer> {
  const cluster = clusterFlags(line);
  const given = line.positionals[0];
  const port = clusterPort(cluster, given) ?? portOf(given ?? String(DEFAULT_PORT), 0n);
  const place = clusterPlace(cluster, dataPlace(line, "server", port));
  const {
    opened: server,
    directory,
    failure,
  } = await openKept(place, (data) =>
    serve({ ...options, port, ...(data !== undefined && { data, cluster }) }),
  );
  if (directory === undefined) {
    const why = failure?.message ?? ("why" in place ? WHY_MEMORY[place.why] : "");
    const because = why === "" ? "" : `: ${why}`;
    return { server, kept: `jobs are kept in memory, until the server ends${because}` };
  }
  const where = `jobs are kept in ${keptIn(directory)}`;
  return { server, kept: isCluster(cluster) ? `${clusterText(cluster)}; ${where}` : where };
}

const WHY_MEMORY = {
  asked: "",
  port: "a port that is picked has no directory (--data DIR)",
  user: "this user has no directory for them (--data DIR)",
} as const;
