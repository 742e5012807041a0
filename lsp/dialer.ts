/**
 * The dialing core: one connection, on one wire.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { ClassicConnection } from "./classic_connection.ts";
import { ClassicType, decodeClassicFrame, encodeClassicFrame } from "./classic_frame.ts";
import type { Connection } from "./connection.ts";
import { Endpoint } from "./endpoint.ts";
import { ConnectionClosed, ConnectionLost } from "./errors.ts";
import { FrameType, keyOf, LSP_VERSION, NO_KEY, RefuseCode, UINT32_MAX } from "./frame.ts";
import { NativeConnection, ownOffer } from "./native_connection.ts";
import { type CoreOptions, type FullParams, fullParams } from "./params.ts";
import type { Address, Outgoing, RefusalCause, Wire } from "./types.ts";

/** What a dialer is made of. */
export interface DialerOptions extends CoreOptions {
  /** The server. Datagrams from anywhere else are ignored. */
  readonly to: Address;
  /** Default `cbor`. */
  readonly wire?: Wire;
  /** Initial sequence number, 0..2^32-1; default: drawn. */
  readonly isn?: number;
}

const noBytes = new Uint8Array(0);
/** Numbers have 53 bits; those of Connects begin below 2^52, so that there is room for more. */
const CONNECT_BITS_LESS = 12;
/** A cookie is good for a minute at most, a dial does not see more of them. */
const COOKIES_MAX = 4;

/** See the module; made by {@link createDialer}. */
export class Dialer extends Endpoint {
  private readonly to: Address;
  private readonly wire: Wire;
  private readonly isn: number;
  private readonly params: FullParams;
  private isConnecting = true;
  private connectWanted = true;
  /**
   * The numbers of Connects begin anywhere, and their answers repeat them: those who do not see
   * them cannot answer in the server's name.
   */
  private readonly connectsFrom: number;
  private connects = 0;
  /** The cookies that the server gave, the newest first; its connection has one for its key. */
  private cookies: readonly bigint[] = [];
  /** Ticks passed while connecting, and when the next one is. */
  private ticks = 0;
  private nextTickMs: Millis;
  private connection: Connection | undefined;

  constructor(options: DialerOptions, nowMs: Millis) {
    super(options);
    this.to = options.to;
    this.wire = options.wire ?? "cbor";
    this.isn = options.isn ?? options.random();
    if (!Number.isInteger(this.isn) || this.isn < 0 || this.isn > UINT32_MAX) {
      throw new RangeError(`Cannot use isn: got ${this.isn}, expected 0..${UINT32_MAX}`);
    }
    this.params = fullParams(this.wire, options.params);
    this.connectsFrom = (options.random() >>> CONNECT_BITS_LESS) * 2 ** 32 + options.random();
    this.nextTickMs = nowMs + this.params.epochMillis;
  }

  override handleWake(nowMs: Millis): void {
    if (this.isConnecting && nowMs >= this.nextTickMs) this.connectTick(nowMs);
    super.handleWake(nowMs);
  }

  override wakeAtMs(): Millis | undefined {
    return this.isConnecting ? this.nextTickMs : super.wakeAtMs();
  }

  protected override get wantsHandshake(): boolean {
    return this.isConnecting && this.connectWanted;
  }

  protected override pollHandshake(into: Uint8Array): Outgoing | undefined {
    if (!this.wantsHandshake) return undefined;
    this.connectWanted = false;
    return this.sent(
      this.to,
      this.wire === "json" ? this.classicConnect(into) : this.nativeConnect(into),
    );
  }

  /** As in the base; but after the end it says which end that was. */
  override write(connId: number, payload: Uint8Array): void {
    const end = this.connection?.id === connId ? this.connection.lastEvent : undefined;
    if (end?.kind === "lost") throw new ConnectionLost(connId);
    if (end?.kind === "closed") throw new ConnectionClosed(connId, end.code, end.reason);
    super.write(connId, payload);
  }

  override close(nowMs: Millis): void {
    this.isConnecting = false;
    super.close(nowMs);
  }

  override abort(): void {
    this.isConnecting = false;
    super.abort();
  }

  /** When its one connection ends, whichever side ended it, a dialer is done. */
  override ended(connection: Connection): void {
    this.isClosing = true;
    super.ended(connection);
  }

  protected override handleNative(
    known: Connection | undefined,
    from: Address,
    nowMs: Millis,
  ): void {
    const { reader } = this;
    if (from !== this.to || this.wire !== "cbor") return this.rejections.count("address");
    if (reader.connId === 0) {
      while (reader.next()) this.handleRefusalOrChallenge();
      return;
    }
    const connection = known ?? this.handleAccept(nowMs);
    if (!(connection instanceof NativeConnection)) return this.handleUnknown(from);
    connection.handleDatagram(reader, nowMs);
    this.reschedule(connection);
  }

