/**
 * The rules that hold whatever happens to systems of actors: the order of each pair, at most once,
 * each life its own messages, watches that fire, once, and for a reason.
 *
 * @module
 */
import { type ActorRef, encodeMessage, type GoneReason, type Message } from "../../actors/mod.ts";
import type { Millis } from "../../base/machine.ts";
import type { Loop } from "../engine/loop.ts";
import { demand } from "../engine/trace.ts";
import type { ActorsPlan } from "./plan.ts";

/** A watched actor that is gone is told of within this, whatever was cut, once all has healed. */
export const WATCH_MS: Millis = 6000;
/** Between systems that nothing happens to, a message takes no longer, latency apart. */
const PROMPT_MS: Millis = 400;
/** When connections that nothing disturbs are made. */
export const SETTLED_MS: Millis = 400;
/** Of so many messages one is looked at byte by byte. */
const LOOKS_ONE_IN = 8;

/** Numbers of what a system starts first; those who write come behind. */
export const SINK = 1;
export const MAILBOX = 3;

/** A message of a writer. */
export type Letter = {
  readonly writer: string;
  readonly from: number;
  readonly number: number;
  /** The life that it is for; 0 for any. */
  readonly aim: number;
  readonly atMs: Millis;
  readonly pad: Message;
};

/** Where a system listens. */
export function addressOf(system: number): string {
  return `10.2.0.${system + 1}:7000`;
}

/** Something of every type, which differs from message to message. */
export function padOf(number: number, bytes: number): Message {
  switch (number % 5) {
    case 0:
      return "p".repeat(bytes);
    case 1:
      return { list: [number, -number, 1.5, null, undefined], big: BigInt(number) << 60n };
    case 2:
      return new Uint8Array(bytes).fill(number & 0xff);
    case 3:
      return ["ä", { ["x".repeat(number % 30)]: [[], {}] }, true, NaN];
    default:
      return -number;
  }
}

/** A life of a system, as the world knows it. */
interface Life {
  readonly incarnation: number;
  endedMs: Millis | undefined;
  /** When its actors stopped. */
  readonly stopped: Map<number, Millis>;
  /** What its actors got last of each writer, by the actor's number. */
  readonly got: Map<number, Map<string, number>>;
}

/** An actor that watches another. */
interface Watch {
  readonly by: number;
  readonly life: Life;
  readonly ref: ActorRef;
  readonly system: number;
  readonly sinceMs: Millis;
}

/** See the module. */
export class Oracle {
  readonly sums = { told: 0, got: 0, fired: 0, watched: 0 };
  readonly #loop: Loop;
  readonly #plan: ActorsPlan;
  readonly #lives: Life[][];
  readonly #watches = new Map<string, Watch>();

  constructor(loop: Loop, plan: ActorsPlan) {
    this.#loop = loop;
    this.#plan = plan;
    this.#lives = Array.from({ length: plan.systems }, () => []);
  }

