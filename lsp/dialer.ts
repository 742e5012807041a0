/**
 * The dialing core: one connection, on one wire.
 *
 * @module
 */
import { whyDiffer } from "./app_version.ts";
import type { Millis } from "../base/machine.ts";
import { hostOf, portOf, readableAddress } from "./address.ts";
import { smallerSize } from "./small_paths.ts";
import { type Candidate, Candidates } from "./candidates.ts";
import { ClassicConnection } from "./classic_connection.ts";
import { ClassicType, decodeClassicFrame, encodeClassicFrame } from "./classic_frame.ts";
import type { Connection } from "./connection.ts";
import { Endpoint } from "./core.ts";
import { ConnectionClosed, ConnectionLost } from "./errors.ts";
import {
  DATAGRAM_BYTES_MAX,
  FrameType,
  keyOf,
  LSP_VERSION,
  NO_KEY,
  RefuseCode,
  UINT32_MAX,
} from "./frame.ts";
import { CborConnection } from "./cbor_connection.ts";
import { type CoreOptions, type FullParams, fullParams, ownOffer } from "./params.ts";
import type { Address, Outgoing, RefusalCause, Wire } from "./types.ts";

/** What a dialer is made of. */
export interface DialerOptions extends CoreOptions {
  /** The server; or its addresses, of which the first that answers is taken. */
  readonly to: Address | readonly Address[];
  /** Default `cbor`. */
  readonly wire?: Wire;
  /** Initial sequence number, 0..2^32-1; default: drawn. */
  readonly isn?: number;
  /** How often the server is asked until it answers, 1..epochMillis ms; default: every epoch. */
  readonly connectMillis?: number;
}

const noBytes = new Uint8Array(0);
/** Numbers have 53 bits; those of Connects begin below 2^52, so that there is room for more. */
const CONNECT_BITS_LESS = 12;
/** A cookie is good for a minute at most, a dial does not see more of them. */
const COOKIES_MAX = 4;

/** The last so many Connects may be answered. */
const CONNECTS_MAX = 256;

/** A cookie, and who gave it. */
interface Given {
  readonly cookie: bigint;
  readonly by: Candidate;
}

/** See the module; made by {@link createDialer}. */
export class Dialer extends Endpoint {
  readonly #candidates: Candidates;
  readonly #wire: Wire;
  readonly #isn: number;
  readonly #params: FullParams;
  readonly #connectMillis: number;
  #isConnecting = true;
  /**
   * The numbers of Connects begin anywhere, and their answers repeat them: those who do not see
   * them cannot answer in the server's name.
   */
  readonly #connectsFrom: number;
  #connects = 0;
  /** Whom the last of them went to. */
  readonly #asked: Candidate[] = [];
  /** The cookies that we were given, the newest first; a connection has its own for its key. */
  #cookies: readonly Given[] = [];
  /**
   * Connects with a cookie so far. The first is as large as datagrams of messages are, to show that
   * these pass; should it be lost, then the next ones are small, and messages are cut smaller.
   */
  #returns = 0;
  #passedBytes: number = DATAGRAM_BYTES_MAX;
  /** Ticks passed while connecting, and when the next one is. */
  #ticks = 0;
  #nextTickMs: Millis;
  #connection: Connection | undefined;
  /** Where the server answers from: perhaps not the address that was dialled. */
  #alias: Address | undefined;
  /** Asks, beside a connection that the server says it does not know, whether there is a server. */
  #doubt: { readonly isn: number; isDue: boolean } | undefined;

