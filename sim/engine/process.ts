/**
 * A simulated process around any core: what `run/drive.ts` is on Bun, on virtual time. It has a
 * clock of its own, sleeps when its machine does, and is gone at a crash; a restart is a new one.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../../base/machine.ts";
import { Clock, type ClockQuirks } from "./clock.ts";
import type { Loop } from "./loop.ts";

/** What a process is made of. */
export interface ProcessOptions<Input, Effect> {
  readonly loop: Loop;
  readonly core: Machine<Input, Effect>;
  /** Does what one effect asks for. It may call `tell`. */
  readonly carryOut: (effect: Effect) => void;
  /** By default the clock is perfect. */
  readonly clock?: ClockQuirks;
  /** Called when the effects of an input are carried out: the place to check invariants. */
  readonly afterInput?: () => void;
  /**
   * The time, when a {@link Host} runs this process among its turns: that host asks for `wakeAtMs`
   * and calls `handleWake`, and the process plans no wake-ups of its own.
   */
  readonly hostMs?: () => Millis;
}

/** One life of a core. */
export class Process<Input, Effect> {
  readonly #loop: Loop;
  readonly #core: Machine<Input, Effect>;
  readonly #carryOut: (effect: Effect) => void;
  readonly #afterInput: (() => void) | undefined;
  readonly #hostMs: (() => Millis) | undefined;
  readonly #clock: Clock;
  /** What happened during a sleep. */
  readonly #deferred: (() => void)[] = [];
  #isAlive = true;
  #isBusy = false;
  #asleepUntilMs: Millis = 0;
  #wakePlannedMs = Infinity;

  constructor(options: ProcessOptions<Input, Effect>) {
    this.#loop = options.loop;
    this.#core = options.core;
    this.#carryOut = options.carryOut;
    this.#afterInput = options.afterInput;
    this.#hostMs = options.hostMs;
    this.#clock = new Clock(options.loop, options.clock);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** What the process's clock reads. */
  nowMs(): Millis {
    return this.#hostMs?.() ?? this.#clock.nowMs();
  }

  /** Hands in one input and carries out all that follows from it; nothing after a crash. */
  tell(input: Input | Wake): void {
    if (!this.#isAlive) return;
    this.#core.handle(input, this.nowMs());
    // An effect told of something: whoever is carrying out effects goes on with those of this.
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      this.#drain();
    } finally {
      this.#isBusy = false;
    }
    this.#planWake();
    this.#afterInput?.();
  }

  /** Runs `action` now, or when the sleep that lasts is over; never after a crash. */
  whenAwake(action: () => void): void {
    if (!this.#isAlive) return;
    if (this.#asleepUntilMs > this.#loop.nowMs) this.#deferred.push(action);
    else action();
  }

  /** The process stands still for `forMs` of the loop, its timers too. */
  sleep(forMs: Millis): void {
    this.#asleepUntilMs = this.#loop.nowMs + forMs;
    this.#loop.after(forMs, () => this.#wakeUp());
  }

  /** Ends a sleep at once. */
  rouse(): void {
    this.#asleepUntilMs = 0;
    this.#wakeUp();
  }

  /** Gone at once, without a word. */
  crash(): void {
    this.#isAlive = false;
    this.#deferred.length = 0;
  }

  /** When the host is to call `handleWake`, on the process's clock. */
  wakeAtMs(): Millis | undefined {
    return this.#core.wakeAtMs();
  }

  /** The time of `wakeAtMs` has come. */
  handleWake(): void {
    this.tell({ kind: "wake" });
  }

  #drain(): void {
    while (this.#isAlive) {
      const effect = this.#core.poll();
      if (effect === undefined) return;
      this.#carryOut(effect);
    }
  }

  #wakeUp(): void {
    if (!this.#isAlive || this.#asleepUntilMs > this.#loop.nowMs) return;
    for (const action of this.#deferred.splice(0)) this.whenAwake(action);
    this.#planWake();
  }

  #planWake(): void {
    if (this.#hostMs !== undefined || !this.#isAlive) return;
    const wakeAtMs = this.#core.wakeAtMs();
    if (wakeAtMs === undefined) return;
    const { nowMs } = this.#loop;
    const atMs = Math.max(this.#clock.loopTime(wakeAtMs), this.#asleepUntilMs, nowMs);
    if (atMs >= this.#wakePlannedMs) return;
    this.#wakePlannedMs = atMs;
    this.#loop.at(atMs, () => {
      if (this.#wakePlannedMs === atMs) this.#wakePlannedMs = Infinity;
      if (this.#asleepUntilMs <= this.#loop.nowMs && this.#clock.isDue(this.#core.wakeAtMs())) {
        this.tell({ kind: "wake" });
      } else this.#planWake();
    });
  }
}
