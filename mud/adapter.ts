/**
 * One player on a store: drives the core, carries out its operations, and hands on what happens.
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import { Drive } from "../run/drive.ts";
import { MudCore } from "./core.ts";
import { WATCHED } from "./keys.ts";
import {
  type GameEvent,
  type MudEffect,
  type MudInput,
  type WorldAnswer,
  WorldError,
  type WorldOperation,
} from "./types.ts";

/** A store that the game is played on. What it rejects with is a {@link WorldError}. */
export interface World {
  /** Carries out one operation. */
  carryOut(operation: WorldOperation): Promise<WorldAnswer>;
  /**
   * Calls `changed` for every register below `prefix`: as it is now, with `isOld`, and whenever it
   * changes.
   */
  watch(
    prefix: string,
    changed: (key: string, value: string | undefined, isOld: boolean) => void,
  ): void;
}

/** Finds the least hash of `count` nonces from 0 on; what it rejects with becomes one line. */
export type Search = (message: string, count: number) => Promise<bigint>;

/** Who plays, on what, and who is told of it. */
export interface PlayerOptions {
  readonly name: string;
  readonly world: World;
  readonly random: Random;
  /** With it, mining is a search. */
  readonly search?: Search | undefined;
  readonly onEvent: (event: GameEvent) => void;
  /** Nothing is under way any more: the time for the next line. */
  readonly onReady?: () => void;
}

/** A player in the game. */
export class MudPlayer {
  /** Resolves when the player has left, and the store knows it. */
  readonly left: Promise<void>;
  readonly #core: MudCore;
  readonly #drive: Drive<MudInput, MudEffect>;
  readonly #options: PlayerOptions;
  readonly #asked = new Set<Promise<void>>();
  #leave: () => void = () => {};

  constructor(options: PlayerOptions) {
    const { name, random, world, search } = options;
    this.#options = options;
    this.left = new Promise((resolve) => (this.#leave = resolve));
    const isFleet = search !== undefined;
    this.#core = new MudCore({ name, random, isFleet }, performance.now());
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
    const changed = (key: string, value: string | undefined, isOld: boolean): void =>
      this.#drive.tell({ kind: "changed", key, value, isOld });
    for (const prefix of WATCHED) world.watch(prefix, changed);
    this.#drive.tell({ kind: "wake" });
  }

  /** Whether a fight is under way. */
  get isFighting(): boolean {
    return this.#core.isFighting;
  }

  /** Whether no command is under way, and none waits. */
  get isIdle(): boolean {
    return this.#core.isIdle;
  }

  /** The player types a line. */
  type(text: string): void {
    this.#drive.tell({ kind: "line", text });
  }

  /** Leaves the game, behind what is under way or, with `isNow`, at once; see {@link left}. */
  leave(isNow: boolean): void {
    this.#drive.tell({ kind: "leave", isNow });
  }

  /** Whether it ever got into the game. */
  get hasJoined(): boolean {
    return this.#core.hasJoined;
  }

  #carryOut(effect: MudEffect): void {
    const { world, search, onEvent, onReady } = this.#options;
    if (effect.kind === "tell") onEvent(effect.event);
    else if (effect.kind === "ready") onReady?.();
    else if (effect.kind === "ask") this.#await(effect.id, world.carryOut(effect.operation));
    else if (effect.kind === "left") this.#goodbye();
    else if (search !== undefined) {
      const found = search(effect.message, effect.count).then((hash) => ({ hash }));
      this.#await(effect.id, found);
    }
  }

  #await(id: number, answered: Promise<WorldAnswer>): void {
    const told = answered.then(
      (answer) => this.#drive.tell({ kind: "answer", id, answer }),
      (reason: unknown) => {
        const error =
          reason instanceof WorldError ? reason : new WorldError((reason as Error).message, false);
        this.#drive.tell({ kind: "failed", id, error });
      },
    );
    this.#asked.add(told);
    void told.finally(() => this.#asked.delete(told));
  }

  #goodbye(): void {
    void Promise.allSettled(this.#asked).then(() => {
      this.#drive.stop();
      this.#leave();
    });
  }
}
