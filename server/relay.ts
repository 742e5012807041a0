/**
 * Peers of the json wire know one server and take no hints. In a cluster the one that they know
 * speaks for them (server/classic_guests.ts) to the leader, which may be itself, and stays with
 * them when another one comes to lead.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import type { Wire } from "../lsp/mod.ts";
import { encodeMessage } from "../work/wire.ts";
import { type Guest, guestOf, type Onward } from "./classic_guests.ts";

/** Peers that are relayed to another server at the same time; one more is hung up on. */
export const RELAYS_MAX = 1_000;
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
  /** Toward this server itself, as if the peer had said it. */
  serve(connId: number, wire: Wire, payload: Uint8Array): void;
  /** Toward the peer. */
  write(connId: number, payload: Uint8Array): void;
  /** Hangs up on the peer. */
  close(connId: number): void;
  /** A session that nobody else has picked. */
  session(): bigint;
}

interface Peer {
  readonly guest: Guest;
  /** `here`: this server leads itself. */
  state: "waiting" | "dialling" | "up" | "here";
  /** Since when there is no connection. */
  sinceMs: Millis;
  dialAtMs: Millis;
}

/** See the module. */
export class Relay {
  readonly #port: RelayPort;
  readonly #peers = new Map<number, Peer>();
  #leader = "";
  /** Whether this server leads. */
  #isHere = false;

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
      if (peer.state === "up" || peer.state === "here") continue;
      atMs = earlier(atMs, peer.sinceMs + RELAY_PATIENCE_MS);
      if (peer.state === "waiting" && this.#leader !== "") atMs = earlier(atMs, peer.dialAtMs);
    }
    return atMs;
  }

  wake(nowMs: Millis): void {
    for (const [connId, peer] of this.#peers) {
      if (peer.state === "up" || peer.state === "here") continue;
      if (nowMs >= peer.sinceMs + RELAY_PATIENCE_MS) this.end(connId);
      else this.#dial(connId, peer, nowMs);
    }
  }

  /** Another server leads, at `leader`, or nobody does (""), or this one does (`isHere`). */
  follow(leader: string, isHere: boolean, nowMs: Millis): void {
    if (leader === this.#leader && isHere === this.#isHere) return;
    this.#leader = leader;
    this.#isHere = isHere;
    for (const [connId, peer] of this.#peers) {
      this.#part(connId, peer, nowMs);
      peer.dialAtMs = nowMs;
      this.#dial(connId, peer, nowMs);
    }
  }

  /** A classic peer says something. */
  take(connId: number, payload: Uint8Array, nowMs: Millis): void {
    const known = this.#peers.get(connId);
    if (known !== undefined) return this.#onward(connId, known, known.guest.said(payload));
    const peer = this.#enter(connId, payload, nowMs);
    if (peer === undefined) return this.#port.close(connId);
    // What a miner says first is in its greeting.
    if (peer.guest.wire === "cbor") this.#onward(connId, peer, peer.guest.said(payload));
    if (this.#peers.has(connId)) this.#dial(connId, peer, nowMs);
  }

  /** The peer is gone. */
  gone(connId: number): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined) return;
    for (const payload of peer.guest.bye()) this.#pass(connId, peer, payload);
    this.#peers.delete(connId);
    if (peer.state === "up" || peer.state === "dialling") this.#port.drop(connId);
  }

  /** There is a connection with the leader. */
  dialled(connId: number): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined || peer.state !== "dialling") return;
    peer.state = "up";
    if (peer.guest.wire === "json") this.#port.pass(connId, encodeMessage({ kind: "relayed" }));
    for (const payload of peer.guest.greet()) this.#port.pass(connId, payload);
  }

  /** The leader says something to the peer. */
  passed(connId: number, payload: Uint8Array): void {
    const peer = this.#peers.get(connId);
    if (peer?.state !== "up" && peer?.state !== "here") return;
    this.#onward(connId, peer, peer.guest.heard(payload));
  }

  /** The connection with the leader is gone, or could not be made. */
  dropped(connId: number, nowMs: Millis): void {
    const peer = this.#peers.get(connId);
    if (peer === undefined || peer.state === "waiting") return;
    this.#wait(peer, nowMs);
    peer.dialAtMs = nowMs + AGAIN_MS;
  }

  /** Hangs up on the peer. */
  end(connId: number): void {
    this.gone(connId);
    this.#port.close(connId);
  }

  #enter(connId: number, first: Uint8Array, nowMs: Millis): Peer | undefined {
    if (!this.#isHere && this.#peers.size >= RELAYS_MAX) return undefined;
    const guest = guestOf(first, () => this.#port.session());
    if (guest === undefined) return undefined;
    const peer: Peer = { guest, state: "waiting", sinceMs: nowMs, dialAtMs: nowMs };
    this.#peers.set(connId, peer);
    return peer;
  }

  #dial(connId: number, peer: Peer, nowMs: Millis): void {
    if (peer.state !== "waiting" || this.#leader === "" || nowMs < peer.dialAtMs) return;
    if (!this.#isHere) {
      if (this.#peers.size > RELAYS_MAX) return this.end(connId);
      peer.state = "dialling";
      return this.#port.dial(connId, this.#leader);
    }
    peer.state = "here";
    for (const payload of peer.guest.greet()) this.#pass(connId, peer, payload);
  }

  /** Lets go of the leader before. */
  #part(connId: number, peer: Peer, nowMs: Millis): void {
    if (peer.state === "waiting") return;
    if (peer.state !== "here") this.#port.drop(connId);
    this.#wait(peer, nowMs);
  }

  #wait(peer: Peer, nowMs: Millis): void {
    if (peer.state !== "dialling") {
      peer.guest.lost();
      peer.sinceMs = nowMs;
    }
    peer.state = "waiting";
  }

  #onward(connId: number, peer: Peer, { toLeader = [], toPeer, isOver }: Onward): void {
    if (toPeer !== undefined) this.#port.write(connId, toPeer);
    for (const payload of toLeader) this.#pass(connId, peer, payload);
    if (isOver === true) this.end(connId);
  }

  #pass(connId: number, peer: Peer, payload: Uint8Array): void {
    if (peer.state === "up") this.#port.pass(connId, payload);
    else if (peer.state === "here") this.#port.serve(connId, peer.guest.wire, payload);
  }
}
