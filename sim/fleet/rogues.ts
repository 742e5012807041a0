/**
 * Miners that are not what they seem: liars, and those that do not work. Each is the real core or
 * the stranger's program with what it says, or how it hashes, tampered with. None can be told from
 * an honest miner by its handshake.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random } from "../../base/random.ts";
import { UINT64_MAX } from "../../work/hash.ts";
import type { Candidate } from "../../work/candidate.ts";
import type { Message } from "../../work/messages.ts";
import type { Dice } from "../engine/dice.ts";
import { cheapHash } from "./cheap_hash.ts";

/** How a miner behaves, and what that means. */
export const CONDUCTS = {
  honest: "does what it should",
  wrongHash: "reports the right nonce with a hash that is too good",
  wrongNonce: "reports nonces outside its chunk, with their true hashes",
  boasts: "reports every chunk as searched at once, and never hashes",
  sometimes: "lies about the hash every other time",
  overruns: "reports cursors beyond its chunk",
  slow: "declares a thousand times what it does",
  frozen: "takes work, and hashes nothing from some time on",
  mute: "hashes, and never reports",
  overdeclares: "does what it should, and declares 10^15 nonces a second",
} as const;

export type Conduct = keyof typeof CONDUCTS;

/** Those whose reports have a false candidate in them. */
const LIARS: ReadonlySet<Conduct> = new Set(["wrongHash", "wrongNonce", "boasts", "sometimes"]);
/** Those that the json wire has words for. */
const ON_CLASSIC: readonly Conduct[] = [
  "wrongHash",
  "wrongNonce",
  "boasts",
  "sometimes",
  "slow",
  "frozen",
  "mute",
];
const ABSURD_RATE = 1e15;
/** What a slow one declares, in multiples of what it does. */
const SLOW_FACTOR = 1000;
const OVERRUN = 1000n;
const FROZEN_AFTER_MS_MAX = 4000;

/** Whether it says what is not true of what it hashed. */
export function isLiar(conduct: Conduct): boolean {
  return LIARS.has(conduct);
}

/** What a rogue is like. */
export interface Rogue {
  readonly conduct: Conduct;
  readonly noncesPerSecond: number;
  /** What it declares, 0 for nothing. */
  readonly declaredRate: number;
  /** A frozen one's threads stand from so long after its start on. */
  readonly frozenAfterMs: Millis;
}

/** Draws a conduct, and the rates that go with it. */
export function drawRogue(dice: Dice, isClassic: boolean, rate: number, name: string): Rogue {
  const frozenAfterMs = dice.real(0, FROZEN_AFTER_MS_MAX);
  const conducts = (Object.keys(CONDUCTS) as Conduct[]).filter((each) => each !== "honest");
  const conduct = dice.pick(isClassic ? ON_CLASSIC : conducts, `${name}.conduct`);
  if (conduct === "overdeclares") {
    return { conduct, noncesPerSecond: rate, declaredRate: ABSURD_RATE, frozenAfterMs };
  }
  if (conduct !== "slow") {
    return { conduct, noncesPerSecond: rate, declaredRate: rate, frozenAfterMs };
  }
  const noncesPerSecond = dice.scale(50, 2000, `${name}.slowRate`);
  const declaredRate = SLOW_FACTOR * noncesPerSecond;
  return { conduct, noncesPerSecond, declaredRate, frozenAfterMs };
}

/** What a rogue's chunk is about. */
export interface Task {
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
}

/** A candidate as a rogue tells it. */
export function tampered(
  conduct: Conduct,
  random: Random,
  { message, lower, upper }: Task,
  best: Candidate,
): Candidate {
  if (conduct === "wrongNonce") {
    const nonce = upper < UINT64_MAX ? upper + 1n : lower - 1n;
    return { nonce, hash: cheapHash(message, nonce) };
  }
  const isFalse = conduct === "wrongHash" || (conduct === "sometimes" && chance(random, 0.5));
  if (!isFalse) return best;
  return { nonce: best.nonce, hash: best.hash === 0n ? 1n : best.hash - 1n };
}

/** A result made up without a hash. */
export function madeUp({ message, lower }: Task): Candidate {
  return { nonce: lower, hash: cheapHash(message, lower) === 0n ? 1n : 0n };
}

/** Stands between a miner's core and the cbor wire. */
export class Tamperer {
  readonly #conduct: Conduct;
  readonly #random: Random;
  /** Chunks of this connection. */
  readonly #tasks = new Map<number, Task>();

  constructor(conduct: Conduct, random: Random) {
    this.#conduct = conduct;
    this.#random = random;
  }

  /** The server gave it a chunk; what it answers at once, if it does not even begin. */
  assigned(chunk: number, task: Task): Message | undefined {
    this.#tasks.set(chunk, task);
    if (this.#conduct !== "boasts") return undefined;
    return { kind: "result", chunk, best: madeUp(task) };
  }

  /** What goes out in place of `message`; undefined: nothing. */
  altered(message: Message): Message | undefined {
    const { kind } = message;
    if (kind === "join" || kind === "hashing") return message;
    if (this.#conduct === "mute") return undefined;
    if (kind !== "progress" && kind !== "result" && kind !== "stopped") return message;
    const task = this.#tasks.get(message.chunk);
    if (task === undefined) return message;
    if (kind === "progress" && this.#conduct === "overruns") {
      const next = task.upper + OVERRUN;
      // A cursor at the chunk's end would be no overrun, but a claim that nobody can refute.
      return next > UINT64_MAX ? message : { ...message, next };
    }
    if (message.best === undefined) return message;
    return { ...message, best: tampered(this.#conduct, this.#random, task, message.best) };
  }
}
