/**
 * A simulated network of datagrams between places. What UDP may do to a datagram happens on links,
 * one for each direction between two places: loss, delay, reordering, duplicates, damage,
 * truncation, cuts (both ways or one, while others still see both), flapping, a bottleneck. And a
 * NAT may give a socket another address. What a datagram means is not known here: the harness
 * passes in what must be spared, as a {@link Wire}.
 *
 * @module
 */
import { chance, type Random } from "../../base/random.ts";
import type { Link } from "../../base/link.ts";
import { damage } from "./faults.ts";
import { Links } from "./links.ts";
import type { Loop } from "./loop.ts";
import type { TraceLine } from "./trace.ts";

/** An address in canonical text, `HOST PORT`; opaque, equal or not. */
export type Address = string;

/** What a harness knows of its datagrams. */
export interface Wire {
  /** In a few words, for transcripts. */
  describe(bytes: Uint8Array): string;
  /** Whether bits of it may be flipped: false where a protocol has no check against it. */
  mayFlip(bytes: Uint8Array): boolean;
  /** Whether it may pass between two lives of a socket that was closed and opened again. */
  mayOutlive(bytes: Uint8Array): boolean;
}

/** Datagrams of which nothing is known, and everything may happen to them. */
export const UNKNOWN_WIRE: Wire = {
  describe: (bytes) => `${bytes.length} bytes`,
  mayFlip: () => true,
  mayOutlive: () => true,
};

/** What became of datagrams, counted. */
export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  damaged: number;
  unreachable: number;
}

/** Takes a datagram that has come through. */
export type Receiver = (bytes: Uint8Array, from: Address) => void;

/** A bound UDP socket at a place. */
export interface Socket {
  /** The computer that it belongs to. */
  readonly place: string;
  address: Address;
  closed: boolean;
  readonly receive: Receiver;
}

/** Sees every datagram as it leaves and as it arrives, and may pick some that shall not. */
export interface Tap {
  /** False: it is lost, whatever the links are like. */
  onSent(from: Socket, to: Address, bytes: Uint8Array): boolean | void;
  /** Just before the socket receives it. */
  onArrived?(from: Address, to: Socket, bytes: Uint8Array): void;
}

/** Delivers datagrams between sockets by address. */
export class Network extends Links<string> {
  readonly counts: NetworkCounts = {
    sent: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    damaged: 0,
    unreachable: 0,
  };
  tap: Tap | undefined;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #wire: Wire;
  readonly #trace: TraceLine | undefined;
  readonly #sockets = new Map<Address, Socket>();
  /** By address, where the last socket with it was. */
  readonly #places = new Map<Address, string>();
  #ports = 1000;

  constructor(loop: Loop, random: Random, wire: Wire = UNKNOWN_WIRE, trace?: TraceLine) {
    super();
    this.#loop = loop;
    this.#random = random;
    this.#wire = wire;
    this.#trace = trace;
  }

  /** Binds a socket, to a port of its own unless `address` is given. */
  open(place: string, receive: Receiver, address: Address = this.#freshAddress()): Socket {
    const socket = { place, address, receive, closed: false };
    this.#sockets.set(address, socket);
    this.#places.set(address, place);
    return socket;
  }

  close(socket: Socket): void {
    socket.closed = true;
    if (this.#sockets.get(socket.address) === socket) this.#sockets.delete(socket.address);
  }

  /** Gives an open socket another address, as a NAT does that forgot it; the old one is dead. */
  rebind(socket: Socket, address: Address = this.#freshAddress()): void {
    this.#sockets.delete(socket.address);
    socket.address = address;
    this.#sockets.set(socket.address, socket);
    this.#places.set(address, socket.place);
  }

  /** The place of the socket that has the address, or had it last. */
  placeOf(address: Address): string | undefined {
    return this.#places.get(address);
  }

  /** The open socket at an address. */
  at(address: Address): Socket | undefined {
    return this.#sockets.get(address);
  }

  /** Sends a copy of `bytes`. */
  send(from: Socket, to: Address, bytes: Uint8Array): void {
    if (this.tap?.onSent(from, to, bytes) === false) {
      this.counts.sent++;
      this.counts.lost++;
      return;
    }
    this.#send(from, from.address, to, bytes);
  }

  /** Sends a copy of `bytes` from a place, under any sender's address: forged, or recorded. */
  inject(place: string, as: Address, to: Address, bytes: Uint8Array): void {
    this.#send({ place, closed: false }, as, to, bytes);
  }

  #send(
    sender: Pick<Socket, "place" | "closed">,
    from: Address,
    to: Address,
    bytes: Uint8Array,
  ): void {
    this.counts.sent++;
    const target = this.#sockets.get(to);
    if (target === undefined) {
      this.counts.unreachable++;
      this.#trace?.(() => `${from} -> ${to} unreachable: ${this.#wire.describe(bytes)}`);
      return;
    }
    const link = this.link(sender.place, target.place);
    this.#dispatch(link, sender, from, target, bytes);
    const { duplicateShare } = link.faults;
    if (duplicateShare === 0 || !chance(this.#random, duplicateShare)) return;
    this.counts.duplicated++;
    this.#dispatch(link, sender, from, target, bytes);
  }

  #dispatch(
    link: Link,
    sender: Pick<Socket, "place" | "closed">,
    from: Address,
    target: Socket,
    bytes: Uint8Array,
  ): void {
    const random = this.#random;
    const { delayMs, why } = link.pass(bytes.length, random, this.#loop.nowMs);
    const to = target.address;
    if (why !== undefined) {
      this.counts.lost++;
      this.#trace?.(() => `${from} -> ${to} ${why}: ${this.#wire.describe(bytes)}`);
      return;
    }
    let copy = damage(random, bytes, link.faults, this.#wire.mayFlip(bytes));
    if (copy === bytes) copy = bytes.slice();
    else this.counts.damaged++;
    this.#loop.after(delayMs, () => this.#arrive(sender, from, to, target, copy));
  }

  #arrive(
    sender: Pick<Socket, "closed">,
    from: Address,
    to: Address,
    target: Socket,
    bytes: Uint8Array,
  ): void {
    const socket = this.#sockets.get(to);
    const isStale = socket !== target || (sender.closed && this.#sockets.has(from));
    if (socket === undefined || (isStale && !this.#wire.mayOutlive(bytes))) {
      this.counts.unreachable++;
      return;
    }
    this.counts.delivered++;
    this.#trace?.(() => `${from} -> ${to} ${this.#wire.describe(bytes)}`);
    this.tap?.onArrived?.(from, socket, bytes);
    socket.receive(bytes, from);
  }

  #freshAddress(): Address {
    return `10.0.0.${(this.#ports % 200) + 1} ${++this.#ports}`;
  }
}
