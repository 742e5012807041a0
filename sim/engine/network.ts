/**
 * A simulated network of datagrams: every socket has a path to the rest of the world, with its own
 * faults in each direction. What UDP may do to a datagram happens here: loss, delay, reordering,
 * duplicates, damage, truncation, blackouts, one-way partitions, and addresses that change.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, integerBetween, type Random, unitReal } from "../../base/random.ts";
import type { Address } from "../../lsp/mod.ts";
import { describeDatagram } from "../lsp/describe.ts";
import type { Dice } from "./dice.ts";
import type { Loop } from "./loop.ts";

/** What may happen to a datagram on its way in one direction. Shares are probabilities. */
export interface Faults {
  readonly lossShare: number;
  readonly duplicateShare: number;
  /** One random bit to four are flipped. Native wire only: see {@link Network}. */
  readonly flipShare: number;
  readonly truncateShare: number;
  /** Datagrams that come up to `lateMs` late, behind many sent after them. */
  readonly lateShare: number;
  readonly lateMs: Millis;
  /** Every datagram takes `latencyMs` and up to `jitterMs` more, so that some overtake others. */
  readonly latencyMs: Millis;
  readonly jitterMs: Millis;
}

/** A socket's path: to it and from it, and whether each direction is blacked out now. */
export interface Path {
  up: Faults;
  down: Faults;
  upBlocked: boolean;
  downBlocked: boolean;
}

/** What became of datagrams, counted. */
export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  damaged: number;
  unreachable: number;
}

/** Takes a datagram that has come through. */
export type Receiver = (bytes: Uint8Array, from: Address) => void;

/** A bound UDP socket. */
export interface Socket {
  address: Address;
  closed: boolean;
  readonly path: Path;
  readonly receive: Receiver;
}

const FIRST_BYTE_OF_JSON = 0x7b;

/**
 * Delivers datagrams between sockets by address. A datagram from A to B suffers A's `up` faults and
 * then B's `down` faults. Bits are never flipped in the classic wire's JSON, whose checksum does
 * not cover its acks and headers; nor does its JSON pass from or to a socket that was closed and
 * opened again, since a restarted server counts its ids from 1. There the protocol itself is
 * defenceless.
 */
export class Network {
  readonly counts: NetworkCounts = {
    sent: 0,
    delivered: 0,
    lost: 0,
    duplicated: 0,
    damaged: 0,
    unreachable: 0,
  };
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #trace: ((text: () => string) => void) | undefined;
  readonly #sockets = new Map<Address, Socket>();
  #ports = 1000;

  constructor(loop: Loop, random: Random, trace?: (text: () => string) => void) {
    this.#loop = loop;
    this.#random = random;
    this.#trace = trace;
  }

  /** Binds a socket, to a port of its own unless `address` is given. */
  open(path: Path, receive: Receiver, address: Address = this.#freshAddress()): Socket {
    const socket = { address, path, receive, closed: false };
    this.#sockets.set(address, socket);
    return socket;
  }

