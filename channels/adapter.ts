/**
 * Channels with promises: the house's one way to hand values from one asynchronous part to another.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { ChannelCore } from "./core.ts";
import type { ChannelEffect, ChannelInput, Party, RequestId } from "./types.ts";

/** Thrown at a sender whose value was not taken because the channel is closed. */
export class ChannelClosedError extends Error {
  override name = "ChannelClosedError";
}

/** The next value, or that none will come; the result of an async iterator's `next`. */
export type Received<T> = IteratorResult<T, undefined>;

/** One thing that a {@link select} may do: made by `receiving` and `sending`. */
export interface SelectCase<R> {
  /** Whether it can be done at once. */
  ready(party: Party): boolean;
  /** When a select last chose it, as a count of choices; 0 for never. */
  readonly chosenAt: number;
  /** Does it, or waits to; `done` is called once, perhaps before this returns. */
  start(id: RequestId, party: Party, done: (result: R | ChannelClosedError) => void): void;
  /** Stops waiting; `done` is not called any more. */
  stop(id: RequestId): void;
  /** Notes that this was what a select did. */
  choose(at: number): void;
}

/** What `receiving` comes to. */
export type ReceiveOutcome<T> =
  { readonly kind: "received"; readonly value: T } | { readonly kind: "ended" };
/** What `sending` comes to. */
export type SendOutcome = { readonly kind: "sent" };

/** What a {@link select} did: the index of the case, and what came of it. */
export type Selected<C extends readonly SelectCase<object>[]> = {
  [I in keyof C]: C[I] extends SelectCase<infer R>
    ? { readonly index: I extends `${infer N extends number}` ? N : number } & R
    : never;
}[number];

type Request<T> = Extract<ChannelInput<T>, { readonly party: Party }>;
type Answer<T> = (effect: ChannelEffect<T>) => void;

/** Requests and parties have names of their own, never used twice. */
let names = 0;
/** How many choices all selects have made. */
let choices = 0;

/**
 * Values in the order in which they were sent, each received once.
 *
 * `capacity` values may wait in it. With 0, the default, a `send` is done when its value was
 * received. The longest waiting is served first, among senders and receivers alike.
 */
export class Channel<T> implements AsyncIterable<T, undefined> {
  readonly #core: ChannelCore<T>;
  readonly #answers = new Map<RequestId, Answer<T>>();
  readonly #chosenAt = { send: 0, receive: 0 };

  /** Throws a RangeError unless `capacity` is a whole number from 0, or Infinity. */
  constructor(capacity = 0) {
    this.#core = new ChannelCore(capacity);
  }

  get capacity(): number {
    return this.#core.capacity;
  }

  /** Values that wait in the channel, 0..capacity. */
  get length(): number {
    return this.#core.length;
  }

  get closed(): boolean {
    return this.#core.closed;
  }

