/**
 * Where the client of a job has its server: one, or, of several, the leader; and when it comes back
 * to it after the connection was lost.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { ServerRing } from "../base/server_ring.ts";
import type { Servers } from "../work/server_messages.ts";
import { REDIAL_MS } from "./limits.ts";

/** What it asks for. */
export type HomeEffect =
  /** Connects anew: to `server`, one of several if `isCluster`; "": to that of before. */
  | { readonly kind: "redial"; readonly server: string; readonly isCluster: boolean }
  | { readonly kind: "note"; readonly text: string };

/** See the module. */
export class Home {
  readonly #ring: ServerRing;
  readonly #push: (effect: HomeEffect) => void;
  /** Whether a server was there; whether one had the job. */
  #wasConnected = false;
  #hadJob = false;
  /** Whether it was said that the server is gone. */
  #hasSaid = false;
  /** When to dial again. */
  wakeAtMs: Millis | undefined;

  /** `ring` is empty where there is one server, which the owner knows. */
  constructor(ring: ServerRing | undefined, push: (effect: HomeEffect) => void) {
    this.#ring = ring ?? new ServerRing([], () => 0);
    this.#push = push;
  }

  connected(): void {
    this.#wasConnected = true;
    if (!this.#ring.isCluster) this.#hasSaid = false;
  }

  /** The server has the job. */
  arrived(): void {
    this.#hadJob = true;
    this.#hasSaid = false;
    this.#ring.arrived();
  }

  wake(nowMs: Millis): void {
    if (this.wakeAtMs !== undefined && nowMs >= this.wakeAtMs) this.#dial();
  }

  /** A server says who leads. What follows if it is not that one: see {@link lost}. */
  heard({ leads, leader, servers }: Servers, nowMs: Millis): string | undefined {
    this.#ring.learn(servers);
    if (leads) return undefined;
    const where = leader === "" ? "none is known to" : `the one at ${leader} does`;
    return this.lost(`the server does not lead: ${where}`, leader, nowMs);
  }

  /**
   * The connection is lost, or is of no use; `leader`: where the server said that the leader is, if
   * it spoke. Gives the reason where nobody was ever there: there is nothing to come back to.
   */
  lost(reason: string, leader: string | undefined, nowMs: Millis): string | undefined {
    // It was told to go elsewhere, and waits for that.
    if (this.wakeAtMs !== undefined) return undefined;
    const { isCluster } = this.#ring;
    const waitMs = isCluster ? this.#ring.lost(leader) : REDIAL_MS;
    const isFutile = isCluster ? waitMs > 0 && !this.#wasConnected : !this.#hadJob;
    if (isFutile) return reason;
    if (!this.#hasSaid && (waitMs > 0 || leader === undefined)) {
      this.#hasSaid = true;
      this.#push({ kind: "note", text: `${reason}; trying again until it is back` });
    }
    if (waitMs === 0) this.#dial();
    else this.wakeAtMs = nowMs + waitMs;
    return undefined;
  }

  #dial(): void {
    this.wakeAtMs = undefined;
    const { current: server, isCluster } = this.#ring;
    this.#push({ kind: "redial", server, isCluster });
  }
}
