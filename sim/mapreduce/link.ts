/**
 * A connection as LSP gives it: messages arrive in order and once, or the connection ends, which
 * both sides notice after a while.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, unitReal } from "../../base/random.ts";
import type { Loop } from "../engine/loop.ts";

/** One end of a connection. */
export interface End {
  payload(payload: Uint8Array): void;
  /** Told once, unless this end has let go before. */
  gone(): void;
}

/** How connections behave. */
export interface LinkTimes {
  readonly delayMs: readonly [number, number];
  readonly noticeMs: Millis;
}

/** See the module. */
export class Link {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #times: LinkTimes;
  readonly #ends: readonly [End, End];
  readonly #lastMs: [Millis, Millis] = [0, 0];
  readonly #isOver: [boolean, boolean] = [false, false];
  #isCut = false;

  constructor(loop: Loop, random: Random, times: LinkTimes, ends: readonly [End, End]) {
    this.#loop = loop;
    this.#random = random;
    this.#times = times;
    this.#ends = ends;
  }

  /** Sends from one end (0 or 1) to the other. */
  write(from: 0 | 1, payload: Uint8Array): void {
    if (this.#isCut || this.#isOver[from]) return;
    const to = from === 0 ? 1 : 0;
    const [least, most] = this.#times.delayMs;
    const atMs = this.#loop.nowMs + least + unitReal(this.#random) * (most - least);
    this.#lastMs[to] = Math.max(this.#lastMs[to], atMs);
    this.#loop.at(this.#lastMs[to], () => {
      if (!this.#isCut && !this.#isOver[to]) this.#ends[to].payload(payload);
    });
  }

  /** One end is gone without a word: the other notices later. */
  cut(by: 0 | 1): void {
    // That end hears of it no more, also if the other was gone before.
    this.#isOver[by] = true;
    if (this.#isCut) return;
    this.#isCut = true;
    const other = by === 0 ? 1 : 0;
    this.#loop.after(this.#times.noticeMs, () => this.#tellGone(other));
  }

  /** One end closes: what it wrote still arrives, then the other is told. */
  close(by: 0 | 1): void {
    if (this.#isCut || this.#isOver[by]) return;
    this.#isOver[by] = true;
    const other = by === 0 ? 1 : 0;
    const [, most] = this.#times.delayMs;
    this.#loop.at(Math.max(this.#lastMs[other], this.#loop.nowMs + most), () =>
      this.#tellGone(other),
    );
  }

  #tellGone(end: 0 | 1): void {
    if (this.#isOver[end]) return;
    this.#isOver[end] = true;
    this.#ends[end].gone();
  }
}
