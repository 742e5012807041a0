/**
 * What a system counts.
 *
 * @module
 */
import type { DropReason, SystemStats } from "./types.ts";

/** What is counted by looking, not by keeping count. */
export type Moment = Pick<SystemStats, "actors" | "connections" | "waitingBytes" | "unreadBytes">;

/** See {@link SystemStats}. */
export class Tally {
  sent = 0;
  sentRemote = 0;
  delivered = 0;
  bytesOut = 0;
  bytesIn = 0;
  mostPerSecond = 0;
  readonly dropped: Record<DropReason, number> = {
    noActor: 0,
    stale: 0,
    queueFull: 0,
    unreachable: 0,
    unsettled: 0,
    systemsFull: 0,
    mailboxFull: 0,
    malformed: 0,
    closed: 0,
  };
  readonly rejected: Record<string, number> = {};

  /** One more of `reason`, a name from our own finite set. */
  reject(reason: string): void {
    this.rejected[reason] = (this.rejected[reason] ?? 0) + 1;
  }

  /** All of it, with what the parts say of the moment. */
  stats(moment: Moment): SystemStats {
    const { sent, sentRemote, delivered, bytesOut, bytesIn, mostPerSecond } = this;
    const counts = { sent, sentRemote, delivered, bytesOut, bytesIn, mostPerSecond };
    return { ...moment, ...counts, dropped: { ...this.dropped }, rejected: { ...this.rejected } };
  }
}
