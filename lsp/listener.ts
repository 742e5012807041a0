/**
 * The listening core: many connections, of both wires, on one socket.
 *
 * @module
 */
import { whyDiffer } from "./app_version.ts";
import type { Millis } from "../base/machine.ts";
import { unitReal } from "../base/random.ts";
import { passedSize } from "./small_paths.ts";
import { ClassicConnection } from "./classic_connection.ts";
import { CLASSIC_ID_MAX, CLASSIC_ID_MIN, ClassicIds } from "./classic_ids.ts";
import { type ClassicFrame, ClassicType, decodeClassicFrame } from "./classic_frame.ts";
import type { Connection } from "./connection.ts";
import { Cookies } from "./cookie.ts";
import { Endpoint } from "./core.ts";
import {
  type AcceptFields,
  CloseCode,
  type DatagramReader,
  FrameType,
  keyOf,
  LSP_VERSION,
  NO_KEY,
  UINT32_MAX,
  type Offer,
  RefuseCode,
} from "./frame.ts";
import { closeText } from "./goodbye.ts";
import { CborConnection } from "./cbor_connection.ts";
import { type CoreOptions, type FullParams, fullParams, ownOffer } from "./params.ts";
import { pathAnswer } from "./path_mtu.ts";
import type { Address, RefusalCause } from "./types.ts";

/** Largest ISN of a classic peer: leaves 2^52 messages before numbers lose their exactness. */
const CLASSIC_ISN_MAX = 2 ** 52;

/** Of a secret that is drawn. */
const SECRET_BYTES = 16;

/** What the end of a classic connection tells the program if its place went to another. */
const UNPROVEN_REASON = "gave its place to a newer one, not having answered";

/**
 * The ticks of cbor connections fall on multiples of this, or of an eighth of the epoch: a
 * wake-up serves all of a slot. 5,000 idle peers at an epoch of 2 s make 100 slots of 50
 * heartbeats, few enough for the receive buffers of other programs on the machine.
 */
const TICK_SLOT_MS = 20;

/** Why a listener turns somebody away. */
type Refusal = Exclude<RefusalCause, "timeout">;

/** See the module; made by {@link createListener}. */
export class Listener extends Endpoint {
  readonly #cborParams: FullParams;
  readonly #classicParams: FullParams;
  readonly #offer: Offer;
  readonly #cookies: Cookies;
  readonly #startMs: Millis;
  readonly #cborByAddress = new Map<Address, CborConnection>();
  readonly #classicByAddress = new Map<Address, ClassicConnection>();
  /** The last connection, by address and ISN, that has ended. */
  readonly #endedIds = new Map<string, number>();
  readonly #classicIds: () => number;
  /** Classic connections of which nothing but Connect was heard, the oldest first. */
  readonly #unproven = new Set<ClassicConnection>();
  #lastId = 0;
  #refusalsSinceMs: Millis = -Infinity;
  #refusals = 0;

  constructor(options: CoreOptions, nowMs: Millis) {
    super(options);
    this.#cborParams = fullParams("cbor", options.params);
    this.#classicParams = fullParams("json", options.params);
    this.#offer = ownOffer(this.limits, options.params);
    const drawn = Uint32Array.from({ length: SECRET_BYTES / 4 }, options.random);
    const secret = options.secret ?? new Uint8Array(drawn.buffer);
    this.#cookies = new Cookies(secret);
    const ids = new ClassicIds(secret);
    this.#classicIds = options.classicIds ?? ((): number => ids.next());
    this.#startMs = nowMs;
  }

