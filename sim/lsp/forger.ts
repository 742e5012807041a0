/**
 * A stranger who sees what passes and wants to do harm with what LSP must withstand: recorded
 * datagrams played again, from their own address or another; acknowledgements of what was never
 * sent; answers that nobody asked for; Connects from nowhere. It never forges what an end cannot
 * tell from its peer's own: LSP without a seal has no defence against that. But it may shut one eye
 * and forge without the key of the connection, as those must who do not see what passes.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { CloseCode, DatagramReader, FrameType, NO_KEY, RefuseCode } from "../../lsp/frame.ts";
import type { Dice } from "../engine/dice.ts";
import type { Loop } from "../engine/loop.ts";
import type { Address, Network, Socket, Tap } from "../engine/network.ts";
import type { TraceLine } from "../engine/trace.ts";
import { readClassic } from "./classic_reader.ts";
import { describeDatagram } from "./describe.ts";
import {
  ackOf,
  BEYOND,
  blindAnswer,
  blindly,
  classic,
  closeOf,
  connect,
  native,
  NOBODY,
  OFFER,
} from "./forgeries.ts";
import type { ForgerPlan } from "./plan.ts";
import { isClassic } from "./wire.ts";

/** Recorded datagrams, the oldest of which go first. */
const RECORDED_MAX = 64;
/** Connects that brought a cookie back; they are kept for longer. */
const CONNECTS_MAX = 16;
/** So many of the replays are of those. */
const CONNECTS_SHARE = 0.5;
const PLACE = "forger";
/** Addresses that it makes up, in a run. */
const FAKES_MAX = 16;

/** A datagram that was seen. */
interface Seen {
  readonly from: Address;
  readonly to: Address;
  readonly bytes: Uint8Array;
  /** The listener of then: ids of the json wire mean something else after a restart. */
  readonly life: Socket | undefined;
}

const reader = new DatagramReader();

/** See the module. */
export class Forger implements Tap {
  readonly #loop: Loop;
  readonly #network: Network;
  readonly #dice: Dice;
  readonly #plan: ForgerPlan;
  readonly #listener: Address;
  readonly #trace: TraceLine | undefined;
  readonly #socket: Socket;
  readonly #isOurs: (place: string | undefined) => boolean;
  readonly #seen: Seen[] = [];
  readonly #connects: Seen[] = [];
  #isOver = false;
  #fakes = 0;

  constructor(
    loop: Loop,
    network: Network,
    dice: Dice,
    plan: ForgerPlan,
    listener: Address,
    trace: TraceLine | undefined,
    isOurs: (place: string | undefined) => boolean,
  ) {
    this.#isOurs = isOurs;
    this.#loop = loop;
    this.#network = network;
    this.#dice = dice;
    this.#plan = plan;
    this.#listener = listener;
    this.#trace = trace;
    this.#socket = network.open(PLACE, () => {});
    network.tap = this;
    this.#planNext();
  }

  /** From now on it only looks on. */
  stop(): void {
    this.#isOver = true;
    this.#network.tap = undefined;
  }

  onSent(from: Socket, to: Address, bytes: Uint8Array): void {
    if (this.#network.at(to) === undefined) return;
    const life = this.#network.at(this.#listener);
    const seen = { from: from.address, to, bytes: bytes.slice(), life };
    this.#seen.push(seen);
    if (this.#seen.length > RECORDED_MAX) this.#seen.shift();
    if (isProvedConnect(bytes)) this.#connects.push(seen);
    if (this.#connects.length > CONNECTS_MAX) this.#connects.shift();
    if (!this.#plan.kinds.includes("blind")) return;
    // A dial is short: it must be answered at once.
    const answer = blindAnswer(bytes, this.#dice);
    if (answer !== undefined) this.#inject(to, from.address, answer);
  }

  onArrived(): void {}

  #planNext(): void {
    this.#loop.after(this.#dice.real(0, 2 * this.#plan.paceMs), () => {
      if (this.#isOver) return;
      this.#act();
      this.#planNext();
    });
  }

  #act(): void {
    const { kinds } = this.#plan;
    const what = this.#dice.pick(kinds);
    if (what === "flood") return this.#flood();
    const { length } = this.#seen;
    if (length === 0) return;
    const connects = this.#connects.length;
    if (what === "replay" && connects > 0 && this.#dice.chance(CONNECTS_SHARE)) {
      return this.#replay(this.#connects[this.#dice.integer(0, connects - 1)]!);
    }
    const seen = this.#seen[this.#dice.integer(0, length - 1)]!;
    if (what === "replay") return this.#replay(seen);
    if (isClassic(seen.bytes)) return this.#forgeClassic(seen);
    if (what === "forge") return this.#forgeNative(seen);
    const forged = blindly(seen.bytes, this.#dice);
    if (forged !== undefined) this.#inject(seen.from, seen.to, forged);
  }

  #inject(from: Address, to: Address, bytes: Uint8Array, afterMs: Millis = 0): void {
    this.#loop.after(afterMs, () => {
      if (this.#isOver) return;
      this.#trace?.(() => `forged: ${from} -> ${to} ${describeDatagram(bytes)}`);
      this.#network.inject(PLACE, from, to, bytes);
    });
  }

  /** The json wire has no defence: a replayed Connect makes a connection. */
  #replay({ from, to, bytes }: Seen): void {
    if (isClassic(bytes)) return;
    const as = this.#dice.chance(0.7) ? from : this.#socket.address;
    this.#inject(as, to, bytes, this.#dice.scale(0.1, 20 * this.#plan.paceMs));
  }

