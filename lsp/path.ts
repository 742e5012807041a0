/**
 * What a cbor connection knows of its path to the peer, and what follows from it for the size of
 * datagrams: how large they may be (path_mtu.ts), and whether those of messages get there at all
 * (black_hole.ts).
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { hostOf, readableAddress } from "./address.ts";
import { BlackHole } from "./black_hole.ts";
import { smallerSize } from "./small_paths.ts";
import type { Host } from "./connection.ts";
import {
  DATA_OVERHEAD_BYTES,
  DATAGRAM_BYTES_MAX,
  DATAGRAM_OVERHEAD_BYTES,
  type DatagramWriter,
} from "./frame.ts";
import { LARGEST_DATAGRAM_BYTES, pathAnswer, PathMtu } from "./path_mtu.ts";
import type { RoundTrip } from "./rtt.ts";
import { frameBytes, type Outbound, type SendWindow } from "./send_window.ts";
import type { Address } from "./types.ts";

/** The longest message that goes to `address` whole, where datagrams of `passedBytes` passed. */
export function wholeBytes(host: Host, address: Address, passedBytes: number): number {
  return wholeIn(plainBytesTo(host, address, passedBytes), sealBytes(host));
}

/** The size to which messages are cut, as far as the path to `address` is known. */
function plainBytesTo(host: Host, address: Address, passedBytes: number): number {
  return Math.min(host.paths.plainBytes(hostOf(address)), passedBytes);
}

/** The longest message that fits into a datagram of `datagramBytes`. */
function wholeIn(datagramBytes: number, ofSealBytes: number): number {
  return datagramBytes - DATAGRAM_OVERHEAD_BYTES - DATA_OVERHEAD_BYTES - ofSealBytes;
}

/** The largest datagrams that are tried. */
function mostBytes({ packing, probesMtu, mtu }: Host): number {
  if (!packing) return 0;
  return probesMtu ? LARGEST_DATAGRAM_BYTES : Math.min(mtu, DATAGRAM_BYTES_MAX);
}

function sealBytes({ seal }: Host): number {
  return seal.headBytes + seal.tailBytes;
}

/** See the module. */
export class Path {
  readonly mtu: PathMtu;
  readonly hole: BlackHole = new BlackHole();
  readonly #isn: number;
  readonly #host: Host;
  readonly #send: SendWindow;
  readonly #sealBytes: number;
  /** Datagrams that messages are cut to. */
  #plainBytes: number;
  #address: Address;

  /** The path to `address`, which `send` uses, and which passed datagrams of `passedBytes`. */
  constructor(isn: number, address: Address, passedBytes: number, host: Host, send: SendWindow) {
    this.#isn = isn;
    this.#address = address;
    this.#host = host;
    this.#send = send;
    this.#sealBytes = sealBytes(host);
    this.#plainBytes = plainBytesTo(host, address, passedBytes);
    const baseBytes = this.#plainBytes < DATAGRAM_BYTES_MAX ? this.#plainBytes : host.mtu;
    this.mtu = new PathMtu(isn, baseBytes, mostBytes(host));
  }

  /** The peer is at another address now: nothing is known of that path. */
  moveTo(address: Address): void {
    this.#address = address;
    this.mtu.fallBack();
  }

  /** Size of the next datagram; `next` goes with it if there is one, again if it `isProbe`. */
  bytesFor(next: Outbound | undefined, isProbe: boolean): number {
    const { bytes } = this.hole;
    // A probe of the path for lost messages must not fail for its size.
    if (bytes === undefined) return isProbe ? this.#plainBytes : this.mtu.bytes;
    return Math.max(smallerSize(bytes)!, next === undefined ? 0 : this.#aloneBytes(next));
  }

  /** `entry` left. One that leaves again and again makes its size suspicious. */
  noteSent(entry: Outbound, nowMs: Millis): void {
    const bytes = this.#aloneBytes(entry);
    // What is not cut yet need not suffer from it.
    if (this.hole.noteSent(entry, bytes, nowMs)) this.#cutTo(smallerSize(bytes)!);
  }

  /** Something was acknowledged. */
  noteAcked(): void {
    if (this.hole.noteAcked()) this.#cutTo(this.#plainBytes);
  }

  /** Writes a question into the empty datagram that `writer` has begun, if it is time for one. */
  writeProbe(writer: DatagramWriter, roundTrip: RoundTrip, nowMs: Millis): void {
    if (this.hole.bytes === undefined) this.mtu.writeProbe(writer, roundTrip, nowMs);
    else this.hole.writeProbe(writer, roundTrip, nowMs);
  }

  /** A PathResponse came. If now it is certain that the path is too small: that, for people. */
  handleAnswer(answer: bigint, nowMs: Millis): string | undefined {
    const { mtu, hole } = this;
    const host = this.#host;
    mtu.handleAnswer(answer);
    if (mtu.bytes >= DATAGRAM_BYTES_MAX) this.#notePlain();
    if (hole.handleAnswer(pathAnswer(answer, this.#isn), nowMs)) this.#cutTo(this.#plainBytes);
    if (!hole.isCertain) return undefined;
    const bytes = hole.bytes!;
    host.paths.note(hostOf(this.#address), bytes);
    return (
      `datagrams of ${bytes} bytes are lost on the way to ${readableAddress(this.#address)}, ` +
      `smaller ones arrive; the next connection keeps to ${smallerSize(bytes)} bytes`
    );
  }

  /** The peer says that its datagrams do not get here; so ours may not get there either. */
  noteTooLarge(): void {
    this.#host.paths.note(hostOf(this.#address), this.#plainBytes);
  }

  /** The size of a datagram that has nothing in it but `entry`. */
  #aloneBytes(entry: Outbound): number {
    return DATAGRAM_OVERHEAD_BYTES + this.#sealBytes + frameBytes(entry);
  }

  /** Datagrams of the usual size pass: had some not got there, then by chance. */
  #notePlain(): void {
    this.#host.paths.forget(hostOf(this.#address));
    if (this.#plainBytes === DATAGRAM_BYTES_MAX) return;
    this.#plainBytes = DATAGRAM_BYTES_MAX;
    if (this.hole.bytes === undefined) this.#cutTo(this.#plainBytes);
  }

  #cutTo(datagramBytes: number): void {
    this.#send.cutTo(wholeIn(datagramBytes, this.#sealBytes));
  }
}
