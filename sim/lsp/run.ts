/**
 * One seed of the LSP simulation: a listener and some dialers on a bad network, programs that
 * write, read slowly, close, crash and return. While faults last only safety is demanded (the
 * ledger's rules, after every event); then everything heals, and within a stated bound of virtual
 * time all that was written must have arrived, or the loss must have been told.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { Dice, Stream } from "../engine/dice.ts";
import { Host } from "../engine/host.ts";
import { Loop } from "../engine/loop.ts";
import { calmFaults, calmPath, Network } from "../engine/network.ts";
import { type Plant, PlantedEndpoint } from "../engine/plant.ts";
import { report } from "../engine/report.ts";
import { type RunReport, type TraceLine, tracer, type Transcript } from "../engine/trace.ts";
import { checkClosed, checkSettled, demandConnected } from "./check.ts";
import { makeDialer, makeListener } from "./endpoints.ts";
import { Finale } from "./finale.ts";
import { Ledger } from "./ledger.ts";
import { LONGEST_PAYLOAD_BYTES, Party } from "./party.ts";
import { type ClientPlan, drawLspPlan, type Incident, type LspPlan } from "./plan.ts";

/** Events after which a run is declared unable to come to rest. */
const STEPS_MAX = 2_000_000;
const LISTENER_ADDRESS = "10.0.0.1 6060";
/** Initial sequence numbers near the places where 31- and 32-bit arithmetic breaks. */
const EDGE_ISNS = [0, 1, 2 ** 31 - 3, 2 ** 31, 2 ** 32 - 4, 2 ** 32 - 1];

/** Runs `seed` and tells what became of it; never throws on what the cores do. */
export function runLspSeed(seed: number, plant?: Plant, transcript?: Transcript): RunReport {
  return report(seed, "lsp", new LspRun(seed, plant, transcript));
}

class LspRun {
  readonly plan: LspPlan;
  readonly #seed: number;
  readonly #plant: Plant | undefined;
  readonly #loop = new Loop();
  readonly #ledger = new Ledger();
  readonly #script: Dice;
  readonly #network: Network;
  readonly #trace: TraceLine | undefined;
  readonly #parties: Party[] = [];
  /** The newest life of each client; holes are clients that have not dialed yet. */
  readonly #clients: (Party | undefined)[] = [];
  #listener!: Party;
  #healed = false;

  constructor(seed: number, plant: Plant | undefined, transcript: Transcript | undefined) {
    this.#seed = seed;
    this.#plant = plant;
    this.plan = drawLspPlan(seed);
    this.#script = new Dice(seed, Stream.script);
    this.#trace = tracer(this.#loop, transcript);
    this.#network = new Network(this.#loop, seededRandom(seed, Stream.network), this.#trace);
  }

  run(): void {
    this.#startListener();
    for (const incident of this.plan.incidents) {
      this.#loop.at(incident.atMs, () => this.#carryOut(incident));
    }
    this.#runFor(this.plan.faultyMs);
    this.#heal();
    this.#runFor(this.#boundMs());
    checkSettled(this.#living());
    const finale = new Finale(this.#loop, this.plan, this.#script, this.#healedLatencyMs());
    const newcomers = this.#redial();
    this.#runFor(this.plan.epochMs);
    demandConnected(newcomers);
    finale.begin(this.#living());
    this.#runFor(this.#boundMs());
    finale.check();
    finale.closeAll(this.#living());
    this.#runFor(this.#boundMs());
    checkClosed(this.#living());
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

  #startListener(): void {
    const party = new Party(this.#ledger, "listener", "listener", this.#trace);
    party.large = this.plan.large;
    const { listenerKind, listenerParams, listenerLimits } = this.plan;
    const quirks = this.plan.listenerQuirks;
    const random = this.#coreRandom(party);
    const nowMs = quirks.clockOriginMs + this.#loop.nowMs * quirks.clockRate;
    const sound = makeListener(listenerKind, listenerParams, listenerLimits, random, nowMs);
    const core = this.#plant === undefined ? sound : new PlantedEndpoint(sound, this.#plant);
    party.host = new Host(
      party.side.name,
      this.#loop,
      this.#network,
      random,
      quirks,
      calmPath(0),
      core,
      party,
      LISTENER_ADDRESS,
    );
    this.#parties.push(party);
    this.#listener = party;
  }

  #dial(index: number, plan: ClientPlan): Party {
    const party = new Party(this.#ledger, `client${index}`, "dialer", this.#trace);
    party.large = this.plan.large;
    const random = this.#coreRandom(party);
    const previous = this.#clients[index];
    const samePort = previous !== undefined && previous.side.dead && this.#script.chance(0.5);
    const edgy = !samePort && this.#script.chance(0.3);
    const isn = edgy ? this.#script.pick(EDGE_ISNS) : this.#script.integer(0, 2 ** 32 - 1);
    const { kind, params, limits, quirks } = plan;
    const nowMs = quirks.clockOriginMs + this.#loop.nowMs * quirks.clockRate;
    this.#trace?.(() => `${party.side.name} (${kind}) dials, isn ${isn}`);
    const core = makeDialer(kind, params, limits, random, nowMs, LISTENER_ADDRESS, isn);
    party.host = new Host(
      party.side.name,
      this.#loop,
      this.#network,
      random,
      quirks,
      plan.path,
      core,
      party,
      samePort ? previous.host.socket.address : undefined,
    );
    if (this.#healed) party.host.heal();
    this.#parties.push(party);
    this.#clients[index] = party;
    return party;
  }

  #coreRandom(party: Party) {
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
    if (what === "blackout") this.#blackout(plan, amount);
    if (party === undefined) return;
    const over = party.side.dead || party.side.refused !== undefined;
    if (what === "return" && over) this.#dial(client, plan);
    if (party.side.dead) return;
    const end = party.openEnds()[0];
    if (what === "write" && end) party.write(end, amount, this.#script);
    else if (what === "crash") party.crash();
    else if (what === "stall") party.host.stall(amount);
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
    if (what === "stall") listener.host.stall(amount);
    else if (what === "slow") this.#readSlowly(listener, amount);
    else if (what === "close" && !listener.closing) listener.close();
    else if (what === "write") {
      for (const end of listener.openEnds()) listener.write(end, amount, this.#script);
    }
  }

  #listenerClosesConn(connId: number): void {
    const end = this.#listener.side.ends.get(connId);
    if (end === undefined || end.ended !== undefined || this.#listener.side.dead) return;
    this.#listener.closeConn(end);
  }

  #blackout(plan: ClientPlan, forMs: Millis): void {
    const { path } = plan;
    const which = this.#script.pick(["up", "down", "both"]);
    if (which !== "down") path.upBlocked = true;
    if (which !== "up") path.downBlocked = true;
    this.#loop.after(forMs, () => {
      path.upBlocked = path.downBlocked = false;
    });
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
    this.#healed = true;
    for (const { path } of this.plan.clients) {
      path.up = calmFaults(this.#healedLatencyMs());
      path.down = calmFaults(this.#healedLatencyMs());
      path.upBlocked = path.downBlocked = false;
    }
    if (this.#listener.side.dead) this.#startListener();
    for (const party of this.#parties) {
      if (party.side.dead) continue;
      party.host.heal();
      this.#readFast(party);
    }
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
 * Messages that the narrowest receiver of the classic wire surely takes in one go: what it has no
 * room for it does not acknowledge, and only an epoch brings it again. The native wire's receivers
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
