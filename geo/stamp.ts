/**
 * A hybrid logical clock (Kulkarni and others, "Logical Physical Clocks", 2014): it follows the
 * wall clock, and never falls behind what it has seen.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** When a put was taken, and by whom: no two puts have the same stamp. */
export interface Stamp {
  /** Milliseconds since 1970 of the wall clock, or of a later put that was seen. */
  readonly wallMs: Millis;
  /** Tells apart, and orders, what has the same `wallMs`; 0..{@link COUNTER_MAX}. */
  readonly counter: number;
  /** Who took it: an actor in one life of its server. */
  readonly actor: number;
}

/** Largest `counter`. */
export const COUNTER_MAX: number = 2 ** 32 - 1;
/** Largest `wallMs`: it is a date. */
export const WALL_MS_MAX: Millis = 8.64e15;

/** Below 0 if `a` is before `b`, 0 if they are the same, above 0 if it is behind. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.wallMs - b.wallMs || a.counter - b.counter || a.actor - b.actor;
}

/** The clock of one actor in one life. */
export class HybridClock {
  readonly actor: number;
  #wallMs: Millis = 0;
  #counter = 0;

  constructor(actor: number) {
    this.actor = actor;
  }

  /** The date of the latest that it gave or saw. */
  get latestMs(): Millis {
    return this.#wallMs;
  }

  /** A stamp behind all that it gave or saw. */
  next(wallMs: Millis): Stamp {
    if (wallMs > this.#wallMs) {
      this.#wallMs = Math.floor(wallMs);
      this.#counter = 0;
    } else if (this.#counter < COUNTER_MAX) this.#counter++;
    else {
      this.#wallMs++;
      this.#counter = 0;
    }
    return { wallMs: this.#wallMs, counter: this.#counter, actor: this.actor };
  }

  /** What it gives from now on is behind `stamp`. */
  observe({ wallMs, counter }: Stamp): void {
    if (wallMs < this.#wallMs) return;
    if (wallMs === this.#wallMs && counter <= this.#counter) return;
    this.#wallMs = wallMs;
    this.#counter = counter;
  }
}

/** Largest number of a life of a server: an actor is a life and an index. */
export const LIFE_MAX: number = 2 ** 45 - 1;
const ACTOR_INDEXES = 256;

/** The number of the actor `index` of a server in its life `life`, 1..{@link LIFE_MAX}. */
export function actorOf(life: number, index: number): number {
  return life * ACTOR_INDEXES + index;
}

/** The life of the server that an actor belongs to. */
export function lifeOf(actor: number): number {
  return Math.floor(actor / ACTOR_INDEXES);
}
