/**
 * An endpoint's conduct on the cbor wire: docs/lsp.md, sections 3 to 7.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { CloseCode, DatagramReader, FrameType, keyOf } from "../../lsp/frame.ts";
import type { Address } from "../../lsp/types.ts";
import { demand } from "../engine/trace.ts";
import type { Watched } from "./watched.ts";
import { NativeConnection } from "./native_connection.ts";

/** What a stranger said with a Connect, and what it was told. */
interface Handshake {
  /** When each cookie was last handed out. */
  readonly challengedMs: Map<bigint, Millis>;
  /** The cookies that came back. */
  readonly returned: Set<bigint>;
  /** What the last Connect offered. */
  windowMessages: number;
  windowBytes: number;
  /** When the last connection of it ended, as far as its datagrams show. */
  endedMs: Millis;
}

/** Fewer ends than this may come in a run. */
const REMEMBERED_MIN = 1000;

const reader = new DatagramReader();

/** When the newest cookie that came back was handed out; -Infinity if none did. */
function provedAtMs({ challengedMs, returned }: Handshake): Millis {
  let newestMs = -Infinity;
  for (const token of returned) newestMs = Math.max(newestMs, challengedMs.get(token) ?? -Infinity);
  return newestMs;
}

/** Whether the datagram in the reader bears a cookie that came back. */
function hasReturned({ returned }: Handshake): boolean {
  return [...returned].some((token) => reader.bears(keyOf(token)));
}

/** See the module. */
export class NativeConduct {
  readonly #end: Watched;
  readonly #connections = new Map<number, NativeConnection>();
  /** By address and ISN. */
  readonly #handshakes = new Map<string, Handshake>();
  /** Path challenges, by address, connection and token; once answered they prove the address. */
  readonly #challenges = new Set<string>();
  /** Closes to be answered in this turn, by connection and address. */
  readonly #due = new Set<string>();
  #closesHandled = 0;
  #answersSent = 0;
  #strangers = 0;
  #challengesSent = 0;
  #unknownsSent = 0;
  /** Datagrams of connections that were handed in. */
  #handled = 0;
  #straysInTurn = 0;

  constructor(end: Watched) {
    this.#end = end;
  }

  handled(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    if (!reader.open(bytes)) return;
    const { to } = this.#end;
    if (to !== undefined && from !== to) return;
    if (reader.connId === 0) return this.#handledHandshake(from);
    this.#handled++;
    const known = this.#connections.get(reader.connId) ?? this.#accepted(from, nowMs);
    // Without the key of the connection, it is of another, or of nobody.
    if (known === undefined || !reader.bears(known.key)) return this.#handledUnknown(from);
    if (known.address !== from) return this.#handledMoved(known, from);
    const wasOver = known.isOver;
    known.handled(reader, nowMs);
    if (!known.hasPeersClose || reader.code === CloseCode.answer) return;
    this.#closesHandled++;
    // One that has taken leave itself takes a Close for the answer.
    if (!wasOver) this.#due.add(`${known.id} ${from}`);
  }

  sent(bytes: Uint8Array, to: Address, nowMs: Millis): void {
    const where = (): string => `${this.#end.name}, connection ${reader.connId}`;
    demand(reader.open(bytes), () => `${where()}: sends nonsense: ${reader.reject}`);
    if (reader.connId === 0) return this.#sentHandshake(to, nowMs);
    let known = this.#connections.get(reader.connId);
    const accept = reader.next() && reader.type === FrameType.accept;
    if (accept) known = this.#accepts(known, to, nowMs);
    const { type, code } = reader;
    // Outside of the connection's own datagrams, the first of which is never a challenge.
    if (type === FrameType.unknown) return this.#sentUnknown();
    if (type === FrameType.pathChallenge && reader.number === 1) return this.#sentChallenge(to);
    if (type === FrameType.close && code === CloseCode.answer) {
      demand(++this.#answersSent <= this.#closesHandled, () => `${where()}: answers no Close`);
      this.#noteStray();
      this.#due.delete(`${reader.connId} ${to}`);
      return;
    }
    demand(known, () => `${where()}: sends before there is one`);
    demand(known.address === to, () => `${where()}: sends to ${to}, the peer is ${known.address}`);
    known.sent(reader, accept, nowMs);
    if (!known.isOver) return;
    // Its own Close, because the last acknowledgement came with the peer's, is as good an answer.
    this.#due.delete(`${known.id} ${to}`);
    this.#noteOver(known, nowMs);
  }

  turnOver(): void {
    this.#straysInTurn = 0;
    if (this.#due.size === 0) return;
    const [first] = this.#due;
    this.#due.clear();
    const isExcused = this.#end.turnedAway() > 0;
    demand(isExcused, () => `${this.#end.name}: the Close of ${first} is not answered`);
  }

  // ---- handshake

  #handledHandshake(from: Address): void {
    while (reader.next()) {
      if (this.#end.to !== undefined) {
        if (reader.type === FrameType.challenge) this.#noteCookie(from);
        continue;
      }
      if (reader.type !== FrameType.connect) continue;
      const handshake = this.#handshakeOf(from, reader.isn);
      handshake.returned.add(reader.token);
      handshake.windowMessages = reader.windowMessages;
      handshake.windowBytes = reader.windowBytes;
    }
  }

  /** A dialer was given a cookie for its address, which nobody else knows. */
  #noteCookie(from: Address): void {
    const { isn, token } = reader;
    this.#handshakes.get(`${from} ${isn}`)?.returned.add(token);
  }

