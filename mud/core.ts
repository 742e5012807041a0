/**
 * The client of one player: lines in, operations on the store out. It keeps nothing that matters:
 * the whole world is in the store, and a player who comes back on another machine goes on.
 *
 * @module
 */
import { earlier, invariant, type Machine, type Millis } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { Queue } from "../base/queue.ts";
import type { Random } from "../base/random.ts";
import { commandOf, type Player } from "./commands.ts";
import { hereKey, placeKey, readPlace } from "./keys.ts";
import { Neighbourhood } from "./neighbours.ts";
import { FIRST_PLACE, type Place } from "./rules.ts";
import {
  type GameEvent,
  type MudEffect,
  type MudInput,
  type WorldAnswer,
  WorldError,
  type WorldOperation,
} from "./types.ts";
import { type Flow, get, placeOfPlayer, put, rankOf } from "./world.ts";

/** Lines that wait while a command is under way; more are refused. */
export const LINES_MAX = 16;
/** Characters of a line that are read. */
export const LINE_MAX = 1000;
/** A player who is in the game says so this often. */
export const HERE_MS: Millis = 20_000;

/** Who plays, and how. */
export interface MudOptions {
  readonly name: string;
  readonly random: Random;
  /** Whether `search` is answered, so that mining is a search. */
  readonly isFleet?: boolean;
}

/** One player's client as a state machine. The first effect is asked for at once. */
export class MudCore implements Machine<MudInput, MudEffect> {
  readonly #outbox = new Outbox<MudEffect>();
  readonly #lines = new Queue<string>();
  readonly #neighbours: Neighbourhood;
  readonly #player: Player;
  /** The command that is under way. */
  #flow: Flow | undefined;
  /** What it waits for: an answer of that id, or a time. */
  #awaited: number | undefined;
  #workUntilMs: Millis | undefined;
  /** The operation that is awaited, to say what failed. */
  #operation: WorldOperation | undefined;
  #ids = 0;
  #nowMs: Millis;
  #nextHereMs: Millis;
  /** Something was under way since the last `ready`. */
  #isBusy = false;
  #hasJoined = false;
  #isLeaving = false;
  #hasLeft = false;

