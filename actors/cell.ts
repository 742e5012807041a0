/**
 * One actor of a system, or a mailbox or a reply, which have a number as actors have: what waits
 * for it, who watches it, and how often it tells whom.
 *
 * @module
 */
import { MailboxCore } from "./mailbox.ts";
import type { Actor, ActorContext, ActorRef, GoneReason, MakeActor, Message } from "./types.ts";

/** A message from another machine, as it came. */
export class Unread {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
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
  #lastTo: number | string = -1;
  #lastCount = 0;

  /** One more to `to` in that second: which it is. */
  count(to: number | string, second: number): number {
    if (second !== this.#second) {
      this.#second = second;
      this.#others.clear();
      this.#lastTo = to;
      this.#lastCount = 0;
    } else if (to !== this.#lastTo) {
      this.#others.set(this.#lastTo, this.#lastCount);
      this.#lastTo = to;
      this.#lastCount = this.#others.get(to) ?? 0;
    }
    return ++this.#lastCount;
  }
}

/** A name for what a reference refers to. */
export function keyOf({ address, incarnation, counter }: ActorRef): string {
  return `${counter} ${incarnation} ${address}`;
}
