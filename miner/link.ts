/**
 * Which server a miner talks to, and when it dials again: one that it was given, or, of a cluster,
 * the leader.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import type { Millis } from "../base/machine.ts";
import { ServerRing } from "../base/server_ring.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Servers } from "../work/server_messages.ts";
import { Failures } from "./failures.ts";
import type { MinerCoreOptions, MinerEffect } from "./types.ts";

/** The first retry comes after about this long; each further one takes twice as long ... */
export const RETRY_MS_MIN = 250;
/** ... up to this. A connection that held this long starts the count anew, and nothing else. */
export const RETRY_MS_MAX = 10_000;
/** After a refusal the wait is about as long at first; each further one takes up to this. */
export const REFUSED_MS_MAX = 300_000;

/** What follows from the end of a connection: that of the miner, or perhaps a line for people. */
export type LinkEnd =
  | { readonly kind: "exit"; readonly reason: string }
  | { readonly kind: "again"; readonly line: string | undefined };

/** See the module. */
export class MinerLink {
  wire: Wire = "cbor";
  readonly #once: boolean;
  readonly #ring: ServerRing;
  readonly #backoff: Backoff;
  /** Grows as long as every connection ends by a refusal. */
  readonly #refusals: Backoff;
  readonly #failures = new Failures();
  #state: "fresh" | "dialing" | "up" | "waiting" | "done" = "fresh";
  /** Whether the server was of use: it leads. */
  #isServed = false;
  #connectedAtMs: Millis = 0;
  #retryAtMs: Millis = 0;

  constructor({ random, once = false, servers = [] }: MinerCoreOptions) {
    this.#once = once;
    this.#ring = new ServerRing(servers, random);
    this.#backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX, random);
    this.#refusals = new Backoff(RETRY_MS_MAX, REFUSED_MS_MAX, random);
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Whether there is a connection, or one is being made. */
  get isOpen(): boolean {
    return this.#state === "up" || this.#state === "dialing";
  }

  /** Whether the miner is done for good. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** What is in hand is to be kept when the connection ends. */
  get keeps(): boolean {
    return this.wire === "cbor" && !this.#once;
  }

  wakeAtMs(): Millis | undefined {
    if (this.#state === "fresh") return 0;
    return this.#state === "waiting" ? this.#retryAtMs : undefined;
  }

  /** What is to be dialled now, if it is time for that. */
  wake(nowMs: Millis): MinerEffect | undefined {
    const isDue = this.#state === "waiting" && nowMs >= this.#retryAtMs;
    if (this.#state !== "fresh" && !isDue) return undefined;
    this.#state = "dialing";
    const { current: server, isCluster } = this.#ring;
    return server === "" ? { kind: "dial" } : { kind: "dial", server, isCluster };
  }

  /** There is a connection; a line for people, if this is news. */
  connected(wire: Wire, nowMs: Millis): string | undefined {
    this.#state = "up";
    this.wire = wire;
    this.#connectedAtMs = nowMs;
    this.#isServed = !this.#ring.isCluster;
    if (!this.#isServed) return undefined;
    // What fails from here on is news, even if it failed the same way before.
    this.#failures.over();
    return "connected to the server";
  }

  /** The server serves this miner: it leads. A line for people, if this is news. */
  served(): string | undefined {
    this.#ring.arrived();
    this.#failures.over();
    if (this.#isServed) return undefined;
    this.#isServed = true;
    return `connected to ${this.#ring.current}, which leads`;
  }

  /** A server says who leads. Something follows if it is not that one. */
  heard({ leads, leader, servers }: Servers, nowMs: Millis): LinkEnd | undefined {
    this.#ring.learn(servers);
    if (leads) return undefined;
    const reason = `the server at ${this.#ring.current} does not lead`;
    return this.#goOn(reason, leader, nowMs);
  }

  /** The connection is gone, or could not be made. */
  lost(reason: string, isThere: boolean, nowMs: Millis): LinkEnd {
    const heldMs = this.isUp ? nowMs - this.#connectedAtMs : 0;
    if (heldMs >= RETRY_MS_MAX) this.#backoff.reset();
    if (this.isUp) this.#refusals.reset();
    if (this.#ring.isCluster) return this.#goOn(reason, undefined, nowMs);
    // One that goes again at once, again and again, is waited for all the same.
    const waitMs = isThere && heldMs >= RETRY_MS_MIN ? 0 : this.#backoff.next();
    return this.#wait(reason, waitMs, nowMs);
  }

  /** The server turns this miner away, say because it is full. */
  refused(reason: string, nowMs: Millis): LinkEnd {
    return this.#wait(reason, this.#refusals.next(), nowMs);
  }

  /** The server is of no use. */
  useless(reason: string, nowMs: Millis): LinkEnd {
    return this.#wait(reason, this.#backoff.next(), nowMs);
  }

  /** On to the leader, or to the next server; `leader`: undefined if nothing was said. */
  #goOn(reason: string, leader: string | undefined, nowMs: Millis): LinkEnd {
    const wasServed = this.#isServed;
    this.#isServed = false;
    const waitMs = this.#ring.lost(leader);
    const isLast = (wasServed && !leader) || waitMs > 0;
    if (this.#once && isLast) return this.#exit(reason);
    this.#state = "waiting";
    this.#retryAtMs = nowMs + waitMs;
    const { current, all } = this.#ring;
    if (wasServed) return { kind: "again", line: `${reason}; going on with ${current}` };
    if (waitMs === 0) return { kind: "again", line: undefined };
    const line = this.#failures.line(`no leader among ${all.join(", ")}`, waitMs);
    return { kind: "again", line };
  }

  #wait(reason: string, waitMs: Millis, nowMs: Millis): LinkEnd {
    this.#isServed = false;
    if (this.#once) return this.#exit(reason);
    this.#state = "waiting";
    this.#retryAtMs = nowMs + waitMs;
    return { kind: "again", line: this.#failures.line(reason, waitMs) };
  }

  #exit(reason: string): LinkEnd {
    this.#state = "done";
    return { kind: "exit", reason };
  }
}
