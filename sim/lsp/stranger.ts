/**
 * A second, independent reading of the classic LSP (docs/lsp.md, sections 2 to 8): small and slow,
 * with none of lsp/'s code, so that ours and this one keep each other honest. It plays the Go peers
 * in the simulator, and in tests on real sockets. Liberal where Go programs are: it buffers without
 * bound and never closes politely.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type {
  Address,
  EndpointCore,
  LspEvent,
  LspNotice,
  Outgoing,
  Params,
} from "../../lsp/mod.ts";
import { readClassic } from "./classic_reader.ts";

/** The classic defaults, all parameters present. */
const CLASSIC_DEFAULTS: Required<Params> = {
  epochMillis: 2000,
  epochLimit: 5,
  windowSize: 1,
  maxUnackedMessages: 1,
  maxBackOffInterval: 0,
};

const Type = { connect: 0, data: 1, ack: 2, cumulativeAck: 3 } as const;

interface Frame {
  readonly Type: number;
  readonly ConnID: number;
  readonly SeqNum: number;
  readonly Size: number;
  readonly Checksum: number;
  readonly Payload: string | null;
}

/** A message under way or waiting for the window. */
interface Pending {
  readonly seq: number;
  readonly payload: Uint8Array;
  sent: boolean;
  backOff: number;
  waitEpochs: number;
}

class Connection {
  id: number;
  readonly peer: Address;
  readonly isn: number;
  nextSeq: number;
  expected: number;
  heard = true;
  silentEpochs = 0;
  sentDataSinceTick = false;
  closing = false;
  readonly pending: Pending[] = [];
  readonly early: Map<number, Uint8Array> = new Map();

  constructor(id: number, peer: Address, isn: number) {
    this.id = id;
    this.peer = peer;
    this.isn = isn;
    this.nextSeq = isn + 1;
    this.expected = isn + 1;
  }
}

/** A classic dialer (given `dial`) or listener (not). */
export class StrangerEndpoint implements EndpointCore {
  readonly #params: Required<Params>;
  readonly #connections = new Map<number, Connection>();
  readonly #outbox: { readonly to: Address; readonly text: string }[] = [];
  readonly #events: LspEvent[] = [];
  readonly #notices: LspNotice[] = [];
  readonly #isDialer: boolean;
  #dialing: Connection | undefined;
  #tickAtMs: Millis;
  #lastId = 0;
  #closing = false;
  #drained = false;

  constructor(
    params: Params,
    nowMs: Millis,
    dial?: { readonly to: Address; readonly isn: number },
  ) {
    this.#params = { ...CLASSIC_DEFAULTS, ...params };
    this.#tickAtMs = nowMs + this.#params.epochMillis;
    this.#isDialer = dial !== undefined;
    if (dial === undefined) return;
    this.#dialing = new Connection(0, dial.to, dial.isn);
    this.#send(dial.to, Type.connect, 0, dial.isn);
  }

