/**
 * How often short runs of bytes occur in a text: of letters of ASCII and of bytes above 127, which
 * may belong to letters. What ends a run separates words, too: so the words of a text are those of
 * its runs, and each run that is not ASCII need be taken apart only once.
 *
 * @module
 */
import { CHUNK_BYTES, KEY_BYTES_MAX } from "./limits.ts";
import {
  BEYOND_BYTES,
  COUNT_AT,
  type CountRuns,
  countRunsIn,
  RUN_BYTES_MAX,
  SLOT_BYTES,
  USED_AT,
} from "./word_kernel.ts";

/** Where the text is put, and how much of it: a word that is not over yet, and a piece. */
const TEXT_AT = 64;
const TEXT_BYTES = KEY_BYTES_MAX + CHUNK_BYTES;
const PAGE_BYTES = 1 << 16;
const TABLE_AT = Math.ceil((TEXT_AT + TEXT_BYTES + BEYOND_BYTES) / PAGE_BYTES) * PAGE_BYTES;
const ORDER_BYTES = 4;
/** Slots that are used at most, of 4: from there on it takes long to find a run. */
const QUARTERS = 3;
const BYTES_PER_SLOT = SLOT_BYTES + (ORDER_BYTES * QUARTERS) / 4;
const SLOTS_MIN = 16;

/** See the module. */
export class RunTable {
  /** The text goes here: what is left of a piece, up to a key, the next piece, and a byte more. */
  readonly text: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #used: Uint32Array;
  readonly #order: Uint32Array;
  readonly #count: CountRuns;
  readonly #capacity: number;
  #slots: number;

  private constructor(slots: number) {
    this.#capacity = this.#slots = slots;
    const orderAt = TABLE_AT + slots * SLOT_BYTES;
    const pages = Math.ceil((TABLE_AT + slots * BYTES_PER_SLOT) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#bytes = new Uint8Array(memory.buffer);
    this.text = this.#bytes.subarray(TEXT_AT, TEXT_AT + TEXT_BYTES + 1);
    this.#used = new Uint32Array(memory.buffer, USED_AT, 1);
    this.#order = new Uint32Array(memory.buffer, orderAt, (slots * QUARTERS) / 4);
    this.#count = countRunsIn(memory);
  }

  static #idle: RunTable | undefined;

  /** An empty one that takes up to `mostBytes`, beside the text: one that was let go, or new. */
  static taken(mostBytes: number): RunTable {
    const most = Math.max(SLOTS_MIN, mostBytes / BYTES_PER_SLOT);
    const slots = 2 ** Math.floor(Math.log2(most));
    const idle = RunTable.#idle;
    RunTable.#idle = undefined;
    if (idle === undefined || idle.#capacity < slots) return new RunTable(slots);
    idle.#slots = slots;
    return idle;
  }

  /** Nobody needs it any more: tasks of a thread run one after the other, and share it. */
  release(): void {
    this.clear();
    RunTable.#idle = this;
  }

  /** There is room for the runs of one more piece, if they are not very many. */
  get isFull(): boolean {
    return this.#used[0]! >= this.#slots / 2;
  }

  /**
   * Counts the runs of the text at `from..to-1`, where `to` or `to - 1` has a byte of none. Gives
   * `to`, or where a run begins that it does not take: a long one, or a new one when it is full.
   */
  count(from: number, to: number): number {
    const [at, end] = [TEXT_AT + from, TEXT_AT + to];
    const slots = this.#slots;
    const mask = (slots - 1) * SLOT_BYTES;
    const orderAt = this.#order.byteOffset;
    return this.#count(at, end, TABLE_AT, mask, orderAt, (slots * QUARTERS) / 4) - TEXT_AT;
  }

  /** Gives all runs, each once, in the order in which they came first. */
  each(take: (bytes: Uint8Array, from: number, to: number, count: number) => void): void {
    const bytes = this.#bytes;
    const counts = new BigUint64Array(bytes.buffer);
    const used = this.#used[0]!;
    for (let i = 0; i < used; i++) {
      const from = this.#order[i]!;
      let to = from + 1;
      while (to < from + RUN_BYTES_MAX && bytes[to] !== 0) to++;
      take(bytes, from, to, Number(counts[(from + COUNT_AT) / 8]));
    }
  }

  clear(): void {
    const used = this.#used[0]!;
    for (let i = 0; i < used; i++) {
      const at = this.#order[i]!;
      this.#bytes.fill(0, at, at + SLOT_BYTES);
    }
    this.#used[0] = 0;
  }
}
