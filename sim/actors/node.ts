/**
 * One simulated system of actors: the core that `openSystem` runs, on a simulated computer with
 * LSP endpoints of its own. It crashes and is started again, as another life.
 *
 * @module
 */
import {
  type ActorRef,
  type MakeActor,
  type Message,
  SystemCore,
  type SystemEffect,
  type SystemInput,
  type SystemLimits,
} from "../../actors/mod.ts";
import { seededRandom } from "../../base/random.ts";
import type { Params } from "../../lsp/mod.ts";
import type { Computer } from "../engine/computer.ts";
import type { Network } from "../engine/network.ts";
import { Process } from "../engine/process.ts";
import type { TraceLine } from "../engine/trace.ts";
import { SimConnections } from "../lsp/connections.ts";

/** What a system's lives have in common. */
export interface ActorNodeOptions {
  /** `HOST:PORT`; an address of the simulated network. */
  readonly address: string;
  readonly computer: Computer;
  readonly network: Network;
  readonly seed: number;
  readonly params?: Params;
  readonly limits?: Partial<SystemLimits>;
  readonly trace?: TraceLine | undefined;
  /** Starts the actors of a life: the first has number 1, and so on. */
  readonly boot: (node: ActorNode, core: SystemCore) => void;
  /** Called for every effect that is no I/O: mail, replies, what is gone, what threw. */
  readonly onEffect?: (node: ActorNode, effect: SystemEffect) => void;
  /** Called whenever something has happened. */
  readonly onLook?: (node: ActorNode, core: SystemCore) => void;
  readonly onDial?: (conn: number, address: string) => void;
  /** Sees every payload before it is written: what it returns is written instead, in order. */
  readonly meddle?: (node: ActorNode, conn: number, payload: Uint8Array) => readonly Uint8Array[];
  /** The same of payloads that were received. */
  readonly meddleIn?: (node: ActorNode, conn: number, payload: Uint8Array) => Uint8Array;
}

/** Streams of a node's randomness, by life and connection. */
const STREAMS_PER_LIFE = 10_000;

/** See the module. */
export class ActorNode {
  readonly address: string;
  readonly computer: Computer;
  core: SystemCore | undefined;
  /** Lives so far. */
  lives = 0;
  readonly #options: ActorNodeOptions;
  #process: Process<SystemInput, SystemEffect> | undefined;
  #connections: SimConnections | undefined;

  constructor(options: ActorNodeOptions) {
    this.#options = options;
    this.address = options.address;
    this.computer = options.computer;
  }

  get isUp(): boolean {
    return this.core !== undefined;
  }

  /** Begins a life, unless one lasts. */
  start(): void {
    if (this.isUp) return;
    const { address, computer, network, seed, limits, params = {}, boot } = this.#options;
    const life = ++this.lives;
    const stream = (life + 1) * STREAMS_PER_LIFE;
    const random = seededRandom(seed, stream - 1);
    const core = new SystemCore({ address, random, limits, isShuffled: true });
    this.core = core;
    this.#process = new Process({
      computer,
      core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => this.#options.onLook?.(this, core),
    });
    const randomFor = (conn: number): (() => number) => seededRandom(seed, stream + conn);
    this.#connections = new SimConnections(
      { name: address, computer, network, address, params, randomFor },
      {
        opened: (conn) => this.input({ kind: "opened", conn }),
        received: (conn, payload) => {
          const read = this.#options.meddleIn?.(this, conn, payload) ?? payload;
          this.input({ kind: "payload", conn, payload: read });
        },
        gone: (conn, isFlushed) => this.input({ kind: "gone", conn, isFlushed }),
      },
    );
    this.#options.trace?.(() => `${address} starts, life ${life}`);
    boot(this, core);
    this.input({ kind: "wake" });
  }

  /** Gone at once, without a word. */
  crash(): void {
    if (!this.isUp) return;
    this.#options.trace?.(() => `${this.address} crashes`);
    this.core = undefined;
    this.#process = undefined;
    this.#connections?.end();
    this.computer.crash();
  }

  /** Hands in an input, now or when the computer is awake. */
  input(input: SystemInput | { readonly kind: "wake" }): void {
    const process = this.#process;
    process?.whenAwake(() => process.tell(input));
  }

  /** Tells from outside of all actors. */
  tell(to: ActorRef, message: Message): void {
    this.core?.tell(to, message, this.computer.nowMs());
    this.input({ kind: "wake" });
  }

  startActor(make: MakeActor): ActorRef | undefined {
    const ref = this.core?.startActor(make, this.computer.nowMs());
    this.input({ kind: "wake" });
    return ref;
  }

  /** Bytes written on a connection and not acknowledged. */
  queuedBytes(conn: number): number {
    return this.#connections?.queuedBytes(conn) ?? 0;
  }

  #carryOut(effect: SystemEffect): void {
    const connections = this.#connections!;
    switch (effect.kind) {
      case "dial":
        this.#options.trace?.(() => `${this.address} dials ${effect.address}, ${effect.conn}`);
        this.#options.onDial?.(effect.conn, effect.address);
        return connections.dial(effect.conn, effect.address);
      case "write": {
        const { conn, payload } = effect;
        const written = this.#options.meddle?.(this, conn, payload) ?? [payload];
        for (const one of written) connections.write(conn, one);
        return;
      }
      case "drop":
        return connections.drop(effect.conn, effect.isFlushed);
      case "awaitRoom": {
        const { conn, bytes } = effect;
        return connections.awaitRoom(conn, bytes, (queuedBytes) => {
          this.input({ kind: "room", conn, queuedBytes });
        });
      }
      default:
        this.#options.onEffect?.(this, effect);
    }
  }
}
