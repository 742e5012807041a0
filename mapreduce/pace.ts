/**
 * What the bytes of a job cost in the units of the scheduler: what its workers would hash in the
 * time that they take for a byte. So a job that is slow, or whose workers hash fast, weighs as much
 * as the time that it takes from others.
 *
 * @module
 */
import type { FleetLimits } from "../work/limits.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";

/** Bytes a second of a task, before any has ended. */
const ASSUMED_RATE = 50e6;
/** What a task that is over counts when the next one is, of 1. */
const KEEP = 0.9;
/** Bounds of what a byte may cost: a worker says itself when a task has begun. */
const UNITS_MIN = 1e-6;
const UNITS_MAX = 1e6;

/** Of a worker that has not hashed, what it declares is believed up to this; in nonces a second. */
const DECLARED_MAX = 1e9;

/** Sums over tasks, older ones forgotten. */
interface Spent {
  bytes: number;
  seconds: number;
  /** What the workers would have hashed meanwhile. */
  units: number;
}

/** What is known of all jobs of a server: of the one whose task ended last. */
export class PaceOfAll implements Spent {
  bytes = 0;
  seconds = 0;
  units = 0;
  readonly limits: FleetLimits;
  /** What a worker of the fleet hashes in a second. */
  readonly typicalSpeed: () => number;

  constructor(limits: FleetLimits, typicalSpeed: () => number) {
    this.limits = limits;
    this.typicalSpeed = typicalSpeed;
  }
}

/** See the module. */
export class Pace {
  readonly #all: PaceOfAll;
  readonly #own: Spent = { bytes: 0, seconds: 0, units: 0 };

  constructor(all: PaceOfAll) {
    this.#all = all;
  }

  /** Units a byte, at the workers that had tasks of it. */
  get unitsPerByte(): number {
    const { bytes, units } = this.#known;
    return bounded(bytes === 0 ? this.#all.typicalSpeed() / ASSUMED_RATE : units / bytes);
  }

  /** Units of a task of that worker which reads so many bytes, as the fleet counts its rate. */
  unitsAt(worker: Worker<Task>, taskBytes: number): number {
    const { bytes, seconds } = this.#known;
    const rate = bytes === 0 ? ASSUMED_RATE : bytes / seconds;
    const unitsPerByte = worker.speed(this.#all.limits) / worker.capacity / rate;
    return taskBytes * bounded(unitsPerByte);
  }

  /** A worker took so long for a task that reads `bytes`. */
  add(worker: Worker<Task>, bytes: number, seconds: number): void {
    const own = this.#own;
    own.bytes = KEEP * own.bytes + bytes;
    own.seconds = KEEP * own.seconds + seconds;
    own.units = KEEP * own.units + seconds * this.#speed(worker);
    Object.assign(this.#all, own);
  }

  get #known(): Spent {
    return this.#own.bytes > 0 ? this.#own : this.#all;
  }

  /** What the worker hashes in a second with what it gives to one task. */
  #speed({ rate, declared, capacity }: Worker<Task>): number {
    const { assumedRate } = this.#all.limits;
    const said = declared === 0 ? assumedRate : Math.min(declared, DECLARED_MAX);
    return Math.max(1, rate.measured ?? said) / capacity;
  }
}

function bounded(units: number): number {
  return Math.min(UNITS_MAX, Math.max(UNITS_MIN, units));
}
