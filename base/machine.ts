/**
 * The shape of every core in this house: a plain state machine that is fed inputs and the time, and
 * is asked for its effects. A core has no clock, no timer, no promise and no I/O, so the very code
 * that runs on sockets also runs under the simulator.
 *
 * @module
 */

/** Milliseconds on a monotonic clock whose origin means nothing; only differences do. */
export type Millis = number;

/** "The time you asked for by `wakeAtMs` has come": the one input that every core understands. */
export interface Wake {
  readonly kind: "wake";
}

/** A deterministic core. Call `handle`, then `poll` until it is dry, then sleep to `wakeAtMs`. */
export interface Machine<Input, Effect> {
  /** Takes one input at the time `nowMs`, which never runs backwards. */
  handle(input: Input | Wake, nowMs: Millis): void;
  /** The next effect to carry out, in order; `undefined` when there is none. */
  poll(): Effect | undefined;
  /** When to send a `wake` although nothing else arrived; `undefined` for never. */
  wakeAtMs(): Millis | undefined;
}

/** Thrown when this program broke its own rule. Never a consequence of what a peer sent. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws {@link InvariantError} unless `condition` holds. On in production too. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${message}`);
}

/** The earlier of two wake-up times, either of which may be "never". */
export function earlier(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return Math.min(a, b);
}
