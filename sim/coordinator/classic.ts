/**
 * A peer of the json wire, which knows one server, loses it for a reason only: not because
 * another server was lost, or came to lead.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { RELAY_PATIENCE_MS } from "../../server/relay.ts";
import { demand } from "../engine/trace.ts";
import type { ServerBox } from "./box.ts";
import type { CoordinatorWorld } from "./world.ts";

/** One connection of such a peer. */
export class ClassicStay {
  readonly #world: CoordinatorWorld;
  readonly #place: string;
  readonly #box: ServerBox;
  readonly #life: number;
  readonly #cuts: number;
  readonly #sinceMs: Millis;

  constructor(world: CoordinatorWorld, place: string, server: string) {
    this.#world = world;
    this.#place = place;
    this.#box = world.boxes.find((box) => box.place === server)!;
    this.#life = this.#box.lives;
    this.#cuts = world.cutsOf(place);
    this.#sinceMs = world.loop.nowMs;
    world.classics.add(this);
  }

  /** Its server is gone, or hangs up. */
  end(): void {
    const { plan, loop } = this.#world;
    const { server, lives, number, ledMs } = this.#box;
    const isCrash = server === undefined || lives !== this.#life;
    const isCut = this.#world.cutsOf(this.#place) !== this.#cuts;
    // Nobody led for long; or the table takes no jobs, which this wire has no words for.
    const isPatient = loop.nowMs - Math.max(ledMs, this.#sinceMs) < RELAY_PATIENCE_MS;
    const mayEnd = isCrash || isCut || !isPatient || !plan.isDiskCalm;
    demand(mayEnd, () => `server ${number} hung up on ${this.#place}, which is of the json wire`);
    this.#world.classics.delete(this);
  }
}
