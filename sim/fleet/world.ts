/**
 * What all machines of one fleet simulation share.
 *
 * @module
 */
import { type Random, seededRandom } from "../../base/random.ts";
import type { Address, EndpointCore } from "../../lsp/mod.ts";
import type { FullParams } from "../../lsp/params.ts";
import { Stream } from "../engine/dice.ts";
import { Host, type HostQuirks, type Program } from "../engine/host.ts";
import type { Loop } from "../engine/loop.ts";
import type { Network, Path } from "../engine/network.ts";
import type { Plant } from "../engine/plant.ts";
import type { TraceLine } from "../engine/trace.ts";
import { type DialerKind, makeDialer } from "../lsp/endpoints.ts";
import type { FleetOracle } from "./oracle.ts";

export const SERVER_ADDRESS: Address = "10.0.0.1 6060";

/** One run's clock, network and oracle, and ways to put machines into it. */
export class FleetWorld {
  readonly loop: Loop;
  readonly network: Network;
  readonly oracle: FleetOracle;
  readonly params: FullParams;
  readonly trace: TraceLine | undefined;
  readonly plant: Plant | undefined;
  readonly #seed: number;
  #streams = 0;

  constructor(
    seed: number,
    loop: Loop,
    network: Network,
    oracle: FleetOracle,
    params: FullParams,
    trace: TraceLine | undefined,
    plant: Plant | undefined,
  ) {
    this.#seed = seed;
    this.loop = loop;
    this.network = network;
    this.oracle = oracle;
    this.params = params;
    this.trace = trace;
    this.plant = plant;
  }

  /** A random stream of its own for whoever asks. */
  newRandom(): Random {
    return seededRandom(this.#seed, Stream.cores + this.#streams++);
  }

  /** Puts `core` on a socket. */
  addHost(
    name: string,
    quirks: HostQuirks,
    path: Path,
    core: EndpointCore,
    program: Program,
    address?: Address,
  ): Host {
    const { loop, network } = this;
    return new Host(name, loop, network, this.newRandom(), quirks, path, core, program, address);
  }

  /** A machine that begins to dial the server. */
  dial(name: string, kind: DialerKind, quirks: HostQuirks, path: Path, program: Program): Host {
    const random = this.newRandom();
    const nowMs = quirks.clockOriginMs + this.loop.nowMs * quirks.clockRate;
    const core = makeDialer(kind, this.params, {}, random, nowMs, SERVER_ADDRESS, random());
    return this.addHost(name, quirks, path, core, program);
  }
}
