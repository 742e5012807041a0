/**
 * Connections between peers, on real sockets: those that this program makes, and those that others
 * make to it.
 *
 * @module
 */
import { isLoopback } from "../run/listening.ts";
import { hostAndPort } from "../run/flags.ts";
import { listen, LspError, type LspServer } from "../lsp/mod.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { DIAL_MS, PEERS_VERSION, VISITORS_MAX } from "./limits.ts";
import type { PeerEffect, PeerInput } from "./peer_types.ts";

/** Bytes that wait for all visitors together. */
const QUEUED_BYTES_MAX = 64 << 20;

const EFFECTS: ReadonlySet<string> = new Set<PeerEffect["kind"]>([
  "dial",
  "peer-write",
  "hang-up",
  "answer",
]);

interface Dialled {
  readonly link: Uplink;
  readonly clock: ReturnType<typeof setTimeout>;
}

/** See the module. */
export class PeerSockets {
  readonly #tell: (input: PeerInput) => void;
  readonly #dialMs: number;
  readonly #dialled = new Map<number, Dialled>();
  #server: LspServer | undefined;
  #isClosed = false;

  /** `dialMs`: how long a dial may take. */
  constructor(tell: (input: PeerInput) => void, dialMs: number = DIAL_MS) {
    this.#tell = tell;
    this.#dialMs = dialMs;
  }

  /** Takes connections on `host`; rejects with an LspError where that cannot be. */
  async listen(host: string): Promise<void> {
    const limits = { maxConnections: VISITORS_MAX, maxQueuedBytesTotal: QUEUED_BYTES_MAX };
    const server = await listen({
      host,
      port: 0,
      classic: false,
      appVersion: PEERS_VERSION,
      limits,
    });
    if (this.#isClosed) return void (await server.close());
    this.#server = server;
    this.#tell({ kind: "listening", port: server.port });
    void this.#read(server);
  }

  carryOut(effect: PeerEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#dial(effect.peer, effect.at);
      case "peer-write":
        return this.#dialled.get(effect.peer)?.link.write(effect.payload);
      case "hang-up":
        return this.#hangUp(effect.peer);
      case "answer":
        return this.#answer(effect.visitor, effect.payload);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const links = [...this.#dialled.values()].map(({ link, clock }) => {
      clearTimeout(clock);
      return link.close();
    });
    this.#dialled.clear();
    await Promise.all([...links, this.#server?.close()]);
  }

  async #read(server: LspServer): Promise<void> {
    for (;;) {
      try {
        const { connId: visitor, payload } = await server.read();
        this.#tell({ kind: "visitor-payload", visitor, payload });
      } catch (error) {
        if (!(error instanceof LspError)) throw error;
        if (error.connId === undefined) return;
        this.#tell({ kind: "visitor-gone", visitor: error.connId });
      }
    }
  }

  #answer(visitor: number, payload: Uint8Array): void {
    try {
      // It was encoded for nobody else.
      this.#server?.give(visitor, payload);
    } catch (error) {
      if (!(error instanceof LspError)) throw error;
      // One that does not read what it asks for is let go.
      if (error.code === "QUEUE_FULL") this.#server?.closeConn(visitor);
    }
  }

  #dial(peer: number, at: string): void {
    const down = (): void => {
      if (!this.#dialled.has(peer)) return;
      this.#hangUp(peer);
      this.#tell({ kind: "peer-down", peer });
    };
    const link = new Uplink(
      { ...hostAndPort(at, undefined, "a peer's address"), appVersion: PEERS_VERSION },
      {
        onConnected: () => {
          clearTimeout(this.#dialled.get(peer)?.clock);
          this.#tell({ kind: "peer-up", peer });
        },
        onPayload: (payload) => this.#tell({ kind: "peer-payload", peer, payload }),
        onGone: down,
      },
    );
    this.#dialled.set(peer, { link, clock: setTimeout(down, this.#dialMs) });
    link.dial();
  }

  #hangUp(peer: number): void {
    const known = this.#dialled.get(peer);
    this.#dialled.delete(peer);
    clearTimeout(known?.clock);
    void known?.link.close();
  }
}

/** Whether the effect is one of these. */
export function isOfPeerSockets<T extends { readonly kind: string }>(
  effect: T,
): effect is T & PeerEffect {
  return EFFECTS.has(effect.kind);
}

/**
 * The address on which others may fetch from a program that was told to use the server at `server`:
 * loopback where that is, and else the one that was `given`, if any.
 */
export function peerHost(server: string, given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  if (server.toLowerCase() === "localhost") return "127.0.0.1";
  return isLoopback(server) ? server : undefined;
}
