/**
 * Calls that are to be sent: writes, of which none overtakes another, and all else.
 *
 * @module
 */
import type { Entry } from "./client_entry.ts";

/** Both in the order of the calls, which is that of the writes' numbers too. */
export class ClientIdle {
  writes: Entry[] = [];
  reads: Entry[] = [];

  #of({ call }: Entry): Entry[] {
    return call.kind === "write" ? this.writes : this.reads;
  }

  /** Writes that wait for a session. */
  get unnumbered(): readonly Entry[] {
    return this.writes.filter(({ call, number }) => {
      return call.kind === "write" && !call.isBare && number === 0;
    });
  }

  /** Writes that a session has given numbers. */
  ofSession(name: number): readonly Entry[] {
    return this.writes.filter(({ number, session }) => number > 0 && session === name);
  }

  /** Adds a call that is later than all that are here. */
  add(entry: Entry): void {
    this.#of(entry).push(entry);
  }

  /** Puts calls back that are to be sent again. */
  putBack(entries: Iterable<Entry>): void {
    for (const entry of entries) this.add(entry);
    this.writes.sort((a, b) => a.id - b.id);
    this.reads.sort((a, b) => a.id - b.id);
  }

  delete(entry: Entry): void {
    const idle = this.#of(entry);
    const at = idle.indexOf(entry);
    if (at >= 0) idle.splice(at, 1);
  }

  /** Tries to send all, in order; the first write that cannot be sent holds up those behind it. */
  sendBy(trySend: (entry: Entry) => boolean, afterWrites: () => void): void {
    const { writes } = this;
    let sent = 0;
    while (sent < writes.length && trySend(writes[sent]!)) sent++;
    afterWrites();
    if (sent > 0) writes.splice(0, sent);
    if (this.reads.length > 0) this.reads = this.reads.filter((entry) => !trySend(entry));
  }
}
