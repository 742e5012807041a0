/**
 * Both sides of what peers say to each other without the server: what this one fetches of others
 * ({@link Routes}), and what others fetch of it.
 *
 * @module
 */
import type { MapReduceMessage, MrWant } from "../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { VISITOR_PIECES_MAX, VISITORS_MAX } from "./limits.ts";
import type { PeerEffect, PeerInput } from "./peer_types.ts";
import { framedPiece, pieceIn } from "./piece_frame.ts";
import { Routes } from "./routes.ts";

/** What is needed of the core. */
export interface PeersPort {
  /** Says something to the server. */
  write(message: MapReduceMessage): void;
  push(effect: PeerEffect): void;
  /**
   * Whether a visitor may have what it asks for; `answer` is called once, at any time, if so: with
   * the bytes, and PIECE_HEAD_BYTES in front of them that nobody else uses.
   */
  give(want: MrWant, answer: (bytes: Uint8Array | undefined) => void): void;
}

const KINDS: ReadonlySet<string> = new Set<PeerInput["kind"]>([
  "listening",
  "peer-up",
  "peer-payload",
  "peer-down",
  "visitor-payload",
  "visitor-gone",
]);

/** See the module. */
export class Peers {
  readonly routes: Routes;
  /** Where others can connect; 0: nowhere. */
  port = 0;
  readonly #port: PeersPort;
  /** Pieces under way to each visitor. */
  readonly #visitors = new Map<number, number>();

  constructor(port: PeersPort) {
    this.#port = port;
    this.routes = new Routes({
      get: (message) => port.write(message),
      dial: (peer, at) => port.push({ kind: "dial", peer, at }),
      want: (peer, message) =>
        port.push({ kind: "peer-write", peer, payload: encodeMessage(message) }),
      hangUp: (peer) => port.push({ kind: "hang-up", peer }),
    });
  }

  handle(input: PeerInput): void {
    switch (input.kind) {
      case "listening":
        this.port = input.port;
        return;
      case "peer-up":
        return this.routes.up(input.peer);
      case "peer-payload": {
        const piece = pieceIn(input.payload);
        return piece && this.routes.pieceOf(input.peer, piece);
      }
      case "peer-down":
        return this.routes.down(input.peer);
      case "visitor-payload":
        return this.#serve(input.visitor, input.payload);
      case "visitor-gone":
        this.#visitors.delete(input.visitor);
    }
  }

  #serve(visitor: number, payload: Uint8Array): void {
    const message = decodeMessage(payload);
    // A stranger is told nothing: what it says makes no sense here.
    if (typeof message === "string" || message.kind !== "mr-want") return;
    const under = this.#visitors.get(visitor) ?? 0;
    const { id } = message;
    if (under >= VISITOR_PIECES_MAX || (under === 0 && this.#visitors.size >= VISITORS_MAX)) {
      return this.#answer(visitor, id, undefined);
    }
    this.#visitors.set(visitor, under + 1);
    this.#port.give(message, (bytes) => {
      const left = this.#visitors.get(visitor);
      // It left while its piece was read.
      if (left === undefined) return;
      if (left > 1) this.#visitors.set(visitor, left - 1);
      else this.#visitors.delete(visitor);
      this.#answer(visitor, id, bytes);
    });
  }

  #answer(visitor: number, id: number, bytes: Uint8Array | undefined): void {
    this.#port.push({ kind: "answer", visitor, payload: framedPiece(id, bytes) });
  }
}

/** Whether the input is one of these. */
export function isOfPeers<T extends { readonly kind: string }>(input: T): input is T & PeerInput {
  return KINDS.has(input.kind);
}
