/**
 * The ways to those who have data: directly where that works, and through the server. A peer that
 * cannot be reached, or is lost, costs nothing but the time of the attempt: what was to come from
 * it comes through the server.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { MrGet, MrPiece, MrWant } from "../work/mapreduce_messages.ts";
import { DIRECT, type Fetch, Fetches } from "./fetch.ts";
import { DIALLED_MAX, UNREACHABLE_MS } from "./limits.ts";

/** What is fetched, and where it can be asked for directly. */
export interface RoutedFetch extends Fetch {
  /** `HOST:PORT`; empty: through the server alone. */
  readonly at: string;
  /** What the holder wants to hear; see {@link MrWant}. */
  readonly name: string;
}

/** What routes ask for. */
export interface RoutesPort {
  /** Asks through the server. */
  get(message: MrGet): void;
  /** Connects to a peer; it is told `up`, then payloads, and at last `down`, or `down` at once. */
  dial(peer: number, at: string): void;
  /** Asks a peer that is connected. */
  want(peer: number, message: MrWant): void;
  /** Ends a connection; nothing is heard of it any more. */
  hangUp(peer: number): void;
}

/** A fetch, wherever it goes at present. */
interface Trip {
  readonly fetch: RoutedFetch;
  cancel: () => void;
}

interface Peer {
  readonly number: number;
  readonly at: string;
  readonly fetches: Fetches;
  readonly trips: Set<Trip>;
  isUp: boolean;
}

/** See the module. */
export class Routes {
  /** Bytes that came directly. */
  directBytes = 0;
  readonly #port: RoutesPort;
  readonly #relayed: Fetches;
  readonly #peers = new Map<number, Peer>();
  readonly #byAddress = new Map<string, Peer>();
  /** Until when nobody is looked for there. */
  readonly #unreachable = new Map<string, Millis>();
  #lastPeer = 0;
  #nowMs: Millis = 0;

  constructor(port: RoutesPort) {
    this.#port = port;
    this.#relayed = new Fetches((get) => port.get(get));
  }

  /** What time it is; said before anything else is. */
  at(nowMs: Millis): void {
    this.#nowMs = nowMs;
  }

  /** Begins; what it gives ends it, and is of no effect after that. */
  start(fetch: RoutedFetch): () => void {
    const trip: Trip = { fetch, cancel: () => {} };
    const peer = fetch.bytes > 0 ? this.#peerAt(fetch.at) : undefined;
    if (peer === undefined) this.#relay(trip);
    else {
      peer.trips.add(trip);
      if (peer.isUp) this.#direct(peer, trip);
    }
    return () => {
      peer?.trips.delete(trip);
      trip.cancel();
    };
  }

  /** A piece came through the server. */
  piece(piece: MrPiece): void {
    this.#relayed.handle(piece);
  }

  up(number: number): void {
    const peer = this.#peers.get(number);
    if (peer === undefined) return;
    peer.isUp = true;
    for (const trip of peer.trips) this.#direct(peer, trip);
  }

  /** A piece came from a peer. */
  pieceOf(number: number, piece: MrPiece): void {
    const peer = this.#peers.get(number);
    if (peer?.fetches.handle(piece) === true) this.directBytes += piece.bytes.length;
  }

  /** A peer cannot be reached, or is lost. */
  down(number: number): void {
    const peer = this.#peers.get(number);
    if (peer === undefined) return;
    this.#forget(peer);
    if (this.#unreachable.size >= DIALLED_MAX) this.#unreachable.clear();
    this.#unreachable.set(peer.at, this.#nowMs + UNREACHABLE_MS);
    for (const trip of peer.trips) {
      trip.cancel();
      this.#relay(trip);
    }
  }

  /** Nothing is to be fetched at present: no connection is needed. */
  rest(): void {
    for (const peer of this.#peers.values()) {
      if (peer.trips.size > 0) continue;
      this.#forget(peer);
      this.#port.hangUp(peer.number);
    }
  }

  /** The server is gone: nothing is wanted any more. */
  clear(): void {
    this.#relayed.clear();
    for (const peer of this.#peers.values()) {
      this.#forget(peer);
      this.#port.hangUp(peer.number);
    }
  }

  #peerAt(at: string): Peer | undefined {
    if (at === "") return undefined;
    const known = this.#byAddress.get(at);
    if (known !== undefined) return known;
    const untilMs = this.#unreachable.get(at);
    if (untilMs !== undefined && this.#nowMs < untilMs) return undefined;
    if (this.#peers.size >= DIALLED_MAX) return undefined;
    const number = ++this.#lastPeer;
    const ask = ({ id, job, item, offset, length }: MrGet, { name }: RoutedFetch): void =>
      this.#port.want(number, { kind: "mr-want", id, name, job, item, offset, length });
    const fetches = new Fetches((get, of) => ask(get, of as RoutedFetch), DIRECT);
    const peer: Peer = { number, at, fetches, trips: new Set(), isUp: false };
    this.#peers.set(number, peer);
    this.#byAddress.set(at, peer);
    this.#port.dial(number, at);
    return peer;
  }

  #forget(peer: Peer): void {
    this.#peers.delete(peer.number);
    this.#byAddress.delete(peer.at);
  }

  #direct(peer: Peer, trip: Trip): void {
    const { fetch } = trip;
    trip.cancel = peer.fetches.start({
      ...fetch,
      onPiece: (offset, bytes) => fetch.onPiece(offset, bytes),
      onDone: () => {
        peer.trips.delete(trip);
        fetch.onDone();
      },
      // The peer that answers there may not be the one that is meant: the server knows.
      onFailed: () => {
        peer.trips.delete(trip);
        this.#relay(trip);
      },
    });
  }

  #relay(trip: Trip): void {
    trip.cancel = this.#relayed.start(trip.fetch);
  }
}
