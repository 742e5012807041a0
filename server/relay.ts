/**
 * Peers of the classic wire know one server and take no hints: one that does not lead relays what
 * they say to the leader, and back. What they say while nobody leads is held for a while.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import { encodeMessage } from "../work/wire.ts";

/** Peers that are relayed at the same time; one more is hung up on. */
export const RELAYS_MAX = 1_000;
/** Messages of a peer that are held until there is a leader to relay them to. */
export const HELD_MESSAGES_MAX = 8;
/** How long a leader is waited for. */
export const RELAY_PATIENCE_MS: Millis = 10_000;
/** Between two dials for one peer. */
const AGAIN_MS: Millis = 250;

/** What the relay asks for. */
export interface RelayPort {
  dial(connId: number, server: string): void;
  /** Toward the leader. */
  pass(connId: number, payload: Uint8Array): void;
  /** Ends the connection with the leader. */
  drop(connId: number): void;
  /** Toward the peer. */
  write(connId: number, payload: Uint8Array): void;
  /** Hangs up on the peer. */
  close(connId: number): void;
}

interface Peer {
  /** What it said while there was no connection with the leader. */
  held: Uint8Array[];
  state: "waiting" | "dialling" | "up";
  readonly sinceMs: Millis;
  dialAtMs: Millis;
}

/** See the module. */
export class Relay {
  readonly #port: RelayPort;
  readonly #peers = new Map<number, Peer>();
  #leader = "";

  constructor(port: RelayPort) {
    this.#port = port;
  }

  /** Peers that are relayed, or wait for that. */
  get size(): number {
    return this.#peers.size;
  }

  has(connId: number): boolean {
    return this.#peers.has(connId);
  }

  /** When `wake` is to be called. */
  wakeAtMs(): Millis | undefined {
    let atMs: Millis | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.state === "up") continue;
      atMs = earlier(atMs, peer.sinceMs + RELAY_PATIENCE_MS);
      if (peer.state === "waiting" && this.#leader !== "") atMs = earlier(atMs, peer.dialAtMs);
    }
    return atMs;
  }

  wake(nowMs: Millis): void {
    for (const [connId, peer] of this.#peers) {
      if (peer.state === "up") continue;
      if (nowMs >= peer.sinceMs + RELAY_PATIENCE_MS) this.#end(connId);
      else this.#dial(connId, peer, nowMs);
    }
  }

  /** Another server leads, at `leader`, or nobody does (""). */
  follow(leader: string, nowMs: Millis): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    for (const [connId, peer] of this.#peers) {
      // What the leader before knew of the peer is gone with its lead.
      if (peer.state === "up") this.#end(connId);
      else {
        if (peer.state === "dialling") this.#port.drop(connId);
        peer.state = "waiting";
        this.#dial(connId, peer, nowMs);
      }
    }
  }

  /** A classic peer says something. */
  take(connId: number, payload: Uint8Array, nowMs: Millis): void {
    const known = this.#peers.get(connId);
    if (known?.state === "up") return this.#port.pass(connId, payload);
    if (known === undefined && this.#peers.size >= RELAYS_MAX) return this.#port.close(connId);
    const peer = known ?? { held: [], state: "waiting", sinceMs: nowMs, dialAtMs: nowMs };
    this.#peers.set(connId, peer);
    if (peer.held.length >= HELD_MESSAGES_MAX) return this.#end(connId);
    peer.held.push(payload);
    this.#dial(connId, peer, nowMs);
  }

  /** The peer is gone. */
  gone(connId: number): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined) return;
    this.#peers.delete(connId);
    if (peer.state !== "waiting") this.#port.drop(connId);
  }

  /** There is a connection with the leader. */
  dialled(connId: number): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined || peer.state !== "dialling") return;
    peer.state = "up";
    this.#port.pass(connId, encodeMessage({ kind: "relayed" }));
    for (const payload of peer.held) this.#port.pass(connId, payload);
    peer.held = [];
  }

  /** The leader says something to the peer. */
  passed(connId: number, payload: Uint8Array): void {
    if (this.#peers.get(connId)?.state === "up") this.#port.write(connId, payload);
  }

  /** The connection with the leader is gone, or could not be made. */
  dropped(connId: number, nowMs: Millis): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined || peer.state === "waiting") return;
    if (peer.state === "up") {
      this.#peers.delete(connId);
      return this.#port.close(connId);
    }
    peer.state = "waiting";
    peer.dialAtMs = nowMs + AGAIN_MS;
  }

  /** This server leads itself: the peers that it relayed come anew. */
  end(): void {
    for (const connId of this.#peers.keys()) this.#end(connId);
    this.#leader = "";
  }

  #dial(connId: number, peer: Peer, nowMs: Millis): void {
    if (peer.state !== "waiting" || this.#leader === "" || nowMs < peer.dialAtMs) return;
    peer.state = "dialling";
    this.#port.dial(connId, this.#leader);
  }

  #end(connId: number): void {
    this.gone(connId);
    this.#port.close(connId);
  }
}