  close(socket: Socket): void {
    socket.closed = true;
    if (this.#sockets.get(socket.address) === socket) this.#sockets.delete(socket.address);
  }

  /** Gives an open socket another address, as a NAT does that forgot it; the old one is dead. */
  rebind(socket: Socket): void {
    this.#sockets.delete(socket.address);
    socket.address = this.#freshAddress();
    this.#sockets.set(socket.address, socket);
  }

  /** Sends a copy of `bytes`. */
  send(from: Socket, to: Address, bytes: Uint8Array): void {
    this.counts.sent++;
    const target = this.#sockets.get(to);
    if (target === undefined) {
      this.counts.unreachable++;
      this.#trace?.(() => `${from.address} -> ${to} unreachable: ${describeDatagram(bytes)}`);
      return;
    }
    if (from.path.upBlocked || target.path.downBlocked) {
      this.counts.lost++;
      this.#trace?.(() => `${from.address} -> ${to} blacked out: ${describeDatagram(bytes)}`);
      return;
    }
    this.#dispatch(from, target, bytes);
    for (const faults of [from.path.up, target.path.down]) {
      if (!chance(this.#random, faults.duplicateShare)) continue;
      this.counts.duplicated++;
      this.#dispatch(from, target, bytes);
    }
  }

  #dispatch(sender: Socket, target: Socket, bytes: Uint8Array): void {
    const random = this.#random;
    const from = sender.address;
    const to = target.address;
    let delayMs = 0;
    let copy: Uint8Array = bytes.slice();
    for (const faults of [sender.path.up, target.path.down]) {
      if (chance(random, faults.lossShare)) {
        this.counts.lost++;
        this.#trace?.(() => `${from} -> ${to} lost: ${describeDatagram(bytes)}`);
        return;
      }
      delayMs += faults.latencyMs + unitReal(random) * faults.jitterMs;
      if (chance(random, faults.lateShare)) delayMs += unitReal(random) * faults.lateMs;
      const damaged = damage(random, copy, faults);
      if (damaged !== copy) this.counts.damaged++;
      copy = damaged;
    }
    this.#loop.after(delayMs, () => {
      const socket = this.#sockets.get(to);
      const staleSender = sender.closed && this.#sockets.has(from);
      const stale = isJson(copy) && (socket !== target || staleSender);
      if (socket === undefined || stale) {
        this.counts.unreachable++;
        return;
      }
      this.counts.delivered++;
      this.#trace?.(() => `${from} -> ${to} ${describeDatagram(copy)}`);
      socket.receive(copy, from);
    });
  }

  #freshAddress(): Address {
    return `10.0.0.${(this.#ports % 200) + 1} ${++this.#ports}`;
  }
}

function isJson(bytes: Uint8Array): boolean {
  return bytes[0] === FIRST_BYTE_OF_JSON;
}

/** A damaged copy of `bytes`, or `bytes` themselves when they are spared. */
function damage(random: Random, bytes: Uint8Array, faults: Faults): Uint8Array {
  let result = bytes;
  if (faults.flipShare > 0 && !isJson(bytes) && bytes.length > 0) {
    if (chance(random, faults.flipShare)) {
      result = result.slice();
      const flips = integerBetween(random, 1, 4);
      for (let i = 0; i < flips; i++) {
        const bit = integerBetween(random, 0, result.length * 8 - 1);
        result[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
  }
  if (faults.truncateShare > 0 && bytes.length > 0 && chance(random, faults.truncateShare)) {
    result = result.slice(0, integerBetween(random, 0, bytes.length - 1));
  }
  return result;
}

/** A path without faults, `latencyMs` long each way. */
export function calmPath(latencyMs: Millis): Path {
  return {
    up: calmFaults(latencyMs),
    down: calmFaults(latencyMs),
    upBlocked: false,
    downBlocked: false,
  };
}

/** No faults but `latencyMs` each way. */
export function calmFaults(latencyMs: Millis): Faults {
  return {
    lossShare: 0,
    duplicateShare: 0,
    flipShare: 0,
    truncateShare: 0,
    lateShare: 0,
    lateMs: 0,
    latencyMs,
    jitterMs: 0,
  };
}

/**
 * Draws the faults of one direction. Each kind is present in about half the runs, so that some runs
 * are nasty in one way only. `scaleMs` (an epoch, say) sets the scale of what is late.
 */
export function drawFaults(dice: Dice, scaleMs: Millis, name: string): Faults {
  return {
    lossShare: dice.sometimes(0.6, 0, 0.4, `${name}.loss`),
    duplicateShare: dice.sometimes(0.5, 0, 0.3, `${name}.duplicate`),
    flipShare: dice.sometimes(0.4, 0, 0.2, `${name}.flip`),
    truncateShare: dice.sometimes(0.3, 0, 0.1, `${name}.truncate`),
    lateShare: dice.sometimes(0.4, 0, 0.3, `${name}.late`),
    lateMs: dice.real(0, 3 * scaleMs, `${name}.lateMs`),
    latencyMs: dice.scale(0.05, 0.3 * scaleMs, `${name}.latencyMs`),
    jitterMs: dice.sometimes(0.6, 0, 0.3 * scaleMs, `${name}.jitterMs`),
  };
}
