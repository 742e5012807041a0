/**
 * The servers that a miner or a client may dial: one, or those of a cluster.
 *
 * @module
 */
import { checkPort, checkText, OptionError } from "../base/options.ts";
import { SERVERS_MAX } from "../base/server_ring.ts";
import { atPort } from "../base/text.ts";
import type { Params } from "../lsp/mod.ts";
import { UsageError } from "../run/errors.ts";
import { DEFAULT_PORT, hostAndPort } from "../run/flags.ts";
import type { UplinkTarget } from "./uplink_adapter.ts";

/** One server, or several. */
export interface ServerChoice {
  /** The server's name or address; loopback if left out. */
  readonly host?: string | undefined;
  /** Its port; left out only with `servers`. */
  readonly port?: number | undefined;
  /** The servers of a cluster, each `HOST:PORT`, instead of `host` and `port`. */
  readonly servers?: readonly string[] | undefined;
}

/**
 * LSP toward the servers of a cluster, unless told otherwise: one that is silent for 0.75 s is left
 * for another. An election takes about as long, and a mistake costs a dial.
 */
export const CLUSTER_PARAMS: Params = { epochMillis: 125, epochLimit: 6 };

/** The servers as `HOST:PORT`. Throws an OptionError. */
export function serversOf({ host, port, servers }: ServerChoice): string[] {
  if (servers === undefined) {
    checkPort(port, 1);
    checkText("host", host);
    return [atPort(host ?? "127.0.0.1", port!)];
  }
  if (host !== undefined || port !== undefined) {
    throw new OptionError("servers", "got host or port, too: expected one of the two");
  }
  if (!Array.isArray(servers) || servers.length === 0 || servers.length > SERVERS_MAX) {
    throw new OptionError("servers", `expected 1..${SERVERS_MAX} of HOST:PORT`);
  }
  for (const server of servers as readonly unknown[]) {
    if (parsed(String(server)) !== undefined) continue;
    throw new OptionError("servers", `got ${JSON.stringify(server)}, expected HOST:PORT`);
  }
  return [...servers];
}

/** `HOST[:PORT][,HOST[:PORT]…]` as typed. Throws a UsageError. */
export function typedServers(text: string): string[] {
  const typed = text.split(",");
  if (typed.length > SERVERS_MAX) {
    throw new UsageError(`got ${typed.length} servers, expected ${SERVERS_MAX} at most`);
  }
  return typed.map((each) => {
    const { host, port } = hostAndPort(each, DEFAULT_PORT);
    return atPort(host, port);
  });
}

/**
 * `text` as a server to dial. Servers name each other, and may name what no server can be: it is
 * taken for one that does not answer.
 */
export function targetOf(
  text: string,
  isCluster: boolean,
  params: Params | undefined,
): UplinkTarget {
  const at = parsed(text) ?? NOWHERE;
  return { ...at, params: isCluster ? { ...CLUSTER_PARAMS, ...params } : params };
}

/** Nobody listens there: port 1 is TCPMUX's (RFC 1078). */
const NOWHERE = { host: "127.0.0.1", port: 1 } as const;

function parsed(text: string): { host: string; port: number } | undefined {
  try {
    return hostAndPort(text);
  } catch {
    return undefined;
  }
}