  override ended(connection: Connection): void {
    const { address } = connection;
    if (this.#cborByAddress.get(address) === connection) this.#cborByAddress.delete(address);
    if (connection instanceof CborConnection) this.#rememberEnd(connection);
    if (this.#classicByAddress.get(address) === connection) this.#classicByAddress.delete(address);
    if (connection instanceof ClassicConnection) this.#unproven.delete(connection);
    super.ended(connection);
  }

  override tableSizes(): Record<string, number> {
    return {
      ...super.tableSizes(),
      cborAddresses: this.#cborByAddress.size,
      classicAddresses: this.#classicByAddress.size,
      endedRemembered: this.#endedIds.size,
      unproven: this.#unproven.size,
    };
  }

  // ---- json wire

  protected override handleClassic(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    if (this.options.classic === false) return this.rejections.count("classic");
    const frame = decodeClassicFrame(bytes);
    if (typeof frame === "string") return this.rejections.count(frame);
    if (frame.type === ClassicType.connect) return this.#handleClassicConnect(frame, from, nowMs);
    const connection = this.byId.get(frame.connId);
    if (!(connection instanceof ClassicConnection)) return this.rejections.count("unknown");
    if (connection.address !== from) return this.rejections.count("address");
    if (!connection.proven) {
      if (!this.#hasClassicRoom(from, nowMs)) {
        return connection.closeNow("stalled", "limit", "there is no place for it");
      }
      this.#unproven.delete(connection);
    }
    connection.handleFrame(frame);
    this.reschedule(connection);
  }

  #handleClassicConnect(frame: ClassicFrame, from: Address, nowMs: Millis): void {
    const isn = frame.seq;
    if (isn > CLASSIC_ISN_MAX || frame.connId !== 0) return this.rejections.count("number");
    const known = this.#classicByAddress.get(from);
    if (known !== undefined) {
      if (known.isn === isn) known.handleConnectAgain();
      else this.rejections.count("isn");
      return;
    }
    if (this.isClosing) return this.rejections.count("closing");
    // The json wire has no word for "no"; the stranger tries again each epoch.
    if (!this.#hasClassicRoom(from, nowMs)) return;
    if (this.#unproven.size >= this.limits.maxUnproven) {
      // Those who never answer must not keep out those who will.
      this.rejections.count("unproven");
      const [oldest] = this.#unproven;
      oldest!.closeNow("stalled", "limit", UNPROVEN_REASON);
    }
    const params = this.#classicParams;
    const { epochMillis } = params;
    // One free-running tick for the wire, as its other implementations have.
    const ticks = Math.floor((nowMs - this.#startMs) / epochMillis) + 1;
    const firstTickMs = this.#startMs + ticks * epochMillis;
    const id = this.#nextClassicId();
    const connection = new ClassicConnection({ id, address: from, isn, params, firstTickMs }, this);
    this.#unproven.add(connection);
    this.#classicByAddress.set(from, connection);
    this.add(connection);
    connection.handleConnectAgain();
  }

  #nextClassicId(): number {
    let id = this.#classicIds();
    while (this.byId.has(id)) id = this.#classicIds();
    return id;
  }

  // ---- cbor wire

  protected override handleCbor(
    connection: Connection | undefined,
    from: Address,
    nowMs: Millis,
  ): void {
    const { reader } = this;
    if (reader.connId === 0) return this.#handleHandshake(from, nowMs);
    if (!(connection instanceof CborConnection)) return this.handleUnknown(from);
    if (connection.address === from) connection.handleDatagram(reader, nowMs);
    else this.#handleMoved(connection, from, nowMs);
    this.reschedule(connection);
  }

  /** Who goes on with a connection that we do not know shall not wait until it falls silent. */
  protected override handleUnknown(from: Address): void {
    super.handleUnknown(from);
    const { reader } = this;
    const { connId, key, number } = reader;
    let isAnswered = false;
    reader.rewind();
    while (reader.next()) {
      // An answer that finds nobody is not answered, or two that mistake each other never stop.
      const { type } = reader;
      if (type === FrameType.close || type === FrameType.unknown) return;
      if (type !== FrameType.pathResponse && type !== FrameType.padding) isAnswered = true;
    }
    if (!isAnswered) return;
    this.sendStray(from, (writer, into) => {
      writer.begin(into, connId, key, 1);
      writer.unknown(number);
    });
  }

  #handleHandshake(from: Address, nowMs: Millis): void {
    const { reader } = this;
    while (reader.next()) {
      if (reader.type === FrameType.connect) this.#handleConnect(reader, from, nowMs);
      else if (reader.type !== FrameType.padding) this.rejections.count("context");
    }
  }

  #handleConnect(reader: DatagramReader, from: Address, nowMs: Millis): void {
    const { isn, token, number } = reader;
    const known = this.#cborByAddress.get(from);
    if (known?.isn === isn) return known.handleConnectAgain(token);
    // A late copy of the Connect of a connection that is over would make a ghost of it: so that one
    // has used its cookie up, and a client that really connects again is asked for a new one.
    const purpose = `connect ${this.#endedIds.get(`${from} ${isn}`) ?? 0}`;
    if (!this.#cookies.check(token, purpose, from, isn, nowMs)) {
      const cookie = this.#cookies.make(purpose, from, isn, nowMs);
      return this.sendStray(from, (writer, into) => {
        writer.begin(into, 0, NO_KEY, number);
        writer.challenge(isn, cookie);
      });
    }
    const reason = this.#versionMismatch(reader);
    if (reason !== undefined) return this.#refuse("version", reason, from, nowMs);
    if (this.isClosing) return this.#refuse("closed", "the server is closing", from, nowMs);
    // The address is proved: its former owner is gone, and must not live on by these packets.
    known?.closeNow("replaced", "replaced", closeText(CloseCode.replaced));
    if (!this.#hasRoom(from, nowMs)) {
      const { maxConnections } = this.limits;
      const text = `the server has reached its limit of ${maxConnections} connections`;
      return this.#sendRefuse("full", text, from);
    }
    this.#acceptCbor(reader, from, nowMs);
  }

  #acceptCbor(peer: DatagramReader, from: Address, nowMs: Millis): void {
    const { isn, token } = peer;
    const params = this.#cborParams;
    const id = this.#nextCborId();
    const accept: AcceptFields = { ...this.#offer, isn, newConnId: id };
    const connection = new CborConnection(
      {
        id,
        address: from,
        isn,
        params,
        firstTickMs: this.#firstTickMs(nowMs),
        nowMs,
        peer,
        key: keyOf(token),
        passedBytes: passedSize(peer.datagramBytes),
        congestion: this.newCongestion(this.options.random),
        accept,
      },
      this,
    );
    this.#cborByAddress.set(from, connection);
    this.add(connection);
  }

  #nextCborId(): number {
    do {
      this.#lastId++;
      // The next billion are those of the json wire.
      if (this.#lastId === CLASSIC_ID_MIN) this.#lastId = CLASSIC_ID_MAX + 1;
    } while (this.byId.has(this.#lastId));
    return this.#lastId;
  }

  /** A phase of its own for each, in slots, so that the heartbeats spread over the epoch. */
  #firstTickMs(nowMs: Millis): Millis {
    const { epochMillis } = this.#cborParams;
    const slotMs = Math.min(TICK_SLOT_MS, epochMillis / 8);
    const atMs = nowMs + epochMillis * (1 - unitReal(this.options.random));
    return this.#startMs + Math.ceil((atMs - this.#startMs) / slotMs) * slotMs;
  }

  #rememberEnd({ address, isn, id }: CborConnection): void {
    const endedIds = this.#endedIds;
    endedIds.set(`${address} ${isn}`, id);
    if (endedIds.size <= this.limits.maxEndedRemembered) return;
    const [oldest] = endedIds.keys();
    endedIds.delete(oldest!);
  }

  /** A datagram with a connection's number from another address: it must prove itself first. */
  #handleMoved(connection: CborConnection, from: Address, nowMs: Millis): void {
    const { reader } = this;
    const cookies = this.#cookies;
    const { id, isn, key } = connection;
    let answered = false;
    while (reader.next()) {
      if (reader.type !== FrameType.pathResponse) continue;
      const token = pathAnswer(reader.token, isn);
      answered = true;
      if (!cookies.check(token, "path", from, id, nowMs)) this.rejections.count("path");
      else if (connection.phase !== "ended") this.#move(connection, from);
    }
    // An answer is not answered, or two that mistake each other would never stop.
    if (answered) return;
    // What is older than the newest from the known address is merely late.
    if (!connection.isNews(reader.number)) return this.rejections.count("address");
    const token = cookies.make("path", from, id, nowMs);
    this.sendStray(from, (writer, into) => {
      writer.begin(into, id, key, 1);
      writer.pathChallenge(token);
    });
  }

