/**
 * The payload bytes that an endpoint holds, counted over all its connections, and who may hold
 * more. docs/memory.md adds the limits up, and argues why large messages cannot block each other.
 *
 * @module
 */
import type { LspLimits } from "./params.ts";

/** The memory of one large message: while it arrives, and until it is read. */
export class Reservation {
  /** Bytes granted. */
  charged = 0;
  /** Those of them that were granted by the ticket. */
  ticketed = 0;
  /** Bytes wanted in all; more than `charged` while it waits. */
  wanted = 0;
  /** Bytes of the message that are counted as unread ones, for want of a grant. */
  borrowed = 0;
  /** Whether the message is complete. */
  isWhole = false;
  /** Told when what was wanted is granted after all. */
  readonly onGrant: () => void;

  constructor(onGrant: () => void) {
    this.onGrant = onGrant;
  }
}

/**
 * Large messages share a pool. One that finds it full waits, except for the holder of the ticket:
 * the room of one message of the largest size, which the pool leaves free. So one can always
 * finish, and the ticket goes round in the order of waiting.
 */
export class Budget {
  /** Payload bytes received that are kept ahead of their turn, or were not read. */
  bytes = 0;
  /** Payload bytes of written messages that are not wholly acknowledged. */
  queuedBytes = 0;

  readonly #poolBytes: number;
  #pooled = 0;
  #holder: Reservation | undefined;
  readonly #waiting = new Set<Reservation>();
  #isGranting = false;

  constructor(limits: Pick<LspLimits, "maxReassemblyBytes" | "maxMessageBytes">) {
    this.#poolBytes = limits.maxReassemblyBytes - limits.maxMessageBytes;
  }

  /** Bytes granted for large messages, unread ones included. */
  get reassemblyBytes(): number {
    return this.#pooled + (this.#holder?.ticketed ?? 0);
  }

  /** Whether somebody waits for room. */
  get isContended(): boolean {
    return this.#waiting.size > 0;
  }

  isWaiting(reservation: Reservation): boolean {
    return this.#waiting.has(reservation);
  }

  /** Raises `reservation` to `bytes` in all. False: there is no room yet; it will be told. */
  raise(reservation: Reservation, bytes: number): boolean {
    if (bytes <= reservation.charged) return true;
    reservation.wanted = bytes;
    if (this.#grant(reservation)) return true;
    this.#waiting.add(reservation);
    return false;
  }

  /** Counts `bytes` that `reservation` has without a grant with the unread ones, till its grant. */
  borrow(reservation: Reservation, bytes: number): void {
    this.bytes += bytes - reservation.borrowed;
    reservation.borrowed = bytes;
  }

  /** The message is complete and waits to be read. */
  finish(reservation: Reservation): void {
    reservation.isWhole = true;
    this.#waiting.delete(reservation);
    this.#grantMore();
  }

  /** The message was read, or dropped. */
  release(reservation: Reservation): void {
    this.#waiting.delete(reservation);
    this.#pooled -= reservation.charged - reservation.ticketed;
    if (this.#holder === reservation) this.#holder = undefined;
    reservation.charged = reservation.ticketed = 0;
    this.borrow(reservation, 0);
    this.#grantMore();
  }

  #grant(reservation: Reservation): boolean {
    const more = reservation.wanted - reservation.charged;
    const isHolder = this.#holder === reservation;
    if (!isHolder && this.#pooled + more <= this.#poolBytes) this.#pooled += more;
    else if (!isHolder && this.#holder !== undefined) return false;
    else {
      this.#holder = reservation;
      reservation.ticketed += more;
    }
    reservation.charged = reservation.wanted;
    this.#waiting.delete(reservation);
    this.borrow(reservation, 0);
    return true;
  }

  /** Grants what can be granted, first come, first served. */
  #grantMore(): void {
    // A callback may release something in turn: the loop below sees to that.
    if (this.#isGranting) return;
    this.#isGranting = true;
    for (;;) {
      this.#freeTicket();
      const [next] = this.#waiting;
      if (next === undefined || !this.#grant(next)) break;
      next.onGrant();
    }
    this.#isGranting = false;
  }

  /** A complete message moves into the pool as soon as it fits: the ticket is for the next. */
  #freeTicket(): void {
    const holder = this.#holder;
    if (!holder?.isWhole || this.#pooled + holder.ticketed > this.#poolBytes) return;
    this.#pooled += holder.ticketed;
    holder.ticketed = 0;
    this.#holder = undefined;
  }
}
