/**
 * Which server a client talks to: one at a time, the leader if it is known; the next when that is
 * gone, silent, or leads no more.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import { earlier, type Millis } from "../base/machine.ts";
import { integerBetween, type Random } from "../base/random.ts";
import { TROUBLES } from "./client_entry.ts";
import type { Denial } from "./messages.ts";

/** Waits between two attempts. The longest is short: the next leader is there within a second. */
const WAIT_MS_MIN: Millis = 20;
const WAIT_MS_MAX: Millis = 400;
/** A server that owes an answer and says nothing for this long is left. */
export const SILENCE_MS: Millis = 2000;
/**
 * A dial that takes longer is given up: the next server may be there. Where none answers so soon,
 * they get twice the time whenever all have been tried twice.
 */
const DIAL_MS_MIN: Millis = 400;
const DIAL_MS_MAX: Millis = 2000;
/** A server that was not there is not tried before others for this long. */
const AVOIDED_MS: Millis = 1500;
/** Nor at all when another says that it leads: it takes others so long to know that it is gone. */
const DISBELIEVED_MS: Millis = 500;

/** What a link asks for. */
export type LinkEffect =
  { readonly kind: "dial"; readonly server: string } | { readonly kind: "hangUp" };

/** See the module. */
export class ClientLink {
  readonly #servers: readonly string[];
  readonly #push: (effect: LinkEffect) => void;
  readonly #backoff: Backoff;
  #at: number;
  #server = "";
  #state: "down" | "dialing" | "up" = "down";
  #trouble = "";
  /** Whom the last denial named. */
  #hint = "";
  #dialAtMs: Millis = -Infinity;
  /** Servers that were not there, or went silent, and when. */
  readonly #failedMs = new Map<string, Millis>();
  /** Dials, one after the other, that led to nothing. */
  #failures = 0;
  /** Nothing is sent until then. */
  #holdUntilMs: Millis = -Infinity;
  /** Since when the server owes something. */
  #heardAtMs: Millis = 0;

  constructor(servers: readonly string[], random: Random, push: (effect: LinkEffect) => void) {
    this.#servers = servers;
    this.#push = push;
    this.#backoff = new Backoff(WAIT_MS_MIN, WAIT_MS_MAX, random);
    this.#at = integerBetween(random, 0, servers.length - 1);
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** The server that it talks to, or last did. */
  get server(): string {
    return this.#server;
  }

  /** Whether requests may be sent now. */
  canSend(nowMs: Millis): boolean {
    return this.isUp && nowMs >= this.#holdUntilMs;
  }

  /** There is something to send, or to wait for. `isOwed`: an answer is due. */
  need(isOwed: boolean, nowMs: Millis): void {
    if (this.#state === "down" && nowMs >= this.#dialAtMs) return this.#dial(nowMs);
    // Compared as wakeAtMs adds: differences of such numbers are rounded.
    if (this.#state === "dialing") {
      if (nowMs >= this.#dialUntilMs) this.leave(nowMs);
      return;
    }
    if (!this.isUp) return;
    if (nowMs >= this.#holdUntilMs) this.#holdUntilMs = -Infinity;
    if (!isOwed) this.#heardAtMs = nowMs;
    if (nowMs >= this.#heardAtMs + SILENCE_MS) this.leave(nowMs);
  }

  /** When `need` should be called again. */
  wakeAtMs(): Millis | undefined {
    if (this.#state === "down") return this.#dialAtMs;
    if (this.#state === "dialing") return this.#dialUntilMs;
    const silentAtMs = this.#heardAtMs + SILENCE_MS;
    return earlier(silentAtMs, this.#holdUntilMs === -Infinity ? undefined : this.#holdUntilMs);
  }

  connected(nowMs: Millis): void {
    this.#state = "up";
    this.#failures = 0;
    this.#failedMs.delete(this.#server);
    this.#heardAtMs = nowMs;
    this.#holdUntilMs = -Infinity;
  }

  /** Something came. */
  heard(nowMs: Millis): void {
    this.#heardAtMs = nowMs;
  }

  /** The server did not do something, for a reason that may be worth telling. */
  denied(why: Denial): void {
    const trouble = TROUBLES[why];
    if (trouble !== undefined) this.#trouble = `${this.#server} ${trouble}`;
  }

  /** Why a server did not do what it was last asked, for people; "" when it did. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Something was done: all is well. */
  wentWell(): void {
    this.#trouble = "";
    this.#backoff.reset();
    this.#hint = "";
  }

  /** The connection is gone, or was never there: the next server, a little later. */
  gone(nowMs: Millis): void {
    if (this.#state === "down") return;
    if (this.#state === "dialing") this.#failures++;
    for (const [server, atMs] of this.#failedMs) {
      if (nowMs >= atMs + AVOIDED_MS) this.#failedMs.delete(server);
    }
    this.#failedMs.set(this.#server, nowMs);
    this.#next(nowMs);
  }

  /** The server is of no use: it goes on with another. */
  leave(nowMs: Millis): void {
    this.#push({ kind: "hangUp" });
    this.gone(nowMs);
  }

  /** The server says that another leads, at `leader`, or that it knows of none. */
  misled(leader: string, nowMs: Millis): void {
    this.#push({ kind: "hangUp" });
    // A leader that is gone is named until there is another.
    const isGone = this.#hasFailed(leader, DISBELIEVED_MS, nowMs);
    if (leader === "" || leader === this.#server || isGone) return this.#next(nowMs);
    // Two servers that name each other are asked ever more slowly.
    const isNew = this.#hint !== leader;
    this.#state = "down";
    this.#hint = leader;
    this.#dialAtMs = isNew ? nowMs : nowMs + this.#backoff.next();
  }

  /** What was denied is sent again a little later. */
  hold(nowMs: Millis): void {
    if (this.#holdUntilMs > nowMs) return;
    this.#holdUntilMs = nowMs + this.#backoff.next();
  }

  get #dialUntilMs(): Millis {
    const rounds = Math.floor(this.#failures / (2 * this.#servers.length));
    return this.#heardAtMs + Math.min(DIAL_MS_MAX, DIAL_MS_MIN * 2 ** rounds);
  }

  /** Whether a server was not there within the last `forMs`. */
  #hasFailed(server: string, forMs: Millis, nowMs: Millis): boolean {
    const failedMs = this.#failedMs.get(server);
    return failedMs !== undefined && nowMs < failedMs + forMs;
  }

  /** The next server, a little later. */
  #next(nowMs: Millis): void {
    this.#state = "down";
    this.#hint = "";
    this.#at++;
    this.#dialAtMs = nowMs + this.#backoff.next();
  }

  #dial(nowMs: Millis): void {
    this.#state = "dialing";
    this.#heardAtMs = nowMs;
    const servers = this.#servers;
    for (let i = 1; i < servers.length; i++) {
      if (!this.#hasFailed(servers[this.#at % servers.length]!, AVOIDED_MS, nowMs)) break;
      this.#at++;
    }
    this.#server = this.#hint === "" ? servers[this.#at % servers.length]! : this.#hint;
    this.#push({ kind: "dial", server: this.#server });
  }
}
