/**
 * Miners of the cbor wire that have just joined: while work waits, they get some of it before long,
 * although nobody knows yet what they can do.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { ServerSnapshot } from "../../server/snapshot.ts";
import { DEFAULT_FLEET_LIMITS } from "../../work/limits.ts";
import type { Loop } from "../engine/loop.ts";
import { demand } from "../engine/trace.ts";

/**
 * A job that is nearly done lends itself to one new miner at a time: others wait until that one
 * shows something, or is late. So each that is new as well may cost so much.
 */
const EACH_MS: Millis = DEFAULT_FLEET_LIMITS.lateMs + DEFAULT_FLEET_LIMITS.tickMs;

/** The newcomers of one life of a server. */
export class Newcomers {
  readonly #loop: Loop;
  /** When each has joined. */
  readonly #joinedMs = new Map<number, Millis>();
  /** Since when work has been waiting without a break. */
  #waitingMs: Millis | undefined;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** The server has read its Join. */
  joined(connId: number): void {
    if (!this.#joinedMs.has(connId)) this.#joinedMs.set(connId, this.#loop.nowMs);
  }

  /** It has got work, or is gone. */
  settled(connId: number): void {
    this.#joinedMs.delete(connId);
  }

  /** After every event. */
  check({ jobs, miners }: ServerSnapshot): void {
    const { nowMs } = this.#loop;
    const isWaiting = jobs.some((job) => job.pending.length > 0);
    this.#waitingMs = isWaiting ? (this.#waitingMs ?? nowMs) : undefined;
    if (this.#waitingMs === undefined) return;
    const unproven = miners.filter(({ standing }) => standing !== "proven").length;
    const mostMs = EACH_MS * (1 + Math.max(1, unproven));
    for (const [connId, joinedMs] of this.#joinedMs) {
      const idleMs = nowMs - Math.max(joinedMs, this.#waitingMs);
      demand(
        idleMs <= mostMs,
        () => `miner ${connId} has joined, and idles for ${idleMs.toFixed(0)} ms while work waits`,
      );
    }
  }
}
