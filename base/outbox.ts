/**
 * The effects that a core has decided on and its driver has not carried out yet: what `poll` of
 * every core drains.
 *
 * @module
 */
import { invariant } from "./machine.ts";
import { Queue } from "./queue.ts";

/**
 * A core's effects, in order. An effect that depends on what is not durable yet is held under the
 * token of its `store` effect, and joins the others when `stored` names that token or a later one.
 */
export class Outbox<Effect> {
  readonly #ready = new Queue<Effect>();
  readonly #held = new Queue<{ readonly token: number; readonly effect: Effect }>();
  #lastHeld = -Infinity;
  #stored = -Infinity;

  /** Effects that wait for a token. */
  get held(): number {
    return this.#held.length;
  }

  /** To be carried out next, behind what is here already, but before everything held. */
  push(effect: Effect): void {
    this.#ready.push(effect);
  }

  /** To be carried out once `token` is stored: now, if it is. Tokens never run backwards. */
  hold(token: number, effect: Effect): void {
    invariant(
      token >= this.#lastHeld,
      () => `effects are held in the order of tokens, got ${token}`,
    );
    this.#lastHeld = token;
    if (token <= this.#stored) this.#ready.push(effect);
    else this.#held.push({ token, effect });
  }

  /** Everything up to `token` is durable: lets go of what was held for it, in order. */
  release(token: number): void {
    this.#stored = Math.max(this.#stored, token);
    for (let next = this.#held.at(0); next && next.token <= token; next = this.#held.at(0)) {
      this.#held.shift();
      this.#ready.push(next.effect);
    }
  }

  /** Forgets everything that is held: what it depended on will not come true. */
  dropHeld(): void {
    this.#held.clear();
  }

  /** The next effect to carry out; `undefined` when there is none. */
  poll(): Effect | undefined {
    return this.#ready.shift();
  }
}
