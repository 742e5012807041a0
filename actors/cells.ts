/**
 * The actors of one system: what waits for whom, who has a turn, what happens when one throws, and
 * who is told when one is gone.
 *
 * @module
 */
import {
  Cell,
  type CellKind,
  GoneNotice,
  type Item,
  ITEM_OVERHEAD_BYTES,
  keyOf,
  Unread,
} from "./cell.ts";
import { Context, type ContextOwner } from "./context.ts";
import type { Tally } from "./tally.ts";
import { Turns } from "./turns.ts";
import type {
  ActorRef,
  GoneReason,
  MakeActor,
  Message,
  SystemEffect,
  SystemLimits,
} from "./types.ts";

/** Messages that one actor handles before others have their turn. */
export const BURST_MESSAGES_MAX = 64;

/** What {@link Cells} do by their owner. */
export interface CellsOwner extends ContextOwner {
  readonly address: string;
  readonly incarnation: number;
  readonly limits: SystemLimits;
  readonly tally: Tally;
  ask(effect: SystemEffect): void;
  /** A cell watches one of another system: false when that is not possible. */
  watchRemote(key: string, ref: ActorRef, watcher: number): boolean;
  unwatchRemote(key: string, ref: ActorRef, watcher: number): void;
  /** Tells another system that one whom it watches is gone. */
  tellGone(conn: number, counter: number, why: GoneReason): void;
}

/** See the module. */
export class Cells {
  readonly #owner: CellsOwner;
  readonly #byCounter = new Map<number, Cell>();
  readonly #turns: Turns;
  #lastCounter = 0;
  #unreadBytes = 0;
  /** Messages from other machines that came in this turn. */
  readonly #fresh: Unread[] = [];

  constructor(owner: CellsOwner, isShuffled: boolean) {
    this.#owner = owner;
    this.#turns = new Turns(isShuffled ? owner.random : undefined);
  }

  get size(): number {
    return this.#byCounter.size;
  }

  /** Bytes from other machines that wait in all mailboxes. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** Whether one of them has a message to handle. */
  get isRunnable(): boolean {
    return this.#turns.length > 0;
  }

  get(counter: number): Cell | undefined {
    return this.#byCounter.get(counter);
  }

