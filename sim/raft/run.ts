/**
 * One seed of a group of nodes, message by message: while faults last only safety is demanded, by
 * the oracle after every event; then everything heals, and the group must come to rest.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { isMember, type NodeId, type ProposedEffect } from "../../raft/mod.ts";
import { Dice, Stream } from "../engine/dice.ts";
import type { Harness, Run } from "../engine/harness.ts";
import { demand, type Transcript } from "../engine/trace.ts";
import { Hands } from "./hands.ts";
import { calmFaults } from "../../base/link.ts";
import { drawRaftPlan, ELECTION_MS, LATE_MS, type RaftPlan } from "./plan.ts";
import { diskPlantOf, nodePlantOf, RAFT_PLANTS, type RaftPlant } from "./plants.ts";
import { RaftWorld } from "./world.ts";

/** After healing: a leader within this, counted in least election time-outs. */
const LEADER_MS = 20 * ELECTION_MS;
/** A clock that is slow makes its node's time-outs longer. */
const SLOWEST_CLOCK = 0.8;
/** All at the same commit index, snapshots sent and changes done, within this from then on. */
const AGREE_MS = 20 * ELECTION_MS;
/** A command of a healed group is applied on every member within this. */
const COMMAND_MS = 3 * ELECTION_MS;
/** How long nothing may disturb a healed group. */
const PEACE_MS = 20 * ELECTION_MS;
const CALM_LATENCY_MS = 1;

/** The replicated log, message by message. */
export const RAFT: Harness = {
  name: "raft-messages",
  about: "the replicated log of a group of nodes, message by message",
  plants: RAFT_PLANTS,
  prepare: (seed, plant, transcript) => new RaftRun(seed, plant as RaftPlant, transcript),
};

class RaftRun implements Run {
  readonly plan: RaftPlan;
  readonly #world: RaftWorld;
  readonly #hands: Hands;

  constructor(seed: number, plant: RaftPlant | undefined, transcript: Transcript | undefined) {
    this.plan = drawRaftPlan(seed);
    const { nodes, spares, params, clocks, faults, links, disks, state } = this.plan;
    this.#world = new RaftWorld({
      seed,
      nodes,
      spares,
      params,
      clockOf: (id) => clocks.get(id)!,
      state,
      nodePlant: nodePlantOf(plant),
      diskPlant: diskPlantOf(plant),
      transcript,
    });
    this.#world.network.faults = faults;
    for (const { from, to, faults: own } of links) this.#world.network.link(from, to).faults = own;
    for (const [id, own] of disks) this.#world.machine(id).disk.faults = own;
    this.#hands = new Hands(this.#world, new Dice(seed, Stream.script));
  }

  run(): void {
    const world = this.#world;
    for (const { atMs, deed } of this.plan.happenings) {
      world.run(Math.max(0, atMs - world.loop.nowMs));
      this.#hands.do(deed);
    }
    world.run(this.plan.healAtMs - world.loop.nowMs);
    this.#heal();
    // What was sent before may still be on its way.
    world.run(LATE_MS);
    // A node that slept may only now have learned that its disk had failed.
    for (const id of world.ids) world.restart(id);
    this.#settle();
    this.#command();
    this.#peace();
    this.#allTold();
  }

  counts(): Record<string, number> {
    const { oracle, network, proposals, reads, errands } = this.#world;
    const fates = [...proposals.values()];
    const answered = [...reads.values()];
    const asked = [...errands.values()];
    return {
      committed: oracle.lastCommitted,
      elections: oracle.elections,
      messages: network.sent,
      lost: network.lost,
      accepted: fates.filter(({ answer }) => answer?.isAccepted).length,
      "told committed": fates.filter(({ fate }) => fate === "committed").length,
      "told lost": fates.filter(({ fate }) => fate === "lost").length,
      "told unknown": fates.filter(({ fate }) => fate === "unknown").length,
      reads: answered.filter(({ index }) => (index ?? -1) >= 0).length,
      "errands done": asked.filter(({ outcome }) => outcome === "done").length,
      "snapshots received": network.byKind["chunked"] ?? 0,
    };
  }

  #heal(): void {
    const world = this.#world;
    this.#hands.stop();
    world.network.mendAll();
    world.network.calm(calmFaults(CALM_LATENCY_MS));
    for (const machine of world.machines.values()) {
      machine.disk.isFull = false;
      machine.disk.failsNext = false;
      machine.disk.faults = { stepMs: 1, jitterMs: 1 };
      machine.applyMs = 0;
      machine.rouse();
      machine.start();
    }
  }

  get #members(): NodeId[] {
    const { config } = this.#world.oracle;
    return this.#world.ids.filter((id) => isMember(config, id));
  }

  #agree(): boolean {
    const world = this.#world;
    const leader = world.leader?.node;
    if (leader === undefined) return false;
    const { commit, term, config, log } = leader;
    if (commit !== log.lastIndex || config.outgoing.length > 0) return false;
    return this.#members.every((id) => {
      const node = world.machine(id).node!;
      if (node.leader !== leader.id) return false;
      return node.term === term && node.commit === commit && node.applied === commit;
    });
  }

  #settle(): void {
    const world = this.#world;
    const leaderMs = LEADER_MS / SLOWEST_CLOCK;
    world.runUntil(() => world.leader !== undefined, leaderMs, "a leader after healing");
    world.runUntil(() => this.#agree(), AGREE_MS / SLOWEST_CLOCK, "agreement after healing");
  }

  #command(): void {
    const world = this.#world;
    let proposal = world.propose(world.leader!.id, new Uint8Array([1, 2, 3]));
    // A transfer that was begun before may be under way.
    const isTaken = (): boolean => {
      if (proposal.answer?.isAccepted) return true;
      proposal = world.propose(world.leader?.id ?? 1, new Uint8Array([1, 2, 3]));
      return false;
    };
    world.runUntil(isTaken, COMMAND_MS, "a proposal after healing");
    const answer = proposal.answer as ProposedEffect & { isAccepted: true };
    const { last } = answer;
    const isThere = (): boolean =>
      this.#members.every((id) => (world.machine(id).node?.applied ?? 0) >= last);
    world.runUntil(isThere, COMMAND_MS, "a command after healing");
    demand(proposal.fate === "committed", () => `its fate is ${proposal.fate}`);
    for (const id of this.#members) {
      const read = world.read(id);
      world.runUntil(() => read.index !== undefined, COMMAND_MS, `node ${id}'s read`);
      demand(read.index! >= last, () => `node ${id}'s read is refused: ${read.why}`);
    }
  }

  #peace(): void {
    const world = this.#world;
    const { id, node } = world.leader!;
    const term = node!.term;
    world.run(PEACE_MS as Millis);
    demand(
      world.leader?.id === id && world.leader.node!.term === term,
      () => `node ${id} led term ${term} in peace, now ${world.leader?.id} leads`,
    );
  }

  #allTold(): void {
    const world = this.#world;
    for (const id of world.ids) {
      const silent = [...world.openProposals(id)].filter(({ fate }) => fate === undefined);
      demand(silent.length === 0, () => `node ${id} keeps ${silent.length} proposers waiting`);
      const waiting = world.openRequests(id);
      demand(waiting === 0, () => `node ${id} leaves ${waiting} requests unanswered`);
    }
  }
}