  constructor({ name, random, isFleet = false }: MudOptions, nowMs: Millis) {
    this.#nowMs = nowMs;
    this.#nextHereMs = nowMs + HERE_MS;
    const tell = (event: GameEvent): void => this.#outbox.push({ kind: "tell", event });
    this.#neighbours = new Neighbourhood(name, tell);
    this.#player = {
      name,
      random,
      isFleet,
      searches: 0,
      fight: undefined,
      tell,
      isGone: (other) => this.#neighbours.isGone(other),
      leave: () => this.#leaveSoon(),
    };
    this.#start(this.#join());
  }

  /** Whether a fight is under way: the prompt says so. */
  get isFighting(): boolean {
    return this.#player.fight !== undefined;
  }

  /** Whether it ever got into the game. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Whether nothing is under way and no line waits. */
  get isIdle(): boolean {
    return this.#flow === undefined && this.#lines.length === 0;
  }

  handle(input: MudInput, nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (this.#hasLeft) return;
    switch (input.kind) {
      case "line":
        this.#line(input.text.slice(0, LINE_MAX));
        break;
      case "answer":
        if (input.id === this.#awaited) this.#resume(input.answer);
        break;
      case "failed":
        if (input.id === this.#awaited) this.#fail(input.error);
        break;
      case "changed":
        this.#neighbours.changed(input, nowMs);
        break;
      case "leave":
        if (input.isNow) this.#drop();
        this.#leaveSoon();
        break;
      case "wake":
        break;
      default:
        input satisfies never;
    }
    this.#pass();
    this.#nextLine();
  }

  poll(): MudEffect | undefined {
    return this.#outbox.poll();
  }

  wakeAtMs(): Millis | undefined {
    if (this.#hasLeft) return undefined;
    const others = this.#neighbours.wakeAtMs();
    return earlier(earlier(this.#workUntilMs, others), this.#nextHereMs);
  }

  /** What time alone brings about. */
  #pass(): void {
    if (this.#hasLeft) return;
    this.#neighbours.pass(this.#nowMs);
    if (this.#workUntilMs !== undefined && this.#nowMs >= this.#workUntilMs) this.#resume({});
    if (this.#nowMs >= this.#nextHereMs) {
      this.#nextHereMs = this.#nowMs + HERE_MS;
      this.#ask({ kind: "put", key: hereKey(this.#player.name), value: String(this.#ids) });
    }
  }

  #line(text: string): void {
    if (this.#isLeaving) return;
    if (this.#lines.length < LINES_MAX) {
      // An empty line, too, is followed by `ready`: the next one may wait for it.
      this.#isBusy = true;
      this.#lines.push(text);
      return;
    }
    const got = `${LINES_MAX} commands wait already; this one is not done: `;
    this.#player.tell({ kind: "refused", text: got + text.trim().slice(0, 40) });
  }

  #nextLine(): void {
    while (this.#flow === undefined && !this.#hasLeft) {
      const line = this.#lines.shift();
      if (line === undefined) {
        if (this.#isLeaving) this.#goodbye();
        else if (this.#isBusy) this.#outbox.push({ kind: "ready" });
        this.#isBusy = false;
        return;
      }
      const flow = commandOf(this.#player, line);
      if (flow !== undefined) this.#start(flow);
    }
  }

  #start(flow: Flow): void {
    invariant(this.#flow === undefined, "one command at a time");
    this.#flow = flow;
    this.#isBusy = true;
    this.#resume({});
  }

  #resume(answer: WorldAnswer): void {
    this.#step((flow) => flow.next(answer));
  }

  /** Lets the command take its next step, and does what that waits for. */
  #step(take: (flow: Flow) => ReturnType<Flow["next"]>): void {
    const flow = this.#flow;
    invariant(flow !== undefined, "only a command is resumed");
    this.#awaited = undefined;
    this.#workUntilMs = undefined;
    const { done, value } = take(flow);
    if (done === true || value === undefined) {
      this.#flow = undefined;
      return;
    }
    if (value.kind === "work") {
      this.#workUntilMs = this.#nowMs + value.ms;
    } else if (value.kind === "ask") {
      this.#operation = value.operation;
      this.#awaited = this.#ask(value.operation);
    } else {
      this.#operation = undefined;
      this.#awaited = ++this.#ids;
      this.#outbox.push({ ...value, id: this.#awaited });
    }
  }

  #fail(error: WorldError): void {
    const operation = this.#operation;
    try {
      this.#step((flow) => flow.throw(error));
    } catch (thrown) {
      if (thrown !== error) throw thrown;
      this.#flow = undefined;
      const { message: text, isUnknown } = error;
      const trouble = { kind: "trouble", text, isUnknown } as const;
      const isAdded = operation?.kind === "add" && operation.amount !== 0;
      this.#player.tell(
        isAdded ? { ...trouble, key: operation.key, amount: operation.amount } : trouble,
      );
      if (!this.#hasJoined) this.#end();
    }
  }

  #ask(operation: WorldOperation): number {
    this.#outbox.push({ kind: "ask", id: ++this.#ids, operation });
    return this.#ids;
  }

  /** A new player gets a place; everybody says that they are here. */
  *#join(): Flow {
    const { name } = this.#player;
    const known = readPlace(yield* get(placeKey(name)));
    if (known === undefined) yield* put(placeKey(name), FIRST_PLACE);
    yield* put(hereKey(name), "0");
    const place: Place = known ?? (yield* placeOfPlayer(name));
    this.#neighbours.stand(place);
    this.#hasJoined = true;
    this.#player.tell({ kind: "welcome", name, rank: yield* rankOf(name), place });
  }

  #leaveSoon(): void {
    this.#isLeaving = true;
    this.#lines.clear();
  }

  /** Gives up what is under way: what was asked for may still happen. */
  #drop(): void {
    this.#flow = undefined;
    this.#awaited = undefined;
    this.#workUntilMs = undefined;
  }

  #goodbye(): void {
    this.#ask({ kind: "delete", key: hereKey(this.#player.name) });
    this.#player.tell({ kind: "bye" });
    this.#end();
  }

  #end(): void {
    this.#hasLeft = true;
    this.#outbox.push({ kind: "left" });
  }
}
