/**
 * The oracle of the LSP simulation. It keeps what every program wrote, compares it with what the
 * other one reads, and knows which end of which connection talks to which.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { LspEvent, Wire } from "../../lsp/mod.ts";
import { demand } from "../engine/trace.ts";

/** Bytes of a marked message: writer, connection and index, so that it is known anywhere. */
const MARK_BYTES = 12;

/** Every so many bytes of a large message one is different. */
const PATTERN_BYTES = 1001;

/** One end of a connection. */
export interface End {
  readonly side: Side;
  readonly connId: number;
  readonly wire: Wire;
  /** What this end's program wrote, in order. */
  readonly sent: Uint8Array[];
  /** Messages of the peer's that this end's program has read. */
  received: number;
  /** The other end, once a message has told which that is. */
  peer: End | undefined;
  /** How this end's program learned of the end. */
  ended: "lost" | "closed" | undefined;
  /** Virtual time of that. */
  endedAtMs: Millis;
}

/** One life of an endpoint: a restarted program is another side. */
export interface Side {
  readonly number: number;
  readonly name: string;
  readonly role: "dialer" | "listener";
  readonly ends: Map<number, End>;
  /** The process is gone. */
  dead: boolean;
  refused: string | undefined;
  drained: boolean;
}

/** All sides of one run, and the rules between them. */
export class Ledger {
  readonly sides: Side[] = [];
  messagesRead = 0;
  /** Whether there were paths that swallow large datagrams. */
  hasNarrowPaths = false;

  newSide(name: string, role: Side["role"]): Side {
    const side: Side = {
      number: this.sides.length,
      name: `${name}#${this.sides.length}`,
      role,
      ends: new Map(),
      dead: false,
      refused: undefined,
      drained: false,
    };
    this.sides.push(side);
    return side;
  }

  /** A connection was made. Its id must be new on this side, and positive. */
  connected(side: Side, connId: number, wire: Wire): End {
    demand(connId > 0, () => `${side.name}: connection id ${connId} is not positive`);
    demand(!side.ends.has(connId), () => `${side.name}: connection id ${connId} used again`);
    if (side.role === "dialer") {
      demand(side.ends.size === 0, () => `${side.name}: connected twice, again as ${connId}`);
      demand(side.refused === undefined, () => `${side.name}: connected after being refused`);
    }
    const end: End = {
      side,
      connId,
      wire,
      sent: [],
      received: 0,
      peer: undefined,
      ended: undefined,
      endedAtMs: Infinity,
    };
    side.ends.set(connId, end);
    return end;
  }

  /** The next message to write on `end`, `length` bytes of it or more. Not yet counted as sent. */
  compose(end: End, length: number): Uint8Array {
    const index = end.sent.length;
    const payload = new Uint8Array(index === 0 ? Math.max(length, MARK_BYTES) : length);
    payload.fill(index * 37 + end.connId + end.side.number * 101);
    // A large message is told from one whose pieces were mixed up.
    for (let at = PATTERN_BYTES; at < length; at += PATTERN_BYTES) payload[at] = at / PATTERN_BYTES;
    if (payload.length >= MARK_BYTES) {
      const view = new DataView(payload.buffer);
      view.setUint32(0, end.side.number);
      view.setUint32(4, end.connId);
      view.setUint32(8, index);
    }
    return payload;
  }

  /** A program read an event. Throws Violation when it may not have come now. */
  read(side: Side, event: LspEvent, nowMs: Millis): void {
    const end = side.ends.get(event.connId);
    demand(end, () => `${side.name}: ${event.kind} on connection ${event.connId}, never connected`);
    demand(
      end.ended === undefined,
      () => `${side.name}: ${event.kind} on ${event.connId} after its end (${end.ended})`,
    );
    if (event.kind === "data") return this.#readData(end, event.payload);
    if (event.kind === "closed" && event.code === "forgotten") {
      const isKnown = end.peer?.ended === undefined && end.peer?.side.dead === false;
      demand(!isKnown, () => `${side.name}: ${event.connId} is forgotten, but its peer is open`);
    }
    const isPath = event.kind === "closed" && event.code === "path";
    demand(!isPath || this.hasNarrowPaths, () => `${side.name}: ended for a path that is wide`);
    end.ended = event.kind;
    end.endedAtMs = nowMs;
  }

  #readData(end: End, payload: Uint8Array): void {
    if (end.peer === undefined) this.#bind(end, payload);
    const expected = end.peer!.sent[end.received];
    const where = () => `${end.side.name} connection ${end.connId}, message ${end.received}`;
    demand(expected, () => `${where()}: read more than was written: ${describe(payload)}`);
    demand(
      equal(expected, payload),
      () => `${where()}: read ${describe(payload)}, written ${describe(expected)}`,
    );
    end.received++;
    this.messagesRead++;
  }

  /** The first message read tells who is at the other end. */
  #bind(end: End, payload: Uint8Array): void {
    const where = () => `${end.side.name} connection ${end.connId}`;
    demand(payload.length >= MARK_BYTES, () => `${where()}: first read is ${describe(payload)}`);
    const view = new DataView(payload.buffer, payload.byteOffset);
    const side = this.sides[view.getUint32(0)];
    const peer = side?.ends.get(view.getUint32(4));
    demand(
      peer && side?.role !== end.side.role && peer.connId === end.connId,
      () => `${where()}: got a message of another connection: ${describe(payload)}`,
    );
    demand(
      peer.peer === undefined,
      () => `${where()}: ${side!.name} already talks to ${peer.peer?.side.name}`,
    );
    end.peer = peer;
    peer.peer = end;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function describe(payload: Uint8Array): string {
  if (payload.length < MARK_BYTES) return `${payload.length} bytes [${payload.join(" ")}]`;
  const view = new DataView(payload.buffer, payload.byteOffset);
  const [side, connId, index] = [0, 4, 8].map((offset) => view.getUint32(offset));
  return `${payload.length} bytes (side #${side} connection ${connId} message ${index})`;
}
