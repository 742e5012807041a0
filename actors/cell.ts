/**
 * One actor of a system, or a mailbox or a reply, which have a number as actors have: what waits
 * for it, who watches it, and how often it tells whom.
 *
 * @module
 */
import { decodeMessage } from "./decode.ts";
import { MailboxCore } from "./mailbox.ts";
import type { Actor, ActorContext, ActorRef, GoneReason, MakeActor, Message } from "./types.ts";

/** A message from another machine, as it came: a part of a payload, or bytes of its own. */
export class Unread {
  #payload: Uint8Array;
  #from: number;
  #to: number;
  readonly length: number;
  /** Whether it was read, or dropped. */
  isOver = false;

  constructor(payload: Uint8Array, from: number, length: number) {
    this.#payload = payload;
    this.#from = from;
    this.#to = from + length;
    this.length = length;
  }

  /** Lets go of the payload that it came in, for it may wait long: a copy of its part stays. */
  settle(): void {
    if (this.isOver) return;
    this.#payload = this.#payload.slice(this.#from, this.#to);
    this.#from = 0;
    this.#to = this.length;
  }

  /** The message; undefined when it is none. */
  read(): { readonly message: Message } | undefined {
    this.isOver = true;
    return decodeMessage(this.#payload, this.#from, this.#to);
  }
}

/** What an actor that watches is told. */
export class GoneNotice {
  readonly ref: ActorRef;
  readonly why: GoneReason;

  constructor(ref: ActorRef, why: GoneReason) {
    this.ref = ref;
    this.why = why;
  }
}

/** What waits in a mailbox: a message is plain, and so is never one of the two others. */
export type Item = Message | Unread | GoneNotice;

/** What an item that waits takes beside its bytes: objects, and the allocator's rounding. */
export const ITEM_OVERHEAD_BYTES = 64;

/** What a cell is: who handles what comes. */
export type CellKind = "actor" | "mailbox" | "reply";

/** Somebody who watches a cell. */
export interface Watcher {
  readonly counter: number;
  readonly ref: ActorRef;
}

/** See the module. */
export class Cell {
  readonly kind: CellKind;
  readonly ref: ActorRef;
  readonly counter: number;
  readonly make: MakeActor | undefined;
  readonly mailbox: MailboxCore<Item> = new MailboxCore();
  readonly pairs: Pairs = new Pairs();
  /** Handles messages; undefined before it is made, and for what is no actor. */
  actor: Actor | undefined;
  /** What it may do; undefined for what is no actor. */
  context: ActorContext | undefined;
  /** Whether it waits for its turn. */
  isListed = false;
  /** Whether it asked to be stopped while it handled a message. */
  isStopping = false;
  isGone = false;
  /** Bytes from other machines that wait in the mailbox. */
  unreadBytes = 0;
  /** Those of this system who watch it, and by which reference. */
  watchers: Map<string, Watcher> | undefined;
  /** Connections over which other systems watch it. */
  remoteWatchers: Set<number> | undefined;
  /** What it watches, by its key. */
  watched: Map<string, ActorRef> | undefined;

  constructor(kind: CellKind, ref: ActorRef, make: MakeActor | undefined) {
    this.kind = kind;
    this.ref = ref;
    this.counter = ref.counter;
    this.make = make;
  }
}

/** Counts what one actor tells each other one in the present second of the clock. */
export class Pairs {
  readonly #others = new Map<number | string, number>();
  #second = -1;
  /** Whom the last was for: an actor is most often told by the same reference again. */
  #lastRef: ActorRef | undefined;
  #lastKey: number | string = -1;
  #lastCount = 0;

  /** One more to `to` in that second: which it is. */
  count(to: ActorRef, isLocal: boolean, second: number): number {
    if (to !== this.#lastRef) this.#turnTo(to, isLocal ? to.counter : keyOf(to));
    if (second !== this.#second) {
      this.#second = second;
      this.#others.clear();
      this.#lastCount = 0;
    }
    return ++this.#lastCount;
  }

  #turnTo(to: ActorRef, key: number | string): void {
    this.#lastRef = to;
    if (key === this.#lastKey) return;
    this.#others.set(this.#lastKey, this.#lastCount);
    this.#lastKey = key;
    this.#lastCount = this.#others.get(key) ?? 0;
  }
}

/** A name for what a reference refers to. */
export function keyOf({ address, incarnation, counter }: ActorRef): string {
  return `${counter} ${incarnation} ${address}`;
}
