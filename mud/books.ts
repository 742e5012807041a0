/**
 * Books about counters: what they were given for sure, and what perhaps. They show whether every
 * coin, piece of hardware and hit has a reason.
 *
 * @module
 */

/** More unknown amounts of one counter are only held against their least and greatest sum. */
const UNKNOWN_MAX = 12;

/** See the module. */
export class Books {
  readonly #told = new Map<string, number>();
  readonly #unknown = new Map<string, number[]>();

  /** All counters that there is something about. */
  get keys(): ReadonlySet<string> {
    return new Set([...this.#told.keys(), ...this.#unknown.keys()]);
  }

  /** A counter was given `amount`, for sure. */
  gave(key: string, amount: number): void {
    this.#told.set(key, (this.#told.get(key) ?? 0) + amount);
  }

  /** A counter may have been given `amount`. */
  gavePerhaps(key: string, amount: number): void {
    this.#unknown.set(key, [...(this.#unknown.get(key) ?? []), amount]);
  }

  /** What a counter was given for sure. */
  sure(key: string): number {
    return this.#told.get(key) ?? 0;
  }

  /** What it may have been given besides. */
  perhaps(key: string): readonly number[] {
    return this.#unknown.get(key) ?? [];
  }

  /** Adds all that is in `other`. */
  addAll(other: Books): void {
    for (const [key, amount] of other.#told) this.gave(key, amount);
    for (const [key, amounts] of other.#unknown) {
      for (const amount of amounts) this.gavePerhaps(key, amount);
    }
  }

  /** Why a counter cannot have come to `count`; undefined if it can. */
  whyNot(key: string, count: number): string | undefined {
    const told = this.sure(key);
    const unknown = this.perhaps(key);
    const low = told + unknown.reduce((sum, one) => sum + Math.min(0, one), 0);
    const high = told + unknown.reduce((sum, one) => sum + Math.max(0, one), 0);
    const isPossible =
      unknown.length > UNKNOWN_MAX
        ? count >= low && count <= high
        : sumsOf(unknown).has(count - told);
    if (isPossible) return undefined;
    const perhaps = unknown.length === 0 ? "" : `, perhaps ${unknown.join(", ")}`;
    return `${key} is ${count}, and ${told} was given${perhaps}`;
  }
}

/** Every sum of some of these. */
function sumsOf(amounts: readonly number[]): ReadonlySet<number> {
  let sums: readonly number[] = [0];
  for (const amount of amounts) sums = sums.flatMap((sum) => [sum, sum + amount]);
  return new Set(sums);
}
