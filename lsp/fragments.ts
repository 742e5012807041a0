/**
 * Messages larger than a datagram: cut into pieces when their turn to be sent comes, and put
 * together from pieces that arrive in order (docs/protocol.md, Fragment).
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import { type Budget, Reservation } from "./budget.ts";
import { DATA_OVERHEAD_BYTES, FRAGMENT_OVERHEAD_BYTES, Marks, type Piece } from "./frame.ts";

/**
 * What a message's first piece reserves, if it is not long; and else so many times what has come of
 * the message, until all of it has room. Each time costs new memory and a copy.
 */
const FIRST_ROOM_BYTES = 4096;
const ROOM_FACTOR = 4;

/** Written messages, each cut only when the next piece of it is asked for. */
export class Cutter {
  readonly #messages = new Queue<Uint8Array>();
  /** Bytes of the first message that were handed out. */
  #cutBytes = 0;
  #wholeBytes = Infinity;
  #pieceBytes = Infinity;

  /** A message of up to `wholeBytes` bytes is never cut; a piece takes no more of a datagram. */
  constructor(wholeBytes: number) {
    this.cutTo(wholeBytes);
  }

  /** From now on messages, and what is left of the first, are cut to this. */
  cutTo(wholeBytes: number): void {
    this.#wholeBytes = wholeBytes;
    this.#pieceBytes = wholeBytes + DATA_OVERHEAD_BYTES - FRAGMENT_OVERHEAD_BYTES;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Appends a message; the bytes are kept, not copied. */
  push(message: Uint8Array): void {
    this.#messages.push(message);
  }

  /** The next piece, a view of its message; or a whole message. */
  next(): Piece | undefined {
    const message = this.#messages.at(0);
    if (message === undefined) return undefined;
    const { length } = message;
    if (length <= this.#wholeBytes && this.#cutBytes === 0) {
      this.#messages.shift();
      return { bytes: message, marks: Marks.whole, remaining: 0 };
    }
    const start = this.#cutBytes;
    const bytes = message.subarray(start, start + this.#pieceBytes);
    const remaining = length - start - bytes.length;
    this.#cutBytes += bytes.length;
    if (remaining > 0)
      return { bytes, marks: start === 0 ? Marks.first : Marks.between, remaining };
    this.#messages.shift();
    this.#cutBytes = 0;
    return { bytes, marks: Marks.last, remaining };
  }

  clear(): void {
    this.#messages.clear();
    this.#cutBytes = 0;
  }
}

/** A large message that is complete, with its share of the endpoint's memory. */
export interface Whole {
  readonly payload: Uint8Array;
  /** To be released when the message was read. */
  readonly reservation: Reservation;
}

/** Puts one connection's large messages together, one after the other. */
export class Reassembly {
  readonly #budget: Budget;
  readonly #maxMessageBytes: number;
  readonly #onRoom: () => void;
  #reservation: Reservation | undefined;
  #buffer = new Uint8Array(0);
  #total = 0;
  /** Bytes of the message that have arrived. */
  filledBytes = 0;

  /** `onRoom` is told when there is room for a piece for which there was none. */
  constructor(budget: Budget, maxMessageBytes: number, onRoom: () => void) {
    this.#budget = budget;
    this.#maxMessageBytes = maxMessageBytes;
    this.#onRoom = onRoom;
  }

  /** Whether a message has begun and not ended. */
  get isPartial(): boolean {
    return this.filledBytes > 0;
  }

  /** Whether a piece found no room, and none was made since. */
  get isWaiting(): boolean {
    return this.#reservation !== undefined && this.#budget.isWaiting(this.#reservation);
  }

  /** Whether a message has room, or waits for it. */
  get hasReservation(): boolean {
    return this.#reservation !== undefined;
  }

  /** Bytes that are counted with the unread ones. */
  get borrowedBytes(): number {
    return this.#reservation?.borrowed ?? 0;
  }

  /** Why `piece` cannot come next; `undefined` when it can. */
  breach(piece: Piece): string | undefined {
    const { bytes, marks, remaining } = piece;
    if ((marks === Marks.first) === this.isPartial) {
      return this.isPartial ? "a message began inside another" : "a message without its beginning";
    }
    const total = this.filledBytes + bytes.length + remaining;
    if (this.isPartial && total !== this.#total) return "pieces that do not add up";
    if (total <= this.#maxMessageBytes) return undefined;
    return `a message of ${total} bytes, the limit is ${this.#maxMessageBytes} (maxMessageBytes)`;
  }

  /**
   * Makes room for `piece` and what follows it at once, `bytes` in all. False: there is none now.
   * `isForced`: those bytes are kept already, and are borrowed where there is none.
   */
  makeRoom(piece: Piece, bytes: number, isForced: boolean): boolean {
    const total = this.isPartial ? this.#total : piece.bytes.length + piece.remaining;
    const need = Math.min(total, this.filledBytes + bytes);
    const room = this.#buffer.length;
    if (need <= room) return true;
    this.#reservation ??= new Reservation(() => this.#onRoom());
    const wanted = Math.min(total, Math.max(ROOM_FACTOR * need, FIRST_ROOM_BYTES));
    const isGranted = this.#budget.raise(this.#reservation, wanted);
    if (!isGranted && !isForced) return false;
    const length = isGranted ? wanted : need;
    if (!isGranted) this.#budget.borrow(this.#reservation, length - this.#reservation.charged);
    // `transfer` frees the old room at once; zeroed pages cost nothing until they are written.
    this.#buffer =
      room === 0 ? new Uint8Array(length) : new Uint8Array(this.#buffer.buffer.transfer(length));
    return true;
  }

  /** Takes the next piece, for which there is room; the message when it was the last. */
  add(piece: Piece): Whole | undefined {
    const { bytes, remaining } = piece;
    if (!this.isPartial) this.#total = bytes.length + remaining;
    this.#buffer.set(bytes, this.filledBytes);
    this.filledBytes += bytes.length;
    if (remaining > 0) return undefined;
    const payload = this.#buffer;
    const reservation = this.#reservation;
    invariant(reservation !== undefined && this.filledBytes === this.#total, "the pieces add up");
    invariant(payload.length === this.#total, "the room is as large as the message");
    this.#reset();
    this.#budget.finish(reservation);
    return { payload, reservation };
  }

  /** Forgets the message that has begun. */
  drop(): void {
    const reservation = this.#reservation;
    this.#reset();
    if (reservation !== undefined) this.#budget.release(reservation);
  }

  #reset(): void {
    this.#reservation = undefined;
    this.#buffer = new Uint8Array(0);
    this.filledBytes = 0;
    this.#total = 0;
  }
}
