/**
 * Watches one endpoint of ours from outside: every datagram that it is given, and every one that it
 * sends. Holds it to docs/lsp.md where that says what an end must and must not send, whatever the
 * network does. Written from the specification, with none of the cores' code but the codecs.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type FullParams, fullParams, type LspLimits } from "../../lsp/params.ts";
import type { Address, Params } from "../../lsp/types.ts";
import type { Computer } from "../engine/computer.ts";
import { ClassicConduct } from "./classic_conduct.ts";
import { NativeConduct } from "./native_conduct.ts";
import { isClassic } from "./wire.ts";

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

/** See the module. */
export class Conduct {
  readonly native: NativeConduct;
  readonly classic: ClassicConduct;

  constructor(end: Watched) {
    this.native = new NativeConduct(end);
    this.classic = new ClassicConduct(end);
  }

  /** The endpoint is given a datagram. */
  handled(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    if (isClassic(bytes)) this.classic.handled(bytes, from);
    else this.native.handled(bytes, from, nowMs);
  }

  /** The endpoint sends a datagram. */
  sent(bytes: Uint8Array, to: Address, nowMs: Millis): void {
    if (isClassic(bytes)) this.classic.sent(bytes, to, nowMs);
    else this.native.sent(bytes, to, nowMs);
  }

  /** All that follows from what it was given is done. */
  turnOver(): void {
    this.native.turnOver();
    this.classic.turnOver();
  }
}
