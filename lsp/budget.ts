/**
 * The payload bytes that an endpoint holds, counted over all its connections, and who may hold
 * more. docs/memory.md adds the limits up, and argues why large messages cannot block each other.
 *
 * @module
 */
import type { Limits } from "./params.ts";

/** One large message's share of the memory for such: while it arrives, and until it is read. */
export class Claim {
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
 * Large messages share a pool. Whoever finds it full waits, except for one, who has the ticket: the
 * room of one message of the largest size that the pool leaves free. So there is always one who can
 * finish, and the ticket goes round in the order of waiting.
 */
export class Budget {
  /** Payload bytes received that are kept ahead of their turn, or were not read. */
  bytes = 0;
  /** Payload bytes of written messages that are not wholly acknowledged. */
  queuedBytes = 0;

  private readonly poolBytes: number;
  private pooled = 0;
  private holder: Claim | undefined;
  private readonly waiting = new Set<Claim>();
  private isGranting = false;

  constructor(limits: Pick<Limits, "maxReassemblyBytes" | "maxMessageBytes">) {
    this.poolBytes = limits.maxReassemblyBytes - limits.maxMessageBytes;
  }

  /** Bytes granted for large messages, unread ones included. */
  get reassemblyBytes(): number {
    return this.pooled + (this.holder?.ticketed ?? 0);
  }

  /** Whether somebody waits for room. */
  get isContended(): boolean {
    return this.waiting.size > 0;
  }

  isWaiting(claim: Claim): boolean {
    return this.waiting.has(claim);
  }

  /** Raises `claim` to `bytes` in all. False: there is no room yet, and `claim` will be told. */
  raise(claim: Claim, bytes: number): boolean {
    if (bytes <= claim.charged) return true;
    claim.wanted = bytes;
    if (this.grant(claim)) return true;
    this.waiting.add(claim);
    return false;
  }

  /** Counts `bytes` that `claim` has without a grant with the unread ones, until it is granted. */
  borrow(claim: Claim, bytes: number): void {
    this.bytes += bytes - claim.borrowed;
    claim.borrowed = bytes;
  }

  /** The message is complete and waits to be read. */
  finish(claim: Claim): void {
    claim.isWhole = true;
    this.waiting.delete(claim);
    this.grantMore();
  }

  /** The message was read, or dropped. */
  release(claim: Claim): void {
    this.waiting.delete(claim);
    this.pooled -= claim.charged - claim.ticketed;
    if (this.holder === claim) this.holder = undefined;
    claim.charged = claim.ticketed = 0;
    this.borrow(claim, 0);
    this.grantMore();
  }

  private grant(claim: Claim): boolean {
    const more = claim.wanted - claim.charged;
    const isHolder = this.holder === claim;
    if (!isHolder && this.pooled + more <= this.poolBytes) this.pooled += more;
    else if (!isHolder && this.holder !== undefined) return false;
    else {
      this.holder = claim;
      claim.ticketed += more;
    }
    claim.charged = claim.wanted;
    this.waiting.delete(claim);
    this.borrow(claim, 0);
    return true;
  }

  /** Grants what can be granted, first come, first served. */
  private grantMore(): void {
    // Whoever is told may release something in turn: the loop below sees to that.
    if (this.isGranting) return;
    this.isGranting = true;
    for (;;) {
      this.freeTicket();
      const [next] = this.waiting;
      if (next === undefined || !this.grant(next)) break;
      next.onGrant();
    }
    this.isGranting = false;
  }

  /** A complete message moves into the pool as soon as it fits: the ticket is for the next. */
  private freeTicket(): void {
    const { holder } = this;
    if (!holder?.isWhole || this.pooled + holder.ticketed > this.poolBytes) return;
    this.pooled += holder.ticketed;
    holder.ticketed = 0;
    this.holder = undefined;
  }
}
