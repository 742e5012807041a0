/**
 * The flags of a server for what strangers can take of it.
 *
 * @module
 */
import type { CommandLine, Flag } from "../run/args.ts";
import { wholeNumber } from "../run/flags.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";

/** The limits that have a flag, and its help; docs/scheduling.md lists them. */
const HELP = {
  maxMiners: "miners at a time",
  maxMinersPerAddress: "of them from one address",
  maxClients: "client connections at a time",
  maxClientsPerAddress: "of them from one address",
  maxJobs: "live jobs of all clients",
  maxJobsPerAddress: "of them of one address",
  maxJobsPerClient: "of them of one client",
  maxMessageBytesTotal: "bytes of messages of all live jobs",
  maxMessageBytesPerAddress: "of them of one address",
  maxMessageBytesPerClient: "of them of one client",
} as const satisfies Partial<Record<keyof ServerLimits, string>>;

type Key = keyof typeof HELP;

const KEYS = Object.keys(HELP) as Key[];
const MOST = 1n << 40n;

/** `maxJobsPerClient` as a flag is called: `max-jobs-per-client`. */
function flagOf(key: Key): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The flags, each with a number. */
export const LIMIT_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  KEYS.map((key) => {
    const help = `${HELP[key]} (${DEFAULT_SERVER_LIMITS[key]})`;
    return [flagOf(key), { value: "N", help }];
  }),
);

/** The limits that were given. Throws UsageError on what is no number of 0 or more. */
export function serverLimits(line: CommandLine): Partial<ServerLimits> {
  const given: Partial<Record<Key, number>> = {};
  for (const key of KEYS) {
    const text = line.flag(flagOf(key));
    if (text !== undefined) given[key] = Number(wholeNumber(`--${flagOf(key)}`, text, 0n, MOST));
  }
  return given;
}
