/**
 * An endpoint of ours that is watched from outside.
 *
 * @module
 */
import { type FullParams, fullParams, type LspLimits } from "../../lsp/params.ts";
import type { Address, Params } from "../../lsp/types.ts";
import type { Computer } from "../engine/computer.ts";

/** What is known of the endpoint that is watched. */
export interface Watched {
  readonly name: string;
  readonly computer: Computer;
  readonly limits: LspLimits;
  readonly native: FullParams;
  readonly classic: FullParams;
  /** Whom it dials; undefined for a listener. */
  readonly to: Address | undefined;
  /** Whether its program believes in a connection, and has not begun to close it. */
  isOpen(connId: number): boolean;
  /** Whether the program knows of everything that there is to read. */
  readsAll(): boolean;
  /** How many events the program has read of a connection. */
  readOf(connId: number): number;
  /** How often the endpoint has turned something away for a limit. */
  turnedAway(): number;
}

/** {@link Watched} from what an endpoint is made of. */
export function watched(
  parts: Omit<Watched, "native" | "classic"> & { readonly params: Params },
): Watched {
  const { params, ...rest } = parts;
  return { ...rest, native: fullParams("cbor", params), classic: fullParams("json", params) };
}
