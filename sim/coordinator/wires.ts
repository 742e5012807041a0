/**
 * Connections of the coordinator's simulation: ordered, with a delay, lost when an end crashes or
 * the way between the two is cut, in one direction or both. LSP under faults is simulated elsewhere
 * (sim/lsp, sim/fleet).
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
}

/** A connection. */
export interface Line {
  readonly id: number;
  readonly wire: Wire;
  readonly sides: readonly [Side, Side];
  isOpen: boolean;
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
  /** `from>to`: until when nothing passes. */
  readonly #cuts = new Map<string, Millis>();
  #lastLine = 0;

  /** `silenceMs`: how soon an end knows that the other is silent. */
  constructor(loop: Loop, latencyMs: Millis, silenceMs: Millis) {
    this.#loop = loop;
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
    this.#cuts.set(`${from}>${to}`, this.#loop.nowMs + forMs);
  }

  heal(): void {
    this.#cuts.clear();
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(`${from}>${to}`) ?? 0) > this.#loop.nowMs;
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
        { place: from, end: dialler, lastMs },
        { place: to, end, lastMs },
      ],
      isOpen: true,
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
      if (at >= 0) this.#silence(line, line.sides[1 - at]!.end);
    }
  }

  #say(line: Line, by: 0 | 1, payload: Uint8Array): void {
    if (!line.isOpen) return;
    const [from, to] = [line.sides[by], line.sides[1 - by]!];
    from.lastMs = Math.max(from.lastMs, this.#loop.nowMs + this.#latencyMs);
    this.#loop.at(from.lastMs, () => {
      if (!line.isOpen) return;
      if (!this.isCut(from.place, to.place)) return to.end.received(payload);
      // It would be sent again, but the silence of the cut ends the connection.
      this.#silence(line, from.end, to.end);
    });
  }

  #hangUp(line: Line, by: 0 | 1): void {
    if (!line.isOpen) return;
    const [from, to] = [line.sides[by], line.sides[1 - by]!];
    const atMs = Math.max(from.lastMs, this.#loop.nowMs + this.#latencyMs);
    this.#loop.at(atMs, () => {
      if (!line.isOpen) return;
      this.#end(line);
      to.end.gone();
      from.end.gone();
    });
  }

  /** Nothing passes any more; some know that after a while. */
  #silence(line: Line, ...told: End[]): void {
    if (!line.isOpen) return;
    this.#end(line);
    this.#loop.after(this.#silenceMs, () => told.forEach((end) => end.gone()));
  }

  #end(line: Line): void {
    line.isOpen = false;
    this.#lines.delete(line);
  }
}