  protected override handleClassic(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    if (from !== this.to || this.wire !== "json") return this.rejections.count("address");
    const frame = decodeClassicFrame(bytes);
    if (typeof frame === "string") return this.rejections.count(frame);
    const { connId, seq } = frame;
    if (this.isConnecting) {
      if (frame.type !== ClassicType.ack || seq !== this.isn || connId === 0) return;
      const spec = { id: connId, address: from, isn: seq, params: this.params };
      const firstTickMs = this.tickAfter(nowMs);
      return this.connected(new ClassicConnection({ ...spec, firstTickMs }, this));
    }
    const connection = this.byId.get(connId);
    if (!(connection instanceof ClassicConnection)) return this.rejections.count("unknown");
    if (frame.type === ClassicType.connect) return this.rejections.count("context");
    connection.handleFrame(frame);
    this.reschedule(connection);
  }

  private handleRefusalOrChallenge(): void {
    const { reader } = this;
    if (!this.isConnecting || reader.type === FrameType.padding) return;
    if (reader.isn !== this.isn) return this.rejections.count("isn");
    const ordinal = reader.number - this.connectsFrom;
    if (ordinal < 1 || ordinal > this.connects) return this.rejections.count("number");
    if (reader.type === FrameType.refuse) return this.handleRefuse();
    if (reader.type !== FrameType.challenge) return this.rejections.count("context");
    // A Challenge that was under way for long may be older than the one before it.
    const others = this.cookies.filter((cookie) => cookie !== reader.token);
    this.cookies = [reader.token, ...others.slice(0, COOKIES_MAX - 1)];
    this.connectWanted = true;
  }

  /** An Accept opens its datagram; messages may follow it in there. */
  private handleAccept(nowMs: Millis): NativeConnection | undefined {
    const { reader, isn, params } = this;
    const { connId: id } = reader;
    // It is for us if it bears a cookie that we were given, and our number.
    const cookie = this.cookies.find((given) => reader.bears(keyOf(given)));
    if (!this.isConnecting || cookie === undefined) return undefined;
    if (!reader.next() || reader.type !== FrameType.accept || reader.isn !== isn) return undefined;
    const key = keyOf(cookie);
    const spec = { id, key, address: this.to, isn, params, nowMs, peer: reader };
    const firstTickMs = this.tickAfter(nowMs);
    const congestion = this.newCongestion(this.options.random);
    const connection = new NativeConnection({ ...spec, firstTickMs, congestion }, this);
    this.connected(connection);
    return connection;
  }

  private connected(connection: Connection): void {
    this.isConnecting = false;
    this.connection = connection;
    this.add(connection);
  }

  private handleRefuse(): void {
    const { code, reason, lspVersion, appVersion } = this.reader;
    if (code === RefuseCode.full) return this.fail("full", reason);
    if (code !== RefuseCode.version) return this.fail("closed", reason);
    const own = `LSP ${LSP_VERSION}, messages ${this.options.appVersion ?? 0}`;
    const theirs = `LSP ${lspVersion}, messages ${appVersion}`;
    this.fail("version", `versions differ: the server has ${theirs}; we have ${own}`);
  }

  private connectTick(nowMs: Millis): void {
    this.nextTickMs = this.tickAfter(nowMs);
    this.ticks++;
    const { epochLimit, epochMillis } = this.params;
    if (this.ticks < epochLimit) {
      this.connectWanted = true;
      return;
    }
    const seconds = (epochLimit * epochMillis) / 1000;
    this.fail("timeout", `no answer from ${this.to} in ${epochLimit} epochs (${seconds} s)`);
  }

  private fail(code: RefusalCause, reason: string): void {
    this.isConnecting = false;
    this.notify({ kind: "refused", code, reason });
  }

  /** The first tick after `nowMs` of the rhythm that began with the first Connect. */
  private tickAfter(nowMs: Millis): Millis {
    if (nowMs < this.nextTickMs) return this.nextTickMs;
    const { epochMillis } = this.params;
    const passed = Math.floor((nowMs - this.nextTickMs) / epochMillis) + 1;
    return this.nextTickMs + passed * epochMillis;
  }

  private classicConnect(into: Uint8Array): number {
    const frame = { type: ClassicType.connect, connId: 0, seq: this.isn, payload: noBytes };
    return encodeClassicFrame(into, frame);
  }

  private nativeConnect(into: Uint8Array): number {
    const { writer } = this;
    writer.begin(into, 0, NO_KEY, this.connectsFrom + ++this.connects);
    writer.connect({
      ...ownOffer(this.limits, this.options.params),
      isn: this.isn,
      lspVersion: LSP_VERSION,
      appVersion: this.options.appVersion ?? 0,
      token: this.cookies[0] ?? 0n,
    });
    return writer.finish();
  }
}

/** A dialing core that sends its first Connect at `nowMs`. Throws RangeError on bad options. */
export function createDialer(options: DialerOptions, nowMs: Millis = 0): Dialer {
  return new Dialer(options, nowMs);
}
