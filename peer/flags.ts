/**
 * The flags of every program that speaks LSP: its parameters, and the wire.
 *
 * @module
 */
import type { Params, Wire } from "../lsp/mod.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";

/** Flags for the parameters of LSP (docs/lsp.md, section 2). */
const PARAMS = {
  "epoch-millis": ["epochMillis", "length of an epoch (500; json: 2000)", 1],
  "epoch-limit": ["epochLimit", "silent epochs until the peer is lost (10; json: 5)", 1],
  "window-size": ["windowSize", "messages under way, from the oldest (1024; json: 1)", 1],
  "max-unacked-messages": ["maxUnackedMessages", "messages not acknowledged (1024; json: 1)", 1],
  "max-back-off-interval": ["maxBackOffInterval", "most epochs between resends (4; json: 0)", 0],
} as const;

/** The flags that miner and client share with every speaker of LSP. */
export const LSP_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  Object.entries(PARAMS).map(([name, [, help]]) => [name, { value: "N", help }]),
);

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
