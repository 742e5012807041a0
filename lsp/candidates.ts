/**
 * The addresses that a dialer asks: one after the other, each a while after the one before, and all
 * of them until one answers (in the manner of RFC 8305, "Happy Eyeballs"). One that has answered is
 * asked alone, so that no other server makes a connection that nobody wants.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Address } from "./types.ts";

/** RFC 8305, section 5, recommends this time between two attempts. */
const DELAY_MS = 250;
/** One that has answered once and then is silent for so many ticks is no longer asked alone. */
const PATIENCE_TICKS = 2;

/** An address to ask. */
export interface Candidate {
  readonly to: Address;
  /** Whether to send it a Connect now. */
  isDue: boolean;
}

/** See the module. */
export class Candidates {
  readonly #all: Candidate[];
  /** How many of them are asked by now. */
  #joined = 1;
  #nextAtMs: Millis;
  #answering: Candidate | undefined;
  #silentTicks = 0;

  /** Starts with the first of `addresses`. */
  constructor(addresses: readonly Address[], nowMs: Millis) {
    this.#all = addresses.map((to, i) => ({ to, isDue: i === 0 }));
    this.#nextAtMs = nowMs + DELAY_MS;
  }

  /** Whether somebody is to be asked now. */
  get areDue(): boolean {
    return this.#asked.some(({ isDue }) => isDue);
  }

  /** When the next joins in; Infinity for never. */
  get wakeAtMs(): Millis {
    const waits = this.#answering === undefined && this.#joined < this.#all.length;
    return waits ? this.#nextAtMs : Infinity;
  }

  /** The addresses that were asked so far, those that said no left out. */
  get addresses(): Address[] {
    return this.#all.slice(0, this.#joined).map(({ to }) => to);
  }

  /** The next that is to be asked now; it counts as asked. */
  takeDue(): Candidate | undefined {
    const due = this.#asked.find(({ isDue }) => isDue);
    if (due !== undefined) due.isDue = false;
    return due;
  }

  /** Lets the next join in if it is time. */
  handleWake(nowMs: Millis): void {
    if (nowMs >= this.wakeAtMs) this.#join(nowMs);
  }

  /** An epoch is over: ask again. */
  tick(): void {
    if (this.#answering !== undefined && ++this.#silentTicks > PATIENCE_TICKS) {
      this.#answering = undefined;
    }
    for (const candidate of this.#asked) candidate.isDue = true;
  }

  /** `candidate` asks for a cookie: ask it again, with that, and nobody else. */
  noteAnswer(candidate: Candidate): void {
    this.#answering ??= candidate;
    if (this.#answering !== candidate) return;
    this.#silentTicks = 0;
    candidate.isDue = true;
  }

  /** `candidate` said no. False: there is no other. */
  noteRefusal(candidate: Candidate, nowMs: Millis): boolean {
    const at = this.#all.indexOf(candidate);
    if (this.#all.length === 1 || at < 0) return this.#all.length > 1;
    this.#all.splice(at, 1);
    if (at < this.#joined) this.#joined--;
    if (this.#answering === candidate) this.#answering = undefined;
    this.#join(nowMs);
    return true;
  }

  get #asked(): readonly Candidate[] {
    if (this.#answering !== undefined) return [this.#answering];
    return this.#joined === this.#all.length ? this.#all : this.#all.slice(0, this.#joined);
  }

  #join(nowMs: Millis): void {
    this.#nextAtMs = nowMs + DELAY_MS;
    if (this.#joined === this.#all.length) return;
    this.#all[this.#joined]!.isDue = true;
    this.#joined++;
  }
}
