/**
 * Which of several servers one who asks them is to dial: the one that leads, if it was told;
 * else one after the other, those that are silent last. In a round no server is dialled twice (but
 * one that came to lead meanwhile), and only a round in which none was of use is followed by a
 * wait.
 *
 * @module
 */
import { Backoff } from "./backoff.ts";
import type { Millis } from "./machine.ts";
import type { Random } from "./random.ts";

/** Servers of a cluster that anybody keeps in mind. */
export const SERVERS_MAX = 32;

/** The wait after a round of all servers: about this long at first ... */
export const ROUND_MS_MIN: Millis = 50;
/** ... and up to this. It is short: an election takes less than a second. */
export const ROUND_MS_MAX: Millis = 400;

/** See the module. */
export class ServerRing {
  readonly #given: readonly string[];
  readonly #backoff: Backoff;
  #all: readonly string[];
  #current: string;
  /** Those that were of no use in this round. */
  readonly #tried = new Set<string>();
  /** Those that said nothing when they were dialled last. */
  readonly #silent = new Set<string>();
  /** Whether one was dialled for the second time in this round. */
  #hasReturned = false;

  /** `given`: at least one; never forgotten. */
  constructor(given: readonly string[], random: Random) {
    this.#given = [...new Set(given)].slice(0, SERVERS_MAX);
    this.#all = this.#given;
    this.#current = this.#given[0] ?? "";
    this.#backoff = new Backoff(ROUND_MS_MIN, ROUND_MS_MAX, random);
  }

  /** The server to dial, or that was dialled last. */
  get current(): string {
    return this.#current;
  }

  /** All that are known, those that were given first. */
  get all(): readonly string[] {
    return this.#all;
  }

  /** Whether there is more than one. */
  get isCluster(): boolean {
    return this.#all.length > 1;
  }

  /** A server says where its fellows are; those that it named before and not now are forgotten. */
  learn(servers: readonly string[]): void {
    this.#all = [...new Set([...this.#given, ...servers])].slice(0, SERVERS_MAX);
  }

  /** The server is of use. */
  arrived(): void {
    this.#endRound();
    this.#silent.clear();
    this.#backoff.reset();
  }

  /**
   * The server is lost or silent; or it said that it is of no use, and with `leader` where it
   * thinks that the leader is ("": it does not know). How long to wait before `current` is dialled;
   * above 0 only after a round.
   */
  lost(leader?: string): Millis {
    const last = this.#current;
    this.#tried.add(last);
    if (leader === undefined) this.#silent.add(last);
    else this.#silent.delete(last);
    const hint = leader ?? "";
    const next = this.#hinted(hint) ?? this.#next((server) => !this.#tried.has(server));
    if (next !== undefined) {
      this.#current = next;
      return 0;
    }
    const isThere = hint !== "" && !this.#silent.has(hint);
    this.#current = isThere ? hint : (this.#next(() => true) ?? last);
    this.#endRound();
    return this.#backoff.next();
  }

  /** Where the server sends its guest, if that is to be believed in this round. */
  #hinted(leader: string): string | undefined {
    // However many leaders are made up, a round ends.
    if (leader === "" || this.#tried.size >= SERVERS_MAX) return undefined;
    if (!this.#tried.has(leader)) return leader;
    // One that spoke, and did not lead, may have been elected since.
    if (this.#hasReturned || this.#silent.has(leader)) return undefined;
    this.#hasReturned = true;
    return leader;
  }

  /** The next one in turn of those that may be asked: one that is not silent, if there is any. */
  #next(isAllowed: (server: string) => boolean): string | undefined {
    const at = this.#all.indexOf(this.#current) + 1;
    const inTurn = [...this.#all.slice(at), ...this.#all.slice(0, at)].filter(isAllowed);
    return inTurn.find((server) => !this.#silent.has(server)) ?? inTurn[0];
  }

  #endRound(): void {
    this.#tried.clear();
    this.#hasReturned = false;
  }
}
