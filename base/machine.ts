/**
 * The shape of every core in this house: a plain state machine that is fed inputs and the time, and
 * is asked for its effects. A core has no clock, no timer, no promise and no I/O, so the very code
 * that runs on sockets also runs under the simulator.
 *
 * The ordering contract, between every core and everything that drives one (`run/drive.ts` on Bun,
 * `sim/engine/process.ts` in the simulator):
 *
 * - Inputs are handed in one at a time. After each, `poll` is called until it is dry. What an
 *   effect brings about while it is carried out is an input like any other, and its effects come
 *   behind those that wait already.
 * - Effects are carried out in order. What must be durable first is asked for by a
 *   `store {…, token}` effect and answered by a `stored { token }` input; the core itself holds
 *   back what depends on it (`base/outbox.ts` keeps such effects). So no driver ever waits for a
 *   disk, and a lying disk can be simulated.
 * - `nowMs` never runs backwards. A `wake` may come late, or early: a core looks at `nowMs`.
 * - After a crash there is a new core. It is given what the disk kept, and nothing else.
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

/**
 * The variant for hot paths that would drown in effect objects: `poll` writes the next effect's
 * bytes into the buffer that the caller lends, which holds the largest there can be, and returns
 * what else belongs to it; `undefined` when there is none. The bytes are the caller's: the core
 * keeps no reference to the buffer. Inputs of such a core come by methods `handle…`, one a kind,
 * and the rest of the contract is the same. LSP's endpoint is one (`lsp/types.ts`).
 */
export type LentBufferPoll<Head> = (into: Uint8Array, nowMs: Millis) => Head | undefined;

/** Thrown when this program broke its own rule. Never a consequence of what a peer sent. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/**
 * Throws {@link InvariantError} unless `condition` holds. On in production too. A text with numbers
 * in it is given as a function where the check is done often: making it costs more than the check.
 */
export function invariant(condition: unknown, message: string | (() => string)): asserts condition {
  if (condition) return;
  const text = typeof message === "string" ? message : message();
  throw new InvariantError(`invariant broken: ${text}`);
}

/** The earlier of two wake-up times, either of which may be "never". */
export function earlier(a: Millis | undefined, b: Millis | undefined): Millis | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return Math.min(a, b);
}
