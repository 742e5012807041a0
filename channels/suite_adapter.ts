/**
 * The suite that proves a squarer right, somebody else's too. Each property is one thing that a
 * reader of its output or a caller of its `close` relies on; docs/channels.md says which wrong
 * squarers each of them catches.
 *
 * @module
 */
import { integerBetween, type Random, seededRandom } from "../base/random.ts";
import { Channel, type Received } from "./adapter.ts";
import type { SquarerLike } from "./squarer_adapter.ts";

/** How a suite is run. */
export interface CheckOptions {
  /** Picks the numbers and the pauses; equal seeds give equal runs. */
  readonly seed?: number;
  /** What has to happen happens within this time, in milliseconds, or the property fails. */
  readonly deadlineMs?: number;
  /** What must not happen is waited for this long, in milliseconds. */
  readonly quietMs?: number;
  /** Only the properties with these names. */
  readonly only?: readonly string[];
  /** Told each verdict at once. */
  readonly onVerdict?: (verdict: Verdict) => void;
}

/** How a property fared. */
export interface Verdict {
  readonly property: string;
  /** What was wrong, one line; undefined if nothing was. */
  readonly why: string | undefined;
}

const DEADLINE_MS = 5000;
const QUIET_MS = 30;
/** Numbers that a run squares, at least and at most; those with a history of going wrong first. */
const NUMBERS = [12, 24] as const;
const TELLING = [0, -1, 1, -7, 12, -0, 0.5, -12_345, 2 ** 26];

class PropertyError extends Error {
  override name = "PropertyError";
}

/** One run of one property: a fresh squarer each time, and the clock. */
class Trial {
  readonly random: Random;
  readonly #make: () => SquarerLike;
  readonly #deadlineMs: number;
  readonly #quietMs: number;

  constructor(make: () => SquarerLike, random: Random, deadlineMs: number, quietMs: number) {
    this.#make = make;
    this.random = random;
    this.#deadlineMs = deadlineMs;
    this.#quietMs = quietMs;
  }

  /** A squarer at work on `input`. */
  start(input: Channel<number>): { squarer: SquarerLike; output: Channel<number> } {
    const squarer = this.#make();
    const output = squarer.initialize(input);
    if (typeof output?.receive === "function") return { squarer, output };
    throw new PropertyError(`initialize returned ${String(output)}, expected a Channel`);
  }

  numbers(): number[] {
    const count = integerBetween(this.random, ...NUMBERS);
    const rest = count - TELLING.length;
    const others = Array.from({ length: rest }, () => integerBetween(this.random, -1000, 1000));
    return [...TELLING, ...others];
  }

  /** A pause of 0 to 2 ms, in which an eager squarer gets far ahead. */
  pause(): Promise<void> {
    return wait(integerBetween(this.random, 0, 2));
  }

