/**
 * What a player notices of the others: who comes and goes, rises and speaks. It is gathered from
 * changes in the store; nothing depends on it.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { oneLine } from "../base/text.ts";
import { HERE, ownerOf, PLACE, rankLeft, readPlace, readSaid, RISEN, SAID } from "./keys.ts";
import { FIRST_PLACE, type Place } from "./rules.ts";
import type { GameEvent, MudInput } from "./types.ts";

/** Who has not said for so long that they are here is gone. */
export const GONE_MS: Millis = 70_000;
/** Players that are kept in mind; of more than these less is noticed. */
export const PLAYERS_MAX = 10_000;

interface Neighbour {
  /** When it was last heard that they are here; undefined when gone. */
  heardMs: Millis | undefined;
  place: Place | undefined;
}

/** The others, as far as this client has noticed them. */
export class Neighbourhood {
  readonly #self: string;
  readonly #tell: (event: GameEvent) => void;
  readonly #others = new Map<string, Neighbour>();
  #place: Place = FIRST_PLACE;
  #nextLookMs: Millis | undefined;
  /** Nothing is told of what is no news. */
  #isOld = false;

  constructor(self: string, tell: (event: GameEvent) => void) {
    this.#self = self;
    this.#tell = (event) => {
      if (!this.#isOld) tell(event);
    };
  }

  /** Where the player is. */
  stand(place: Place): void {
    this.#place = place;
  }

  /** Whether somebody was here, and has not been heard of for too long. */
  isGone(name: string): boolean {
    const other = this.#others.get(name);
    return other !== undefined && other.heardMs === undefined;
  }

  wakeAtMs(): Millis | undefined {
    return this.#nextLookMs;
  }

  /** A register that is watched has changed, or is what it has been for a while. */
  changed(
    { key, value, isOld = false }: Extract<MudInput, { readonly kind: "changed" }>,
    nowMs: Millis,
  ): void {
    this.#isOld = isOld;
    const prefix = [HERE, PLACE, RISEN, SAID].find((one) => key.startsWith(one));
    const name = prefix === undefined ? undefined : ownerOf(key, prefix);
    if (prefix === undefined || name === undefined) return;
    if (name === this.#self) {
      // Also from the same player's other client.
      if (prefix === PLACE) this.#place = readPlace(value) ?? this.#place;
      return;
    }
    const other = this.#other(name);
    if (other === undefined) return;
    if (prefix === HERE) this.#heard(name, other, value !== undefined, nowMs);
    else if (prefix === PLACE) this.#moved(name, other, readPlace(value));
    else if (prefix === RISEN) this.#rose(name, key, value);
    else this.#said(name, value);
  }

  /** Tells who has been silent for too long by now. */
  pass(nowMs: Millis): void {
    if (this.#nextLookMs === undefined || nowMs < this.#nextLookMs) return;
    this.#nextLookMs = undefined;
    this.#isOld = false;
    for (const [name, other] of this.#others) {
      if (other.heardMs === undefined) continue;
      if (nowMs >= other.heardMs + GONE_MS) this.#heard(name, other, false, nowMs);
      else this.#lookAt(other.heardMs + GONE_MS);
    }
  }

  #lookAt(atMs: Millis): void {
    if (this.#nextLookMs === undefined || atMs < this.#nextLookMs) this.#nextLookMs = atMs;
  }

  #other(name: string): Neighbour | undefined {
    let other = this.#others.get(name);
    if (other === undefined && this.#others.size < PLAYERS_MAX) {
      other = { heardMs: undefined, place: undefined };
      this.#others.set(name, other);
    }
    return other;
  }

  #heard(name: string, other: Neighbour, isHere: boolean, nowMs: Millis): void {
    const wasHere = other.heardMs !== undefined;
    other.heardMs = isHere ? nowMs : undefined;
    if (isHere) this.#lookAt(nowMs + GONE_MS);
    if (isHere !== wasHere) this.#tell({ kind: isHere ? "joined" : "left", name });
  }

  #moved(name: string, other: Neighbour, place: Place | undefined): void {
    const before = other.place;
    other.place = place;
    if (before === place || other.heardMs === undefined) return;
    if (place === this.#place) this.#tell({ kind: "came", name });
    else if (before === this.#place) this.#tell({ kind: "went", name });
  }

  #rose(name: string, key: string, value: string | undefined): void {
    const rank = rankLeft(key);
    if (rank !== undefined && value !== undefined)
      this.#tell({ kind: "rose", name, rank: rank + 1 });
  }

  #said(name: string, value: string | undefined): void {
    const said = readSaid(value);
    if (said === undefined || said.place !== this.#place) return;
    const text = oneLine(said.text);
    if (text !== "") this.#tell({ kind: "said", name, text });
  }
}
