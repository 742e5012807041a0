/**
 * One seed of the LSP simulation: a listener and some dialers on a bad network, programs that
 * write, read slowly, close, crash and return. While faults last only safety is demanded (the
 * ledger's rules, after every event); then everything heals, and within a stated bound of virtual
 * time all that was written must have arrived, or the loss must have been told.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { Computer, type Quirks } from "../engine/computer.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { calmFaults, type Link } from "../../base/link.ts";
import { Loop } from "../engine/loop.ts";
import { Network } from "../engine/network.ts";
import { type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { checkClosed, checkSettled, demandConnected } from "./check.ts";
import { makeDialer, makeListener } from "./endpoints.ts";
import { Finale } from "./finale.ts";
import { Forger } from "./forger.ts";
import { drawHaul, Haul } from "./haul.ts";
import { Host } from "./host.ts";
import { Ledger } from "./ledger.ts";
import { LONGEST_PAYLOAD_BYTES, Party } from "./party.ts";
import {
  type ClientPlan,
  drawLspPlan,
  type ForgerPlan,
  type Incident,
  type LspPlan,
} from "./plan.ts";
import { LSP_PLANTS, type LspPlant, PlantedEndpoint } from "./plants.ts";
import { demandTablesTidy } from "./tidiness.ts";
import { LSP_WIRE } from "./wire.ts";

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 2_000_000;
const LISTENER = "listener";
const LISTENER_ADDRESS = "10.0.0.1 6060";
/** Random streams of the computers, far from those of the cores. */
const COMPUTER_STREAM = 50;
const FORGER_STREAM = 49;
const HAUL_STREAM = 47;
/** Share of the runs that have a haul. */
const HAUL_SHARE = 0.04;
/** To so many of its newest connections a listener writes; the rest may be a flood's. */
const WRITTEN_TO_MAX = 8;
/** Initial sequence numbers near the places where 31- and 32-bit arithmetic breaks. */
const EDGE_ISNS = [0, 1, 2 ** 31 - 3, 2 ** 31, 2 ** 32 - 4, 2 ** 32 - 1];

/** The protocol alone. */
export const LSP: Harness = {
  name: "lsp",
  about: "the protocol alone, a listener and its clients",
  plants: LSP_PLANTS,
  prepare: (seed, plant, transcript) => new LspRun(seed, plant as LspPlant, transcript),
};

class LspRun implements Run {
  readonly plan: LspPlan;
  readonly #seed: number;
  readonly #plant: LspPlant | undefined;
  readonly #loop = new Loop();
  readonly #ledger = new Ledger();
  readonly #script: Dice;
  readonly #network: Network;
  readonly #trace: TraceLine | undefined;
  readonly #listenerComputer: Computer;
  /** Those of the clients. */
  readonly #computers: readonly Computer[];
  readonly #parties: Party[] = [];
  /** The newest life of each client; holes are clients that have not dialed yet. */
  readonly #clients: (Party | undefined)[] = [];
  #listener!: Party;
  #forger: Forger | undefined;

