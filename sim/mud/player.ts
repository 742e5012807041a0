/**
 * A simulated player: the game's core on the simulated geo store, and a bot that types.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";
import { type Answer, keyOf, type Operation } from "../../geo/requests.ts";
import {
  botLine,
  type GameEvent,
  MudCore,
  type MudEffect,
  type MudInput,
  hitPoints,
  RANKS,
  RETIRED,
  type WorldAnswer,
  WorldError,
  type WorldOperation,
} from "../../mud/mod.ts";
import { Computer } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import type { GeoNode } from "../geo/node.ts";
import type { GeoWorld } from "../geo/world.ts";
import type { Ledger } from "./ledger.ts";

/** An operation that is not answered for so long is given up. */
const TIMEOUT_MS: Millis = 3000;
/** No server is found within this. */
const REFUSED_MS: Millis = 200;

/** What a player's client does on its way to the store, wrongly if a mistake is planted. */
export interface MudParts {
  /** Adds are carried out so often. */
  readonly adds: number;
  /** What an add is said to have come to. */
  readonly toldSum: (sum: number, amount: number) => number;
}

/** What a player is made of. */
export interface SimPlayerOptions {
  readonly name: string;
  readonly world: GeoWorld;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly parts: MudParts;
  readonly trace: ((text: () => string) => void) | undefined;
}

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** See the module. */
export class SimPlayer {
  readonly #options: SimPlayerOptions;
  readonly #core: MudCore;
  readonly #process: Process<MudInput, MudEffect>;
  #home: GeoNode;
  #actor: number;
  /** Where the last hit was taken: actor, life, rank and round. */
  #hitAt = "";
  #hasLeft = false;
  #isStopped = false;

  constructor(options: SimPlayerOptions, home: GeoNode, actor: number) {
    this.#options = options;
    this.#home = home;
    this.#actor = actor;
    const { name, random, world } = options;
    const computer = new Computer({ name, loop: world.loop });
    const core = new MudCore({ name, random }, computer.nowMs());
    const carryOut = (effect: MudEffect): void => this.#carryOut(effect);
    this.#core = core;
    this.#process = new Process({ computer, core, carryOut });
    this.#process.tell({ kind: "wake" });
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#hasLeft || this.#core.isIdle;
  }

  /** Types something if nothing is under way. */
  play(): void {
    if (this.#isStopped || !this.isIdle || this.#hasLeft) return;
    const line = botLine(this.#core.isFighting, this.#options.random);
    this.#process.tell({ kind: "line", text: line });
  }

  /** Types nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Leaves; at once, or behind what is under way. */
  leave(isNow: boolean): void {
    this.#process.tell({ kind: "leave", isNow });
  }

  #carryOut(effect: MudEffect): void {
    const { name, ledger, trace } = this.#options;
    if (effect.kind === "tell") {
      trace?.(() => `${name}: ${JSON.stringify(effect.event)}`);
      ledger.told(name, this.#hitAt, effect.event satisfies GameEvent);
    } else if (effect.kind === "ask") this.#ask(effect.id, effect.operation);
    else if (effect.kind === "left") this.#hasLeft = true;
  }

  #ask(id: number, operation: WorldOperation): void {
    const { world, ledger } = this.#options;
    if (!this.#home.isUp) {
      this.#moveOn();
      const error = new WorldError("no server answers", false);
      world.loop.after(REFUSED_MS, () => this.#process.tell({ kind: "failed", id, error }));
      return;
    }
    const isAdd = operation.kind === "add" && operation.amount !== 0;
    const at = `${this.#home.address}#${this.#actor}@${this.#home.life}`;
    let isOver = false;
    this.#send(operation, (answer) => {
      if (isOver) return;
      isOver = true;
      if (isAdd) {
        ledger.books.gave(operation.key, operation.amount);
        const hit = hitOf(operation.key);
        if (hit !== undefined) this.#hitAt = `${at} ${hit}`;
      }
      // Never at once, as on every network.
      world.loop.after(1, () => this.#process.tell({ kind: "answer", id, answer }));
    });
    world.loop.after(TIMEOUT_MS, () => {
      if (isOver) return;
      isOver = true;
      if (isAdd) ledger.books.gavePerhaps(operation.key, operation.amount);
      if (operation.kind === "put") ledger.rosePerhaps(operation.key);
      this.#moveOn();
      this.#process.tell({ kind: "failed", id, error: new WorldError("no answer", true) });
    });
  }

  #send(operation: WorldOperation, onAnswer: (answer: WorldAnswer) => void): void {
    const { world, parts } = this.#options;
    const asked = asOperation(operation);
    const isAdd = operation.kind === "add" && asked.kind === "add" && asked.delta !== 0;
    for (let more = 1; isAdd && more < parts.adds; more++)
      world.ask(this.#home, this.#actor, asked);
    if (isAdd && parts.adds === 0) return onAnswer({ sum: asked.delta });
    world.ask(this.#home, this.#actor, asked, (answer) => {
      const read = asAnswer(answer);
      const { sum } = read;
      if (isAdd && sum !== undefined) this.#see(operation.key, sum, asked.delta);
      const isTold = isAdd && sum !== undefined;
      onAnswer(isTold ? { sum: parts.toldSum(sum, asked.delta) } : read);
    });
  }

  /** Remembers it if that hit emptied a problem. */
  #see(key: string, sum: number, amount: number): void {
    const rank = Number(hitOf(key)?.split(" ")[0] ?? RETIRED);
    const whole = hitPoints(rank);
    const { ledger, name } = this.#options;
    if (sum >= whole && sum - amount < whole) ledger.emptied(name, rank);
  }

  /** Another server that runs, if there is one. */
  #moveOn(): void {
    const { world, random } = this.#options;
    const up = [...world.nodes.values()].filter((node) => node.isUp);
    const next = up[random() % Math.max(1, up.length)];
    if (next === undefined) return;
    this.#home = next;
    this.#actor = random() % next.cores.length;
  }
}

/** The rank and the round that a counter of hits is about, as numbers. */
function hitOf(key: string): string | undefined {
  const [, what, rank, round] = key.split("/");
  return what === "hits" ? `${RANKS.findIndex((name) => name === rank)} ${round}` : undefined;
}

function asOperation(operation: WorldOperation): Operation {
  switch (operation.kind) {
    case "get":
    case "delete":
      return { kind: operation.kind, key: keyOf(operation.key) };
    case "put":
      return { kind: "put", key: keyOf(operation.key), value: utf8.encode(operation.value) };
    case "list":
      return { kind: "list", prefix: keyOf(operation.prefix), after: "", keysMax: 1000 };
    default:
      return { kind: "add", key: keyOf(operation.key), delta: operation.amount };
  }
}

function asAnswer(answer: Answer): WorldAnswer {
  if (answer.kind === "added") return { sum: answer.count };
  if (answer.kind === "shown") {
    const { value } = answer.shown;
    return { value: value && text.decode(value) };
  }
  if (answer.kind !== "listed") return {};
  const items = answer.all.flatMap(({ key, value }) =>
    value === undefined ? [] : [{ key, value: text.decode(value) }],
  );
  return { items };
}
