/**
 * Faults planted on purpose, to prove that the harness can fail. None is known to the core: they
 * are committed between it and its connections.
 *
 * @module
 */
import { decodeGreeting, encodeGreeting, Frame } from "../../actors/wire.ts";

/** Faults of systems of actors, and what each breaks. */
export const ACTORS_PLANTS = {
  overtakes: "what was told to another machine overtakes what was told before it",
  "told-twice": "what was told last is told again after a connection was made anew",
  "deaf-watch": "nobody learns that an actor on another machine has stopped",
  "mistaken-life": "a system takes another that was started again for the one before",
} as const;

export type ActorsPlant = keyof typeof ACTORS_PLANTS;

/** What stands between one life of a system and its connections. */
export class Meddler {
  readonly #plant: ActorsPlant | undefined;
  /** A frame of messages that is held back, by connection. */
  readonly #held = new Map<number, Uint8Array>();
  /** The address that each connection that was dialled leads to. */
  readonly #addresses = new Map<number, string>();
  /** The last frame of messages that was written toward an address, and on which connection. */
  readonly #last = new Map<string, { readonly conn: number; readonly payload: Uint8Array }>();
  /** The last life that was seen at each address; the first, where they are mistaken. */
  readonly #lives = new Map<string, number>();

  constructor(plant: ActorsPlant | undefined) {
    this.#plant = plant;
  }

  /** A connection is dialled. */
  dialled(conn: number, address: string): void {
    this.#addresses.set(conn, address);
  }

  /** What is written instead of a payload, in order. */
  writes(conn: number, payload: Uint8Array): readonly Uint8Array[] {
    const kind = payload[0];
    if (this.#plant === "deaf-watch" && kind === Frame.gone) return [];
    if (kind !== Frame.tells) return [payload];
    if (this.#plant === "overtakes") return this.#swap(conn, payload);
    return this.#plant === "told-twice" ? this.#repeat(conn, payload) : [payload];
  }

  /** What is read instead of a payload. */
  reads(conn: number, payload: Uint8Array): Uint8Array {
    const greeting = conn % 2 === 1 ? decodeGreeting(payload) : "";
    if (typeof greeting === "string") return payload;
    const { address, incarnation } = greeting;
    const known = this.#lives.get(address);
    if (this.#plant === "mistaken-life" && known !== undefined) {
      return encodeGreeting({ ...greeting, incarnation: known });
    }
    this.#lives.set(address, incarnation);
    // What another life was told would be lost on this one.
    if (known !== incarnation) this.#last.delete(address);
    return payload;
  }

  #swap(conn: number, payload: Uint8Array): readonly Uint8Array[] {
    const held = this.#held.get(conn);
    this.#held.delete(conn);
    if (held !== undefined) return [payload, held];
    this.#held.set(conn, payload);
    return [];
  }

  #repeat(conn: number, payload: Uint8Array): readonly Uint8Array[] {
    const address = this.#addresses.get(conn)!;
    const last = this.#last.get(address);
    this.#last.set(address, { conn, payload });
    const isAnew = last !== undefined && last.conn !== conn;
    return isAnew ? [last.payload, payload] : [payload];
  }
}
