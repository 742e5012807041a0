/**
 * The flags of every program that speaks LSP: its parameters, and the wire.
 *
 * @module
 */
import { CBOR_PARAMS, CLASSIC_PARAMS, type Params, type Wire } from "../lsp/mod.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";

/** Flags for the parameters of LSP (docs/lsp.md, section 2): what each is, and its least value. */
const PARAMS = {
  "epoch-millis": ["epochMillis", "length of an epoch", 1],
  "epoch-limit": ["epochLimit", "silent epochs until the peer is lost", 1],
  "window-size": ["windowSize", "messages under way, from the oldest", 1],
  "max-unacked-messages": ["maxUnackedMessages", "messages not acknowledged", 1],
  "max-back-off-interval": ["maxBackOffInterval", "most epochs between resends", 0],
} as const;

function flagsOf(withJson: boolean): Readonly<Record<string, Flag>> {
  const flags = Object.entries(PARAMS).map(([name, [field, what]]) => {
    const json = withJson ? `; json: ${CLASSIC_PARAMS[field]}` : "";
    return [name, { value: "N", help: `${what} (${CBOR_PARAMS[field]}${json})` }];
  });
  return Object.fromEntries(flags);
}

/** The flags of every program that speaks LSP over the cbor wire. */
export const LSP_FLAGS: Readonly<Record<string, Flag>> = flagsOf(false);

/** The same of a program that speaks over the json wire, too. */
export const BOTH_WIRES_FLAGS: Readonly<Record<string, Flag>> = flagsOf(true);

/** The flag that chooses the wire, for those who dial. */
export const WIRE_FLAG: Flag = {
  value: "WIRE",
  help: "cbor, or json for a classic peer (cbor)",
};

/** The wire that `--wire` asks for. Throws {@link UsageError}. */
export function wireFlag(line: CommandLine): Wire {
  const wire = line.flag("wire") ?? "cbor";
  if (wire === "cbor" || wire === "json") return wire;
  throw new UsageError(`--wire is "${wire}", expected cbor or json`);
}

/** The parameters of LSP that were given. Throws {@link UsageError}. */
export function lspParams(line: CommandLine): Params {
  const given: Record<string, number> = {};
  for (const [flag, [field, , least]] of Object.entries(PARAMS)) {
    const text = line.flag(flag);
    if (text === undefined) continue;
    given[field] = Number(wholeNumber(`--${flag}`, text, BigInt(least), 1_000_000_000n));
  }
  const { windowSize, maxUnackedMessages } = given;
  if (windowSize !== undefined && maxUnackedMessages! > windowSize) {
    throw new UsageError(`--max-unacked-messages is above --window-size ${windowSize}`);
  }
  return given;
}
