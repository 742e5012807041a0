/**
 * The vocabulary of the game's core: what it is told, what it asks for, and what happens in it.
 *
 * @module
 */
import type { Millis, Wake } from "../base/machine.ts";
import type { HardwareName, Inventory, Place } from "./rules.ts";

/** One operation on the store, answered by {@link WorldAnswer}. */
export type WorldOperation =
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly key: string }
  /** All registers whose keys begin so. */
  | { readonly kind: "list"; readonly prefix: string }
  /** Adds to a counter; 0 reads it. Answered by the sum that the asked server then has. */
  | { readonly kind: "add"; readonly key: string; readonly amount: number };

/** What an operation, or a search, came to. What it is not about is absent. */
export interface WorldAnswer {
  readonly value?: string | undefined;
  readonly items?: readonly WorldItem[];
  readonly sum?: number;
  readonly hash?: bigint;
}

/** A register of a list. */
export interface WorldItem {
  readonly key: string;
  readonly value: string;
}

/** Thrown into a command whose operation failed. */
export class WorldError extends Error {
  override name = "WorldError";
  /** Whether it may have happened all the same. */
  readonly isUnknown: boolean;

  constructor(message: string, isUnknown: boolean) {
    super(message);
    this.isUnknown = isUnknown;
  }
}

/** What the core is told. */
export type MudInput =
  | Wake
  /** The player has typed a line. */
  | { readonly kind: "line"; readonly text: string }
  /** The answer to `ask` or `search`. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: WorldAnswer }
  | { readonly kind: "failed"; readonly id: number; readonly error: WorldError }
  /**
   * A register below a watched prefix has another value; undefined: it was deleted. With `isOld` it
   * has had it for a while: that is no news.
   */
  | {
      readonly kind: "changed";
      readonly key: string;
      readonly value: string | undefined;
      readonly isOld?: boolean;
    }
  /** Go, once what is under way is done (`isNow`: without waiting for that). */
  | { readonly kind: "leave"; readonly isNow: boolean };

/** What the core asks for, in order. */
export type MudEffect =
  | { readonly kind: "ask"; readonly id: number; readonly operation: WorldOperation }
  /** Find the least hash of `count` nonces for this message, on a fleet. */
  | {
      readonly kind: "search";
      readonly id: number;
      readonly message: string;
      readonly count: number;
    }
  | { readonly kind: "tell"; readonly event: GameEvent }
  /** Nothing is under way, and no line waits: the time for the next one. */
  | { readonly kind: "ready" }
  /** The player is gone: nothing more comes. Also when no server answers at the start. */
  | { readonly kind: "left" };

/** Something that the player is told: a line for people, or an object for bots. */
export type GameEvent =
  | {
      readonly kind: "welcome";
      readonly name: string;
      readonly rank: number;
      readonly place: Place;
    }
  | { readonly kind: "help"; readonly isFight: boolean }
  | StatsEvent
  | {
      readonly kind: "map";
      readonly here: Place;
      readonly players: Readonly<Record<string, number>>;
    }
  | { readonly kind: "moved"; readonly place: Place; readonly others: readonly string[] }
  | { readonly kind: "working"; readonly ms: Millis; readonly what: "mine" | "solve" }
  | { readonly kind: "searching"; readonly count: number }
  | { readonly kind: "mined"; readonly coins: number; readonly total: number }
  | {
      readonly kind: "shop";
      readonly coins: number;
      readonly items: readonly {
        readonly name: HardwareName;
        readonly price: number;
        readonly power: number;
      }[];
    }
  | {
      readonly kind: "bought";
      readonly hardware: HardwareName;
      readonly count: number;
      readonly cost: number;
      readonly coins: number;
    }
  | { readonly kind: "inventory"; readonly inventory: Inventory; readonly power: number }
  /** The fight has begun, or goes on. */
  | {
      readonly kind: "problem";
      readonly rank: number;
      readonly round: number;
      readonly left: number;
    }
  | {
      readonly kind: "hit";
      readonly rank: number;
      readonly round: number;
      readonly power: number;
      readonly left: number;
    }
  | { readonly kind: "missed" }
  /** Hardware broke; `lost` is what is gone, `isLostFight` that nothing was left. */
  | { readonly kind: "broke"; readonly lost: Inventory; readonly isLostFight: boolean }
  /** Somebody else emptied the problem. */
  | { readonly kind: "beaten"; readonly rank: number; readonly round: number }
  | { readonly kind: "risen"; readonly rank: number }
  | { readonly kind: "resigned" }
  | { readonly kind: "who"; readonly players: readonly Person[] }
  | { readonly kind: "top"; readonly players: readonly Person[] }
  | { readonly kind: "said"; readonly name: string; readonly text: string }
  | { readonly kind: "came" | "went" | "joined" | "left"; readonly name: string }
  | { readonly kind: "rose"; readonly name: string; readonly rank: number }
  /** The line was no command, or cannot be done now. */
  | { readonly kind: "refused"; readonly text: string }
  /** An operation failed. `amount` is what a counter may or may not have been given. */
  | {
      readonly kind: "trouble";
      readonly text: string;
      readonly isUnknown: boolean;
      readonly key?: string;
      readonly amount?: number;
    }
  | { readonly kind: "bye" };

/** How a player stands. */
export interface StatsEvent {
  readonly kind: "stats";
  readonly name: string;
  readonly rank: number;
  readonly place: Place;
  readonly coins: number;
  readonly power: number;
  /** What is left of the rank's problem; absent when retired. */
  readonly left?: number;
}

/** A player in a list. `coins` are told in `top`. */
export interface Person {
  readonly name: string;
  readonly rank: number;
  readonly place: Place;
  readonly coins?: number;
}
