/**
 * How an ended cbor connection tells its peer so: by a Close, again and again for a while, until
 * it is answered. The one who hears it answers each and remembers nothing.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { EndCause } from "./connection.ts";
import { CloseCode } from "./frame.ts";
import type { ClosureCause } from "./types.ts";

/** Of such intervals the first is at most one, and each has twice the length of the one before. */
const LEAST_INTERVALS = 16;

/** See the module. */
export class Goodbye {
  readonly code: number;
  /** One line for people. */
  readonly reason: string;
  /** Whether to send the Close now. */
  isWanted = true;
  readonly #isRepeated: boolean;
  #intervalMs: Millis = 0;
  #repeatAtMs: Millis = Infinity;
  #untilMs: Millis = Infinity;

  constructor(code: number, reason: string) {
    this.code = code;
    this.reason = reason;
    // A peer that was silent for so long most likely hears nothing: once is enough.
    this.#isRepeated = code !== CloseCode.lost;
  }

  /** When to ask `isDue`. */
  get wakeAtMs(): Millis {
    return Math.min(this.#repeatAtMs, this.#untilMs);
  }

  /** It left: `timeoutMs` is the time for an answer, and `mostMs` that after which to give up. */
  noteSent(nowMs: Millis, timeoutMs: Millis, mostMs: Millis): void {
    if (this.#untilMs === Infinity) {
      this.#untilMs = nowMs + mostMs;
      // Also where no round trip was measured, there shall be time for several.
      this.#intervalMs = Math.min(timeoutMs, mostMs / LEAST_INTERVALS);
    }
    this.isWanted = false;
    if (this.#isRepeated) this.#repeatAtMs = nowMs + this.#intervalMs;
    this.#intervalMs *= 2;
  }

  /** Wants the Close again if it is time; false once it is time to give up. */
  handleWake(nowMs: Millis): boolean {
    if (nowMs >= this.#untilMs) return false;
    if (nowMs < this.#repeatAtMs) return true;
    this.#repeatAtMs = Infinity;
    this.isWanted = true;
    return true;
  }
}

/** What to tell a peer about an end; `undefined`: nothing, for it knows. */
export function goodbyeFor(cause: EndCause, breach?: string): Goodbye | undefined {
  const code = codes[cause];
  return code === undefined ? undefined : new Goodbye(code, breach ?? closeText(code));
}

/** The cause for programs that a code of Close stands for. */
export function closureOf(code: number): ClosureCause {
  return closures[code] ?? "other";
}

/** What a code of Close means when no reason is with it. */
export function closeText(code: number): string {
  return texts[code] ?? "closed by the peer";
}

const codes: Partial<Record<EndCause, number>> = {
  flushed: CloseCode.done,
  shutdown: CloseCode.shutdown,
  breach: CloseCode.protocol,
  stalled: CloseCode.limit,
  path: CloseCode.path,
  lost: CloseCode.lost,
};

const closures: Record<number, ClosureCause> = {
  [CloseCode.done]: "done",
  [CloseCode.shutdown]: "shutdown",
  [CloseCode.protocol]: "protocol",
  [CloseCode.limit]: "limit",
  [CloseCode.lost]: "lost",
  [CloseCode.replaced]: "replaced",
  [CloseCode.path]: "path",
};

const texts: Record<number, string> = {
  [CloseCode.done]: "closed by the peer",
  [CloseCode.shutdown]: "the peer shut down",
  [CloseCode.protocol]: "the peer saw a breach of the protocol",
  [CloseCode.limit]: "the peer reached a limit",
  [CloseCode.lost]: "the peer heard nothing for too long",
  [CloseCode.replaced]: "replaced by a newer connection from the same address",
  [CloseCode.path]: "the peer's large datagrams do not get through",
};
