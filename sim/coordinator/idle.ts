/**
 * Holds the threads of the miners to it: while one server leads and has work that nobody has in
 * hand, none of them idles for long, whatever happened before.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { demand } from "../engine/trace.ts";
import type { CoordinatorWorld } from "./world.ts";

/** How often it is looked. */
const LOOK_MS = 50;

/** See the module. */
export class IdleWatch {
  readonly #world: CoordinatorWorld;
  readonly #mostMs: Millis;
  /** Since when a miner idles although it need not. */
  readonly #sinceMs = new Map<string, Millis>();
  #disturbances = 0;
  /** Looks at which a leader had work that nobody had in hand. */
  looks = 0;

  constructor(world: CoordinatorWorld, mostMs: Millis) {
    this.#world = world;
    this.#mostMs = mostMs;
  }

  /** Looks from now on. */
  begin(): void {
    this.#world.loop.after(LOOK_MS, () => {
      this.#look();
      this.begin();
    });
  }

  #look(): void {
    const { loop, miners, disturbances, boxes } = this.#world;
    for (const box of boxes) if (box.isLed) box.ledMs = loop.nowMs;
    if (disturbances !== this.#disturbances || !this.#hasWork()) this.#sinceMs.clear();
    else {
      this.looks++;
      for (const [name, { isIdle }] of miners) {
        if (!isIdle) this.#sinceMs.delete(name);
        else if (!this.#sinceMs.has(name)) this.#sinceMs.set(name, loop.nowMs);
        const forMs = loop.nowMs - (this.#sinceMs.get(name) ?? loop.nowMs);
        demand(forMs <= this.#mostMs, () => `${name} idles for ${forMs} ms while work waits`);
      }
    }
    this.#disturbances = disturbances;
  }

  /** Whether there is one leader, with work that no miner was given. */
  #hasWork(): boolean {
    const { boxes, isAlone } = this.#world;
    const leaders = boxes.filter(({ leads }) => leads);
    // A miner waits for a server that is alone for up to ten seconds.
    if (isAlone || leaders.length !== 1) return false;
    const { jobs } = leaders[0]!.server!.node.snapshot();
    return jobs.some(({ pending }) => pending.length > 0);
  }
}
