/**
 * The flags of a server for what strangers can take of it.
 *
 * @module
 */
import { fullLimits, type LspLimits } from "../lsp/mod.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits, TRANSPORT_LIMITS } from "./limits.ts";

/** The limits that have a flag, and its help; docs/scheduling.md lists them. */
const HELP = {
  maxMiners: "miners at a time",
  maxMinersPerAddress: "of them from one address",
  maxClients: "client connections at a time",
  maxClientsPerAddress: "of them from one address",
  maxJobs: "live jobs of all clients",
  maxJobsPerAddress: "of them of one address",
  maxJobsPerClient: "of them of one client",
  maxAnswers: "answers kept, and live jobs",
  maxMessageBytesTotal: "bytes of messages of all live jobs",
  maxMessageBytesPerAddress: "of them of one address",
  maxMessageBytesPerClient: "of them of one client",
} as const satisfies Partial<Record<keyof ServerLimits, string>>;

/** Those of LSP; docs/memory.md lists them. */
const TRANSPORT_HELP = {
  maxConnections: "cbor connections at a time",
  maxClassicConnections: "classic connections at a time",
  maxUnproven: "classic ones that have not answered yet",
  maxQueuedBytes: "bytes that wait for one peer",
  maxQueuedBytesTotal: "bytes that wait for all peers",
  maxUnreadBytesTotal: "bytes of all peers that are not read",
} as const satisfies Partial<Record<keyof LspLimits, string>>;

const KEYS = Object.keys(HELP) as (keyof typeof HELP)[];
const TRANSPORT_KEYS = Object.keys(TRANSPORT_HELP) as (keyof typeof TRANSPORT_HELP)[];
const MOST = 1n << 40n;
/** LSP's limits are below 2^32, and not 0. */
const TRANSPORT_MOST = (1n << 32n) - 1n;

/** `maxJobsPerClient` as a flag is called: `max-jobs-per-client`. */
function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The flags, each with a number. */
export const LIMIT_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  KEYS.map((key) => {
    const help = `${HELP[key]} (${DEFAULT_SERVER_LIMITS[key]})`;
    return [flagOf(key), { value: "N", help }];
  }),
);

/** Those of LSP, and whether the json wire is served. */
export const TRANSPORT_FLAGS: Readonly<Record<string, Flag>> = {
  "no-classic": { help: "serve no peers of the json wire" },
  ...Object.fromEntries(
    TRANSPORT_KEYS.map((key) => {
      const help = `${TRANSPORT_HELP[key]} (${TRANSPORT_LIMITS[key]})`;
      return [flagOf(key), { value: "N", help }];
    }),
  ),
};

/** The limits of LSP that were given. Throws UsageError on what LSP cannot work with. */
export function transportLimits(line: CommandLine): Partial<LspLimits> {
  const given: Partial<Record<keyof LspLimits, number>> = {};
  for (const key of TRANSPORT_KEYS) {
    const name = `--${flagOf(key)}`;
    const text = line.flag(flagOf(key));
    if (text !== undefined) given[key] = Number(wholeNumber(name, text, 1n, TRANSPORT_MOST));
  }
  try {
    fullLimits({ ...TRANSPORT_LIMITS, ...given });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return given;
}

/** The limits that were given. Throws UsageError on what is no number of 0 or more. */
export function serverLimits(line: CommandLine): Partial<ServerLimits> {
  const given: Partial<Record<keyof typeof HELP, number>> = {};
  for (const key of KEYS) {
    const text = line.flag(flagOf(key));
    if (text !== undefined) given[key] = Number(wholeNumber(`--${flagOf(key)}`, text, 0n, MOST));
  }
  return given;
}