  /** `promise`, or a failure of `what` when it does not come. */
  async within<T>(promise: Promise<T> | T, what: string): Promise<T> {
    const late = new PropertyError(`${what} within ${this.#deadlineMs} ms`);
    return await race(promise, this.#deadlineMs, () => Promise.reject(late));
  }

  /** Whether `promise` stays open for as long as one waits for what must not happen. */
  async quiet(promise: Promise<unknown>): Promise<boolean> {
    return await race(
      promise.then(
        () => false,
        () => false,
      ),
      this.#quietMs,
      () => Promise.resolve(true),
    );
  }

  /** Receives the squares of `numbers` from the `from`-th to before the `to`-th, nothing else. */
  async expect(
    output: Channel<number>,
    numbers: readonly number[],
    from = 0,
    to = numbers.length,
  ): Promise<void> {
    for (let i = from; i < to; i++) {
      const what = `square ${i + 1} of ${numbers.length}, of ${numbers[i]!},`;
      const got = await this.within(output.receive(), `${what} did not come`);
      const square = numbers[i]! ** 2;
      if (got.done !== true && got.value === square) continue;
      throw new PropertyError(`${what} is ${shown(got)}, expected ${square}`);
    }
  }

  /** Closes, and fails if that never returns. */
  async close(squarer: SquarerLike): Promise<void> {
    await this.within(squarer.close(), "close did not return");
  }
}

interface Property {
  readonly name: string;
  readonly check: (trial: Trial) => Promise<void>;
}

const IN_ORDER: Property = {
  name: "squares each number once, in order",
  async check(trial) {
    const numbers = trial.numbers();
    const input = new Channel<number>(integerBetween(trial.random, 0, 3));
    const { squarer, output } = trial.start(input);
    feed(input, numbers);
    await trial.expect(output, numbers);
    const extra = output.receive();
    if (!(await trial.quiet(extra))) throw new PropertyError(`one too many: ${shown(await extra)}`);
    await trial.close(squarer);
  },
};

const SLOW_READER: Property = {
  name: "loses nothing when the reader is slow",
  async check(trial) {
    const numbers = trial.numbers();
    const input = filled(numbers);
    const { squarer, output } = trial.start(input);
    for (const i of numbers.keys()) {
      await trial.pause();
      await trial.expect(output, numbers, i, i + 1);
    }
    await trial.close(squarer);
  },
};

const ONE_IN_FLIGHT: Property = {
  name: "takes a number only when the square before it was received",
  async check(trial) {
    const numbers = trial.numbers();
    const input = filled(numbers);
    const { squarer, output } = trial.start(input);
    for (let received = 0; received < 3; received++) {
      await trial.quiet(new Promise(() => {}));
      const ahead = numbers.length - input.length - received;
      if (ahead > 1) throw new PropertyError(`${ahead} numbers were in flight, expected 1`);
      await trial.expect(output, numbers, received, received + 1);
    }
    await trial.close(squarer);
  },
};

const CLOSE_PENDING: Property = {
  name: "closes while a square waits for its reader",
  async check(trial) {
    const { squarer } = await withPendingSquare(trial);
    await trial.close(squarer);
  },
};

const CLOSE_IDLE: Property = {
  name: "closes while it waits for a number",
  async check(trial) {
    const input = new Channel<number>(1);
    const { squarer, output } = trial.start(input);
    if (trial.random() % 2 === 0) {
      await trial.within(input.send(3), "a number was not taken");
      await trial.expect(output, [3]);
    }
    await trial.close(squarer);
  },
};

const SILENT: Property = {
  name: "emits nothing after close",
  async check(trial) {
    const { squarer, output } = await withPendingSquare(trial);
    await trial.close(squarer);
    const next = output.receive();
    if (await trial.quiet(next)) return;
    const got = await next;
    if (got.done !== true) throw new PropertyError(`${got.value} came out after close`);
  },
};

const DEAF: Property = {
  name: "takes nothing in after close",
  async check(trial) {
    const input = new Channel<number>();
    const { squarer, output } = trial.start(input);
    if (trial.random() % 2 === 0) {
      await trial.within(input.send(2), "a number was not taken");
      await trial.expect(output, [2]);
    }
    await trial.close(squarer);
    const sending = input.send(4);
    if (!(await trial.quiet(sending))) throw new PropertyError("a number was taken after close");
  },
};

const LEAVES_OPEN: Property = {
  name: "leaves its output open at close",
  async check(trial) {
    const { squarer, output } = trial.start(new Channel<number>());
    await trial.close(squarer);
    const next = output.receive();
    if (await trial.quiet(next)) return;
    throw new PropertyError(`the output gave ${shown(await next)} after close, expected nothing`);
  },
};

const APART: Property = {
  name: "shares nothing with another squarer",
  async check(trial) {
    const all = [trial.numbers(), trial.numbers().map((number) => number + 5000)] as const;
    const inputs = [new Channel<number>(), new Channel<number>()] as const;
    const one = trial.start(inputs[0]);
    const other = trial.start(inputs[1]);
    feed(inputs[0], all[0]);
    feed(inputs[1], all[1]);
    for (let i = 0; i < NUMBERS[0]; i++) {
      await trial.expect(one.output, all[0], i, i + 1);
      if (trial.random() % 2 === 0) await trial.pause();
      await trial.expect(other.output, all[1], i, i + 1);
    }
    await trial.close(one.squarer);
    await trial.expect(other.output, all[1], NUMBERS[0]);
    await trial.close(other.squarer);
  },
};

/** All that is asked of a squarer. */
const ALL: readonly Property[] = [
  IN_ORDER,
  SLOW_READER,
  ONE_IN_FLIGHT,
  CLOSE_PENDING,
  CLOSE_IDLE,
  SILENT,
  DEAF,
  LEAVES_OPEN,
  APART,
];

/** The names of the properties, in the order in which they are checked. */
export const PROPERTIES: readonly string[] = ALL.map(({ name }) => name);

/**
 * Checks every property on squarers made by `make`, one after the other; the verdicts, in the order
 * of {@link PROPERTIES}. A squarer that never yields to the event loop is not come by from here.
 */
export async function checkSquarer(
  make: () => SquarerLike,
  options: CheckOptions = {},
): Promise<Verdict[]> {
  const { seed = 1, deadlineMs = DEADLINE_MS, quietMs = QUIET_MS, only = PROPERTIES } = options;
  const verdicts: Verdict[] = [];
  for (const [i, { name, check }] of ALL.entries()) {
    if (!only.includes(name)) continue;
    const why = await check(new Trial(make, seededRandom(seed, i), deadlineMs, quietMs)).then(
      () => undefined,
      (error: unknown) =>
        error instanceof PropertyError ? error.message : `threw ${thrown(error)}`,
    );
    verdicts.push({ property: name, why });
    options.onVerdict?.({ property: name, why });
  }
  return verdicts;
}

/** A squarer that has taken a number whose square nobody receives. */
async function withPendingSquare(
  trial: Trial,
): Promise<{ squarer: SquarerLike; output: Channel<number> }> {
  const input = new Channel<number>();
  const started = trial.start(input);
  await trial.within(input.send(7), "a number was not taken");
  // A further one, for squarers that would go on.
  input.send(8).catch(() => {});
  await trial.pause();
  return started;
}

/** An open channel with `numbers` in it. */
function filled(numbers: readonly number[]): Channel<number> {
  const channel = new Channel<number>(numbers.length);
  for (const number of numbers) channel.trySend(number);
  return channel;
}

/** Sends `numbers`, as fast as they are taken. */
function feed(input: Channel<number>, numbers: readonly number[]): void {
  const send = async (): Promise<void> => {
    for (const number of numbers) await input.send(number);
  };
  // A squarer that closes what it does not own is found out by what it then does not do.
  send().catch(() => {});
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `promise`, or what `late` gives when it takes longer than `ms`. */
async function race<T>(promise: Promise<T> | T, ms: number, late: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    return await Promise.race([promise, timeout.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}

const shown = (got: Received<number>): string => (got.done === true ? "its end" : `${got.value}`);

const thrown = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message.split("\n")[0]}` : String(error);
