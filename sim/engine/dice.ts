/**
 * Drawing a run's parameters from its seed, remembering each by name, so that a failing run can
 * print everything that was drawn.
 *
 * @module
 */
import { chance, integerBetween, type Random, seededRandom, unitReal } from "../../base/random.ts";

/**
 * The independent random streams that one seed feeds. What one part draws more or less of does not
 * change what another part sees.
 */
export const Stream = { plan: 1, network: 2, script: 3, cores: 100 } as const;

/** A random stream whose draws can be given names, which are remembered. */
export class Dice {
  readonly random: Random;
  /** What was drawn by name, in order. */
  readonly drawn: Map<string, number | string | boolean> = new Map();

  constructor(seed: number, stream: number) {
    this.random = seededRandom(seed, stream);
  }

  /** A uniform integer in [low, high]. */
  integer(low: number, high: number, name?: string): number {
    return this.#remember(name, integerBetween(this.random, low, high));
  }

  /** A uniform real in [low, high). */
  real(low: number, high: number, name?: string): number {
    return this.#remember(name, low + unitReal(this.random) * (high - low));
  }

  /** A real in [low, high), each order of magnitude equally likely. */
  scale(low: number, high: number, name?: string): number {
    return this.#remember(name, low * (high / low) ** unitReal(this.random));
  }

  /** True with probability `share`. */
  chance(share: number, name?: string): boolean {
    return this.#remember(name, chance(this.random, share));
  }

  /** One of `options`. */
  pick<T extends number | string>(options: readonly T[], name?: string): T {
    return this.#remember(name, options[integerBetween(this.random, 0, options.length - 1)]!);
  }

  /** Uniform in [low, high) with probability `share`, else `low`: faults come and go by seed. */
  sometimes(share: number, low: number, high: number, name?: string): number {
    const present = chance(this.random, share);
    const value = low + unitReal(this.random) * (high - low);
    return this.#remember(name, present ? value : low);
  }

  #remember<T extends number | string | boolean>(name: string | undefined, value: T): T {
    if (name !== undefined) this.drawn.set(name, value);
    return value;
  }
}

/** `drawn` as one line of `name=value`, numbers to four digits. */
export function drawnText(drawn: ReadonlyMap<string, number | string | boolean>): string {
  return [...drawn]
    .map(([name, value]) => {
      const exact = typeof value !== "number" || Number.isInteger(value);
      return `${name}=${exact ? value : Number(value.toPrecision(4))}`;
    })
    .join(" ");
}
