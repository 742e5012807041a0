/**
 * What a simulated miner or client has toward its servers: one connection at a time, as
 * peer/uplink_adapter.ts has.
 *
 * @module
 */
import type { Wire } from "../../lsp/mod.ts";
import type { Line, Lines } from "../engine/lines.ts";

/** What it is told, of its newest connection only. */
export interface UplinkEvents {
  connected(wire: Wire): void;
  received(payload: Uint8Array): void;
  gone(): void;
  /** A server says something on it, which may never arrive. */
  overheard?(payload: Uint8Array): void;
}

/** See the module. */
export class SimUplink {
  readonly #lines: Lines<Wire>;
  readonly #place: string;
  readonly #events: UplinkEvents;
  readonly #listenOn: (line: number, hear: (payload: Uint8Array) => void) => void;
  #line: Line | undefined;
  #turn = 0;

  constructor(
    lines: Lines<Wire>,
    place: string,
    events: UplinkEvents,
    listenOn: (line: number, hear: (payload: Uint8Array) => void) => void,
  ) {
    this.#lines = lines;
    this.#place = place;
    this.#events = events;
    this.#listenOn = listenOn;
  }

  dial(server: string, wire: Wire = "cbor"): void {
    this.leave();
    const turn = this.#turn;
    this.#lines.dial(this.#place, server, wire, {
      connected: (line) => {
        if (turn !== this.#turn) return line.hangUp();
        this.#line = line;
        this.#listenOn(line.id, (payload) => this.#events.overheard?.(payload));
        this.#events.connected(wire);
      },
      received: (payload) => {
        if (turn === this.#turn) this.#events.received(payload);
      },
      gone: () => {
        if (turn !== this.#turn) return;
        this.#line = undefined;
        this.#turn++;
        this.#events.gone();
      },
    });
  }

  write(payload: Uint8Array): void {
    this.#line?.say(payload);
  }

  /** Ends the connection, if there is one. */
  leave(): void {
    this.#turn++;
    this.#line?.hangUp();
    this.#line = undefined;
  }
}