  /** A new one, which has no actor yet. */
  add(kind: CellKind, make?: MakeActor): Cell {
    const { address, incarnation } = this.#owner;
    const ref = { address, incarnation, counter: ++this.#lastCounter };
    const cell = new Cell(kind, ref, make);
    if (kind === "actor") cell.context = new Context(this.#owner, cell);
    this.#byCounter.set(cell.counter, cell);
    return cell;
  }

  /** Makes the actor of a cell. Throws what `make` throws, and then there is no such cell. */
  make(cell: Cell): void {
    try {
      cell.actor = cell.make!(cell.context!);
    } catch (error) {
      this.end(cell, "threw");
      throw error;
    }
    if (cell.isStopping) this.end(cell, "stopped");
  }

  /** Gives a cell a message of this system. */
  post(counter: number, message: Message): void {
    const cell = this.#byCounter.get(counter);
    if (cell === undefined) this.#owner.tally.dropped.noActor++;
    else if (cell.kind === "reply") this.#answer(cell, message);
    else this.#push(cell, message);
  }

  /**
   * Gives a cell a message from another machine, unless too much from there waits already: so many
   * bytes of a payload from `at` on. At the end of the turn `settle` is to be called.
   */
  postUnread(counter: number, payload: Uint8Array, at: number, length: number): void {
    const { tally, limits } = this.#owner;
    const cell = this.#byCounter.get(counter);
    if (cell === undefined) {
      tally.dropped.noActor++;
      return;
    }
    const unread = new Unread(payload, at, length);
    if (cell.kind === "reply") {
      const opened = unread.read();
      if (opened === undefined) tally.dropped.malformed++;
      else this.#answer(cell, opened.message);
      return;
    }
    const size = length + ITEM_OVERHEAD_BYTES;
    const isFull =
      cell.unreadBytes + size > limits.mailboxBytesMax ||
      this.#unreadBytes + size > limits.mailboxesBytesMax;
    if (isFull) {
      tally.dropped.mailboxFull++;
      return;
    }
    cell.unreadBytes += size;
    this.#unreadBytes += size;
    this.#fresh.push(unread);
    this.#push(cell, unread);
  }

  /** What came in this turn and still waits keeps no more than its own bytes. */
  settle(): void {
    for (const unread of this.#fresh) unread.settle();
    this.#fresh.length = 0;
  }

  /** The next message of a mailbox. */
  take(counter: number): { readonly message: Message } | undefined {
    const cell = this.#byCounter.get(counter);
    if (cell?.kind !== "mailbox") return undefined;
    while (cell.mailbox.length > 0) {
      const opened = this.#open(cell, cell.mailbox.take());
      if (opened !== undefined) return opened;
    }
    return undefined;
  }

  /** Handles up to `messagesMax` messages. */
  run(messagesMax: number): void {
    let left = messagesMax;
    while (left > 0) {
      const cell = this.#turns.take();
      if (cell === undefined) return;
      const burst = this.#turns.isShuffled ? 1 : Math.min(left, BURST_MESSAGES_MAX);
      for (let i = 0; i < burst && cell.mailbox.length > 0; i++) {
        this.#handle(cell, cell.mailbox.take());
        left--;
      }
      if (cell.mailbox.length > 0) this.#turns.add(cell);
    }
  }

  /** A cell is no more: what waits for it is dropped, and those who watch it are told. */
  end(cell: Cell, why: GoneReason): void {
    if (cell.isGone) return;
    cell.isGone = true;
    this.#byCounter.delete(cell.counter);
    this.#owner.tally.dropped.noActor += cell.mailbox.length;
    cell.mailbox.close();
    this.#unreadBytes -= cell.unreadBytes;
    cell.unreadBytes = 0;
    for (const { counter, ref } of cell.watchers?.values() ?? []) this.fire(counter, ref, why);
    for (const conn of cell.remoteWatchers ?? []) this.#owner.tellGone(conn, cell.counter, why);
    for (const ref of cell.watched?.values() ?? []) this.#forgetWatch(cell, ref);
    cell.watched = undefined;
  }

  /** All are no more. */
  endAll(): void {
    for (const cell of this.#byCounter.values()) this.end(cell, "stopped");
  }

  // ---- watching

  /** A cell of ours watches somebody, here or elsewhere. */
  watch(watcher: Cell, ref: ActorRef): void {
    const key = keyOf(ref);
    if (watcher.isGone || watcher.watched?.has(key) === true) return;
    (watcher.watched ??= new Map()).set(key, ref);
    const { counter } = watcher;
    const { address, incarnation } = this.#owner;
    if (ref.address !== address) {
      if (!this.#owner.watchRemote(key, ref, counter)) this.fire(counter, ref, "unreachable");
      return;
    }
    const isThisLife = ref.incarnation === 0 || ref.incarnation === incarnation;
    const cell = isThisLife ? this.#byCounter.get(ref.counter) : undefined;
    if (cell !== undefined)
      (cell.watchers ??= new Map()).set(`${counter} ${key}`, { counter, ref });
    else this.fire(counter, ref, isThisLife ? "unknown" : "restarted");
  }

  unwatch(watcher: Cell, ref: ActorRef): void {
    if (watcher.watched?.delete(keyOf(ref)) === true) this.#forgetWatch(watcher, ref);
  }

  /** Tells a cell, if it still watches, that one whom it watches is gone. */
  fire(counter: number, ref: ActorRef, why: GoneReason): void {
    const cell = this.#byCounter.get(counter);
    if (cell?.watched?.delete(keyOf(ref)) !== true) return;
    if (cell.kind === "actor") this.#push(cell, new GoneNotice(ref, why));
    else this.#owner.ask({ kind: "goneMail", counter, ref, why });
  }

  #forgetWatch(watcher: Cell, ref: ActorRef): void {
    const key = keyOf(ref);
    const { address } = this.#owner;
    if (ref.address !== address) this.#owner.unwatchRemote(key, ref, watcher.counter);
    else this.#byCounter.get(ref.counter)?.watchers?.delete(`${watcher.counter} ${key}`);
  }

  // ---- messages

  #push(cell: Cell, item: Item): void {
    const wasEmpty = cell.mailbox.length === 0;
    cell.mailbox.push(item);
    if (cell.kind === "actor") this.#turns.add(cell);
    else if (wasEmpty) this.#owner.ask({ kind: "mail", counter: cell.counter });
  }

  #answer(cell: Cell, message: Message): void {
    this.#owner.tally.delivered++;
    this.#owner.ask({ kind: "reply", counter: cell.counter, message });
    this.end(cell, "stopped");
  }

  /** The message that an item is; undefined when it cannot be read. */
  #open(cell: Cell, item: Item): { readonly message: Message } | undefined {
    const { tally } = this.#owner;
    if (!(item instanceof Unread)) {
      tally.delivered++;
      return { message: item as Message };
    }
    const size = item.length + ITEM_OVERHEAD_BYTES;
    cell.unreadBytes -= size;
    this.#unreadBytes -= size;
    const opened = item.read();
    if (opened === undefined) tally.dropped.malformed++;
    else tally.delivered++;
    return opened;
  }

  #handle(cell: Cell, item: Item): void {
    const { actor, context } = cell;
    try {
      if (item instanceof GoneNotice) {
        refuseThenable(actor!.onGone?.(item.ref, item.why, context!));
      } else {
        const opened = this.#open(cell, item);
        if (opened !== undefined) refuseThenable(actor!.onMessage(opened.message, context!));
      }
    } catch (error) {
      this.#owner.ask({ kind: "failed", ref: cell.ref, error });
      this.#thrown(cell);
    }
    if (cell.isStopping) this.end(cell, "stopped");
  }

  #thrown(cell: Cell): void {
    const { whenThrown = "leave" } = cell.actor!;
    if (whenThrown === "leave") return;
    if (whenThrown === "stop") return this.end(cell, "threw");
    try {
      this.make(cell);
    } catch (error) {
      this.#owner.ask({ kind: "failed", ref: cell.ref, error });
    }
  }
}

/** An actor that waits for something would handle two messages at a time. */
function refuseThenable(result: unknown): void {
  if (result === undefined) return;
  const { then } = (result ?? {}) as { then?: unknown };
  if (typeof then !== "function") return;
  const ignore = (): void => {};
  then.call(result, ignore, ignore);
  throw new TypeError(
    "an actor returned a promise: it handles one message at a time, synchronously",
  );
}
