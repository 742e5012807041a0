/**
 * Players on a world that is a map, on virtual time: what the rules' tests play on.
 *
 * @module
 */
import { type Random, seededRandom } from "../../base/random.ts";
import {
  type GameEvent,
  MudCore,
  type WorldAnswer,
  WorldError,
  type WorldOperation,
} from "../../mud/mod.ts";

/** A store on one server: all see everything at once. */
export class MapWorld {
  readonly registers: Map<string, string> = new Map<string, string>();
  readonly counters: Map<string, number> = new Map<string, number>();
  /** Operations, in order. */
  readonly done: WorldOperation[] = [];
  /** Called with every register that changes. */
  readonly watchers: ((key: string, value: string | undefined) => void)[] = [];

  /** Carries out one operation. */
  answer(operation: WorldOperation): WorldAnswer {
    this.done.push(operation);
    switch (operation.kind) {
      case "get":
        return { value: this.registers.get(operation.key) };
      case "put":
        this.#set(operation.key, operation.value);
        return {};
      case "delete":
        this.#set(operation.key, undefined);
        return {};
      case "list": {
        const all = [...this.registers].filter(([key]) => key.startsWith(operation.prefix));
        return { items: all.sort().map(([key, value]) => ({ key, value })) };
      }
      default: {
        const sum = (this.counters.get(operation.key) ?? 0) + operation.amount;
        this.counters.set(operation.key, sum);
        return { sum };
      }
    }
  }

  #set(key: string, value: string | undefined): void {
    if (value === undefined) this.registers.delete(key);
    else this.registers.set(key, value);
    for (const watcher of this.watchers) watcher(key, value);
  }
}

/** Randomness whose words are given; past their end it is seeded. */
export function loadedDice(...words: readonly number[]): Random {
  const rest = seededRandom(1);
  const queue = [...words];
  return () => queue.shift() ?? rest();
}

/** The word that makes `integerBetween(random, low, high)` come to `value`. */
export function wordFor(value: number, low: number, high: number): number {
  return Math.ceil(((value - low + 0.5) / (high - low + 1)) * 2 ** 32);
}

/** How a player is made. */
export interface PlayedOptions {
  readonly random?: Random;
  /** Answers searches; with it mining is one. */
  readonly search?: (message: string, count: number) => bigint;
}

/** One player: its lines go in, its events are gathered. */
export class Played {
  readonly events: GameEvent[] = [];
  nowMs = 1000;
  hasLeft = false;
  /** Fails the next operation of that kind. */
  failNext: { readonly kind: WorldOperation["kind"]; readonly error: WorldError } | undefined;
  readonly #core: MudCore;
  readonly #world: MapWorld;
  readonly #search: PlayedOptions["search"];
  #isBusy = false;

  constructor(name: string, world: MapWorld, options: PlayedOptions = {}) {
    const { random = seededRandom(7), search } = options;
    this.#world = world;
    this.#search = search;
    this.#core = new MudCore({ name, random, isFleet: search !== undefined }, this.nowMs);
    world.watchers.push((key, value) => this.#tell({ kind: "changed", key, value }));
    this.#drain();
  }

  get isFighting(): boolean {
    return this.#core.isFighting;
  }

  /** Types a line, lets all time pass that it takes, and returns what it brought about. */
  type(text: string): readonly GameEvent[] {
    const from = this.events.length;
    this.#tell({ kind: "line", text });
    while (!this.#core.isIdle) this.pass(100);
    return this.events.slice(from);
  }

  /** Types a line and waits for nothing. */
  typeOnly(text: string): void {
    this.#tell({ kind: "line", text });
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.#tell({ kind: "wake" });
  }

  leave(isNow: boolean): void {
    this.#tell({ kind: "leave", isNow });
  }

  #tell(input: Parameters<MudCore["handle"]>[0]): void {
    this.#core.handle(input, this.nowMs);
    this.#drain();
  }

  #drain(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let effect = this.#core.poll(); effect !== undefined; effect = this.#core.poll()) {
      if (effect.kind === "tell") this.events.push(effect.event);
      else if (effect.kind === "left") this.hasLeft = true;
      else if (effect.kind === "search") {
        const hash = this.#search?.(effect.message, effect.count);
        const answer = hash === undefined ? {} : { hash };
        this.#core.handle({ kind: "answer", id: effect.id, answer }, this.nowMs);
      } else if (effect.kind === "ask") this.#carryOut(effect.id, effect.operation);
    }
    this.#isBusy = false;
  }

  #carryOut(id: number, operation: WorldOperation): void {
    const fault = this.failNext;
    if (fault !== undefined && fault.kind === operation.kind) {
      this.failNext = undefined;
      this.#core.handle({ kind: "failed", id, error: fault.error }, this.nowMs);
      return;
    }
    const answer = this.#world.answer(operation);
    this.#core.handle({ kind: "answer", id, answer }, this.nowMs);
  }
}
