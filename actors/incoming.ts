/**
 * The connections that other systems dialled: who they are, what they tell, and whom they watch.
 *
 * @module
 */
import type { DropReason, GoneReason, SystemEffect, SystemLimits } from "./types.ts";
import {
  decodeGreeting,
  encodeGone,
  encodeGreeting,
  Frame,
  FrameReader,
  type Greeting,
} from "./wire.ts";

/** What {@link Incoming} does by its owner. */
export interface IncomingOwner {
  readonly address: string;
  readonly incarnation: number;
  readonly limits: SystemLimits;
  ask(effect: SystemEffect): void;
  dropped(reason: DropReason, messages: number): void;
  rejected(reason: string): void;
  /** A message came for a number of ours: so many bytes of a payload, from `at` on. */
  deliver(counter: number, payload: Uint8Array, at: number, length: number): void;
  /** A connection watches a number of ours: false when there is no such cell. */
  watch(counter: number, conn: number): boolean;
  unwatch(counter: number, conn: number): void;
}

/** A system that greeted. */
interface Peer {
  readonly greeting: Greeting;
  readonly watched: Set<number>;
}

/** The newest connection of a life of another system. */
interface Session {
  readonly session: number;
  conn: number;
}

/** See the module. */
export class Incoming {
  readonly #owner: IncomingOwner;
  readonly #peers = new Map<number, Peer>();
  /** By incarnation; the longest unused first. */
  readonly #sessions = new Map<number, Session>();

  constructor(owner: IncomingOwner) {
    this.#owner = owner;
  }

  /** Whether the connection is a system's. */
  has(conn: number): boolean {
    return this.#peers.has(conn);
  }

  payload(conn: number, payload: Uint8Array): void {
    const peer = this.#peers.get(conn);
    const why = peer === undefined ? this.#greet(conn, payload) : this.#read(conn, peer, payload);
    if (why === undefined) return;
    this.#owner.rejected(why);
    this.#drop(conn);
  }

  gone(conn: number): void {
    const peer = this.#peers.get(conn);
    if (peer === undefined) return;
    this.#peers.delete(conn);
    for (const counter of peer.watched) this.#owner.unwatch(counter, conn);
  }

  /** Tells a system that one whom it watches is gone. */
  tellGone(conn: number, counter: number, why: GoneReason): void {
    if (this.#peers.get(conn)?.watched.delete(counter) !== true) return;
    this.#owner.ask({ kind: "write", conn, payload: encodeGone(counter, why) });
  }

  /** Ends all connections, behind what was written. */
  close(): void {
    for (const conn of this.#peers.keys()) this.#owner.ask({ kind: "drop", conn, isFlushed: true });
    this.#peers.clear();
  }

  /** The first payload of a connection says whose it is. */
  #greet(conn: number, payload: Uint8Array): string | undefined {
    const greeting = decodeGreeting(payload);
    if (typeof greeting === "string") return greeting;
    if (this.#peers.size >= this.#owner.limits.incomingMax) return "too many systems";
    const { incarnation, session } = greeting;
    const known = this.#sessions.get(incarnation);
    // What is still under way on an older connection must not come behind what a newer one brings.
    if (known !== undefined && known.session > session) return "older connection";
    if (known !== undefined) this.#drop(known.conn);
    this.#remember(incarnation, { session, conn });
    this.#peers.set(conn, { greeting, watched: new Set() });
    const own = { address: this.#owner.address, incarnation: this.#owner.incarnation, session };
    this.#owner.ask({ kind: "write", conn, payload: encodeGreeting(own) });
    return undefined;
  }

  #remember(incarnation: number, session: Session): void {
    this.#sessions.delete(incarnation);
    this.#sessions.set(incarnation, session);
    if (this.#sessions.size <= 2 * this.#owner.limits.incomingMax) return;
    const [oldest] = this.#sessions.keys();
    this.#sessions.delete(oldest!);
  }

  #drop(conn: number): void {
    this.gone(conn);
    this.#owner.ask({ kind: "drop", conn, isFlushed: false });
  }

  #read(conn: number, peer: Peer, payload: Uint8Array): string | undefined {
    const reader = new FrameReader(payload);
    switch (reader.kind) {
      case Frame.tells:
        return this.#tells(reader, payload);
      case Frame.watch:
      case Frame.unwatch:
        return this.#watches(conn, peer, reader);
      default:
        return "frame";
    }
  }

  #tells(reader: FrameReader, payload: Uint8Array): string | undefined {
    while (!reader.atEnd) {
      const counter = reader.number();
      const length = reader.number();
      const at = reader.skip(length);
      if (counter < 0 || at < 0) return "frame";
      this.#owner.deliver(counter, payload, at, length);
    }
    return undefined;
  }

  #watches(conn: number, { watched }: Peer, reader: FrameReader): string | undefined {
    const isOver = reader.kind === Frame.unwatch;
    while (!reader.atEnd) {
      const counter = reader.number();
      if (counter < 0) return "frame";
      if (isOver) {
        watched.delete(counter);
        this.#owner.unwatch(counter, conn);
        continue;
      }
      if (watched.size >= this.#owner.limits.watchesMax) return "too many watches";
      watched.add(counter);
      if (!this.#owner.watch(counter, conn)) this.tellGone(conn, counter, "unknown");
    }
    return undefined;
  }
}
