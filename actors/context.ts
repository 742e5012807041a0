/**
 * What an actor may do: its calls, with its name on them.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import type { Cell } from "./cell.ts";
import type { ActorContext, ActorRef, MakeActor, Message } from "./types.ts";

/** What a context does its work with. */
export interface ContextOwner {
  readonly nowMs: Millis;
  readonly random: Random;
  tellFrom(from: Cell | undefined, to: ActorRef, message: Message): void;
  tellLater(from: Cell | undefined, to: ActorRef, message: Message, ms: Millis): void;
  start(make: MakeActor): ActorRef;
  watchFrom(watcher: Cell, ref: ActorRef): void;
  unwatchFrom(watcher: Cell, ref: ActorRef): void;
}

/** See the module. */
export class Context implements ActorContext {
  readonly #owner: ContextOwner;
  readonly #cell: Cell;

  constructor(owner: ContextOwner, cell: Cell) {
    this.#owner = owner;
    this.#cell = cell;
  }

  get self(): ActorRef {
    return this.#cell.ref;
  }

  get nowMs(): Millis {
    return this.#owner.nowMs;
  }

  get random(): Random {
    return this.#owner.random;
  }

  tell(to: ActorRef, message: Message): void {
    this.#owner.tellFrom(this.#cell, to, message);
  }

  tellAfter(to: ActorRef, message: Message, ms: Millis): void {
    this.#owner.tellLater(this.#cell, to, message, ms);
  }

  startActor(make: MakeActor): ActorRef {
    return this.#owner.start(make);
  }

  watch(ref: ActorRef): void {
    this.#owner.watchFrom(this.#cell, ref);
  }

  unwatch(ref: ActorRef): void {
    this.#owner.unwatchFrom(this.#cell, ref);
  }

  stop(): void {
    this.#cell.isStopping = true;
  }
}