  handleDatagram(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    const frame = parseFrame(bytes);
    if (frame === undefined) return;
    if (this.#idle()) this.#skipTicks(nowMs);
    if (frame.Type === Type.connect) return this.#onConnect(frame, from);
    const dialing = this.#dialing;
    if (dialing !== undefined) {
      if (from !== dialing.peer) return;
      if (frame.Type !== Type.ack || frame.SeqNum !== dialing.isn || frame.ConnID <= 0) return;
      this.#dialing = undefined;
      dialing.id = frame.ConnID;
      this.#connections.set(dialing.id, dialing);
      this.#notices.push({ kind: "connected", connId: dialing.id, wire: "json", from });
      return;
    }
    const connection = this.#connections.get(frame.ConnID);
    if (connection === undefined || connection.peer !== from) return;
    if (frame.Type === Type.data && !this.#onData(connection, frame)) return;
    connection.heard = true;
    if (frame.Type === Type.ack || frame.Type === Type.cumulativeAck) {
      const cumulative = frame.Type === Type.cumulativeAck;
      removeWhere(
        connection.pending,
        (m) => m.sent && (cumulative ? m.seq <= frame.SeqNum : m.seq === frame.SeqNum),
      );
      this.#fillWindow(connection);
    }
  }

  handleWake(nowMs: Millis): void {
    if (nowMs < this.#tickAtMs) return;
    this.#skipTicks(nowMs);
    if (this.#dialing !== undefined) this.#tickDial(this.#dialing);
    for (const connection of this.#connections.values()) this.#tick(connection);
  }

  write(connId: number, payload: Uint8Array, _nowMs: Millis): void {
    const connection = this.#connections.get(connId);
    if (connection === undefined || connection.closing) throw new Error(`unknown ${connId}`);
    const seq = connection.nextSeq++;
    const copy = payload.slice();
    connection.pending.push({ seq, payload: copy, sent: false, backOff: 0, waitEpochs: 0 });
    this.#fillWindow(connection);
  }

  closeConn(connId: number, _nowMs: Millis): void {
    const connection = this.#connections.get(connId);
    if (connection === undefined || connection.closing) return;
    removeWhere(this.#events, (event) => event.kind === "data" && event.connId === connId);
    this.#events.push({ kind: "closed", connId, code: "here", reason: "closed here" });
    connection.closing = true;
    this.#endIfFlushed(connection);
  }

  close(nowMs: Millis): void {
    this.#closing = true;
    if (this.#dialing !== undefined) {
      this.#dialing = undefined;
      this.#notices.push({ kind: "refused", code: "closed", reason: "closed here" });
    }
    for (const connId of this.#connections.keys()) this.closeConn(connId, nowMs);
    this.#tellDrained();
  }

  pollDatagram(into: Uint8Array, _nowMs: Millis): Outgoing | undefined {
    const next = this.#outbox.shift();
    if (next === undefined) return undefined;
    return { to: next.to, length: utf8.encodeInto(next.text, into).written };
  }

  pollEvent(): LspEvent | undefined {
    return this.#events.shift();
  }

  pollNotice(): LspNotice | undefined {
    return this.#notices.shift();
  }

  wakeAtMs(): Millis | undefined {
    return this.#idle() ? undefined : this.#tickAtMs;
  }

  #idle(): boolean {
    return this.#dialing === undefined && this.#connections.size === 0;
  }

  /** Moves the free-running tick past `nowMs`; ticks missed in a stall are one. */
  #skipTicks(nowMs: Millis): void {
    while (nowMs >= this.#tickAtMs) this.#tickAtMs += this.#params.epochMillis;
  }

  #onConnect(frame: Frame, from: Address): void {
    if (this.#isDialer || this.#closing) return;
    for (const known of this.#connections.values()) {
      if (known.peer !== from) continue;
      if (known.isn === frame.SeqNum) {
        known.heard = true;
        this.#send(from, Type.ack, known.id, known.isn);
      }
      return;
    }
    const connection = new Connection(++this.#lastId, from, frame.SeqNum);
    this.#connections.set(connection.id, connection);
    this.#notices.push({ kind: "connected", connId: connection.id, wire: "json", from });
    this.#send(from, Type.ack, connection.id, connection.isn);
  }

  /** False when the frame is damaged. */
  #onData(connection: Connection, frame: Frame): boolean {
    const all = Uint8Array.fromBase64(frame.Payload ?? "");
    if (frame.Size < 0 || all.length < frame.Size) return false;
    const payload = all.subarray(0, frame.Size);
    if (strangerChecksum(frame.ConnID, frame.SeqNum, payload) !== frame.Checksum) return false;
    this.#send(connection.peer, Type.ack, connection.id, frame.SeqNum);
    if (frame.SeqNum >= connection.expected) connection.early.set(frame.SeqNum, payload);
    for (;;) {
      const next = connection.early.get(connection.expected);
      if (next === undefined) return true;
      connection.early.delete(connection.expected++);
      if (connection.closing) continue;
      this.#events.push({ kind: "data", connId: connection.id, payload: next, wire: "json" });
    }
  }

  #fillWindow(connection: Connection): void {
    const { windowSize, maxUnackedMessages } = this.#params;
    let unacked = connection.pending.filter((message) => message.sent).length;
    for (const message of connection.pending) {
      if (message.sent) continue;
      if (message.seq > connection.pending[0]!.seq + windowSize - 1) break;
      if (unacked >= maxUnackedMessages) break;
      message.sent = true;
      unacked++;
      this.#sendData(connection, message);
    }
    this.#endIfFlushed(connection);
  }

  #tickDial(dialing: Connection): void {
    if (++dialing.silentEpochs < this.#params.epochLimit) {
      return this.#send(dialing.peer, Type.connect, 0, dialing.isn);
    }
    this.#dialing = undefined;
    this.#notices.push({ kind: "refused", code: "timeout", reason: "no answer" });
  }

  #tick(connection: Connection): void {
    connection.silentEpochs = connection.heard ? 0 : connection.silentEpochs + 1;
    connection.heard = false;
    if (connection.silentEpochs >= this.#params.epochLimit) {
      this.#connections.delete(connection.id);
      if (!connection.closing) this.#events.push({ kind: "lost", connId: connection.id });
      return this.#tellDrained();
    }
    let sentData = connection.sentDataSinceTick;
    for (const message of connection.pending) {
      if (!message.sent) continue;
      if (message.waitEpochs > 0) {
        message.waitEpochs--;
        continue;
      }
      this.#sendData(connection, message);
      sentData = true;
      const doubled = message.backOff === 0 ? 1 : 2 * message.backOff;
      message.backOff = Math.min(doubled, this.#params.maxBackOffInterval);
      message.waitEpochs = message.backOff;
    }
    if (!sentData) this.#send(connection.peer, Type.ack, connection.id, 0);
    connection.sentDataSinceTick = false;
  }

  #endIfFlushed(connection: Connection): void {
    if (!connection.closing || connection.pending.length > 0) return;
    this.#connections.delete(connection.id);
    this.#tellDrained();
  }

  #tellDrained(): void {
    if (!this.#closing || this.#drained || this.#connections.size > 0) return;
    this.#drained = true;
    this.#notices.push({ kind: "drained" });
  }

  #sendData(connection: Connection, message: Pending): void {
    connection.sentDataSinceTick = true;
    this.#send(connection.peer, Type.data, connection.id, message.seq, message.payload);
  }

  #send(to: Address, type: number, id: number, seq: number, payload?: Uint8Array): void {
    const frame: Frame = {
      Type: type,
      ConnID: id,
      SeqNum: seq,
      Size: payload?.length ?? 0,
      Checksum: payload === undefined ? 0 : strangerChecksum(id, seq, payload),
      Payload: payload === undefined ? null : payload.toBase64(),
    };
    this.#outbox.push({ to, text: JSON.stringify(frame) });
  }
}

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

function parseFrame(bytes: Uint8Array): Frame | undefined {
  const head = readClassic(bytes);
  if (head !== undefined) {
    const { type, connId, seq, size, checksum, payloadAt, payloadLength } = head;
    const end = payloadAt + payloadLength;
    const Payload = payloadLength < 0 ? null : text.decode(bytes.subarray(payloadAt, end));
    return { Type: type, ConnID: connId, SeqNum: seq, Size: size, Checksum: checksum, Payload };
  }
  try {
    return JSON.parse(text.decode(bytes)) as Frame;
  } catch {
    return undefined;
  }
}

/** docs/lsp.md, section 8; with one sum and one fold at the end, unlike ours. */
export function strangerChecksum(id: number, seq: number, payload: Uint8Array): number {
  let sum = 0;
  for (const value of [id, seq, payload.length]) {
    const word = value % 2 ** 32;
    sum += ((word % 65_536) + Math.floor(word / 65_536)) % 65_536;
  }
  for (let i = 0; i < payload.length; i++) sum += payload[i]! * (i % 2 === 0 ? 1 : 256);
  while (sum > 0xffff) sum = (sum % 65_536) + Math.floor(sum / 65_536);
  return 0xffff - sum;
}

function removeWhere<T>(list: T[], condition: (item: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i--) if (condition(list[i]!)) list.splice(i, 1);
}
