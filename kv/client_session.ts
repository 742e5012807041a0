/**
 * A client's session: its requests are numbered, and carried out in that order, each once.
 *
 * @module
 */
import type { Entry } from "./client_entry.ts";

/** Writes of a session that are sent and not answered; more wait. Below ANSWERS_MAX. */
const WRITES_AHEAD_MAX = 512;

/** See the module. */
export class ClientSession {
  /** As the servers call it; 0: there is none. */
  name = 0;
  #next = 1;
  /** By number, ascending. */
  readonly #open = new Map<number, Entry>();

  /** Whether there is a session in which nothing is open. */
  get isIdle(): boolean {
    return this.name !== 0 && this.#open.size === 0;
  }

  /** The least number that is open. */
  get lowest(): number {
    return this.#open.keys().next().value!;
  }

  begin(name: number): void {
    this.name = name;
    this.#next = 1;
  }

  /** A session has ended, this or an older one. */
  lost(name: number): void {
    if (name !== this.name) return;
    this.name = 0;
    this.#open.clear();
  }

  /** Gives a write its number, if it has none; whether it has one then. */
  number(entry: Entry): boolean {
    if (entry.number > 0) return true;
    if (this.#open.size >= WRITES_AHEAD_MAX) return false;
    entry.number = this.#next++;
    entry.session = this.name;
    this.#open.set(entry.number, entry);
    return true;
  }

  /** Nobody waits for the answer of its number any more. */
  end({ number, session }: Entry): void {
    if (number > 0 && session === this.name) this.#open.delete(number);
  }

  /** It is as if it had never been sent. */
  unnumber(entry: Entry): void {
    this.end(entry);
    entry.number = 0;
    entry.session = 0;
  }
}
