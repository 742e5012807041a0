/**
 * A simulated process around any core: what `run/drive.ts` is on Bun, on virtual time. It has the
 * clock of its computer, sleeps when that does, and is gone at a crash; a restart is a new one.
 *
 * @module
 */
import type { Machine, Wake } from "../../base/machine.ts";
import type { Computer, Resident } from "./computer.ts";

/** What a process is made of. */
export interface ProcessOptions<Input, Effect> {
  readonly computer: Computer;
  readonly core: Machine<Input, Effect>;
  /** Does what one effect asks for. It may call `tell`. */
  readonly carryOut: (effect: Effect) => void;
  /** Called when the effects of an input are carried out: the place to check invariants. */
  readonly afterInput?: () => void;
}

/** One life of a core. */
export class Process<Input, Effect> implements Resident {
  readonly computer: Computer;
  readonly #core: Machine<Input, Effect>;
  readonly #carryOut: (effect: Effect) => void;
  readonly #afterInput: (() => void) | undefined;
  #isAlive = true;
  #isBusy = false;
  #wakePlannedMs = Infinity;

  constructor(options: ProcessOptions<Input, Effect>) {
    this.computer = options.computer;
    this.#core = options.core;
    this.#carryOut = options.carryOut;
    this.#afterInput = options.afterInput;
    this.computer.add(this);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Hands in one input and carries out all that follows from it; nothing after a crash. */
  tell(input: Input | Wake): void {
    if (!this.#isAlive) return;
    this.#core.handle(input, this.computer.nowMs());
    // Called from within an effect: the loop that carries out effects goes on with the new ones.
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
    this.computer.whenAwake(() => {
      if (this.#isAlive) action();
    });
  }

  /** Gone at once, without a word. */
  crash(): void {
    this.#isAlive = false;
    this.computer.remove(this);
  }

  /** A sleep is over. */
  wakeUp(): void {
    this.#planWake();
  }

  #drain(): void {
    while (this.#isAlive) {
      const effect = this.#core.poll();
      if (effect === undefined) return;
      this.#carryOut(effect);
    }
  }

  #planWake(): void {
    if (!this.#isAlive) return;
    const wakeAtMs = this.#core.wakeAtMs();
    if (wakeAtMs === undefined) return;
    const { computer } = this;
    const { loop, clock } = computer;
    const atMs = computer.awakeAtMs(clock.loopTime(wakeAtMs));
    if (atMs >= this.#wakePlannedMs) return;
    this.#wakePlannedMs = atMs;
    loop.at(atMs + computer.drawTurnDelayMs(), () => {
      if (this.#wakePlannedMs === atMs) this.#wakePlannedMs = Infinity;
      if (!this.#isAlive) return;
      if (!computer.isAsleep && clock.isDue(this.#core.wakeAtMs())) this.tell({ kind: "wake" });
      else this.#planWake();
    });
  }
}
