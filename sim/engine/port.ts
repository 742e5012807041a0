/**
 * A UDP socket on a simulated computer: a receive buffer that overflows, and an event loop that
 * takes what has come in turns. A process may have several.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Computer, Resident } from "./computer.ts";
import type { Address, Network, Socket } from "./network.ts";

/** A datagram in the receive buffer. */
export interface Arrived {
  readonly bytes: Uint8Array;
  readonly from: Address;
}

/** What a port is made of. */
export interface PortOptions {
  readonly computer: Computer;
  readonly network: Network;
  /** A turn of the event loop: what has come since the last one, which may be nothing. */
  readonly onTurn: (arrived: readonly Arrived[]) => void;
  /** The computer has crashed. */
  readonly onCrash?: () => void;
  /** By default a fresh one. */
  readonly address?: Address | undefined;
}

/** See the module. */
export class Port implements Resident {
  readonly computer: Computer;
  readonly socket: Socket;
  /** Datagrams lost because the receive buffer was full. */
  overflowed = 0;
  /** Loop time of the last turn that found a datagram. */
  heardAtMs: Millis = 0;
  readonly #network: Network;
  readonly #onTurn: (arrived: readonly Arrived[]) => void;
  readonly #onCrash: (() => void) | undefined;
  #arrived: Arrived[] = [];
  #isOpen = true;
  #isTurnPlanned = false;

  constructor({ computer, network, onTurn, onCrash, address }: PortOptions) {
    this.computer = computer;
    this.#network = network;
    this.#onTurn = onTurn;
    this.#onCrash = onCrash;
    this.socket = network.open(computer.name, (bytes, from) => this.#receive(bytes, from), address);
    computer.add(this);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(to: Address, bytes: Uint8Array): void {
    this.#network.send(this.socket, to, bytes);
  }

  /** Lets a turn begin soon, or when the computer wakes up. */
  planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    const { computer } = this;
    computer.loop.after(computer.drawTurnDelayMs(), () => this.#turn());
  }

  /** Takes a turn at once, unless the computer sleeps. */
  takeTurn(): void {
    if (this.#isOpen && !this.computer.isAsleep) this.#runTurn();
  }

  close(): void {
    this.#isOpen = false;
    this.#network.close(this.socket);
    this.computer.remove(this);
  }

  crash(): void {
    this.close();
    this.#onCrash?.();
  }

  wakeUp(): void {
    this.takeTurn();
  }

  #receive(bytes: Uint8Array, from: Address): void {
    if (this.#arrived.length >= this.computer.quirks.bufferDatagrams) {
      this.overflowed++;
      return;
    }
    this.#arrived.push({ bytes, from });
    this.planTurn();
  }

  #turn(): void {
    this.#isTurnPlanned = false;
    // A computer that sleeps takes a turn when it wakes up.
    this.takeTurn();
  }

  #runTurn(): void {
    const arrived = this.#arrived;
    if (arrived.length > 0) {
      this.#arrived = [];
      this.heardAtMs = this.computer.loop.nowMs;
    }
    this.#onTurn(arrived);
  }
}