  /** Done when the value is in the channel or received. Rejects with {@link ChannelClosedError}. */
  send(value: T): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const id = ++names;
    this.#request({ kind: "send", id, party: id, value }, (effect) => {
      if (effect.kind === "sent") resolve();
      else reject(closedError());
    });
    return promise;
  }

  /** The next value; `done` when the channel is closed and nothing is left in it. */
  receive(): Promise<Received<T>> {
    const { promise, resolve } = Promise.withResolvers<Received<T>>();
    const id = ++names;
    this.#request({ kind: "receive", id, party: id }, (effect) => resolve(received(effect)));
    return promise;
  }

  /** Sends if that is possible at once; whether it was. Throws {@link ChannelClosedError}. */
  trySend(value: T): boolean {
    if (this.#core.closed) throw closedError();
    const id = ++names;
    if (!this.#core.canSend(id)) return false;
    this.#request({ kind: "send", id, party: id, value }, () => {});
    return true;
  }

  /** What `receive` would give at once; undefined if it would wait. */
  tryReceive(): Received<T> | undefined {
    const id = ++names;
    if (!this.#core.canReceive(id)) return undefined;
    let result: Received<T> | undefined;
    this.#request({ kind: "receive", id, party: id }, (effect) => (result = received(effect)));
    return result;
  }

  /**
   * No value is sent from now on, and senders that wait are refused; values in the channel can
   * still be received. Closing again does nothing.
   */
  close(): void {
    this.#feed({ kind: "close" });
  }

  /** The values to come, until the channel is closed and empty. Ending the loop closes nothing. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.receive() };
  }

  /** "Receive from this", for {@link select}. */
  receiving(): SelectCase<ReceiveOutcome<T>> {
    return this.#case<ReceiveOutcome<T>>(
      "receive",
      (id, party) => ({ kind: "receive", id, party }),
      (effect) => {
        if (effect.kind === "received") return { kind: "received", value: effect.value };
        return { kind: "ended" };
      },
    );
  }

  /** "Send `value` into this", for {@link select}. */
  sending(value: T): SelectCase<SendOutcome> {
    return this.#case<SendOutcome>(
      "send",
      (id, party) => ({ kind: "send", id, party, value }),
      (effect) => (effect.kind === "sent" ? { kind: "sent" } : closedError()),
    );
  }

  #case<R>(
    end: "send" | "receive",
    input: (id: RequestId, party: Party) => Request<T>,
    outcome: (effect: ChannelEffect<T>) => R | ChannelClosedError,
  ): SelectCase<R> {
    const core = this.#core;
    const chosenAt = this.#chosenAt;
    return {
      ready: (party) => (end === "send" ? core.canSend(party) : core.canReceive(party)),
      get chosenAt() {
        return chosenAt[end];
      },
      start: (id, party, done) => {
        this.#request(input(id, party), (effect) => done(outcome(effect)));
      },
      stop: (id) => {
        this.#answers.delete(id);
        this.#feed({ kind: "withdraw", id });
      },
      choose: (at) => void (chosenAt[end] = at),
    };
  }

  #request(input: Request<T>, answer: Answer<T>): void {
    this.#answers.set(input.id, answer);
    this.#feed(input);
  }

  #feed(input: ChannelInput<T>): void {
    this.#core.handle(input);
    for (let effect = this.#core.poll(); effect !== undefined; effect = this.#core.poll()) {
      const answer = this.#answers.get(effect.id);
      invariant(answer !== undefined, `request ${effect.id} was answered twice`);
      this.#answers.delete(effect.id);
      answer(effect);
    }
  }
}

/**
 * Does exactly one of `cases`, the first that can be done; what it did. The others leave no trace.
 *
 * It is fair: of several that can be done it takes the one that any select chose longest ago. So an
 * end of a channel that stays ready is served before any other end is chosen twice.
 *
 * Rejects with {@link ChannelClosedError} if it comes to a sending into a closed channel, and with
 * a RangeError if there is no case.
 */
export function select<const C extends readonly SelectCase<object>[]>(
  cases: C,
): Promise<Selected<C>> {
  const { promise, resolve, reject } = Promise.withResolvers<Selected<C>>();
  const party = ++names;
  const finish = (index: number, result: object): void => {
    cases[index]!.choose(++choices);
    if (result instanceof ChannelClosedError) reject(result);
    else resolve({ index, ...result } as Selected<C>);
  };
  let first: number | undefined;
  for (const [i, one] of cases.entries()) {
    if (!one.ready(party)) continue;
    if (first === undefined || one.chosenAt < cases[first]!.chosenAt) first = i;
  }
  if (first !== undefined) cases[first]!.start(++names, party, (result) => finish(first, result));
  else if (cases.length === 0) reject(new RangeError("select of no cases: it would wait for ever"));
  else {
    const ids = cases.map(() => ++names);
    for (const [index, one] of cases.entries()) {
      one.start(ids[index]!, party, (result) => {
        for (const [i, other] of cases.entries()) if (i !== index) other.stop(ids[i]!);
        finish(index, result);
      });
    }
  }
  return promise;
}

function received<T>(effect: ChannelEffect<T>): Received<T> {
  return effect.kind === "received"
    ? { done: false, value: effect.value }
    : { done: true, value: undefined };
}

function closedError(): ChannelClosedError {
  return new ChannelClosedError("the channel is closed: the value was not taken");
}
