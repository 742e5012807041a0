/**
 * Data on its way through the server: who asked whom for what, so that an answer finds its asker.
 * A holder is asked for a bounded number of pieces at a time; the rest wait their turn.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import type { Item, MrAsked, MrPiece } from "../work/mapreduce_messages.ts";
import { ASKED_MAX, HELD_MAX } from "./limits.ts";

/** What one peer asks another for. */
export interface Request {
  readonly asker: number;
  /** The asker's number for it. */
  readonly id: number;
  readonly holder: number;
  /** The number under which the holder knows the job. */
  readonly job: number;
  readonly item: Item;
  readonly offset: number;
  readonly length: number;
}

/** What the relay needs of its owner. */
export interface RelayPort {
  write(connId: number, message: MrAsked | MrPiece): void;
}

interface Holder {
  under: number;
  readonly waiting: Queue<Request>;
}

const NOTHING = new Uint8Array();

/** See the module. */
export class Relay {
  /** Bytes that went through. */
  bytes = 0;
  readonly #port: RelayPort;
  readonly #byId = new Map<number, Request>();
  readonly #holders = new Map<number, Holder>();
  readonly #asked = new Map<number, number>();
  #lastId = 0;

  constructor(port: RelayPort) {
    this.#port = port;
  }

  /** Requests under way or waiting. */
  get size(): number {
    let waiting = 0;
    for (const holder of this.#holders.values()) waiting += holder.waiting.length;
    return this.#byId.size + waiting;
  }

  /** Passes a request on; false when the asker has too many. */
  ask(request: Request): boolean {
    const asked = this.#asked.get(request.asker) ?? 0;
    if (asked >= ASKED_MAX) return false;
    this.#asked.set(request.asker, asked + 1);
    const holder = this.#holders.get(request.holder) ?? { under: 0, waiting: new Queue<Request>() };
    this.#holders.set(request.holder, holder);
    if (holder.under < HELD_MAX) this.#send(holder, request);
    else holder.waiting.push(request);
    return true;
  }

  /** The request cannot be passed on: its asker is told so. */
  refuse({ asker, id }: Pick<Request, "asker" | "id">): void {
    this.#port.write(asker, { kind: "mr-piece", id, found: false, bytes: NOTHING });
  }

  /** A holder's answer; false when nobody asked that one for it. */
  answer(from: number, piece: MrPiece): boolean {
    const request = this.#byId.get(piece.id);
    if (request === undefined || request.holder !== from) return false;
    this.#byId.delete(piece.id);
    const { asker, id } = request;
    this.bytes += piece.bytes.length;
    if (this.#settle(asker)) this.#port.write(asker, { ...piece, id });
    this.#next(from);
    return true;
  }

  /** The connection is gone: what was asked of it cannot be had, what it asked for is dropped. */
  gone(connId: number): void {
    this.#asked.delete(connId);
    const holder = this.#holders.get(connId);
    this.#holders.delete(connId);
    for (const [id, request] of this.#byId) {
      if (request.holder !== connId) continue;
      this.#byId.delete(id);
      this.#refuse(request);
    }
    if (holder === undefined) return;
    for (let next = holder.waiting.shift(); next !== undefined; next = holder.waiting.shift()) {
      this.#refuse(next);
    }
  }

  #refuse(request: Request): void {
    if (this.#settle(request.asker)) this.refuse(request);
  }

  /** One request less of the asker's; whether it is still there. */
  #settle(asker: number): boolean {
    const asked = this.#asked.get(asker);
    if (asked === undefined) return false;
    if (asked > 1) this.#asked.set(asker, asked - 1);
    else this.#asked.set(asker, 0);
    return true;
  }

  #send(holder: Holder, request: Request): void {
    holder.under++;
    // A number of 32 bits on the wire.
    do this.#lastId = (this.#lastId + 1) % 2 ** 32;
    while (this.#byId.has(this.#lastId));
    const id = this.#lastId;
    this.#byId.set(id, request);
    const { job, item, offset, length } = request;
    this.#port.write(request.holder, { kind: "mr-asked", id, job, item, offset, length });
  }

  #next(connId: number): void {
    const holder = this.#holders.get(connId);
    if (holder === undefined) return;
    holder.under--;
    let next = holder.waiting.shift();
    // Those who asked may be gone.
    while (next !== undefined && !this.#asked.has(next.asker)) next = holder.waiting.shift();
    if (next !== undefined) this.#send(holder, next);
    else if (holder.under === 0) this.#holders.delete(connId);
  }
}
