/**
 * The connections of a simulated core that talks with its equals, over LSP's endpoints: what
 * `peer/connections_adapter.ts` is on Bun.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import { createDialer, createListener, type Dialer, LspError, type Params } from "../../lsp/mod.ts";
import type { Computer } from "../engine/computer.ts";
import type { Network } from "../engine/network.ts";
import { Host, type Program } from "./host.ts";

/** What is told of connections: those dialled have odd numbers, those that came in even ones. */
export interface ConnectionEvents {
  opened(conn: number): void;
  received(conn: number, payload: Uint8Array): void;
  gone(conn: number, isFlushed: boolean): void;
}

/** What the connections of one life are made of. */
export interface ConnectionsOptions {
  readonly name: string;
  readonly computer: Computer;
  readonly network: Network;
  /** `HOST:PORT` of the listener. */
  readonly address: string;
  readonly params: Params;
  /** How often a server is asked until it answers; every epoch if left out. */
  readonly connectMillis?: number;
  /** Of the listener, if they are not those of connections that are dialled. */
  readonly listenerParams?: Params;
  /** Randomness for the listener (0) and for each connection that is dialled. */
  readonly randomFor: (conn: number) => Random;
}

/** A connection that was dialled; it has a number of LSP's once it is made. */
interface Dialled {
  readonly host: Host;
  connId: number | undefined;
  /** Whether something was written that the connection did not take. */
  hasRefused: boolean;
  /** How few bytes must be queued for somebody to be told so. */
  awaited: { readonly bytes: number; readonly tell: (queuedBytes: number) => void } | undefined;
}

/** See the module. They end with their computer, or by `end`. */
export class SimConnections {
  readonly #options: ConnectionsOptions;
  readonly #events: ConnectionEvents;
  readonly #dialled = new Map<number, Dialled>();
  readonly #listener: Host;
  #isOver = false;

  constructor(options: ConnectionsOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    const { computer, network, params, listenerParams, randomFor, name, address } = options;
    const own = { random: randomFor(0), params: listenerParams ?? params };
    const core = createListener(own, computer.nowMs());
    const program: Program = {
      onNotice: () => {},
      wantsEvent: () => true,
      onEvent: (event) => {
        if (this.#isOver) return;
        const conn = 2 * event.connId;
        if (event.kind === "data") events.received(conn, event.payload);
        else events.gone(conn, false);
      },
    };
    this.#listener = new Host(name, computer, network, core, program, spaced(address));
  }

  dial(conn: number, address: string): void {
    const { computer, network, params, connectMillis, randomFor, name } = this.#options;
    const given = { to: spaced(address), params, random: randomFor(conn) };
    const own = connectMillis === undefined ? given : { ...given, connectMillis };
    const core = createDialer(own, computer.nowMs());
    const program: Program = {
      onNotice: (notice) => {
        const dialled = this.#dialled.get(conn);
        if (notice.kind === "refused") this.#ended(conn, host, core);
        else if (notice.kind === "drained") {
          host.kill();
          this.#ended(conn, host, core);
        } else if (dialled?.host === host) {
          dialled.connId = notice.connId;
          this.#events.opened(conn);
        }
      },
      wantsEvent: () => true,
      onEvent: (event) => {
        if (this.#dialled.get(conn)?.host !== host) return;
        if (event.kind === "data") this.#events.received(conn, event.payload);
        else this.#ended(conn, host, core);
      },
      afterTurn: () => this.#lookForRoom(conn),
    };
    const host: Host = new Host(`${name} dials ${address}`, computer, network, core, program);
    this.#dialled.set(conn, { host, connId: undefined, hasRefused: false, awaited: undefined });
  }

  write(conn: number, payload: Uint8Array): void {
    this.#act(conn, (host, connId) => {
      host.act((core, nowMs) => {
        try {
          core.write(connId, payload, nowMs);
        } catch (error) {
          const dialled = this.#dialled.get(conn);
          if (dialled !== undefined) dialled.hasRefused = true;
          throw error;
        }
      });
    });
  }

  /** Bytes written and not acknowledged; 0 when the connection is gone. */
  queuedBytes(conn: number): number {
    let bytes = 0;
    this.#act(conn, (host, connId) => {
      bytes = (host.core as Dialer).connectionStats(connId)?.queuedBytes ?? 0;
    });
    return bytes;
  }

  /** Calls `tell`, later, when at most `bytes` bytes are queued on one that was dialled. */
  awaitRoom(conn: number, bytes: number, tell: (queuedBytes: number) => void): void {
    const dialled = this.#dialled.get(conn);
    if (dialled === undefined) return;
    dialled.awaited = { bytes, tell };
    const { loop } = this.#options.computer;
    loop.after(0, () => this.#lookForRoom(conn));
  }

  drop(conn: number, isFlushed: boolean): void {
    if (conn % 2 === 0) {
      return this.#act(conn, (host, connId) => {
        host.act((core, nowMs) => core.closeConn(connId, nowMs));
      });
    }
    const { host } = this.#dialled.get(conn) ?? {};
    this.#dialled.delete(conn);
    host?.act((core, nowMs) => {
      if (isFlushed) core.close(nowMs);
      else (core as Dialer).abort();
    });
    if (!isFlushed) host?.kill();
  }

  /** Nothing is told any more: the computer has crashed. */
  end(): void {
    this.#isOver = true;
    this.#dialled.clear();
  }

  #ended(conn: number, host: Host, core: Dialer): void {
    const dialled = this.#dialled.get(conn);
    if (this.#isOver || dialled?.host !== host) return;
    this.#dialled.delete(conn);
    const isFlushed = !dialled.hasRefused && core.undelivered.size === 0;
    this.#events.gone(conn, isFlushed);
  }

  #lookForRoom(conn: number): void {
    const dialled = this.#dialled.get(conn);
    if (this.#isOver || dialled?.awaited === undefined) return;
    const { bytes, tell } = dialled.awaited;
    const queuedBytes = this.queuedBytes(conn);
    if (queuedBytes > bytes) return;
    dialled.awaited = undefined;
    tell(queuedBytes);
  }

  /** Does something on the endpoint of a connection; one that is gone does not mind. */
  #act(conn: number, action: (host: Host, connId: number) => void): void {
    const dialled = this.#dialled.get(conn);
    const host = conn % 2 === 0 ? this.#listener : dialled?.host;
    const connId = conn % 2 === 0 ? conn / 2 : dialled?.connId;
    if (host === undefined || connId === undefined || this.#isOver) return;
    try {
      action(host, connId);
    } catch (error) {
      if (!(error instanceof LspError)) throw error;
    }
  }
}

/** `HOST:PORT` as the simulated network has it. */
function spaced(address: string): string {
  return address.replace(/:(?=\d+$)/, " ");
}
