/**
 * A mailbox with promises, for those who are no actors.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import type { ActorRef, Message } from "./types.ts";

/** What `pop` gives: the next message, or that none will come. */
export type Popped = IteratorResult<Message, undefined>;

/** What a mailbox does its work with. */
export interface MailboxOwner {
  take(counter: number): { readonly message: Message } | undefined;
  push(to: ActorRef, message: Message): void;
  close(ref: ActorRef): void;
}

/** Throws out of a job of its own: it is the caller's mistake, and no reason to stop half way. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

const DONE: Popped = { done: true, value: undefined };

/** See the module; made by `openMailbox` of a system. */
export class Mailbox implements AsyncIterable<Message, undefined> {
  /** Tell it this, from anywhere. */
  readonly ref: ActorRef;
  readonly #owner: MailboxOwner;
  readonly #onMessage: ((message: Message) => void) | undefined;
  readonly #waiting = new Queue<(popped: Popped) => void>();
  #isClosed = false;

  constructor(ref: ActorRef, owner: MailboxOwner, onMessage?: (message: Message) => void) {
    this.ref = ref;
    this.#owner = owner;
    this.#onMessage = onMessage;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Puts a copy behind what waits; never waits. Ignored after `close`. Throws MessageError. */
  push(message: Message): void {
    this.#owner.push(this.ref, message);
  }

  /**
   * The next message, as soon as there is one; who asked first gets it first. Once the mailbox, or
   * its system, is closed: `done`, at once, even if messages wait.
   */
  pop(): Promise<Popped> {
    if (this.#isClosed) return Promise.resolve(DONE);
    // Those that wait longer are served first, although no message was announced yet.
    this.serve();
    const taken = this.#owner.take(this.ref.counter);
    if (taken !== undefined) return Promise.resolve({ done: false, value: taken.message });
    const { promise, resolve } = Promise.withResolvers<Popped>();
    this.#waiting.push(resolve);
    return promise;
  }

  /** Ends it: nothing comes out any more. Again changes nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#owner.close(this.ref);
    this.end();
  }

  /** Messages until it is closed. Ending the loop closes nothing. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return { next: () => this.pop() };
  }

  /** There are messages: for its system. */
  serve(): void {
    while (this.#onMessage !== undefined || this.#waiting.length > 0) {
      const taken = this.#owner.take(this.ref.counter);
      if (taken === undefined) return;
      if (this.#onMessage === undefined) {
        this.#waiting.shift()!({ done: false, value: taken.message });
      } else this.#hand(this.#onMessage, taken.message);
    }
  }

  #hand(onMessage: (message: Message) => void, message: Message): void {
    try {
      onMessage(message);
    } catch (error) {
      throwLater(error);
    }
  }

  /** It is no more: for its system. */
  end(): void {
    this.#isClosed = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next(DONE);
  }
}
