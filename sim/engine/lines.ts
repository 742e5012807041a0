/**
 * Connections as those have them who speak over LSP: what is said on one arrives in order and once,
 * while it lasts. Where the way is cut, in one direction or both, what is said waits; an end that
 * hears nothing for long gives its line up, and then the other one hears nothing. LSP itself is
 * simulated under its own faults elsewhere (sim/lsp, sim/fleet).
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import type { Loop } from "./loop.ts";

/** What lines are like. Shares are probabilities a message. */
export interface LineFaults {
  readonly latencyMs: Millis;
  /** Every message takes up to this much more, and none overtakes another. */
  readonly jitterMs: Millis;
  /** Messages that are lost, and come when LSP sends them again, up to `resendMs` later. */
  readonly lossShare: number;
  readonly resendMs: Millis;
  /** Messages at which the line breaks instead: both ends learn of it soon. */
  readonly breakShare: number;
  /** An end that has heard nothing for so long gives its line up. */
  readonly silenceMs: Millis;
  /** A dial that nobody takes fails after this. */
  readonly refusalMs: Millis;
}

/** Lines that only take their time. */
export function calmLines(latencyMs: Millis, silenceMs: Millis): LineFaults {
  const faults = { latencyMs, jitterMs: 0, lossShare: 0, resendMs: 0, breakShare: 0 };
  return { ...faults, silenceMs, refusalMs: silenceMs };
}

/** What an end of a line is told. */
export interface LineEnd {
  received(payload: Uint8Array): void;
  /** The line is over; once. Also told to the end that hung up, when the other one knows. */
  gone(): void;
}

/** An end that dials: it is told of its line before anything else, or only that it is gone. */
export interface Dialler extends LineEnd {
  connected(line: Line): void;
}

/** What an end does with its line. */
export interface Line {
  /** The same at both ends, and no other line's. */
  readonly id: number;
  say(payload: Uint8Array): void;
  /** Ends it, behind what was said. */
  hangUp(): void;
  /** Forgets it without a word: the other end learns of it from silence, this one nothing more. */
  drop(): void;
}

/** Takes a line in at a place, with what the dialler notes; undefined: it is refused. */
export type Accept<Note> = (line: Line, note: Note) => LineEnd | undefined;

/** What is made of lines. */
export interface LinesOptions {
  readonly loop: Loop;
  /** Needed where `faults` leave something to chance. */
  readonly random?: Random;
  readonly faults: LineFaults;
  /** Told when an end learns of a cut: its line is gone. */
  readonly onSilence?: () => void;
}

/** Nothing passes from one place to another. */
interface Cut {
  untilMs: Millis;
  /** What arrives when it is over, in order. */
  readonly held: (() => void)[];
}

/** One end of a line: what it does. */
class Side implements Line {
  readonly id: number;
  readonly place: string;
  other!: Side;
  end!: LineEnd;
  /** When what was said last arrives at the other side. */
  lastMs: Millis = 0;
  /** Whether it takes the line for open, and says and hears something on it. */
  isOpen = true;
  /** Whether the line has broken: nothing that is said now arrives. */
  isBroken = false;
  readonly #lines: Pick<Lines<never>, "say" | "hangUp" | "drop">;

  constructor(lines: Pick<Lines<never>, "say" | "hangUp" | "drop">, id: number, place: string) {
    this.#lines = lines;
    this.id = id;
    this.place = place;
  }

  say(payload: Uint8Array): void {
    this.#lines.say(this, payload);
  }

  hangUp(): void {
    this.#lines.hangUp(this);
  }

  drop(): void {
    this.#lines.drop(this);
  }

  tellGone(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.end.gone();
  }
}

/** All lines between places, by name; `Note` is what a dialler lets the other end know. */
export class Lines<Note> {
  faults: LineFaults;
  readonly #loop: Loop;
  readonly #random: Random | undefined;
  readonly #onSilence: () => void;
  readonly #accepting = new Map<string, Accept<Note>>();
  /** The dialler's side of each. */
  readonly #sides = new Set<Side>();
  /** By `from>to`. */
  readonly #cuts = new Map<string, Cut>();
  #lastId = 0;

  constructor({ loop, random, faults, onSilence = () => {} }: LinesOptions) {
    this.#loop = loop;
    this.#random = random;
    this.faults = faults;
    this.#onSilence = onSilence;
  }

  /** From now on `accept` is asked at a place. */
  listen(place: string, accept: Accept<Note>): void {
    this.#accepting.set(place, accept);
  }

