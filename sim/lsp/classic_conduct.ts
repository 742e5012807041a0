/**
 * An endpoint's conduct on the json wire: docs/lsp.md, sections 3 to 5.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { ClassicType } from "../../lsp/classic_frame.ts";
import type { Address } from "../../lsp/types.ts";
import { demand } from "../engine/trace.ts";
import { readClassic } from "./classic_reader.ts";
import type { Watched } from "./watched.ts";
import { Outgoing } from "./outgoing.ts";

/** A connection, as its datagrams show it. */
interface Connection {
  readonly id: number;
  readonly isn: number;
  readonly address: Address;
  readonly out: Outgoing;
  /** How often each message was handed in. */
  readonly came: Map<number, number>;
  /** How often each was acknowledged. */
  readonly acked: Map<number, number>;
  /** How often its Connect was handed in, and answered. */
  connects: number;
  answers: number;
}

const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** See the module. */
export class ClassicConduct {
  readonly #end: Watched;
  readonly #connections = new Map<number, Connection>();
  /** ISNs of the Connects that were handed in, by address, and how often; or our own. */
  readonly #isns = new Map<Address, Map<number, number>>();
  /** Connects whose answer is due in this turn. */
  readonly #due: { readonly address: Address; readonly isn: number }[] = [];

  constructor(end: Watched) {
    this.#end = end;
  }

  handled(bytes: Uint8Array, from: Address): void {
    const frame = readClassic(bytes);
    if (frame === undefined) return;
    const { type, connId, seq } = frame;
    const { to } = this.#end;
    if (to !== undefined && from !== to) return;
    if (type === ClassicType.connect) {
      if (to === undefined && connId === 0) this.#connect(from, seq);
      return;
    }
    let known = this.#connections.get(connId);
    if (to !== undefined && known === undefined && this.#connections.size === 0) {
      if (type !== ClassicType.ack || connId === 0 || !this.#isns.get(to)?.has(seq)) return;
      known = this.#open(connId, seq, to);
    }
    if (known === undefined || known.address !== from) return;
    if (type === ClassicType.data) known.came.set(seq, (known.came.get(seq) ?? 0) + 1);
    else if (seq === 0 || seq > known.out.highest) return;
    else if (type === ClassicType.ack) known.out.ack(seq);
    else known.out.ackThrough(seq);
  }

  sent(bytes: Uint8Array, to: Address, nowMs: Millis): void {
    const frame = readClassic(bytes);
    demand(frame, () => `${this.#end.name}: sends nonsense: ${text.decode(bytes)}`);
    const { type, connId, seq, size } = frame;
    if (type === ClassicType.connect) {
      return this.#countConnect(to, seq);
    }
    if (type === ClassicType.ack && this.#isAnswer(connId, seq, to)) return;
    const known = this.#connections.get(connId);
    const where = (): string => `${this.#end.name}, classic connection ${connId}`;
    demand(known, () => `${where()}: sends before there is one`);
    demand(known.address === to, () => `${where()}: sends to ${to}, the peer is ${known.address}`);
    if (type === ClassicType.data) return this.#sendData(known, seq, size, nowMs);
    if (seq === 0) return;
    const acked = (known.acked.get(seq) ?? 0) + 1;
    known.acked.set(seq, acked);
    const came = known.came.get(seq) ?? 0;
    demand(
      acked <= came,
      () => `${where()}: message ${seq - known.isn} came ${came} times, acknowledged ${acked}`,
    );
    if (!this.#end.isOpen(connId)) return;
    const kept = known.acked.size - this.#end.readOf(connId);
    const { maxUnreadMessages } = this.#end.limits;
    demand(
      kept <= maxUnreadMessages,
      () => `${where()}: keeps ${kept} messages unread, the limit is ${maxUnreadMessages}`,
    );
  }

  turnOver(): void {
    if (this.#due.length === 0) return;
    for (const { address, isn } of this.#due.splice(0)) {
      if (this.#end.turnedAway() > 0) return;
      demand(false, () => `${this.#end.name}: Connect ${isn} of ${address} is not answered again`);
    }
  }

  #connect(from: Address, isn: number): void {
    this.#countConnect(from, isn);
    for (const known of this.#connections.values()) {
      if (known.address !== from || known.isn !== isn) continue;
      known.connects++;
      if (this.#end.isOpen(known.id)) this.#due.push({ address: from, isn });
    }
  }

  /** Whether an Ack answers a Connect; a new number makes a connection. */
  #isAnswer(connId: number, seq: number, to: Address): boolean {
    if (this.#end.to !== undefined) return false;
    let known = this.#connections.get(connId);
    const where = (): string => `${this.#end.name}, classic connection ${connId}`;
    if (known === undefined) {
      demand(this.#isns.get(to)?.has(seq), () => `${where()}: nobody connected with ISN ${seq}`);
      known = this.#open(connId, seq, to);
      known.connects = this.#end.turnedAway() > 0 ? Infinity : this.#isns.get(to)!.get(seq)!;
    } else if (known.isn !== seq) return false;
    // Of an ISN of 0, the answer is a heartbeat as well.
    if (seq > 0) known.answers++;
    demand(known.answers <= known.connects, () => `${where()}: answers a Connect that never came`);
    const index = this.#due.findIndex(({ address, isn }) => address === to && isn === seq);
    if (index >= 0) this.#due.splice(index, 1);
    return true;
  }

  #open(id: number, isn: number, address: Address): Connection {
    const out = new Outgoing(isn, this.#end.classic, `${this.#end.name}, classic connection ${id}`);
    const known = {
      id,
      isn,
      address,
      out,
      came: new Map(),
      acked: new Map(),
      connects: 0,
      answers: 0,
    };
    this.#connections.set(id, known);
    return known;
  }

  /** The back-off: see docs/lsp.md, section 5. */
  #sendData({ id, isn, out }: Connection, seq: number, bytes: number, nowMs: Millis): void {
    const before = out.at(seq);
    const beforeMs = before?.atMs ?? 0;
    const resends = (before?.sends ?? 1) - 1;
    out.send(seq, bytes, nowMs);
    const { computer, classic } = this.#end;
    // Sent late once, because the computer slept, a message is sent on time again soon after.
    if (resends < 1 || computer.hasSleptSince(beforeMs)) return;
    const { epochMillis, maxBackOffInterval } = classic;
    const waits = Math.min(2 ** (resends - 1), maxBackOffInterval);
    const leastMs = (waits + 1) * epochMillis - 1.02 * computer.slowestTurnMs - 1e-6;
    demand(
      nowMs - beforeMs >= leastMs,
      () =>
        `${this.#end.name}, classic connection ${id}, message ${seq - isn}: sent again after ` +
        `${nowMs - beforeMs} ms, ${waits} ticks were to pass`,
    );
  }

  #countConnect(address: Address, isn: number): void {
    let known = this.#isns.get(address);
    if (known === undefined) this.#isns.set(address, (known = new Map<number, number>()));
    known.set(isn, (known.get(isn) ?? 0) + 1);
  }
}
