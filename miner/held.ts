/**
 * What a miner has in hand when its connection ends, and goes on with: it tells the server of it
 * when it comes back, and the server says what of it is still wanted.
 *
 * @module
 */
import { type Held, HELD_MAX } from "../work/messages.ts";
import type { SearchSpec } from "../work/subject.ts";
import type { PoolEvent } from "./types.ts";

/** A range that a server assigned. */
export interface Chunk {
  /** The pool's number for it. */
  readonly id: number;
  /** The server's number for it; 0 on the json wire, which has none. */
  number: number;
  /** The id of its job; 0: it is not worth keeping over the end of a connection. */
  readonly job: number;
  readonly lower: bigint;
  /** Where it ends: as assigned, or as the pool shrank it to. */
  upper: bigint;
  readonly work: SearchSpec;
  started: boolean;
  stopping: boolean;
  /** Orders to shrink that the pool has not answered. */
  shrinks: number;
  /** What the pool said of it last. */
  said: Said | undefined;
}

type Said = Extract<PoolEvent, { readonly kind: "progress" | "finished" }>;

/**
 * Searches that ended last, of which the results may not have arrived: nobody knows before the
 * server is found to be silent, which takes it longer than one of them.
 */
const ENDED_MAX = 4;

/** See the module. */
export class HeldSearches {
  /** In the order of their assignment. */
  readonly #held = new Map<number, Chunk>();
  /** Those that ended, and were told; the latest last. */
  #ended: Chunk[] = [];
  /** Those that the server was told of and has not answered for. */
  #offered: readonly Chunk[] = [];

  /** Goes on with a chunk whose connection has ended; false: it is to be dropped. */
  add(chunk: Chunk): boolean {
    // Where one ends that is being shrunk nobody knows yet.
    const isClear = chunk.job !== 0 && chunk.started && !chunk.stopping && chunk.shrinks === 0;
    if (!isClear || this.#held.size >= HELD_MAX) return false;
    this.#held.set(chunk.id, chunk);
    return true;
  }

  /** The server was told the result of a chunk, over a connection that may be as good as gone. */
  ended(chunk: Chunk): void {
    if (chunk.job === 0) return;
    this.#ended.push(chunk);
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
  }

  /** What the server is to be told of, which `take` is to be called for. */
  offer(): Held[] {
    const room = HELD_MAX - this.#held.size;
    const ended = room > 0 ? this.#ended.slice(-room) : [];
    this.#offered = [...ended, ...this.#held.values()];
    return this.#offered.map(heldOf);
  }

  /** The server answered: each chunk that was offered, and its number from now on, 0 for none. */
  take(numbers: readonly number[]): (readonly [Chunk, number])[] {
    const taken = this.#offered.map((chunk, i) => [chunk, numbers[i] ?? 0] as const);
    for (const [{ id }] of taken) this.#held.delete(id);
    this.#ended = [];
    this.#offered = [];
    return taken;
  }

  /** The connection ended before the server answered. */
  withdraw(): void {
    this.#offered = [];
  }

  /** The pool says something of a search that is held, or of one that is forgotten. */
  heard(event: Exclude<PoolEvent, { readonly kind: "pool" }>): void {
    const chunk = this.#held.get(event.id);
    if (chunk === undefined) return;
    if (event.kind === "progress" || event.kind === "finished") chunk.said = event;
    else this.#held.delete(event.id);
  }
}

function heldOf({ job, lower, upper, work, said }: Chunk): Held {
  const { target } = work;
  const best = said?.best;
  // A search that ended at a hit has not searched what lies above it.
  const isHit = target !== undefined && best !== undefined && best.hash <= target;
  const searched = said?.kind === "finished" && !isHit ? upper + 1n : lower;
  const next = said?.kind === "progress" ? said.next : searched;
  return { job, lower, upper, next, ...(best !== undefined && { best }) };
}
