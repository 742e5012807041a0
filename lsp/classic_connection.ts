/**
 * A connection on the json wire: one frame a datagram, one Ack for each Data, repairs at epoch
 * ticks only, and silence as the only way to say goodbye.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";
import {
  type ClassicFrame,
  ClassicType,
  encodeClassicFrame,
  CLASSIC_PAYLOAD_BYTES_MAX,
} from "./classic_frame.ts";
import { Connection, type ConnectionSpec, type Host } from "./connection.ts";
import type { Outbound } from "./send_window.ts";

/** Acks waiting to be sent; beyond, a Data goes unanswered and will be sent again. */
const PENDING_ACKS_MAX = 4096;

const noBytes = new Uint8Array(0);

/** See the module. */
export class ClassicConnection extends Connection {
  override readonly wire = "json";
  override readonly maxPayloadBytes: number = CLASSIC_PAYLOAD_BYTES_MAX;
  protected override readonly payloadLimit = "the json wire's";
  /** Whether anything but Connect came: then the peer receives at its address. */
  proven = false;

  /** Sequence numbers to acknowledge; 0 is a heartbeat. */
  readonly #acks = new Queue<number>();
  readonly #resends = new Queue<Outbound>();

  constructor(spec: ConnectionSpec, host: Host) {
    super(spec, host, Infinity);
  }

  /** A frame with our number from our address. */
  handleFrame(frame: ClassicFrame): void {
    if (this.phase === "ended") return;
    this.proven = true;
    this.noteHeard();
    const { type, seq } = frame;
    if (type === ClassicType.data) return this.takeData(seq, frame.payload);
    if (seq === 0) return;
    if (seq > this.send.highestSent) return this.host.rejections.count("ack");
    // The server's Ack of a Connect comes again whenever the Connect does; it removes nothing.
    const { send } = this;
    const removed = type === ClassicType.ack ? send.ackOne(seq) : send.ackThrough(seq) > 0;
    if (removed) this.afterAcks();
  }

  /** A Connect with our ISN came again: answer it again. */
  handleConnectAgain(): void {
    this.noteHeard();
    this.acknowledge(this.isn);
  }

  override fill(into: Uint8Array, nowMs: Millis): number {
    const { id } = this;
    const seq = this.#acks.shift();
    if (seq !== undefined) {
      return encodeClassicFrame(into, { type: ClassicType.ack, connId: id, seq, payload: noBytes });
    }
    const entry = this.#nextMessage();
    if (entry === undefined) return 0;
    this.countSent(entry.sends === 0);
    this.send.markSent(entry, nowMs);
    const { payload } = entry;
    return encodeClassicFrame(into, {
      type: ClassicType.data,
      connId: id,
      seq: entry.seq,
      payload,
    });
  }

  protected override acknowledge(seq: number): void {
    if (this.#acks.length < PENDING_ACKS_MAX) this.#acks.push(seq);
    this.host.wantsToSend(this);
  }

  protected override heartbeat(): void {
    this.acknowledge(0);
  }

  protected override resendAtTick(nowMs: Millis): boolean {
    this.send.tick(nowMs, (entry) => this.#resends.push(entry));
    if (this.#resends.length === 0) return false;
    this.host.wantsToSend(this);
    return true;
  }

  protected override afterEnd(): void {
    this.#resends.clear();
    this.host.forget(this);
  }

  #nextMessage(): Outbound | undefined {
    if (this.phase === "ended") return undefined;
    for (let entry = this.#resends.shift(); entry; entry = this.#resends.shift()) {
      if (entry.state === "sent") return entry;
    }
    return this.send.peekFresh();
  }
}
