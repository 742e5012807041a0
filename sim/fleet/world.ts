/**
 * What all computers of one fleet simulation share.
 *
 * @module
 */
import { type Random, seededRandom } from "../../base/random.ts";
import type { Address, EndpointCore, Wire } from "../../lsp/mod.ts";
import type { FullParams } from "../../lsp/params.ts";
import { Stream } from "../engine/dice.ts";
import { Computer, type Quirks } from "../engine/computer.ts";
import type { Loop } from "../engine/loop.ts";
import type { Network } from "../engine/network.ts";
import type { TraceLine } from "../engine/trace.ts";
import { type DialerKind, makeDialer } from "../lsp/endpoints.ts";
import { Host, type Program } from "../lsp/host.ts";
import type { FleetOracle } from "./oracle.ts";
import type { FleetPlant } from "./plants.ts";
import type { Conduct } from "./rogues.ts";

/** The server's computer, and where it listens. */
export const SERVER = "server";
export const SERVER_ADDRESS: Address = "10.0.0.1 6060";

/** Payloads that a meddler remembers. */
const OVERHEARD_MAX = 32;

/** One run's clock, network and oracle, and ways to put programs into it. */
export class FleetWorld {
  readonly loop: Loop;
  readonly network: Network;
  readonly oracle: FleetOracle;
  readonly params: FullParams;
  readonly trace: TraceLine | undefined;
  readonly plant: FleetPlant | undefined;
  /** The server is a classic one, which gives the last of all nonces to anybody. */
  isClassicServed = false;
  readonly #seed: number;
  readonly #computers = new Map<string, Computer>();
  readonly #conducts = new Map<string, Conduct>();
  readonly #rates = new Map<string, number>();
  readonly #meddlers = new Set<string>();
  /** What miners have reported lately, for those who listen in. */
  readonly overheard: { readonly wire: Wire; readonly payload: Uint8Array }[] = [];
  #streams = 0;

  constructor(
    seed: number,
    loop: Loop,
    network: Network,
    oracle: FleetOracle,
    params: FullParams,
    trace: TraceLine | undefined,
    plant: FleetPlant | undefined,
  ) {
    this.#seed = seed;
    this.loop = loop;
    this.network = network;
    this.oracle = oracle;
    this.params = params;
    this.trace = trace;
    this.plant = plant;
  }

  /** A separate random stream for each caller. */
  newRandom(): Random {
    return seededRandom(this.#seed, Stream.cores + this.#streams++);
  }

  /** The computer of that name, which outlives what runs on it. */
  computer(name: string, quirks: Quirks): Computer {
    let computer = this.#computers.get(name);
    if (computer === undefined) {
      computer = new Computer({ name, loop: this.loop, quirks, random: this.newRandom() });
      this.#computers.set(name, computer);
    }
    return computer;
  }

  /** The miner of that name behaves so, and does so many nonces a second. */
  setMiner(name: string, conduct: Conduct, noncesPerSecond: number): void {
    this.#conducts.set(name, conduct);
    this.#rates.set(name, noncesPerSecond);
  }

  /** Nonces a second of the miner on that computer. */
  rateOf(name: string): number | undefined {
    return this.#rates.get(name);
  }

  /** How the miner on that computer behaves; undefined if there is none. */
  conductOf(name: string): Conduct | undefined {
    return this.#conducts.get(name);
  }

  /** The program on that computer says whatever it likes. */
  addMeddler(name: string): void {
    this.#meddlers.add(name);
  }

  isMeddler(name: string): boolean {
    return this.#meddlers.has(name);
  }

  /** A meddler may say the same. */
  overhear(wire: Wire, payload: Uint8Array): void {
    if (this.#meddlers.size === 0) return;
    this.overheard.push({ wire, payload: payload.slice() });
    if (this.overheard.length > OVERHEARD_MAX) this.overheard.shift();
  }

  /** Ends every sleep, for good. */
  heal(): void {
    for (const computer of this.#computers.values()) computer.heal();
  }

  /** Puts an endpoint on a socket. */
  addHost(
    name: string,
    computer: Computer,
    core: EndpointCore,
    program: Program,
    address?: Address,
  ): Host {
    return new Host(name, computer, this.network, core, program, address);
  }

  /** An endpoint that begins to dial the server. */
  dial(name: string, kind: DialerKind, computer: Computer, program: Program): Host {
    const random = this.newRandom();
    const nowMs = computer.nowMs();
    const core = makeDialer(kind, this.params, {}, random, nowMs, SERVER_ADDRESS, random());
    return this.addHost(name, computer, core, program);
  }
}
