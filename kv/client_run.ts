/**
 * Writes of a session that are sent at once, as one message and one entry of the log.
 *
 * @module
 */
import { packed } from "../base/byte_fields.ts";
import { type Entry, requestOf } from "./client_entry.ts";
import { isOfRuns } from "./commands.ts";
import { RUN_BYTES_MAX, RUN_MAX } from "./limits.ts";
import type { Request } from "./messages.ts";

/** What the length of a command takes at most, in a run. */
const LENGTH_BYTES = 3;

/** See the module. */
export class ClientRun {
  #entries: Entry[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether a write may be one of a run. */
  static takes({ session, command }: Entry): boolean {
    if (command === undefined || session === 0) return false;
    return isOfRuns(command[0]!) && command.length + LENGTH_BYTES <= RUN_BYTES_MAX;
  }

  /** Whether it may come behind those that are here: its number must follow theirs. */
  hasRoomFor({ number, session, command }: Entry): boolean {
    const last = this.#entries.at(-1);
    if (last === undefined) return true;
    const follows = last.session === session && last.number + 1 === number;
    const bytes = this.#bytes + command!.length + LENGTH_BYTES;
    return follows && bytes <= RUN_BYTES_MAX && this.#entries.length < RUN_MAX;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.command!.length + LENGTH_BYTES;
  }

  /** The message that asks for all; `lowest`: the least number of the session that is open. */
  taken(lowest: number): Request {
    const entries = this.#entries;
    const [first] = entries;
    this.#entries = [];
    this.#bytes = 0;
    if (entries.length === 1) return requestOf(first!, lowest);
    const { messageId: id, session, number } = first!;
    const commands = packed(entries.map(({ command }) => command!));
    return { kind: "writes", id, session, number, lowest, count: entries.length, commands };
  }
}
