/**
 * What a system counts.
 *
 * @module
 */
import type { DropReason, SystemStats } from "./types.ts";

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

  stats(actors: number, connections: number): SystemStats {
    const { sent, sentRemote, delivered, bytesOut, bytesIn, mostPerSecond } = this;
    const counts = { sent, sentRemote, delivered, bytesOut, bytesIn, mostPerSecond };
    const [dropped, rejected] = [{ ...this.dropped }, { ...this.rejected }];
    return { actors, ...counts, connections, dropped, rejected };
  }
}
