/**
 * Which of several servers one who asks them is to dial: the one that leads, if it was told;
 * else one after the other. No server is dialled twice in a round, and only a round in which none
 * was of use is followed by a wait.
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
    this.#tried.clear();
    this.#backoff.reset();
  }

  /**
   * The server is lost, silent, or of no use. `leader`: where it says that the leader is; "" if it
   * does not know. How long to wait before `current` is dialled; above 0 only after a round.
   */
  lost(leader = ""): Millis {
    this.#tried.add(this.#current);
    const next = this.#next(leader);
    if (next !== undefined) {
      this.#current = next;
      return 0;
    }
    this.#tried.clear();
    this.#current = this.#after(this.#current);
    return this.#backoff.next();
  }

  #next(leader: string): string | undefined {
    // However many leaders are made up, a round ends.
    const isLate = this.#tried.size >= SERVERS_MAX;
    if (leader !== "" && !isLate && !this.#tried.has(leader)) return leader;
    let server = this.#current;
    for (const _ of this.#all) {
      server = this.#after(server);
      if (!this.#tried.has(server)) return server;
    }
    return undefined;
  }

  #after(server: string): string {
    return this.#all[(this.#all.indexOf(server) + 1) % this.#all.length] ?? "";
  }
}