  /** Nothing passes from one place to another, for a while or until it is healed. */
  cut(from: string, to: string, forMs: Millis = Infinity): void {
    const untilMs = this.#loop.nowMs + forMs;
    const key = `${from}>${to}`;
    const known = this.#cuts.get(key);
    const cut: Cut = known ?? { untilMs, held: [] };
    cut.untilMs = Math.max(cut.untilMs, untilMs);
    this.#cuts.set(key, cut);
    if (untilMs < Infinity) {
      this.#loop.at(untilMs, () => {
        if (this.#cuts.get(key) === cut && cut.untilMs <= this.#loop.nowMs) this.#mend(key, cut);
      });
    }
    if (known !== undefined) return;
    this.#loop.after(this.faults.silenceMs, () => {
      if (this.#cuts.get(key) !== cut) return;
      for (const one of this.#sides) {
        for (const side of [one, one.other]) {
          if (side.place === to && side.other.place === from) this.#giveUp(side);
        }
      }
    });
  }

  /** Nothing is cut any more: what was held back arrives. */
  heal(): void {
    for (const [key, cut] of this.#cuts) this.#mend(key, cut);
  }

  /** Whether anything is cut. */
  get areCut(): boolean {
    return this.#cuts.size > 0;
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`);
  }

  /** Connects; `dialler` is told `connected`, or `gone`. */
  dial(from: string, to: string, note: Note, dialler: Dialler): void {
    this.#loop.after(2 * this.#delayMs(), () => {
      const accept = this.#accepting.get(to);
      const isReached = !this.isCut(from, to) && !this.isCut(to, from);
      const id = ++this.#lastId;
      const [near, far] = [new Side(this, id, from), new Side(this, id, to)];
      [near.other, far.other] = [far, near];
      const end = isReached ? accept?.(far, note) : undefined;
      if (end === undefined) return this.#loop.after(this.faults.refusalMs, () => dialler.gone());
      [near.end, far.end] = [dialler, end];
      this.#sides.add(near);
      dialler.connected(near);
    });
  }

  /** All that were there are gone at once, and nobody listens there. */
  crash(place: string): void {
    this.#accepting.delete(place);
    for (const one of this.#sides) {
      if (one.place === place) this.drop(one);
      else if (one.other.place === place) this.drop(one.other);
    }
  }

  /** See {@link Line}; as the next two. */
  say(from: Side, payload: Uint8Array): void {
    if (!from.isOpen || from.isBroken) return;
    const { breakShare } = this.faults;
    if (breakShare > 0 && chance(this.#random!, breakShare)) return this.#break(from);
    const { other } = from;
    this.#arrive(from, () => {
      if (other.isOpen) other.end.received(payload);
    });
  }

  hangUp(from: Side): void {
    if (!from.isOpen || from.isBroken) return;
    const { other } = from;
    this.#arrive(from, () => {
      this.#forget(from);
      other.tellGone();
      from.tellGone();
    });
  }

  drop(from: Side): void {
    if (!from.isOpen) return;
    from.isOpen = false;
    this.#forget(from);
    this.#loop.after(this.faults.silenceMs, () => from.other.tellGone());
  }

  #break(from: Side): void {
    this.#forget(from);
    for (const side of [from, from.other]) {
      side.isBroken = true;
      this.#loop.after(this.#delayMs(), () => side.tellGone());
    }
  }

  #forget(side: Side): void {
    this.#sides.delete(side);
    this.#sides.delete(side.other);
  }

  #mend(key: string, cut: Cut): void {
    this.#cuts.delete(key);
    for (const arrive of cut.held) arrive();
  }

  #delayMs(): Millis {
    const { latencyMs, jitterMs, lossShare, resendMs } = this.faults;
    let delayMs = latencyMs;
    if (jitterMs > 0) delayMs += unitReal(this.#random!) * jitterMs;
    if (lossShare > 0 && chance(this.#random!, lossShare)) {
      delayMs += unitReal(this.#random!) * resendMs;
    }
    return delayMs;
  }

  /** Lets something happen when what `from` says now is at the other side: behind a cut, later. */
  #arrive(from: Side, happen: () => void): void {
    from.lastMs = Math.max(from.lastMs, this.#loop.nowMs + this.#delayMs());
    this.#loop.at(from.lastMs, () => {
      if (this.#cuts.size === 0) return happen();
      const cut = this.#cuts.get(`${from.place}>${from.other.place}`);
      if (cut === undefined) return happen();
      cut.held.push(() => {
        if (from.isOpen) happen();
      });
    });
  }

  /** A side has heard nothing for long: it says nothing more, so that the other one knows later. */
  #giveUp(deaf: Side): void {
    if (!deaf.isOpen) return;
    this.#onSilence();
    deaf.tellGone();
    const { other } = deaf;
    this.#loop.after(this.faults.silenceMs, () => {
      this.#forget(deaf);
      if (other.isOpen) this.#onSilence();
      other.tellGone();
    });
  }
}
