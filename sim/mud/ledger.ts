/**
 * What players were told, and whether the world agrees with it: every coin, piece of hardware and
 * hit has a reason.
 *
 * @module
 */
import {
  Books,
  coinsKey,
  type GameEvent,
  HARDWARE_NAMES,
  hardwareKey,
  risenKey,
} from "../../mud/mod.ts";
import { demand } from "../engine/trace.ts";

/** The books, and what players were told. */
export class Ledger {
  readonly books: Books = new Books();
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
    const why = this.books.whyNot(key, count);
    demand(why === undefined, () => why ?? "");
  }

  /** Holds what players were told of their coins against the counter, if nothing is unknown. */
  checkCoins(name: string, key: string, atStart: number, count: number): void {
    if (this.#isInDoubt(name)) return;
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
    const keys = [coinsKey(name), ...HARDWARE_NAMES.map((kind) => hardwareKey(name, kind))];
    return keys.some((key) => this.books.perhaps(key).length > 0);
  }
}
