/**
 * What a miner's command line says about map-reduce.
 *
 * @module
 */
import type { MinerGuest } from "../miner/mod.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { hostAndPort } from "../run/flags.ts";
import { peerHost } from "./peers_adapter.ts";
import { Share } from "./share_adapter.ts";
import { mapReduceGuest } from "./worker_adapter.ts";

/** The flags. */
export const GUEST_FLAGS: Readonly<Record<string, Flag>> = {
  "allow-code": {
    help: "map and reduce with code of users, which gets the rights of this miner",
  },
  shared: {
    value: "DIR",
    help: "let clients with the same --shared have files in DIR read and written",
  },
  host: { value: "HOST", help: "where others fetch what it maps (loopback, else not)" },
};

/** What a miner of these servers with `tasks` threads is given to map and reduce as well. */
export function guestOf(
  line: CommandLine,
  servers: readonly string[],
  tasks: number,
  log: (text: string, level: "info" | "warn") => void,
): MinerGuest {
  const allowCode = line.has("allow-code");
  if (allowCode) log("runs code of users, with the rights of this miner (--allow-code)", "info");
  const shared = line.flag("shared");
  const share = shared === undefined ? undefined : new Share(shared);
  if (shared !== undefined) log(`clients may have files in ${shared} read and written`, "info");
  const { host } = hostAndPort(servers[0]!);
  const peers = peerHost(host, line.flag("host"));
  return mapReduceGuest({
    allowCode,
    tasks,
    log,
    ...(share !== undefined && { share }),
    ...(peers !== undefined && { host: peers }),
  });
}
