/**
 * Fetching items in pieces: several at a time, each with a bounded number of pieces under way.
 *
 * @module
 */
import {
  DIRECT_PIECE_BYTES_MAX,
  type Item,
  type MrGet,
  type MrPiece,
  PIECE_BYTES_MAX,
} from "../work/mapreduce_messages.ts";
import { ASKING_MAX, DIRECT_ASKING_MAX } from "./limits.ts";

/** One item that is fetched. */
export interface Fetch {
  readonly holder: number;
  readonly job: number;
  readonly item: Item;
  /** Its size; where only a bound of it is known, `isBound`: it ends with a shorter piece. */
  readonly bytes: number;
  readonly isBound?: boolean;
  /** A piece is there; they may come in any order. */
  onPiece(offset: number, bytes: Uint8Array): void;
  onDone(): void;
  /** It cannot be had there. */
  onFailed(): void;
}

interface Active extends Fetch {
  readonly of: Fetch;
  next: number;
  left: number;
  under: number;
  isOver: boolean;
}

/** A piece that was asked for. */
interface Asked {
  readonly of: Active;
  readonly offset: number;
  readonly length: number;
}

/** How much is asked for at a time. */
export interface FetchLimits {
  readonly pieceBytesMax: number;
  /** Pieces that are asked for at a time. */
  readonly askingMax: number;
}

/** Through the server, and from a peer directly. */
const RELAYED: FetchLimits = { pieceBytesMax: PIECE_BYTES_MAX, askingMax: ASKING_MAX };
export const DIRECT: FetchLimits = {
  pieceBytesMax: DIRECT_PIECE_BYTES_MAX,
  askingMax: DIRECT_ASKING_MAX,
};

/** All that one peer fetches over one connection. */
export class Fetches {
  readonly #write: (get: MrGet, of: Fetch) => void;
  readonly #limits: FetchLimits;
  readonly #asked = new Map<number, Asked>();
  /** Those that could ask for more, but that too much is asked for. */
  readonly #waiting = new Set<Active>();
  #lastId = 0;

  /** `write` asks for a piece of a fetch. */
  constructor(write: (get: MrGet, of: Fetch) => void, limits: FetchLimits = RELAYED) {
    this.#write = write;
    this.#limits = limits;
  }

  /** Pieces that are asked for. */
  get size(): number {
    return this.#asked.size;
  }

  /** Begins; what it gives ends it, and is of no effect after that. */
  start(fetch: Fetch): () => void {
    const active: Active = {
      ...fetch,
      of: fetch,
      onPiece: (offset, bytes) => fetch.onPiece(offset, bytes),
      onDone: () => fetch.onDone(),
      onFailed: () => fetch.onFailed(),
      next: 0,
      left: fetch.bytes,
      under: 0,
      isOver: false,
    };
    if (fetch.bytes === 0) {
      active.isOver = true;
      fetch.onDone();
    } else this.#ask(active);
    return () => {
      active.isOver = true;
    };
  }

  /** A piece arrived; false when nobody asked for it. */
  handle({ id, found, bytes }: MrPiece): boolean {
    const asked = this.#asked.get(id);
    if (asked === undefined) return false;
    this.#asked.delete(id);
    this.#take(asked, found, bytes);
    for (const waiting of this.#waiting) {
      if (this.#asked.size >= this.#limits.askingMax) break;
      this.#waiting.delete(waiting);
      this.#ask(waiting);
    }
    return true;
  }

  #take({ of, offset, length }: Asked, found: boolean, bytes: Uint8Array): void {
    of.under--;
    if (of.isOver) return;
    const isShort = bytes.length < length;
    if (!found || bytes.length > length || (isShort && of.isBound !== true)) {
      of.isOver = true;
      return of.onFailed();
    }
    of.left = isShort ? 0 : of.left - length;
    if (bytes.length > 0) of.onPiece(offset, bytes);
    if (of.left > 0) this.#ask(of);
    else if (!of.isOver) {
      of.isOver = true;
      of.onDone();
    }
  }

  /** The connection is gone: nothing of all this comes any more. */
  clear(): void {
    this.#asked.clear();
    this.#waiting.clear();
  }

  #ask(active: Active): void {
    const { holder, job, item, bytes } = active;
    const { pieceBytesMax, askingMax } = this.#limits;
    while (!active.isOver && active.next < bytes) {
      if (this.#asked.size >= askingMax) return void this.#waiting.add(active);
      const offset = active.next;
      const length = Math.min(pieceBytesMax, bytes - offset);
      active.next += length;
      active.under++;
      const id = ++this.#lastId;
      this.#asked.set(id, { of: active, offset, length });
      this.#write({ kind: "mr-get", id, holder, job, item, offset, length }, active.of);
    }
  }
}
