/**
 * A squarer: the smallest part that has everything that goes wrong with channels. It takes numbers
 * from one channel, puts their squares into another, and can be told to stop at any moment.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { Channel, ChannelClosedError, select } from "./adapter.ts";

/** Anything that claims to be a squarer. */
export interface SquarerLike {
  /** Squares what comes from `input`; the channel of the squares, in the same order. */
  initialize(input: Channel<number>): Channel<number>;
  /** Stops; done when nothing of it is left running or waiting. */
  close(): Promise<void> | void;
}

/**
 * Squares numbers, one at a time: it takes the next only when the last square was received.
 *
 * When the input ends, so does the output. `close` ends neither: so a reader that sees the end
 * knows that it has every square. A reader that closes the output stops the squarer.
 */
export class Squarer implements SquarerLike {
  readonly #stop = new Channel<never>();
  #running: Promise<void> | undefined;

  /** Starts; to be called once, and not after `close`. The squares of -0 and 0 are 0. */
  initialize(input: Channel<number>): Channel<number> {
    invariant(this.#running === undefined, "a squarer is initialized once");
    invariant(!this.#stop.closed, "a squarer is not initialized after its close");
    const output = new Channel<number>();
    this.#running = this.#run(input, output).catch((error: unknown) => {
      if (!(error instanceof ChannelClosedError)) throw error;
    });
    return output;
  }

  /** Stops; a square that nobody has received is dropped. Done when nothing waits any more. */
  async close(): Promise<void> {
    this.#stop.close();
    await this.#running;
  }

  async #run(input: Channel<number>, output: Channel<number>): Promise<void> {
    for (;;) {
      const next = await select([this.#stop.receiving(), input.receiving()]);
      if (next.index === 0) return;
      if (next.kind === "ended") return output.close();
      const given = await select([this.#stop.receiving(), output.sending(next.value ** 2)]);
      if (given.index === 0) return;
    }
  }
}
