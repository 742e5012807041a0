/**
 * A simulated network of messages between places, for cores that are simulated without what carries
 * their messages: those are lost, doubled, late, and overtake each other.
 *
 * @module
 */
import { chance, type Random } from "../../base/random.ts";
import type { Faults, Link } from "../../base/link.ts";
import { Links } from "./links.ts";
import type { Loop } from "./loop.ts";
import type { TraceLine } from "./trace.ts";

/** What a network of messages is made of. */
export interface MessageNetworkOptions<Place, Message> {
  readonly loop: Loop;
  readonly random: Random;
  readonly deliver: (from: Place, to: Place, message: Message) => void;
  /** In a few words, for transcripts. */
  readonly describe: (message: Message) => string;
  readonly bytesOf: (message: Message) => number;
  readonly trace?: TraceLine | undefined;
}

/** See the module. */
export class MessageNetwork<Place, Message> extends Links<Place> {
  sent = 0;
  sentBytes = 0;
  lost = 0;
  readonly #options: MessageNetworkOptions<Place, Message>;

  constructor(options: MessageNetworkOptions<Place, Message>) {
    super();
    this.#options = options;
  }

  /** Sends a message, under the faults of its link or under others. */
  send(from: Place, to: Place, message: Message, others?: Faults): void {
    const { loop, random, bytesOf } = this.#options;
    const bytes = bytesOf(message);
    this.sent++;
    this.sentBytes += bytes;
    const link = this.link(from, to);
    if (!link.isUp(loop.nowMs)) return this.#lose(from, to, message);
    const faults = others ?? link.faults;
    const { duplicateShare } = faults;
    this.#dispatch(link, from, to, message, bytes, faults);
    if (duplicateShare === 0 || !chance(random, duplicateShare)) return;
    this.#dispatch(link, from, to, message, bytes, faults);
  }

  #dispatch(
    link: Link,
    from: Place,
    to: Place,
    message: Message,
    bytes: number,
    faults: Faults,
  ): void {
    const { loop, random, describe, deliver, trace } = this.#options;
    const { delayMs, why } = link.pass(bytes, random, loop.nowMs, faults);
    if (why !== undefined) return this.#lose(from, to, message);
    loop.after(delayMs, () => {
      trace?.(() => `${from} -> ${to} ${describe(message)}`);
      deliver(from, to, message);
    });
  }

  #lose(from: Place, to: Place, message: Message): void {
    const { describe, trace } = this.#options;
    this.lost++;
    trace?.(() => `${from} -> ${to} lost: ${describe(message)}`);
  }
}
