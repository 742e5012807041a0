/**
 * Watches one endpoint of ours from outside: every datagram that it is given, and every one that it
 * sends. Holds it to docs/lsp.md where that says what an end must and must not send, whatever the
 * network does. Written from the specification, with none of the cores' code but the codecs.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Address } from "../../lsp/types.ts";
import { ClassicConduct } from "./classic_conduct.ts";
import { NativeConduct } from "./native_conduct.ts";
import type { Watched } from "./watched.ts";
import { isClassic } from "./wire.ts";

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