  constructor(seed: number, plant: LspPlant | undefined, transcript: Transcript | undefined) {
    this.#seed = seed;
    this.#plant = plant;
    this.plan = drawLspPlan(seed);
    this.#script = new Dice(seed, Stream.script);
    this.#trace = tracer(this.#loop, transcript);
    const random = seededRandom(seed, Stream.network);
    this.#network = new Network(this.#loop, random, LSP_WIRE, this.#trace);
    this.#listenerComputer = this.#newComputer(LISTENER, this.plan.listenerQuirks, 0);
    this.#computers = this.plan.clients.map(({ quirks, up, down }, i) => {
      const name = clientName(i);
      this.#network.link(name, LISTENER).faults = up;
      this.#network.link(LISTENER, name).faults = down;
      return this.#newComputer(name, quirks, i + 1);
    });
  }

  run(): void {
    this.#startListener();
    const { forger } = this.plan;
    if (forger !== undefined) this.#startForger(forger);
    for (const incident of this.plan.incidents) {
      this.#loop.at(incident.atMs, () => this.#carryOut(incident));
    }
    this.#runFor(this.plan.faultyMs);
    this.#heal();
    this.#runFor(this.#boundMs());
    checkSettled(this.#living());
    for (const party of this.#living()) demandTablesTidy(party);
    const finale = new Finale(
      this.#loop,
      this.#network,
      this.plan,
      this.#script,
      this.#healedLatencyMs(),
    );
    const newcomers = this.#redial();
    this.#runFor(this.plan.epochMs);
    demandConnected(newcomers);
    finale.begin(this.#living());
    this.#runFor(this.#boundMs());
    finale.check();
    for (const party of this.#living()) demandTablesTidy(party);
    finale.closeAll(this.#living());
    this.#runFor(this.#boundMs());
    checkClosed(this.#living());
    this.#haul();
  }

  /** In some runs: a network of its own, which carries as much as it can. */
  #haul(): void {
    const dice = new Dice(this.#seed, HAUL_STREAM);
    if (this.#plant !== undefined || !dice.chance(HAUL_SHARE)) return;
    const plan = drawHaul(dice);
    this.#trace?.(() => `---- haul: ${JSON.stringify(plan)} ----`);
    new Haul(plan, this.#seed).run();
  }

  #living(): Party[] {
    return this.#parties.filter((party) => !party.side.dead);
  }

  counts(): Record<string, number> {
    const ends = this.#ledger.sides.flatMap((side) => [...side.ends.values()]);
    const written = ends.reduce((sum, end) => sum + end.sent.length, 0);
    return {
      events: this.#loop.steps,
      native: ends.filter((end) => end.side.role === "dialer" && end.wire === "cbor").length,
      classic: ends.filter((end) => end.side.role === "dialer" && end.wire === "json").length,
      written,
      read: this.#ledger.messagesRead,
      lost: ends.filter((end) => end.ended === "lost").length,
      sent: this.#network.counts.sent,
      dropped: this.#network.counts.lost,
    };
  }

  #runFor(ms: Millis): void {
    this.#loop.runUntil(this.#loop.nowMs + ms, () => {}, STEPS_MAX);
  }

  /** Virtual time within which a healed network must have carried all (docs/simulator.md). */
  #boundMs(): Millis {
    const { plan } = this;
    const all = [plan.listenerParams, ...plan.clients.map((client) => client.params)];
    const epochLimit = Math.max(...all.map((params) => params.epochLimit));
    const backOff = Math.max(...all.map((params) => params.maxBackOffInterval));
    const backlog = this.#living()
      .flatMap((party) => [...party.side.ends.values()])
      .flatMap((end) => end.sent.slice(end.peer?.received ?? 0))
      .reduce((sum, { length }) => sum + 1 + Math.floor(length / LONGEST_PAYLOAD_BYTES), 0);
    const lateEpochs = 7;
    const silentEpochs = (epochLimit + 2) * 1.03;
    const repairEpochs = (backOff + 1) * (1 + backlog / roomOf(plan));
    const epochs = lateEpochs + silentEpochs + repairEpochs;
    return epochs * plan.epochMs + (backlog + 50) * 3 * this.#healedLatencyMs();
  }

  #healedLatencyMs(): Millis {
    return this.plan.epochMs / 50;
  }

  #startForger(plan: ForgerPlan): void {
    const dice = new Dice(this.#seed, FORGER_STREAM);
    const [loop, network, trace] = [this.#loop, this.#network, this.#trace];
    const { clients, listenerKind } = this.plan;
    const strangers = clients.flatMap(({ kind }, i) =>
      kind === "stranger" ? [clientName(i)] : [],
    );
    if (listenerKind === "stranger") strangers.push(LISTENER);
    const isOurs = (place = ""): boolean => !strangers.includes(place);
    this.#forger = new Forger(loop, network, dice, plan, LISTENER_ADDRESS, trace, isOurs);
  }

  #startListener(): void {
    const party = new Party(this.#ledger, LISTENER, "listener", this.#trace);
    party.large = this.plan.large;
    const { listenerKind, listenerParams, listenerLimits } = this.plan;
    const computer = this.#listenerComputer;
    const random = this.#coreRandom(party);
    const nowMs = computer.nowMs();
    const sound = makeListener(listenerKind, listenerParams, listenerLimits, random, nowMs);
    const core = this.#plant === undefined ? sound : new PlantedEndpoint(sound, this.#plant);
    const { name } = party.side;
    party.host = new Host(name, computer, this.#network, core, party, LISTENER_ADDRESS);
    party.watch(listenerParams);
    this.#parties.push(party);
    this.#listener = party;
  }

  #dial(index: number, plan: ClientPlan): Party {
    const party = new Party(this.#ledger, clientName(index), "dialer", this.#trace);
    party.large = this.plan.large;
    const random = this.#coreRandom(party);
    const previous = this.#clients[index];
    const samePort = previous !== undefined && previous.side.dead && this.#script.chance(0.5);
    const edgy = !samePort && this.#script.chance(0.3);
    const isn = edgy ? this.#script.pick(EDGE_ISNS) : this.#script.integer(0, 2 ** 32 - 1);
    const { kind, params, limits } = plan;
    const computer = this.#computers[index]!;
    const nowMs = computer.nowMs();
    this.#trace?.(() => `${party.side.name} (${kind}) dials, isn ${isn}`);
    const core = makeDialer(kind, params, limits, random, nowMs, LISTENER_ADDRESS, isn);
    const address = samePort ? previous.host.socket.address : undefined;
    party.host = new Host(party.side.name, computer, this.#network, core, party, address);
    party.watch(params, LISTENER_ADDRESS);
    party.mayBeFull = this.plan.forger !== undefined;
    this.#parties.push(party);
    this.#clients[index] = party;
    return party;
  }

  #newComputer(name: string, quirks: Quirks, index: number): Computer {
    const random = seededRandom(this.#seed, COMPUTER_STREAM + index);
    return new Computer({ name, loop: this.#loop, quirks, random });
  }

  #coreRandom(party: Party): Random {
    return seededRandom(this.#seed, Stream.cores + party.side.number);
  }

  #carryOut(incident: Incident): void {
    const { client, what, amount } = incident;
    this.#trace?.(
      () => `incident: ${what} ${client < 0 ? "listener" : `client${client}`} ${amount}`,
    );
    if (client < 0) return this.#listenerIncident(what, amount);
    const plan = this.plan.clients[client]!;
    const party = this.#clients[client];
    if (what === "dial") this.#dial(client, plan);
    if (what === "cut") this.#cut(client, amount);
    if (what === "flap") this.#flap(client, amount);
    if (what === "narrow") this.#narrow(client, amount);
    if (party === undefined) return;
    const over = party.side.dead || party.side.refused !== undefined;
    if (what === "return" && over) this.#dial(client, plan);
    if (party.side.dead) return;
    const end = party.openEnds()[0];
    if (what === "write" && end) party.write(end, amount, this.#script);
    else if (what === "crash") party.crash();
    else if (what === "stall") party.host.computer.sleep(amount);
    else if (what === "rebind") this.#network.rebind(party.host.socket);
    else if (what === "slow") this.#readSlowly(party, amount);
    else if (what === "close" && !party.closing) party.close();
    else if (what === "closeConn" && end) this.#listenerClosesConn(end.connId);
  }

  #listenerIncident(what: Incident["what"], amount: number): void {
    const listener = this.#listener;
    if (what === "crash") {
      listener.crash();
      this.#loop.after(amount, () => {
        if (this.#listener.side.dead) this.#startListener();
      });
    }
    if (listener.side.dead) return;
    if (what === "stall") listener.host.computer.sleep(amount);
    else if (what === "slow") this.#readSlowly(listener, amount);
    else if (what === "close" && !listener.closing) listener.close();
    else if (what === "write") {
      for (const end of listener.openEnds().slice(-WRITTEN_TO_MAX)) {
        listener.write(end, amount, this.#script);
      }
    }
  }

  #listenerClosesConn(connId: number): void {
    const end = this.#listener.side.ends.get(connId);
    if (end === undefined || end.ended !== undefined || this.#listener.side.dead) return;
    this.#listener.closeConn(end);
  }

  /** One client is cut off, in one direction or both, while the others are not. */
  #cut(client: number, forMs: Millis): void {
    const { up, down } = this.#linksOf(client);
    const which = this.#script.pick(["up", "down", "both"]);
    if (which !== "down") up.isCut = true;
    if (which !== "up") down.isCut = true;
    this.#loop.after(forMs, () => {
      up.isCut = down.isCut = false;
    });
  }

  #flap(client: number, forMs: Millis): void {
    const { up, down } = this.#linksOf(client);
    const { epochMs } = this.plan;
    const upMs = this.#script.real(0.1, 2) * epochMs;
    const downMs = this.#script.real(0.1, 2) * epochMs;
    const flapping = { upMs, downMs };
    up.flapping = flapping;
    if (this.#script.chance(0.5)) down.flapping = flapping;
    this.#loop.after(forMs, () => {
      up.flapping = down.flapping = undefined;
    });
  }

  /** Larger datagrams get lost from now on, in one direction or both. */
  #narrow(client: number, bytes: number): void {
    const { up, down } = this.#linksOf(client);
    const which = this.#script.pick(["up", "down", "both"]);
    if (which !== "down") up.mtuBytes = bytes;
    if (which !== "up") down.mtuBytes = bytes;
    this.#ledger.hasNarrowPaths = true;
  }

  #linksOf(client: number): { up: Link; down: Link } {
    const name = clientName(client);
    return { up: this.#network.link(name, LISTENER), down: this.#network.link(LISTENER, name) };
  }

  /** Reads a few events now and then, for `forMs`. */
  #readSlowly(party: Party, forMs: Millis): void {
    party.allowance = 0;
    const sips = this.#script.integer(0, 6);
    for (let i = 1; i <= sips; i++) {
      this.#loop.after((forMs * i) / (sips + 1), () => {
        if (party.allowance === Infinity) return;
        party.allowance = this.#script.integer(1, 3);
        party.host.act(() => {});
      });
    }
    this.#loop.after(forMs, () => this.#readFast(party));
  }

  #readFast(party: Party): void {
    party.allowance = Infinity;
    party.host.act(() => {});
  }

  #heal(): void {
    this.#trace?.(() => "---- everything heals ----");
    this.#forger?.stop();
    this.#network.heal(calmFaults(this.#healedLatencyMs()));
    if (this.#listener.side.dead) this.#startListener();
    for (const computer of [this.#listenerComputer, ...this.#computers]) computer.heal();
    for (const party of this.#living()) this.#readFast(party);
  }

  /** On the healed network most clients without a connection dial anew; these do. */
  #redial(): Party[] {
    this.#trace?.(() => "---- final round ----");
    const newcomers: Party[] = [];
    this.plan.clients.forEach((plan, index) => {
      const party = this.#clients[index];
      const idle = !party || party.side.dead || party.openEnds().length === 0;
      if (!idle || this.#listener.closing || !this.#script.chance(0.7)) return;
      newcomers.push(this.#dial(index, plan));
    });
    return newcomers;
  }
}

/**
 * Messages that the narrowest receiver of the json wire surely takes in one go: what it has no
 * room for it does not acknowledge, and only an epoch brings it again. The cbor wire's receivers
 * tell their room, so that nothing is sent in vain.
 */
function roomOf(plan: LspPlan): number {
  const narrow = [plan, ...plan.clients].map((part) => {
    const limits = "listenerLimits" in part ? part.listenerLimits : part.limits;
    const { maxReorder = 1024, maxUnreadMessages = 1024, maxUnreadBytes = 1 << 20 } = limits;
    return Math.min(maxReorder, maxUnreadMessages, maxUnreadBytes / 2 / LONGEST_PAYLOAD_BYTES);
  });
  const hasClassic = plan.clients.some((client) => client.kind !== "native");
  return hasClassic ? Math.min(...narrow) : Infinity;
}

function clientName(index: number): string {
  return `client${index}`;
}
