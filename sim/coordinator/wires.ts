/**
 * Connections of the coordinator's simulation: ordered, with a delay, lost when an end crashes or
 * the way between the two is cut for long, in one direction or both: the end that hears nothing
 * knows first, and the other one later, as that falls silent. LSP under faults is simulated
 * elsewhere (sim/lsp, sim/fleet).
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Wire } from "../../lsp/mod.ts";
import type { Loop } from "../engine/loop.ts";

/** What an end of a line is told. */
export interface End {
  received(payload: Uint8Array): void;
  gone(): void;
}

/** One end that dials: it learns its line before anything else. */
export interface Dialler extends End {
  connected(line: Line): void;
}

interface Side {
  readonly place: string;
  readonly end: End;
  /** When what was said last arrives at the other side. */
  lastMs: Millis;
  /** Whether it takes the line for open, and says and hears something on it. */
  isOpen: boolean;
}

/** A connection. */
export interface Line {
  readonly id: number;
  readonly wire: Wire;
  readonly sides: readonly [Side, Side];
}

/** Nothing passes from one place to another. */
interface Cut {
  readonly sinceMs: Millis;
  untilMs: Millis;
  /** What arrives when it is over, in order. */
  readonly held: (() => void)[];
}

/** Takes a line in at a place; undefined: nobody is there. */
export type Accept = (line: number, wire: Wire, answer: LineEnd) => End | undefined;

/** What the one that was dialled does with its line. */
export interface LineEnd {
  say(payload: Uint8Array): void;
  hangUp(): void;
}

/** See the module. */
export class Wires {
  readonly #loop: Loop;
  readonly #latencyMs: Millis;
  readonly #silenceMs: Millis;
  readonly #accepting = new Map<string, Accept>();
  readonly #lines = new Set<Line>();
  /** By `from>to`. */
  readonly #cuts = new Map<string, Cut>();
  /** Told when an end learns of a cut: its line is gone. */
  readonly #onSilence: () => void;
  #lastLine = 0;

  /** `silenceMs`: how soon an end knows that the other is silent. */
  constructor(loop: Loop, latencyMs: Millis, silenceMs: Millis, onSilence: () => void) {
    this.#loop = loop;
    this.#onSilence = onSilence;
    this.#latencyMs = latencyMs;
    this.#silenceMs = silenceMs;
  }

  /** Somebody listens at a place, or nobody any more. */
  listen(place: string, accept: Accept | undefined): void {
    if (accept === undefined) this.#accepting.delete(place);
    else this.#accepting.set(place, accept);
  }

  /** Nothing passes from one place to another for a while. */
  cut(from: string, to: string, forMs: Millis): void {
    const untilMs = this.#loop.nowMs + forMs;
    const key = `${from}>${to}`;
    const known = this.#cuts.get(key);
    const cut: Cut = known ?? { sinceMs: this.#loop.nowMs, untilMs, held: [] };
    cut.untilMs = Math.max(cut.untilMs, untilMs);
    this.#cuts.set(key, cut);
    this.#loop.at(untilMs, () => {
      if (this.#cuts.get(key) === cut && cut.untilMs <= this.#loop.nowMs) this.#mend(key, cut);
    });
    if (known !== undefined) return;
    this.#loop.after(this.#silenceMs, () => {
      if (this.#cuts.get(key) !== cut) return;
      for (const line of this.#lines) {
        const deaf = line.sides.find((side) => side.place === to);
        if (line.sides.some((side) => side.place === from)) this.#lose(line, deaf);
      }
    });
  }

  heal(): void {
    for (const [key, cut] of this.#cuts) this.#mend(key, cut);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  #mend(key: string, cut: Cut): void {
    this.#cuts.delete(key);
    for (const arrive of cut.held) arrive();
  }

  /** Connects; `dialler` is told `connected`, or `gone`. */
  dial(from: string, to: string, wire: Wire, dialler: Dialler): void {
    this.#loop.after(2 * this.#latencyMs, () => {
      const line = this.#open(from, to, wire, dialler);
      if (line === undefined) this.#loop.after(this.#silenceMs, () => dialler.gone());
      else dialler.connected(line);
    });
  }

  #open(from: string, to: string, wire: Wire, dialler: Dialler): Line | undefined {
    const accept = this.#accepting.get(to);
    if (accept === undefined || this.isCut(from, to) || this.isCut(to, from)) return undefined;
    const id = ++this.#lastLine;
    const holder: { line?: Line } = {};
    const end = accept(id, wire, {
      say: (payload) => this.#say(holder.line!, 1, payload),
      hangUp: () => this.#hangUp(holder.line!, 1),
    });
    if (end === undefined) return undefined;
    const lastMs = this.#loop.nowMs;
    const line: Line = {
      id,
      wire,
      sides: [
        { place: from, end: dialler, lastMs, isOpen: true },
        { place: to, end, lastMs, isOpen: true },
      ],
    };
    holder.line = line;
    this.#lines.add(line);
    return line;
  }

  /** The one that dialled says something. */
  say(line: Line, payload: Uint8Array): void {
    this.#say(line, 0, payload);
  }

  /** The one that dialled ends the line, behind what it said. */
  hangUp(line: Line): void {
    this.#hangUp(line, 0);
  }

  /** All that were there are gone at once. */
  crash(place: string): void {
    this.#accepting.delete(place);
    for (const line of this.#lines) {
      const at = line.sides.findIndex((side) => side.place === place);
      if (at < 0) continue;
      const [dead, other] = [line.sides[at]!, line.sides[1 - at]!];
      dead.isOpen = false;
      this.#lines.delete(line);
      this.#loop.after(this.#silenceMs, () => this.#fallSilent(other));
    }
  }

  #say(line: Line, by: 0 | 1, payload: Uint8Array): void {
    const [from, to] = [line.sides[by], line.sides[1 - by]!];
    if (!from.isOpen) return;
    this.#arrive(from, to, () => {
      if (to.isOpen) to.end.received(payload);
    });
  }

  #hangUp(line: Line, by: 0 | 1): void {
    const [from, to] = [line.sides[by], line.sides[1 - by]!];
    if (!from.isOpen) return;
    this.#arrive(from, to, () => {
      if (!from.isOpen && !to.isOpen) return;
      this.#lines.delete(line);
      for (const side of [to, from]) {
        if (!side.isOpen) continue;
        side.isOpen = false;
        side.end.gone();
      }
    });
  }

  /** Lets something happen when what `from` says now is at `to`: sent again behind a cut. */
  #arrive(from: Side, to: Side, happen: () => void): void {
    from.lastMs = Math.max(from.lastMs, this.#loop.nowMs + this.#latencyMs);
    this.#loop.at(from.lastMs, () => {
      const cut = this.#cuts.get(`${from.place}>${to.place}`);
      if (cut === undefined) return happen();
      cut.held.push(() => {
        if (from.isOpen) happen();
      });
    });
  }

  /** A side has heard nothing for long: it says nothing more, so that the other one knows later. */
  #lose(line: Line, deaf: Side | undefined): void {
    if (deaf === undefined || !deaf.isOpen) return;
    this.#onSilence();
    this.#fallSilent(deaf);
    const other = line.sides.find((side) => side !== deaf)!;
    this.#loop.after(this.#silenceMs, () => {
      this.#lines.delete(line);
      if (other.isOpen) this.#onSilence();
      this.#fallSilent(other);
    });
  }

  #fallSilent(side: Side): void {
    if (!side.isOpen) return;
    side.isOpen = false;
    side.end.gone();
  }
}