  #sentHandshake(to: Address, nowMs: Millis): void {
    if (this.#end.to === undefined) this.#noteStray();
    while (reader.next()) {
      const { type, isn, token } = reader;
      if (type === FrameType.connect) this.#handshakeOf(to, isn);
      else if (type === FrameType.challenge) {
        this.#handshakeOf(to, isn).challengedMs.set(token, nowMs);
      }
    }
  }

  /** A dialer is given the Accept of its connection. */
  #accepted(from: Address, nowMs: Millis): NativeConnection | undefined {
    if (this.#end.to === undefined || this.#connections.size > 0) return undefined;
    if (!reader.next() || reader.type !== FrameType.accept) return undefined;
    const { connId, isn, windowMessages, windowBytes } = reader;
    const handshake = this.#handshakes.get(`${from} ${isn}`);
    if (handshake === undefined || !hasReturned(handshake)) return undefined;
    const known = new NativeConnection(this.#end, from, reader, nowMs);
    known.out.grant(isn, windowMessages, windowBytes);
    this.#connections.set(connId, known);
    return known;
  }

  /** A listener accepts: only who has proved its address since its last connection was over. */
  #accepts(known: NativeConnection | undefined, to: Address, nowMs: Millis): NativeConnection {
    if (known !== undefined) return known;
    const { connId, isn } = reader;
    const where = (): string => `${this.#end.name}, connection ${connId} of ${to}`;
    const handshake = this.#handshakes.get(`${to} ${isn}`);
    const provedMs = handshake === undefined ? -Infinity : provedAtMs(handshake);
    demand(provedMs > -Infinity, () => `${where()}: the address has not proved itself`);
    demand(
      provedMs >= handshake!.endedMs,
      () => `${where()}: a ghost of the one that is over, by a cookie of then`,
    );
    demand(hasReturned(handshake!), () => `${where()}: its key is no cookie of this address`);
    const made = new NativeConnection(this.#end, to, reader, nowMs);
    made.out.grant(isn, handshake!.windowMessages, handshake!.windowBytes);
    this.#connections.set(connId, made);
    return made;
  }

  #handshakeOf(address: Address, isn: number): Handshake {
    const key = `${address} ${isn}`;
    let known = this.#handshakes.get(key);
    if (known === undefined) {
      known = {
        challengedMs: new Map(),
        returned: new Set(),
        windowMessages: 0,
        windowBytes: 0,
        endedMs: -Infinity,
      };
      this.#handshakes.set(key, known);
    }
    return known;
  }

  #noteOver({ isn, address }: NativeConnection, nowMs: Millis): void {
    const handshake = this.#handshakes.get(`${address} ${isn}`);
    // One that remembers few ends soon knows nothing of this.
    if (this.#end.limits.maxEndedRemembered < REMEMBERED_MIN) return;
    if (handshake?.endedMs === -Infinity) handshake.endedMs = nowMs;
  }

  // ---- strangers

  /** What is said to strangers in one turn has a limit. */
  #noteStray(): void {
    const { maxStrayDatagrams } = this.#end.limits;
    demand(
      ++this.#straysInTurn <= maxStrayDatagrams,
      () => `${this.#end.name}: ${this.#straysInTurn} datagrams to strangers in one turn`,
    );
  }

  #handledUnknown(from: Address): void {
    const { connId } = reader;
    // Its connection may exist, though nothing was sent on it yet.
    this.#strangers++;
    reader.rewind();
    while (reader.next()) {
      if (reader.type !== FrameType.close) continue;
      if (reader.code === CloseCode.answer) return;
      this.#closesHandled++;
      this.#due.add(`${connId} ${from}`);
      return;
    }
  }

  /** A datagram with a connection's number from elsewhere: only a proof counts. */
  #handledMoved(known: NativeConnection, from: Address): void {
    const { number } = reader;
    let answers = false;
    while (reader.next()) {
      // Whether the endpoint still knows the connection, or answers, is not to be seen from here.
      if (reader.type === FrameType.close) this.#closesHandled++;
      if (reader.type !== FrameType.pathResponse) continue;
      answers = true;
      const token = reader.token ^ BigInt(known.isn);
      if (!this.#challenges.has(`${from} ${known.id} ${token}`)) continue;
      if (known.isOver) continue;
      known.moveTo(from);
    }
    // An end that is over takes no note of what is new any more.
    const isOver = known.isOver || !this.#end.isOpen(known.id) || !this.#end.readsAll();
    if (!answers && (isOver || number > known.newestNumber)) this.#strangers++;
  }

  /** A listener tells a stranger that it knows nothing of it: at most once a datagram. */
  #sentUnknown(): void {
    const where = (): string => `${this.#end.name}, connection ${reader.connId}`;
    demand(this.#end.to === undefined, () => `${where()}: a dialer answers strangers`);
    demand(++this.#unknownsSent <= this.#handled, () => `${where()}: answers nothing`);
    const known = this.#connections.get(reader.connId);
    const isKnown = known !== undefined && reader.bears(known.key) && !known.isOver;
    const { isOpen, readsAll } = this.#end;
    demand(!isKnown || !isOpen(known.id) || !readsAll(), () => `${where()}: disowned, but open`);
    this.#noteStray();
  }

  #sentChallenge(to: Address): void {
    const { connId, token } = reader;
    this.#noteStray();
    demand(
      ++this.#challengesSent <= this.#strangers,
      () => `${this.#end.name}, connection ${connId}: challenges ${to}, which sent nothing new`,
    );
    this.#challenges.add(`${to} ${connId} ${token}`);
  }
}