  /** A system begins a life. */
  begins(system: number, incarnation: number): void {
    const isNew = this.#lives.flat().every((life) => life.incarnation !== incarnation);
    demand(isNew, () => `system ${system} draws an incarnation that another life had`);
    this.#lives[system]!.push({
      incarnation,
      endedMs: undefined,
      stopped: new Map(),
      got: new Map(),
    });
  }

  /** ... and ends it. */
  ends(system: number): void {
    const life = this.#lifeOf(system);
    if (life !== undefined) life.endedMs ??= this.#loop.nowMs;
    for (const [key, { by }] of this.#watches) if (by === system) this.#watches.delete(key);
  }

  /** An actor of the present life stops. */
  stops(system: number, counter: number): void {
    const stopped = this.#lifeOf(system)?.stopped;
    if (stopped?.has(counter) === false) stopped.set(counter, this.#loop.nowMs);
  }

  /** A message is told. */
  tells(): void {
    this.sums.told++;
  }

  /** It is got by number `counter` of a system. */
  gets(system: number, counter: number, letter: Letter): void {
    this.sums.got++;
    const { writer, number, aim, pad } = letter;
    const life = this.#lifeOf(system)!;
    const { incarnation } = life;
    const name = (): string => `${writer}'s message ${number} to ${counter} of system ${system}`;
    demand(aim === 0 || aim === incarnation, () => `${name()} was for another life of it`);
    let byWriter = life.got.get(counter);
    if (byWriter === undefined) life.got.set(counter, (byWriter = new Map<string, number>()));
    const last = byWriter.get(writer) ?? -1;
    demand(number !== last, () => `${name()} arrived twice`);
    demand(number > last, () => `${name()} arrived after ${last}`);
    byWriter.set(writer, number);
    if (number % LOOKS_ONE_IN === 0) {
      const [sent, got] = [padOf(number, this.#plan.padBytes), pad].map(encodeMessage);
      const isSame = sent!.length === got!.length && sent!.every((byte, i) => byte === got![i]);
      demand(isSame, () => `${name()} is not what was told`);
    }
    // A mailbox is emptied when it is.
    if (counter === SINK) this.#demandPrompt(system, letter, name);
  }

  /** An actor of a system watches one of another. */
  watches(by: number, ref: ActorRef, system: number): void {
    this.sums.watched++;
    const key = watchKey(by, ref);
    demand(!this.#watches.has(key), () => `system ${by} watches ${key} twice`);
    const life = this.#lifeOf(by)!;
    this.#watches.set(key, { by, life, ref, system, sinceMs: this.#loop.nowMs });
  }

  /** ... and is told that it is gone. */
  fires(by: number, ref: ActorRef, why: GoneReason): void {
    this.sums.fired++;
    const key = watchKey(by, ref);
    const watch = this.#watches.get(key);
    demand(watch !== undefined, () => `system ${by} is told that ${key} is gone, unasked`);
    this.#watches.delete(key);
    const { system } = watch;
    const isSpared = this.#plan.mood === "slow" && by !== 0 && system !== 0;
    if (this.#plan.mood !== "calm" && !isSpared) return;
    const goneMs = this.#goneSinceMs(watch);
    demand(
      goneMs !== undefined,
      () => `system ${by} is told that ${key} is gone (${why}): it is not`,
    );
  }

  /** How many watch somebody who is gone; none of them for long. */
  overdue(): number {
    let overdue = 0;
    for (const [key, watch] of this.#watches) {
      const goneMs = this.#goneSinceMs(watch);
      if (goneMs === undefined || watch.life.endedMs !== undefined) continue;
      const forMs = this.#loop.nowMs - Math.max(goneMs, watch.sinceMs);
      demand(forMs <= WATCH_MS, () => `system ${watch.by} is not told that ${key} is gone`);
      overdue++;
    }
    return overdue;
  }

  /** The present life of a system; or its last. */
  #lifeOf(system: number): Life | undefined {
    return this.#lives[system]!.at(-1);
  }

  /** Since when an actor that is watched is gone for good, as far as its reference says. */
  #goneSinceMs({ ref, system }: Watch): Millis | undefined {
    const life =
      ref.incarnation === 0
        ? this.#lifeOf(system)
        : this.#lives[system]!.find(({ incarnation }) => incarnation === ref.incarnation);
    const [ended, stopped] = [life?.endedMs, life?.stopped.get(ref.counter)];
    return stopped === undefined ? ended : Math.min(stopped, ended ?? Infinity);
  }

  /** A slow system holds up no other. */
  #demandPrompt(system: number, { from, atMs }: Letter, name: () => string): void {
    const { mood, latencyMs } = this.#plan;
    if (mood === "rough" || atMs < SETTLED_MS) return;
    if (mood === "slow" && (system === 0 || from === 0)) return;
    const forMs = this.#loop.nowMs - atMs;
    demand(
      forMs <= PROMPT_MS + 4 * latencyMs,
      () => `${name()} took ${forMs} ms where nothing was in its way`,
    );
  }
}

function watchKey(by: number, { address, incarnation, counter }: ActorRef): string {
  return `${by}: ${counter} of ${address} in life ${incarnation}`;
}