  #move(connection: CborConnection, to: Address): void {
    this.#cborByAddress.delete(connection.address);
    this.#cborByAddress.set(to, connection);
    connection.moveTo(to);
  }

  // ---- turning away

  #versionMismatch(peer: DatagramReader): string | undefined {
    const own = { lspVersion: LSP_VERSION, appVersion: this.options.appVersion ?? 0 };
    const { lspVersion, appVersion } = peer;
    if (lspVersion === LSP_VERSION && appVersion === own.appVersion) return undefined;
    return whyDiffer(own, { lspVersion, appVersion }, "the peer");
  }

  #hasRoom(from: Address, nowMs: Millis): boolean {
    const { maxConnections } = this.limits;
    // Ends that nobody reads count too, or connecting and leaving again would fill the memory.
    const connections = this.byId.size - this.#classicByAddress.size;
    const taken = connections + this.inbox.unreadEnds.cbor;
    if (taken < maxConnections && this.#lastId < UINT32_MAX) return true;
    this.#noteRefusal("full", `${from}: the limit of ${maxConnections} connections`, nowMs);
    return false;
  }

  /** The same for one of the json wire whose address is proved. */
  #hasClassicRoom(from: Address, nowMs: Millis): boolean {
    const { maxClassicConnections } = this.limits;
    const proven = this.#classicByAddress.size - this.#unproven.size;
    if (proven + this.inbox.unreadEnds.json < maxClassicConnections) return true;
    const reason = `${from}: the limit of ${maxClassicConnections} classic connections`;
    this.#noteRefusal("full", reason, nowMs);
    return false;
  }

  #refuse(code: Refusal, reason: string, from: Address, nowMs: Millis): void {
    this.#noteRefusal(code, `${from}: ${reason}`, nowMs);
    this.#sendRefuse(code, reason, from);
  }

  /** Refuses the Connect that is in the reader. */
  #sendRefuse(refusal: Refusal, reason: string, from: Address): void {
    const { isn, number } = this.reader;
    const appVersion = this.options.appVersion ?? 0;
    const code = refusal === "closed" ? RefuseCode.closing : RefuseCode[refusal];
    this.sendStray(from, (writer, into) => {
      writer.begin(into, 0, NO_KEY, number);
      writer.refuse({ isn, code, lspVersion: LSP_VERSION, appVersion, reason });
    });
  }

  /** Reports to the observer, but not without end. */
  #noteRefusal(code: Refusal, reason: string, nowMs: Millis): void {
    this.rejections.count(`refused ${code}`);
    if (nowMs >= this.#refusalsSinceMs + 1000) {
      this.#refusalsSinceMs = nowMs;
      this.#refusals = 0;
    }
    if (this.#refusals++ < this.limits.maxRefusalsPerSecond) {
      this.notify({ kind: "refused", code, reason });
    }
  }
}

/** A listening core that came to life at `nowMs`. Throws RangeError on impossible parameters. */
export function createListener(options: CoreOptions, nowMs: Millis = 0): Listener {
  return new Listener(options, nowMs);
}
