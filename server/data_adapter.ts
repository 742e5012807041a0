/**
 * Where a server that is started from the command line keeps its jobs.
 *
 * @module
 */
import type { CommandLine, Flag } from "../run/args.ts";
import { DURABILITY_CAVEAT } from "../run/disk.ts";
import { DiskError } from "../run/disk_errors.ts";
import { UsageError } from "../run/errors.ts";
import { stateDirectory } from "../run/state_directory.ts";
import { type RunningServer, serve, type ServeOptions } from "./adapter.ts";

/** The flags that say where. */
export const DATA_FLAGS: Readonly<Record<string, Flag>> = {
  data: { value: "DIR", help: "keep the jobs in DIR (a directory of its own for each PORT)" },
  memory: { help: "keep the jobs in memory only: they end with the server" },
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
export async function serveKept(line: CommandLine, options: ServeOptions): Promise<StartedServer> {
  const data = line.flag("data");
  if (data !== undefined && line.has("memory")) {
    throw new UsageError("got --data and --memory, expected one of them");
  }
  if (data === "") throw new UsageError(`--data is "", expected a directory`);
  const inMemory = async (why: string): Promise<StartedServer> => ({
    server: await serve(options),
    kept: `jobs are kept in memory, until the server ends${why}`,
  });
  if (line.has("memory")) return inMemory("");
  if (data !== undefined) return keptIn(data, options);
  if (options.port === 0) return inMemory(": a port that is picked has no directory (--data DIR)");
  const home = stateDirectory(`server-${options.port}`);
  if (home === undefined) return inMemory(": this user has no directory for them (--data DIR)");
  try {
    return await keptIn(home, options);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== "UNUSABLE") throw error;
    return inMemory(`: ${error.message}`);
  }
}

async function keptIn(data: string, options: ServeOptions): Promise<StartedServer> {
  const server = await serve({ ...options, data });
  const caveat = DURABILITY_CAVEAT === undefined ? "" : ` (${DURABILITY_CAVEAT})`;
  return { server, kept: `jobs are kept in ${data}${caveat}` };
}
