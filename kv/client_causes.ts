/**
 * Why asking again will not help, as far as a client can know: servers without space, servers of
 * other versions, and servers that do not understand what they are asked. Only what lasts counts:
 * another server may lead the next moment, and one that hangs up may be about to be restarted.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Cause, Gone } from "./client_types.ts";

/** Servers that have no space for so long, where no other does it either, are the end of a call. */
export const NO_SPACE_MS: Millis = 1500;
/** Reports of no space that lie further apart than this are of different times. */
const NO_SPACE_GAP_MS: Millis = 5000;
/** A server that was misunderstood so often in a row, or misunderstood us, is of no use. */
const MISREAD_MAX = 3;
/** So often a leader that others name may refuse this client's version. */
const LEADER_REFUSALS_MAX = 3;

/** What a call ends with, and a line for people. */
export interface Reason {
  readonly failure: Cause;
  readonly about: string;
}

/** See the module. */
export class ClientCauses {
  readonly #servers: readonly string[];
  /** Servers that refuse this client's version. */
  readonly #foreign = new Set<string>();
  #leaderRefusals = 0;
  #misread = 0;
  #space: { readonly sinceMs: Millis; lastMs: Millis; reason: Reason } | undefined;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  /** Why servers lack space, for people, when they last did; "" when they did not. */
  get trouble(): string {
    return this.#space?.reason.about ?? "";
  }

  /** A server did something that takes more than its own state. */
  wentWell(): void {
    this.#space = undefined;
    this.#misread = 0;
    this.#leaderRefusals = 0;
  }

  /** A server answered that it has no space, because of `about`; what to end the call with. */
  noSpace(server: string, about: string, nowMs: Millis): Reason | undefined {
    const text = `${server} has no space on its disk (${about}): make room there, and it goes on`;
    const reason: Reason = { failure: "no space", about: text };
    const space = this.#space;
    if (space === undefined || nowMs > space.lastMs + NO_SPACE_GAP_MS) {
      this.#space = { sinceMs: nowMs, lastMs: nowMs, reason };
      return undefined;
    }
    space.lastMs = nowMs;
    space.reason = reason;
    return nowMs >= space.sinceMs + NO_SPACE_MS ? reason : undefined;
  }

  connected(server: string): void {
    this.#foreign.delete(server);
  }

  /** The connection is gone, or was never there. `isOwed`: the server had been asked something. */
  gone(server: string, { why, about }: Gone, isOwed: boolean): Reason | undefined {
    if (why === "closed" && isOwed) return this.misread(server, "ends the connection when asked");
    if (why !== "other version") return undefined;
    this.#foreign.add(server);
    if (!this.#servers.includes(server)) this.#leaderRefusals++;
    const isEverywhere = this.#servers.every((one) => this.#foreign.has(one));
    if (!isEverywhere && this.#leaderRefusals < LEADER_REFUSALS_MAX) return undefined;
    return { failure: "other version", about: `${server}: ${about}` };
  }

  /** One of the two did not understand the other. */
  misread(server: string, how: string): Reason | undefined {
    if (++this.#misread < MISREAD_MAX) return undefined;
    const about = `${server} ${how}: it and this program are of different versions, use equal ones`;
    return { failure: "misunderstood", about };
  }
}
