/**
 * A simulated machine around one LSP endpoint: receive buffer, event-loop turns, timers that fire
 * late, stalls and crashes. It does to an {@link EndpointCore} what the UDP adapter does.
 *
 * @module
 */
import { earlier, type Millis } from "../../base/machine.ts";
import { type Random, unitReal } from "../../base/random.ts";
import type { Address, EndpointCore, LspEvent, LspNotice } from "../../lsp/mod.ts";
import { Clock, type ClockQuirks, PERFECT_CLOCK } from "./clock.ts";
import type { Loop } from "./loop.ts";
import type { Network, Path, Socket } from "./network.ts";

/** The program on top of an endpoint. */
export interface Program {
  onNotice(notice: LspNotice): void;
  /** Asked before every event: false leaves it in the endpoint, as a slow reader does. */
  wantsEvent(): boolean;
  onEvent(event: LspEvent): void;
  /** When to call `handleWake`, on the machine's clock; for programs with timers of their own. */
  wakeAtMs?(): Millis | undefined;
  handleWake?(nowMs: Millis): void;
  /** Called when all effects of a turn are carried out. */
  afterTurn?(): void;
}

/** Something that a program does with its endpoint. */
export type Action = (core: EndpointCore, nowMs: Millis) => void;

/** What sets one machine apart from another. */
export interface HostQuirks extends ClockQuirks {
  /** Datagrams that the receive buffer holds; more are lost. */
  readonly bufferDatagrams: number;
  /** A turn of the event loop begins up to this long after what woke it. */
  readonly turnDelayMsMax: Millis;
}

/** A machine without quirks. */
export const PLAIN_HOST: HostQuirks = {
  bufferDatagrams: 1024,
  turnDelayMsMax: 0,
  ...PERFECT_CLOCK,
};

/** Largest datagram that an endpoint may want to send. */
const DATAGRAM_BYTES_MAX = 65_536;
const lent = new Uint8Array(DATAGRAM_BYTES_MAX);

/** One endpoint on one socket. Crashing it is for good; a restart is a new Host. */
export class Host {
  readonly name: string;
  readonly core: EndpointCore;
  readonly socket: Socket;
  quirks: HostQuirks;
  /** Datagrams lost because the receive buffer was full. */
  overflowed = 0;
  /** Loop time when the last datagram was handed to the core. */
  heardAtMs: Millis = 0;
  readonly loop: Loop;
  readonly #network: Network;
  readonly #random: Random;
  readonly #program: Program;
  readonly #arrived: { readonly bytes: Uint8Array; readonly from: Address }[] = [];
  /** What the program wanted to do during a stall. */
  readonly #deferred: Action[] = [];
  #alive = true;
  #turnPlanned = false;
  #pumping = false;
  #stalledUntilMs: Millis = 0;
  #wakePlannedMs = Infinity;
  readonly #clock: Clock;

  constructor(
    name: string,
    loop: Loop,
    network: Network,
    random: Random,
    quirks: HostQuirks,
    path: Path,
    core: EndpointCore,
    program: Program,
    address?: Address,
  ) {
    this.name = name;
    this.loop = loop;
    this.#network = network;
    this.#random = random;
    this.quirks = quirks;
    this.#clock = new Clock(loop, quirks);
    this.core = core;
    this.#program = program;
    this.socket = network.open(path, (bytes, from) => this.#receive(bytes, from), address);
    this.#planTurn();
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** What this machine's clock reads. */
  nowMs(): Millis {
    return this.#clock.nowMs();
  }

  /** The machine is gone at once, without a word. */
  crash(): void {
    this.#alive = false;
    this.#network.close(this.socket);
  }

  /** Nothing runs here for `forMs` (a long pause, a sleeping laptop); datagrams pile up. */
  stall(forMs: Millis): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.loop.nowMs + forMs);
  }

  /** Ends a stall, at once, and takes the quirks away: quick, with a large receive buffer. */
  heal(): void {
    this.quirks = { ...this.quirks, bufferDatagrams: 1e6, turnDelayMsMax: 0 };
    this.#stalledUntilMs = 0;
    this.#turn();
  }

  /**
   * Lets the program act upon the endpoint, and carries out what follows from it: at once, or when
   * a stall is over. A program may call this from within its own handlers. True when it ran.
   */
  act(action: Action): boolean {
    if (!this.#alive) return false;
    if (this.#stalledUntilMs > this.loop.nowMs) {
      this.#deferred.push(action);
      this.#planTurn();
      return false;
    }
    action(this.core, this.nowMs());
    this.pump();
    return true;
  }

  /** Hands notices and events to the program, sends what is to send, plans the next wake-up. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const core = this.core;
    for (let busy = true; busy && this.#alive;) {
      busy = false;
      for (let notice = core.pollNotice(); notice; notice = core.pollNotice()) {
        this.#program.onNotice(notice);
        busy = true;
      }
      while (this.#alive && this.#program.wantsEvent()) {
        const event = core.pollEvent();
        if (event === undefined) break;
        this.#program.onEvent(event);
        busy = true;
      }
    }
    this.#pumping = false;
    if (!this.#alive) return;
    const now = this.nowMs();
    for (let out = core.pollDatagram(lent, now); out; out = core.pollDatagram(lent, now)) {
      this.#network.send(this.socket, out.to, lent.subarray(0, out.length));
    }
    this.#planWake();
    this.#program.afterTurn?.();
  }

  #receive(bytes: Uint8Array, from: Address): void {
    if (this.#arrived.length >= this.quirks.bufferDatagrams) {
      this.overflowed++;
      return;
    }
    this.#arrived.push({ bytes, from });
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    const delayMs =
      this.quirks.turnDelayMsMax === 0 ? 0 : unitReal(this.#random) * this.quirks.turnDelayMsMax;
    this.loop.after(delayMs, () => this.#turn());
  }

  #turn(): void {
    this.#turnPlanned = false;
    if (!this.#alive) return;
    if (this.#stalledUntilMs > this.loop.nowMs) {
      this.#turnPlanned = true;
      this.loop.at(this.#stalledUntilMs, () => this.#turn());
      return;
    }
    const now = this.nowMs();
    for (const action of this.#deferred.splice(0)) action(this.core, now);
    for (const { bytes, from } of this.#arrived) {
      this.heardAtMs = this.loop.nowMs;
      this.core.handleDatagram(bytes, from, now);
    }
    this.#arrived.length = 0;
    if (this.#clock.isDue(this.core.wakeAtMs())) this.core.handleWake(this.nowMs());
    if (this.#clock.isDue(this.#program.wakeAtMs?.())) this.#program.handleWake?.(this.nowMs());
    this.pump();
  }

  #planWake(): void {
    const wakeAt = earlier(this.core.wakeAtMs(), this.#program.wakeAtMs?.());
    if (wakeAt === undefined) return;
    const atMs = this.#clock.loopTime(wakeAt);
    if (atMs >= this.#wakePlannedMs && this.#wakePlannedMs > this.loop.nowMs) return;
    this.#wakePlannedMs = atMs;
    this.loop.at(atMs, () => {
      if (this.#wakePlannedMs === atMs) this.#wakePlannedMs = Infinity;
      this.#planTurn();
    });
  }
}