  /** Connects of both wires from addresses at which nobody is, or of another ISN from a peer's. */
  #flood(): void {
    const dice = this.#dice;
    for (let left = dice.integer(1, 12); left > 0 && this.#fakes < FAKES_MAX; left--) {
      const isn = dice.integer(0, 2 ** 32 - 1);
      const someone = this.#seen[this.#seen.length - 1]?.from;
      const isSpoofed = dice.chance(0.2) && someone !== undefined && someone !== this.#listener;
      const from = isSpoofed ? someone : `10.9.9.9 ${++this.#fakes}`;
      const isNative = isSpoofed || dice.chance(0.5);
      if (!isNative) this.#inject(from, this.#listener, classic(0, 0, isn));
      else {
        const token = dice.chance(0.5) ? 0n : BigInt(dice.integer(1, 2 ** 32 - 1));
        this.#inject(from, this.#listener, connect(isn, token));
      }
    }
  }

  #forgeNative({ from, to, bytes }: Seen): void {
    if (!reader.open(bytes)) return;
    const { connId, number } = reader;
    if (connId === 0) return this.#forgeHandshake(from, to);
    const name = { connId, key: reader.key };
    let high = 0;
    while (reader.next()) {
      if (reader.type === FrameType.ack) high = Math.max(high, reader.cumulative);
      if (reader.type === FrameType.data) high = Math.max(high, reader.seq);
    }
    const own = this.#socket.address;
    const seq = high + BEYOND;
    const news = number + BEYOND;
    switch (this.#dice.integer(0, 6)) {
      case 0:
        return this.#inject(from, to, ackOf(name, number, seq, 0));
      case 1:
        return this.#inject(from, to, ackOf(name, number, high, BEYOND));
      case 2:
        return this.#inject(from, to, closeOf(name, number, CloseCode.answer));
      case 3:
        return this.#inject(own, to, closeOf(name, news, CloseCode.done));
      case 4:
        return this.#inject(own, to, ackOf(name, this.#dice.pick([1, news]), high, 1));
      case 5: {
        const token = BigInt(this.#dice.integer(1, 2 ** 32 - 1));
        return this.#inject(
          own,
          to,
          native(name, news, (w) => w.pathResponse(token)),
        );
      }
      default: {
        const payload = Uint8Array.of(6, 6, 6);
        return this.#inject(
          own,
          to,
          native(name, news, (w) => w.data(high + 1, payload)),
        );
      }
    }
  }

  /** Tells a dialer, as somebody else or about another dial, how its dial went. */
  #forgeHandshake(from: Address, to: Address): void {
    if (!reader.next() || reader.type !== FrameType.connect) return;
    const isOwn = this.#dice.chance(0.5);
    const as = isOwn ? this.#socket.address : to;
    const isn = isOwn ? reader.isn : (reader.isn + 1) % 2 ** 32;
    if (this.#dice.chance(0.5)) {
      const accept = { ...OFFER, isn, newConnId: 66 };
      return this.#inject(
        as,
        from,
        native({ connId: 66, key: NO_KEY }, 1, (w) => w.accept(accept)),
      );
    }
    const refuse = { isn, code: RefuseCode.version, lspVersion: 99, appVersion: 0, reason: "no" };
    this.#inject(
      as,
      from,
      native(NOBODY, 1, (w) => w.refuse(refuse)),
    );
  }

  #forgeClassic({ from, to, bytes, life }: Seen): void {
    const head = readClassic(bytes);
    if (head === undefined || life !== this.#network.at(this.#listener)) return;
    const { type, connId, seq } = head;
    const own = this.#socket.address;
    if (type === 0) {
      const isOwn = this.#dice.chance(0.5);
      if (isOwn) this.#inject(own, from, classic(2, 66, seq));
      else this.#inject(to, from, classic(2, 66, seq + 1));
      return;
    }
    switch (this.#dice.integer(0, 3)) {
      case 0:
        return this.#inject(from, to, classic(2, connId, seq + BEYOND));
      case 1:
        // Another implementation may well believe it.
        if (!this.#isOurs(this.#network.placeOf(to))) return;
        return this.#inject(from, to, classic(3, connId, seq + BEYOND));
      case 2:
        return this.#inject(own, to, classic(2, connId, seq));
      default:
        // A listener that knows no connection with that address would make one of it.
        if (from !== this.#listener) return;
        return this.#inject(to, from, classic(0, 0, this.#dice.integer(0, 2 ** 32 - 1)));
    }
  }
}

/** Whether it is a Connect that brings a cookie back: a late copy may make a ghost. */
function isProvedConnect(bytes: Uint8Array): boolean {
  if (isClassic(bytes) || !reader.open(bytes) || reader.connId !== 0) return false;
  return reader.next() && reader.type === FrameType.connect && reader.token !== 0n;
}
