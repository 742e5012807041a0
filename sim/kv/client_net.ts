/**
 * The connections of simulated clients: ordered, exactly once while they last, as LSP's are. Where
 * a path is cut, messages wait; when it stays cut, both ends learn that the connection is gone.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import type { NodeId } from "../../raft/mod.ts";
import type { Loop } from "../engine/loop.ts";

/** How paths between clients and servers behave. */
export interface PathFaults {
  readonly latencyMs: Millis;
  readonly jitterMs: Millis;
  /** Messages that are lost, and come when LSP sends them again. */
  readonly lossShare: number;
  /** Connections that break, a message. */
  readonly breakShare: number;
}

export const CALM_PATH: PathFaults = { latencyMs: 1, jitterMs: 0, lossShare: 0, breakShare: 0 };

/** A lost message is sent again after up to this. */
const RESEND_MS: Millis = 120;
/** A cut path is looked at again after this. */
const RETRY_MS: Millis = 20;
/** A path that is cut for this long breaks its connections. */
const LOST_MS: Millis = 1200;

/** An end of a connection. */
export interface End {
  payload(bytes: Uint8Array): void;
  gone(): void;
}

/** One connection. */
export interface Connection {
  readonly client: number;
  readonly server: NodeId;
  isOpen: boolean;
}

interface Side {
  readonly end: End;
  /** When the last message comes. */
  lastMs: Millis;
  stuckSinceMs: Millis | undefined;
  readonly queue: Uint8Array[];
}

interface Whole extends Connection {
  readonly toServer: Side;
  readonly toClient: Side;
}

/** Brings messages from client to server and back. */
export class ClientNetwork {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #accept: (server: NodeId, connection: Connection) => End | undefined;
  readonly #open = new Set<Whole>();
  readonly #cut = new Set<string>();
  faults: PathFaults = CALM_PATH;

  /** `accept` gives the server's end, or undefined where no server runs. */
  constructor(
    loop: Loop,
    random: Random,
    accept: (server: NodeId, connection: Connection) => End | undefined,
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#accept = accept;
  }

  /** Nothing passes between them any more. */
  cut(client: number, server: NodeId): void {
    this.#cut.add(`${client} ${server}`);
  }

  mend(client: number, server: NodeId): void {
    this.#cut.delete(`${client} ${server}`);
  }

  mendAll(): void {
    this.#cut.clear();
  }

  /** Dials; `connected` or `end.gone` is called later. */
  dial(client: number, server: NodeId, end: End, connected: (made: Connection) => void): void {
    this.#loop.after(2 * this.#delayMs(), () => {
      const connection: Connection = { client, server, isOpen: true };
      const other = this.#isCut(connection) ? undefined : this.#accept(server, connection);
      if (other === undefined) return this.#loop.after(LOST_MS / 4, () => end.gone());
      const sideOf = (one: End): Side => {
        return { end: one, lastMs: 0, stuckSinceMs: undefined, queue: [] };
      };
      const toServer = sideOf(other);
      const whole: Whole = Object.assign(connection, { toServer, toClient: sideOf(end) });
      this.#open.add(whole);
      connected(whole);
    });
  }

  send(connection: Connection, to: "server" | "client", bytes: Uint8Array): void {
    if (!connection.isOpen) return;
    const whole = connection as Whole;
    const side = to === "server" ? whole.toServer : whole.toClient;
    if (chance(this.#random, this.faults.breakShare)) return this.breakOff(connection);
    side.queue.push(bytes);
    side.lastMs = Math.max(side.lastMs, this.#loop.nowMs + this.#delayMs());
    this.#loop.at(side.lastMs, () => this.#deliver(whole, side));
  }

  /** One end is no more: the other learns it after a while. */
  breakOff(connection: Connection, from?: "server" | "client"): void {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    const whole = connection as Whole;
    this.#open.delete(whole);
    this.#loop.after(this.#delayMs(), () => {
      if (from !== "server") whole.toServer.end.gone();
      if (from !== "client") whole.toClient.end.gone();
    });
  }

  /** A server is no more. */
  breakServer(server: NodeId): void {
    for (const one of this.#open) if (one.server === server) this.breakOff(one, "server");
  }

  #isCut({ client, server }: Connection): boolean {
    return this.#cut.has(`${client} ${server}`);
  }

  #delayMs(): Millis {
    const { latencyMs, jitterMs, lossShare } = this.faults;
    const lateMs = chance(this.#random, lossShare) ? unitReal(this.#random) * RESEND_MS : 0;
    return latencyMs + unitReal(this.#random) * jitterMs + lateMs;
  }

  /** Hands on what is due; what is cut waits, and everything behind it. */
  #deliver(whole: Whole, side: Side): void {
    if (!whole.isOpen || side.queue.length === 0) return;
    const { nowMs } = this.#loop;
    if (this.#isCut(whole)) {
      side.stuckSinceMs ??= nowMs;
      if (nowMs - side.stuckSinceMs > LOST_MS) return this.breakOff(whole);
      return this.#loop.after(RETRY_MS, () => this.#deliver(whole, side));
    }
    side.stuckSinceMs = undefined;
    side.end.payload(side.queue.shift()!);
  }
}