  constructor(options: DialerOptions, nowMs: Millis) {
    super(options);
    const addresses = typeof options.to === "string" ? [options.to] : options.to;
    if (addresses.length === 0) throw new RangeError("Cannot dial: there is no address");
    this.#candidates = new Candidates(addresses, nowMs);
    this.#wire = options.wire ?? "cbor";
    this.#isn = options.isn ?? options.random();
    if (!Number.isInteger(this.#isn) || this.#isn < 0 || this.#isn > UINT32_MAX) {
      throw new RangeError(`Cannot use isn: got ${this.#isn}, expected 0..${UINT32_MAX}`);
    }
    this.#params = fullParams(this.#wire, options.params);
    this.#connectsFrom = (options.random() >>> CONNECT_BITS_LESS) * 2 ** 32 + options.random();
    const { epochMillis } = this.#params;
    this.#connectMillis = options.connectMillis ?? epochMillis;
    const isInRange = this.#connectMillis >= 1 && this.#connectMillis <= epochMillis;
    if (!isInRange || !Number.isInteger(this.#connectMillis)) {
      const expected = `expected an integer 1..${epochMillis}, an epoch`;
      throw new RangeError(`Cannot use connectMillis: got ${this.#connectMillis}, ${expected}`);
    }
    this.#nextTickMs = nowMs + this.#connectMillis;
  }

  override handleWake(nowMs: Millis): void {
    if (this.#isConnecting) {
      this.#candidates.handleWake(nowMs);
      if (nowMs >= this.#nextTickMs) this.#connectTick(nowMs);
    }
    super.handleWake(nowMs);
  }

  override wakeAtMs(): Millis | undefined {
    if (!this.#isConnecting) return super.wakeAtMs();
    return Math.min(this.#nextTickMs, this.#candidates.wakeAtMs);
  }

  protected override get wantsHandshake(): boolean {
    return this.#isConnecting ? this.#candidates.areDue : this.#doubt?.isDue === true;
  }

  protected override pollHandshake(into: Uint8Array): Outgoing | undefined {
    if (!this.#isConnecting) return this.#pollDoubt(into);
    const candidate = this.#candidates.takeDue();
    if (candidate === undefined) return undefined;
    const isClassic = this.#wire === "json";
    const length = isClassic ? this.#classicConnect(into) : this.#cborConnect(into, candidate);
    return this.sent(candidate.to, length);
  }

  /** Where the server is, if it answers from the address that was dialled. */
  get answeringAddress(): Address | undefined {
    const address = this.#connection?.address;
    return address === this.#alias ? address : undefined;
  }

  get epochMillis(): Millis {
    return this.#params.epochMillis;
  }

  /** As in the base; but after the end it says which end that was. */
  override write(connId: number, payload: Uint8Array): void {
    const end = this.#connection?.id === connId ? this.#connection.lastEvent : undefined;
    if (end?.kind === "lost") throw new ConnectionLost(connId);
    if (end?.kind === "closed") throw new ConnectionClosed(connId, end.code, end.reason);
    super.write(connId, payload);
  }

  override close(nowMs: Millis): void {
    this.#isConnecting = false;
    super.close(nowMs);
  }

  override abort(): void {
    this.#isConnecting = false;
    super.abort();
  }

  /** When its one connection ends, whichever side ended it, a dialer is done. */
  override ended(connection: Connection): void {
    this.isClosing = true;
    super.ended(connection);
  }

  protected override handleCbor(known: Connection | undefined, from: Address, nowMs: Millis): void {
    const { reader } = this;
    const isOurs = this.#connection === undefined ? this.#answers(from) : this.#isPeer(from);
    if (!isOurs || this.#wire !== "cbor") return this.rejections.count("address");
    if (reader.connId === 0) {
      while (reader.next()) this.#handleRefusalOrChallenge(nowMs);
      return;
    }
    const connection = known ?? this.#handleAccept(from, nowMs);
    if (!(connection instanceof CborConnection)) return this.handleUnknown(from);
    connection.handleDatagram(reader, nowMs);
    if (connection.isDoubted) this.#handleDoubt(connection);
    this.reschedule(connection);
  }

  protected override handleClassic(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    const isOurs = this.#connection === undefined ? this.#answers(from) : this.#isPeer(from);
    if (!isOurs || this.#wire !== "json") return this.rejections.count("address");
    const frame = decodeClassicFrame(bytes);
    if (typeof frame === "string") return this.rejections.count(frame);
    const { connId, seq } = frame;
    if (this.#isConnecting) {
      if (frame.type !== ClassicType.ack || seq !== this.#isn || connId === 0) return;
      const address = this.#answers(from)!;
      this.#alias = from;
      const spec = { id: connId, address, isn: seq, params: this.#params };
      const firstTickMs = this.#tickAfter(nowMs);
      return this.#connected(new ClassicConnection({ ...spec, firstTickMs }, this));
    }
    const connection = this.byId.get(connId);
    if (!(connection instanceof ClassicConnection)) return this.rejections.count("unknown");
    if (frame.type === ClassicType.connect) return this.rejections.count("context");
    connection.handleFrame(frame);
    this.reschedule(connection);
  }

  /**
   * The address that `from` may be answering for: itself, or one with its port, for a server on a
   * wildcard address may answer from another one than was asked. What it says must prove that it
   * was asked: by the number of our Connect, or by the ISN on the json wire.
   */
  #answers(from: Address): Address | undefined {
    const { addresses } = this.#candidates;
    if (addresses.includes(from)) return from;
    if (this.#isn === 0 && this.#wire === "json") return undefined;
    return addresses.findLast((to) => portOf(to) === portOf(from));
  }

  /** Whether the connection's peer is at `from`. */
  #isPeer(from: Address): boolean {
    return from === this.#alias || from === this.#connection?.address;
  }

  #handleRefusalOrChallenge(nowMs: Millis): void {
    const { reader } = this;
    const doubt = this.#doubt;
    if (reader.type === FrameType.padding) return;
    if (!this.#isConnecting && doubt === undefined) return;
    if (reader.isn !== (doubt?.isn ?? this.#isn)) return this.rejections.count("isn");
    const ordinal = reader.number - this.#connectsFrom;
    const isAnswer = ordinal >= 1 && ordinal <= this.#connects;
    if (!isAnswer || ordinal <= this.#connects - CONNECTS_MAX) {
      return this.rejections.count("number");
    }
    if (doubt !== undefined) return this.#endDoubt();
    const candidate = this.#asked[ordinal % CONNECTS_MAX]!;
    if (reader.type === FrameType.refuse) return this.#handleRefuse(candidate, nowMs);
    if (reader.type !== FrameType.challenge) return this.rejections.count("context");
    // A Challenge that was under way for long may be older than the one before it.
    const others = this.#cookies.filter(({ cookie }) => cookie !== reader.token);
    const given = { cookie: reader.token, by: candidate };
    this.#cookies = [given, ...others.slice(0, COOKIES_MAX - 1)];
    this.#candidates.noteAnswer(candidate);
  }

  /** An Accept opens its datagram; messages may follow it in there. */
  #handleAccept(from: Address, nowMs: Millis): CborConnection | undefined {
    const { reader } = this;
    const isn = this.#isn;
    const params = this.#params;
    const { connId: id } = reader;
    // It is for us if it bears a cookie that we were given, and our number.
    const given = this.#cookies.find(({ cookie }) => reader.bears(keyOf(cookie)));
    if (!this.#isConnecting || given === undefined) return undefined;
    if (!reader.next() || reader.type !== FrameType.accept || reader.isn !== isn) return undefined;
    this.#alias = from;
    const key = keyOf(given.cookie);
    const address = given.by.to;
    const passedBytes = this.#passedBytes;
    const spec = { id, key, address, isn, params, nowMs, passedBytes, peer: reader };
    const firstTickMs = this.#tickAfter(nowMs);
    const congestion = this.newCongestion(this.options.random);
    const connection = new CborConnection({ ...spec, firstTickMs, congestion }, this);
    this.#connected(connection);
    return connection;
  }

  #connected(connection: Connection): void {
    this.#isConnecting = false;
    this.#connection = connection;
    this.add(connection);
  }

  #handleRefuse(candidate: Candidate, nowMs: Millis): void {
    if (this.#candidates.noteRefusal(candidate, nowMs)) return;
    const { code, reason, lspVersion, appVersion } = this.reader;
    if (code === RefuseCode.full) return this.#fail("full", reason);
    if (code !== RefuseCode.version) return this.#fail("closed", reason);
    const own = { lspVersion: LSP_VERSION, appVersion: this.options.appVersion ?? 0 };
    this.#fail("version", whyDiffer({ lspVersion, appVersion }, own, "we"));
  }

  #connectTick(nowMs: Millis): void {
    this.#nextTickMs = this.#tickAfter(nowMs);
    this.#ticks++;
    const { epochLimit, epochMillis } = this.#params;
    const patienceMs = epochLimit * epochMillis;
    if (this.#ticks * this.#connectMillis < patienceMs) return this.#candidates.tick();
    const seconds = patienceMs / 1000;
    const who = this.#candidates.addresses.map(readableAddress).join(" or ");
    this.#fail("timeout", `no answer from ${who} in ${epochLimit} epochs (${seconds} s)`);
  }

  #fail(code: RefusalCause, reason: string): void {
    this.#isConnecting = false;
    this.notify({ kind: "refused", code, reason });
  }

  /** The first tick after `nowMs` of the rhythm that began with the first Connect. */
  #tickAfter(nowMs: Millis): Millis {
    if (nowMs < this.#nextTickMs) return this.#nextTickMs;
    const everyMs = this.#connectMillis;
    const passed = Math.floor((nowMs - this.#nextTickMs) / everyMs) + 1;
    return this.#nextTickMs + passed * everyMs;
  }

  #classicConnect(into: Uint8Array): number {
    const frame = { type: ClassicType.connect, connId: 0, seq: this.#isn, payload: noBytes };
    return encodeClassicFrame(into, frame);
  }

  #cborConnect(into: Uint8Array, candidate: Candidate): number {
    const cookie = this.#cookies.find(({ by }) => by === candidate)?.cookie;
    this.#asked[(this.#connects + 1) % CONNECTS_MAX] = candidate;
    if (cookie === undefined) return this.#writeConnect(into, this.#isn);
    const size = this.paths.plainBytes(hostOf(candidate.to));
    const isFirst = this.#returns++ === 0;
    this.#passedBytes = isFirst ? size : (smallerSize(size) ?? size);
    return this.#writeConnect(into, this.#isn, cookie, isFirst ? size : 0);
  }

  #writeConnect(into: Uint8Array, isn: number, cookie = 0n, padToBytes = 0): number {
    const { writer } = this;
    writer.begin(into, 0, NO_KEY, this.#connectsFrom + ++this.#connects);
    writer.connect({
      ...ownOffer(this.limits, this.options.params),
      isn,
      lspVersion: LSP_VERSION,
      appVersion: this.options.appVersion ?? 0,
      token: cookie,
    });
    if (padToBytes > 0) writer.padding(padToBytes - writer.bytes);
    return writer.finish();
  }

  // ---- a server that does not know our connection

  /** It says so; but it may be about to go. So ask, beside the connection, for another. */
  #handleDoubt(connection: CborConnection): void {
    connection.isDoubted = false;
    if (connection.hasEnded) return;
    this.#doubt ??= { isn: this.options.random(), isDue: true };
    this.#doubt.isDue = true;
  }

  #pollDoubt(into: Uint8Array): Outgoing | undefined {
    const doubt = this.#doubt;
    const connection = this.#connection;
    if (doubt?.isDue !== true || connection === undefined) return undefined;
    doubt.isDue = false;
    return this.sent(connection.address, this.#writeConnect(into, doubt.isn));
  }

  /** A server is there that would make a connection with us; and it does not know this one. */
  #endDoubt(): void {
    this.#doubt = undefined;
    const reason = "the server does not know the connection any more: it was restarted";
    this.#connection?.closeNow("forgotten", "forgotten", reason);
  }
}

/** A dialing core that sends its first Connect at `nowMs`. Throws RangeError on bad options. */
export function createDialer(options: DialerOptions, nowMs: Millis = 0): Dialer {
  return new Dialer(options, nowMs);
}
