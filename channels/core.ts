/**
 * A channel without promises: which requests wait, what lies in between, and which two meet.
 *
 * Values leave in the order in which they came in. Who waited first is served first. With a
 * capacity of 0 nothing ever lies in the channel: a sender waits until its value is received.
 *
 * @module
 */
import { invariant, type Machine } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import type { ChannelEffect, ChannelInput, Party, RequestId } from "./types.ts";

interface Sender<T> {
  readonly id: RequestId;
  readonly party: Party;
  readonly value: T;
}

interface Receiver {
  readonly id: RequestId;
  readonly party: Party;
}

/** One channel. Nothing in it depends on the time. */
export class ChannelCore<T> implements Machine<ChannelInput<T>, ChannelEffect<T>> {
  /** Values that may lie in the channel with nobody waiting for them. */
  readonly capacity: number;
  readonly #values = new Queue<T>();
  /** In the order in which they came. */
  readonly #senders = new Map<RequestId, Sender<T>>();
  readonly #receivers = new Map<RequestId, Receiver>();
  readonly #effects = new Queue<ChannelEffect<T>>();
  #closed = false;

  /** `capacity`: a whole number, 0 or more, or Infinity. Throws a RangeError otherwise. */
  constructor(capacity: number) {
    if (!(capacity >= 0 && (Number.isInteger(capacity) || capacity === Infinity))) {
      throw new RangeError(`capacity is ${capacity}, expected a whole number from 0 or Infinity`);
    }
    this.capacity = capacity;
  }

  /** Values that lie in the channel. */
  get length(): number {
    return this.#values.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#senders.size + this.#receivers.size;
  }

  /** Whether a `send` of `party` would be answered at once, with `refused` if need be. */
  canSend(party: Party): boolean {
    if (this.#closed || this.#values.length < this.capacity) return true;
    return this.#other(this.#receivers, party) !== undefined;
  }

  /** Whether a `receive` of `party` would be answered at once, with `ended` if need be. */
  canReceive(party: Party): boolean {
    if (this.#closed || this.#values.length > 0) return true;
    return this.#other(this.#senders, party) !== undefined;
  }

  handle(input: ChannelInput<T> | { readonly kind: "wake" }): void {
    switch (input.kind) {
      case "send":
        return this.#send(input);
      case "receive":
        return this.#receive(input);
      case "withdraw":
        this.#senders.delete(input.id);
        this.#receivers.delete(input.id);
        return;
      case "close":
        return this.#close();
      case "wake":
    }
  }

  poll(): ChannelEffect<T> | undefined {
    return this.#effects.shift();
  }

  wakeAtMs(): undefined {
    return undefined;
  }

  #send(sender: Sender<T>): void {
    this.#assertNew(sender.id);
    const { id, party, value } = sender;
    if (this.#closed) return this.#effects.push({ kind: "refused", id });
    // Nobody waits to receive while values lie in the channel: this one overtakes none.
    const receiver = this.#other(this.#receivers, party);
    if (receiver !== undefined) {
      this.#receivers.delete(receiver.id);
      this.#effects.push({ kind: "received", id: receiver.id, value });
    } else if (this.#values.length < this.capacity) this.#values.push(value);
    else return void this.#senders.set(id, { id, party, value });
    this.#effects.push({ kind: "sent", id });
  }

  #receive({ id, party }: Receiver): void {
    this.#assertNew(id);
    if (this.#values.length > 0) {
      this.#effects.push({ kind: "received", id, value: this.#values.shift()! });
      this.#refill();
      return;
    }
    const sender = this.#other(this.#senders, party);
    if (sender !== undefined) {
      this.#senders.delete(sender.id);
      this.#effects.push({ kind: "received", id, value: sender.value });
      this.#effects.push({ kind: "sent", id: sender.id });
    } else if (this.#closed) this.#effects.push({ kind: "ended", id });
    else this.#receivers.set(id, { id, party });
  }

  /** A value left: the sender that waits longest puts its own in. */
  #refill(): void {
    for (const { id, value } of this.#senders.values()) {
      this.#senders.delete(id);
      this.#values.push(value);
      this.#effects.push({ kind: "sent", id });
      return;
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const id of this.#senders.keys()) this.#effects.push({ kind: "refused", id });
    for (const id of this.#receivers.keys()) this.#effects.push({ kind: "ended", id });
    this.#senders.clear();
    this.#receivers.clear();
  }

  #assertNew(id: RequestId): void {
    invariant(!this.#senders.has(id) && !this.#receivers.has(id), `request ${id} waits already`);
  }

  /** Of those who wait the first that is not of `party`, if the two would meet face to face. */
  #other<W extends { readonly party: Party }>(
    waiting: ReadonlyMap<RequestId, W>,
    party: Party,
  ): W | undefined {
    for (const one of waiting.values()) if (one.party !== party || this.capacity > 0) return one;
    return undefined;
  }
}
