/**
 * Whose turn it is: actors that have messages, in the order in which they got them; or in an order
 * that a seed decides, so that a simulation meets what an order by chance would hide.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import { integerBetween, type Random } from "../base/random.ts";
import type { Cell } from "./cell.ts";

/** See the module. Each cell is in here once at most. */
export class Turns {
  readonly #queue = new Queue<Cell>();
  readonly #shuffled: Cell[] = [];
  readonly #random: Random | undefined;

  /** With `random` the order is drawn. */
  constructor(random: Random | undefined) {
    this.#random = random;
  }

  get length(): number {
    return this.#queue.length + this.#shuffled.length;
  }

  /** Whether an actor handles one message a turn, and not all that it has, up to a bound. */
  get isShuffled(): boolean {
    return this.#random !== undefined;
  }

  /** Lists a cell, unless it is listed. */
  add(cell: Cell): void {
    if (cell.isListed) return;
    cell.isListed = true;
    if (this.#random === undefined) this.#queue.push(cell);
    else this.#shuffled.push(cell);
  }

  /** The next; undefined when nobody has a message. */
  take(): Cell | undefined {
    const cell = this.#random === undefined ? this.#queue.shift() : this.#draw(this.#random);
    if (cell !== undefined) cell.isListed = false;
    return cell;
  }

  #draw(random: Random): Cell | undefined {
    const cells = this.#shuffled;
    if (cells.length === 0) return undefined;
    const at = integerBetween(random, 0, cells.length - 1);
    const drawn = cells[at]!;
    const last = cells.pop()!;
    if (at < cells.length) cells[at] = last;
    return drawn;
  }
}
