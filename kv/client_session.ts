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
  /** Whether the numbers from `#base` on are open; those before the place `#first` are not. */
  #isOpen: boolean[] = [];
  #base = 1;
  #first = 0;
  #count = 0;

  /** Whether there is a session in which nothing is open. */
  get isIdle(): boolean {
    return this.name !== 0 && this.#count === 0;
  }

  /** The least number that is open; the next one if none is. */
  get lowest(): number {
    return this.#base + this.#first;
  }

  begin(name: number): void {
    this.name = name;
    this.#isOpen = [];
    this.#base = 1;
    this.#first = this.#count = 0;
  }

  /** A session has ended, this or an older one. */
  lost(name: number): void {
    if (name !== this.name) return;
    this.begin(0);
  }

  /** Gives a write its number, if it has none; whether it has one then. */
  number(entry: Entry): boolean {
    if (entry.number > 0) return true;
    if (this.#count >= WRITES_AHEAD_MAX) return false;
    entry.number = this.#base + this.#isOpen.push(true) - 1;
    entry.session = this.name;
    this.#count++;
    return true;
  }

  /** Nobody waits for the answer of its number any more. */
  end({ number, session }: Entry): void {
    const isOpen = this.#isOpen;
    if (number === 0 || session !== this.name || !isOpen[number - this.#base]) return;
    isOpen[number - this.#base] = false;
    this.#count--;
    while (isOpen[this.#first] === false) this.#first++;
    if (this.#first < WRITES_AHEAD_MAX) return;
    this.#isOpen = isOpen.slice(this.#first);
    this.#base += this.#first;
    this.#first = 0;
  }

  /** It is as if it had never been sent. */
  unnumber(entry: Entry): void {
    this.end(entry);
    entry.number = 0;
    entry.session = 0;
  }
}
