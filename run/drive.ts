/**
 * Runs a core on Bun: a core, the monotonic clock and one timer. Every adapter drives its core by
 * this; only what an effect means on sockets, threads and disks is the adapter's own.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../base/machine.ts";

/** setTimeout takes 31 bits; a longer wait is made of several. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
/** Least time between two times that a timer is put off: cheaper than each time it might be. */
const PUT_OFF_MS = 25;

/** Feeds one core, has its effects carried out in order, and wakes it when it asked for that. */
export class Drive<Input, Effect> {
  readonly #core: Machine<Input, Effect>;
  readonly #carryOut: (effect: Effect) => void;
  #isBusy = false;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs: Millis | undefined;
  /** When the timer may be put off again. */
  #putOffAtMs: Millis = 0;

  /**
   * `carryOut` does what one effect asks for. It may call `tell` and `stop`. What it throws is
   * thrown by the `tell` that brought it about, or out of the timer; the effects behind it wait
   * for the next `tell`.
   */
  constructor(core: Machine<Input, Effect>, carryOut: (effect: Effect) => void) {
    this.#core = core;
    this.#carryOut = carryOut;
  }

  /** Whether `stop` was called. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Hands in one input and carries out all that follows from it, unless the drive is stopped. */
  tell(input: Input | Wake): void {
    if (this.#isStopped) return;
    const nowMs = performance.now();
    this.#core.handle(input, nowMs);
    // Called from within an effect: the loop that carries out effects goes on with the new ones.
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      this.#drain();
    } finally {
      this.#isBusy = false;
    }
    this.#setTimer(nowMs);
  }

  /** Nothing reaches the core any more, and nothing that it still wants is carried out. */
  stop(): void {
    this.#isStopped = true;
    this.#setTimer(performance.now());
  }

  #drain(): void {
    while (!this.#isStopped) {
      const effect = this.#core.poll();
      if (effect === undefined) return;
      this.#carryOut(effect);
    }
  }

  #setTimer(nowMs: Millis): void {
    const atMs = this.#isStopped ? undefined : this.#core.wakeAtMs();
    if (atMs === this.#timerAtMs) return;
    // One that fires too early is set again then; where little happens, it is not to fire in vain.
    if (atMs !== undefined && atMs > this.#timerAtMs!) {
      if (nowMs < this.#putOffAtMs) return;
      this.#putOffAtMs = nowMs + PUT_OFF_MS;
    }
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    if (atMs === undefined) return;
    const delayMs = Math.max(0, Math.ceil(atMs - performance.now()));
    this.#timer = setTimeout(() => this.#timeUp(), Math.min(delayMs, TIMEOUT_MS_MAX));
  }

  #timeUp(): void {
    this.#timerAtMs = undefined;
    const nowMs = performance.now();
    if (this.#core.wakeAtMs()! > nowMs) this.#setTimer(nowMs);
    else this.tell({ kind: "wake" });
  }
}
