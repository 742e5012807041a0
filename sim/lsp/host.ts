/**
 * One LSP endpoint on a simulated computer: it does to an {@link EndpointCore} what the UDP adapter
 * does.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Address, EndpointCore, LspEvent, LspNotice } from "../../lsp/mod.ts";
import type { Computer } from "../engine/computer.ts";
import type { Network, Socket } from "../engine/network.ts";
import { type Arrived, Port } from "../engine/port.ts";

/** The program on top of an endpoint. */
export interface Program {
  onNotice(notice: LspNotice): void;
  /** Asked before every event: false leaves it in the endpoint, as a slow reader does. */
  wantsEvent(): boolean;
  onEvent(event: LspEvent): void;
  /** Called when all effects of a turn are carried out. */
  afterTurn?(): void;
  /** The computer has crashed: nothing more is told. */
  onCrash?(): void;
}

/** Sees what the endpoint is given, and what it sends. */
export interface Bystander {
  handled(bytes: Uint8Array, from: Address, nowMs: Millis): void;
  sent(bytes: Uint8Array, to: Address, nowMs: Millis): void;
  /** All that follows from what was given is done. */
  turnOver(): void;
}

/** Something that a program does with its endpoint. */
export type Action = (core: EndpointCore, nowMs: Millis) => void;

/** Largest datagram that an endpoint may want to send. */
const DATAGRAM_BYTES_MAX = 65_536;
const lent = new Uint8Array(DATAGRAM_BYTES_MAX);

/** One life of an endpoint on one socket; a restart is a new Host. */
export class Host {
  readonly name: string;
  readonly core: EndpointCore;
  readonly computer: Computer;
  /** Watches it, if there is one. */
  bystander: Bystander | undefined;
  readonly #program: Program;
  readonly #port: Port;
  #isPumping = false;
  #wakePlannedMs = Infinity;

  constructor(
    name: string,
    computer: Computer,
    network: Network,
    core: EndpointCore,
    program: Program,
    address?: Address,
  ) {
    this.name = name;
    this.computer = computer;
    this.core = core;
    this.#program = program;
    const onTurn = (arrived: readonly Arrived[]): void => this.#turn(arrived);
    const onCrash = (): void => program.onCrash?.();
    this.#port = new Port({ computer, network, onTurn, onCrash, address });
    this.#port.planTurn();
  }

  get isAlive(): boolean {
    return this.#port.isOpen;
  }

  get socket(): Socket {
    return this.#port.socket;
  }

  /** The socket is closed at once, without a word; the computer lives on. */
  kill(): void {
    this.#port.close();
  }

  /**
   * Lets the program act upon the endpoint, and carries out what follows from it: at once, or when
   * a sleep is over. A program may call this from within its own handlers. True when it ran.
   */
  act(action: Action): boolean {
    if (!this.isAlive) return false;
    const { computer } = this;
    if (computer.isAsleep) {
      computer.whenAwake(() => this.act(action));
      return false;
    }
    action(this.core, computer.nowMs());
    this.pump();
    return true;
  }

  /** Hands notices and events to the program, sends what is to send, plans the next wake-up. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    const { core } = this;
    for (let isBusy = true; isBusy && this.isAlive;) {
      isBusy = false;
      for (let notice = core.pollNotice(); notice; notice = core.pollNotice()) {
        this.#program.onNotice(notice);
        isBusy = true;
      }
      while (this.isAlive && this.#program.wantsEvent()) {
        const event = core.pollEvent();
        if (event === undefined) break;
        this.#program.onEvent(event);
        isBusy = true;
      }
    }
    this.#isPumping = false;
    if (!this.isAlive) return;
    const nowMs = this.computer.nowMs();
    for (let out = core.pollDatagram(lent, nowMs); out; out = core.pollDatagram(lent, nowMs)) {
      const bytes = lent.subarray(0, out.length);
      this.bystander?.sent(bytes, out.to, nowMs);
      this.#port.send(out.to, bytes);
    }
    this.bystander?.turnOver();
    this.#planWake();
    this.#program.afterTurn?.();
  }

  #turn(arrived: readonly Arrived[]): void {
    const { core, computer } = this;
    const nowMs = computer.nowMs();
    for (const { bytes, from } of arrived) {
      this.bystander?.handled(bytes, from, nowMs);
      core.handleDatagram(bytes, from, nowMs);
    }
    if (computer.clock.isDue(core.wakeAtMs())) core.handleWake(computer.nowMs());
    this.pump();
  }

  #planWake(): void {
    const wakeAtMs = this.core.wakeAtMs();
    if (wakeAtMs === undefined) return;
    const { loop, clock } = this.computer;
    const atMs = clock.loopTime(wakeAtMs);
    if (atMs >= this.#wakePlannedMs && this.#wakePlannedMs > loop.nowMs) return;
    this.#wakePlannedMs = atMs;
    loop.at(atMs, () => {
      if (this.#wakePlannedMs === atMs) this.#wakePlannedMs = Infinity;
      this.#port.planTurn();
    });
  }
}
