/**
 * Eight squarers that are wrong, one way each, and the property that finds each of them out. Each
 * is a mistake that one makes: docs/channels.md tells how.
 *
 * @module
 */
import { Channel, select, Squarer, type SquarerLike } from "../../channels/mod.ts";

/** A squarer that is right, in one step that the wrong ones change. */
abstract class Steps implements SquarerLike {
  protected readonly stop = new Channel<never>();
  protected output!: Channel<number>;
  #running: Promise<void> | undefined;

  initialize(input: Channel<number>): Channel<number> {
    this.output = this.makeOutput();
    this.#running = this.run(input);
    return this.output;
  }

  async close(): Promise<void> {
    this.stop.close();
    await this.#running;
  }

  protected makeOutput(): Channel<number> {
    return new Channel();
  }

  protected async run(input: Channel<number>): Promise<void> {
    for (;;) {
      const next = await select([this.stop.receiving(), input.receiving()]);
      if (next.kind !== "received") return;
      if (!(await this.emit(next.value))) return;
    }
  }

  /** Whether it may go on. */
  protected async emit(value: number): Promise<boolean> {
    return await this.give(value ** 2);
  }

  protected async give(square: number): Promise<boolean> {
    return (await select([this.stop.receiving(), this.output.sending(square)])).kind === "sent";
  }
}

/** Holds the third number back behind the fourth, and so on. */
class Reorders extends Steps {
  #count = 0;
  #held: number | undefined;

  protected override async emit(value: number): Promise<boolean> {
    if (++this.#count % 4 === 3) {
      this.#held = value;
      return true;
    }
    const held = this.#held;
    this.#held = undefined;
    return (await this.give(value ** 2)) && (held === undefined || (await this.give(held ** 2)));
  }
}

/** Puts squares where there is room and forgets them where there is none. */
class LosesWhenSlow extends Steps {
  protected override makeOutput(): Channel<number> {
    return new Channel(1);
  }

  protected override async emit(value: number): Promise<boolean> {
    this.output.trySend(value ** 2);
    // As fast as a good reader reads, slower than a slow one.
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }
}

/** Gives a square once more after every fifth. */
class Doubles extends Steps {
  #count = 0;

  protected override async emit(value: number): Promise<boolean> {
    const again = ++this.#count % 5 === 0;
    return (await this.give(value ** 2)) && (!again || (await this.give(value ** 2)));
  }
}

/** Looks at `stop` only between two squares. */
class HangsOnClose extends Steps {
  protected override async give(square: number): Promise<boolean> {
    await this.output.send(square);
    return true;
  }
}

/** Returns from `close` while its last square still waits for a reader. */
class EmitsAfterClose extends Steps {
  override async close(): Promise<void> {
    this.stop.close();
  }

  protected override async give(square: number): Promise<boolean> {
    await this.output.send(square);
    return !this.stop.closed;
  }
}

/** Returns from `close` while it still waits for a number. */
class TakesAfterClose extends Steps {
  override async close(): Promise<void> {
    this.stop.close();
  }

  protected override async run(input: Channel<number>): Promise<void> {
    for await (const value of input) if (!(await this.emit(value))) return;
  }
}

/** Takes 0 for "nothing", and the size of a number for the number. */
class WrongForSome extends Steps {
  protected override async emit(value: number): Promise<boolean> {
    return value === 0 ? true : await this.give(value * Math.abs(value));
  }
}

/** Keeps the number that it is at where the others of its class keep theirs. */
class Shares extends Steps {
  static current = 0;

  protected override async emit(value: number): Promise<boolean> {
    Shares.current = value;
    await new Promise((resolve) => setImmediate(resolve));
    return await this.give(Shares.current ** 2);
  }
}

/** Takes a second number while the first square still lies in its output. */
class ReadsAhead extends Steps {
  protected override makeOutput(): Channel<number> {
    return new Channel(1);
  }
}

/** A wrong squarer, and the names of the properties that it breaks. */
export interface WrongSquarer {
  readonly name: string;
  readonly make: () => SquarerLike;
  readonly breaks: readonly string[];
}

const IN_ORDER = "squares each number once, in order";
const SLOW = "loses nothing when the reader is slow";
const AHEAD = "takes a number only when the square before it was received";
const PENDING = "closes while a square waits for its reader";
const SILENT = "emits nothing after close";
const DEAF = "takes nothing in after close";
const APART = "shares nothing with another squarer";

export const WRONG_SQUARERS: readonly WrongSquarer[] = [
  { name: "reorders", make: () => new Reorders(), breaks: [IN_ORDER, SLOW, AHEAD, APART] },
  { name: "loses when the reader is slow", make: () => new LosesWhenSlow(), breaks: [SLOW, AHEAD] },
  { name: "doubles", make: () => new Doubles(), breaks: [IN_ORDER, SLOW, APART] },
  { name: "hangs on close", make: () => new HangsOnClose(), breaks: [PENDING, SILENT] },
  { name: "emits after close", make: () => new EmitsAfterClose(), breaks: [SILENT] },
  { name: "takes input after close", make: () => new TakesAfterClose(), breaks: [DEAF] },
  {
    name: "wrong for 0 and negative numbers",
    make: () => new WrongForSome(),
    breaks: [IN_ORDER, SLOW, AHEAD, APART],
  },
  { name: "shares state between two", make: () => new Shares(), breaks: [APART] },
];

/** A ninth: wrong in nothing that its reader sees, but in what is lost at close. */
export const READS_AHEAD: WrongSquarer = {
  name: "reads ahead",
  make: () => new ReadsAhead(),
  breaks: [AHEAD],
};

/** The right one, for comparison. */
export const makeRight = (): SquarerLike => new Squarer();
