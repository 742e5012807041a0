/**
 * What players were told, and whether the world agrees with it: every coin, piece of hardware and
 * hit has a reason.
 *
 * @module
 */
import { type GameEvent, hardwareKey, risenKey } from "../../mud/mod.ts";
import { demand } from "../engine/trace.ts";

/** More unknown amounts of one counter are only held against their least and greatest sum. */
const UNKNOWN_MAX = 12;

/** The books. */
export class Ledger {
  /** What counters were given, and an answer told so. */
  readonly #told = new Map<string, number>();
  /** What they may have been given. */
  readonly #unknown = new Map<string, number[]>();
  /** Who rose, by the actor that saw the hit, its life, the rank and the round. */
  readonly #risers = new Map<string, string>();
  readonly #risen = new Set<string>();
  readonly #risenPerhaps = new Set<string>();
  readonly counts: Record<string, number> = {
    mined: 0,
    bought: 0,
    hits: 0,
    broke: 0,
    risen: 0,
    beaten: 0,
    trouble: 0,
  };
  /** Rises that are due, and whose; and who left without waiting. */
  readonly #emptied = new Map<string, string>();
  readonly #gone = new Set<string>();
  /** What events said of coins: mined and spent. */
  readonly #coins = new Map<string, number>();

  /** A counter was given `amount`, for sure. */
  gave(key: string, amount: number): void {
    this.#told.set(key, (this.#told.get(key) ?? 0) + amount);
  }

  /** A counter may have been given `amount`. */
  gavePerhaps(key: string, amount: number): void {
    this.#unknown.set(key, [...(this.#unknown.get(key) ?? []), amount]);
  }

  /** A server said that this hit emptied the problem of a rank. */
  emptied(name: string, rank: number): void {
    this.#emptied.set(risenKey(name, rank), name);
  }

  /** A client ended in the middle of something. */
  left(name: string): void {
    this.#gone.add(name);
  }

  /** A register of a rise may have been written. */
  rosePerhaps(key: string): void {
    this.#risenPerhaps.add(key);
  }

  /** A player was told something, while it played on that actor. */
  told(name: string, at: string, event: GameEvent): void {
    const { counts } = this;
    const coins = (amount: number): void => {
      this.#coins.set(name, (this.#coins.get(name) ?? 0) + amount);
    };
    if (event.kind === "mined") {
      counts["mined"]!++;
      coins(event.coins);
    } else if (event.kind === "bought") {
      counts["bought"]!++;
      coins(-event.cost);
      demand(event.count > 0, () => `${name} bought nothing`);
    } else if (event.kind === "hit") counts["hits"]!++;
    else if (event.kind === "broke") counts["broke"]!++;
    else if (event.kind === "beaten") counts["beaten"]!++;
    else if (event.kind === "trouble") counts["trouble"]!++;
    else if (event.kind === "risen") {
      counts["risen"]!++;
      this.#risen.add(risenKey(name, event.rank - 1));
      demand(at !== "", () => `${name} rose without a hit`);
      const other = this.#risers.get(at);
      demand(other === undefined, () => `${name} and ${other} both emptied ${at}`);
      this.#risers.set(at, name);
    }
  }

  /** Holds a counter against the books. */
  check(key: string, count: number): void {
    const told = this.#told.get(key) ?? 0;
    const unknown = this.#unknown.get(key) ?? [];
    const low = told + unknown.reduce((sum, one) => sum + Math.min(0, one), 0);
    const high = told + unknown.reduce((sum, one) => sum + Math.max(0, one), 0);
    const isPossible =
      unknown.length > UNKNOWN_MAX
        ? count >= low && count <= high
        : sumsOf(unknown).has(count - told);
    const perhaps = unknown.length === 0 ? "" : `, perhaps ${unknown.join(", ")}`;
    demand(isPossible, () => `${key} is ${count}, and ${told} was given${perhaps}`);
  }

  /** Holds what players were told of their coins against the counter, if nothing is unknown. */
  checkCoins(name: string, key: string, atStart: number, count: number): void {
    if (this.#unknown.has(key) || this.#isInDoubt(name)) return;
    const told = atStart + (this.#coins.get(name) ?? 0);
    demand(count === told, () => `${name} has ${count} coins, and was told of ${told}`);
  }

  /** Holds the registers of those who rose against who was told so. */
  checkRisen(keys: ReadonlySet<string>): void {
    for (const key of this.#risen) demand(keys.has(key), () => `the rise ${key} is forgotten`);
    for (const key of keys) {
      const isKnown = this.#risen.has(key) || this.#risenPerhaps.has(key);
      demand(isKnown, () => `nobody was told of ${key}`);
    }
  }

  /** Those whose own server saw their hit empty the problem have risen. */
  checkRises(): void {
    for (const [key, name] of this.#emptied) {
      const isKnown = this.#risen.has(key) || this.#risenPerhaps.has(key) || this.#gone.has(name);
      demand(isKnown, () => `${name} emptied a problem, and never had ${key}`);
    }
  }

  /** A purchase that was cut off in the middle is not told of. */
  #isInDoubt(name: string): boolean {
    return [...this.#unknown.keys()].some((key) =>
      key.startsWith(hardwareKey(name, "cpu").slice(0, -3)),
    );
  }
}

/** Every sum of some of these. */
function sumsOf(amounts: readonly number[]): ReadonlySet<number> {
  let sums: readonly number[] = [0];
  for (const amount of amounts) sums = sums.flatMap((sum) => [sum, sum + amount]);
  return new Set(sums);
}
