/**
 * What is done to a group while faults last.
 *
 * @module
 */
import type { NodeId } from "../../raft/mod.ts";
import type { Dice } from "../engine/dice.ts";
import type { Deed } from "./plan.ts";
import type { RaftWorld } from "./world.ts";

/** Does one deed after the other, and chooses the node that it strikes. */
export class Hands {
  readonly #world: RaftWorld;
  readonly #dice: Dice;
  #commands = 0;
  #isOver = false;

  /** Until when a leader stands still. */
  #pausedUntilMs = 0;

  constructor(world: RaftWorld, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  /** Everything heals: nothing more is done, nor what was begun gone on with. */
  stop(): void {
    this.#isOver = true;
  }

  do(deed: Deed): void {
    const world = this.#world;
    const dice = this.#dice;
    const id = dice.pick(world.ids);
    const other = dice.pick(world.ids);
    const leader = dice.chance(0.8) ? (world.leader?.id ?? id) : id;
    const forMs = dice.scale(5, 1500);
    switch (deed) {
      case "propose":
        return this.#propose(leader, 1);
      case "burst":
        return this.#propose(leader, dice.integer(2, 30));
      case "read":
        // A node that was deposed and does not know it is asked, too.
        for (const { id: one } of world.leaders) world.read(one, dice.chance(0.5));
        return void world.read(id);
      case "crash":
        return world.crash(id);
      case "crashLeader":
        return world.crash(leader);
      case "crashAll":
        return world.ids.forEach((one) => world.crash(one));
      case "crashMidStep":
        return this.#crashMidStep(id, dice.chance(0.7));
      case "rebootVoter":
        if (dice.chance(0.5)) world.crash(leader);
        return this.#rebootVoter(3 * world.params.electionMs);
      case "restart":
        return world.ids.forEach((one) => {
          if (dice.chance(0.7)) world.restart(one);
        });
      case "pause":
        return world.machine(id).sleep(forMs);
      case "pauseLeader":
        return this.#pauseLeader(world.leader?.id ?? 0);
      case "jumpClock":
        return world.machine(id).jumpClock(2 * forMs);
      case "cut":
        return this.#forAWhile(id, other, forMs, () => world.network.cut(id, other));
      case "cutOneWay":
        return this.#forAWhile(id, other, forMs, () => world.network.cutOneWay(id, other));
      case "isolate":
        return world.isolate(id);
      case "isolateLeader":
        return world.isolate(leader);
      case "halve":
        return this.#halve();
      case "mend":
        return world.network.mendAll();
      case "diskFull":
        return this.#fillDisk(dice.chance(0.5) ? leader : id, forMs);
      case "diskFails":
        world.machine(id).disk.failsNext = true;
        return;
      case "change":
        return this.#change(leader);
      case "transfer":
        return void world.transfer(leader, dice.chance(0.3) ? 0 : other);
    }
  }

  #propose(id: NodeId, count: number): void {
    const { params } = this.#world;
    const commands = Array.from({ length: count }, () => {
      const bytes = new Uint8Array(this.#dice.integer(8, params.entryBytesMax));
      new DataView(bytes.buffer).setUint32(0, ++this.#commands);
      return bytes;
    });
    this.#world.propose(id, ...commands);
  }

  /** The node crashes while the disk is at a step, perhaps the next with a snapshot in it. */
  #crashMidStep(id: NodeId, withSnapshot: boolean): void {
    const machine = this.#world.machine(id);
    machine.onStore = ({ snapshot }) => {
      if (this.#isOver || (withSnapshot && snapshot === undefined)) return;
      machine.onStore = undefined;
      this.#world.loop.after(0, () => this.#world.crash(id));
    };
  }

  /** Who votes next, perhaps for itself, starts again while others still ask for votes. */
  #rebootVoter(withinMs: number): void {
    const world = this.#world;
    const { loop } = world;
    const untilMs = loop.nowMs + withinMs;
    const afterMs = this.#dice.real(1, 30);
    const terms = new Map(world.ids.map((id) => [id, world.machine(id).node?.term ?? 0]));
    const hasVoted = (id: NodeId): boolean => {
      const { vote = 0, term = 0, leader = 0 } = world.machine(id).node ?? {};
      return vote > 0 && leader === 0 && term > terms.get(id)!;
    };
    const look = (): void => {
      if (this.#isOver || loop.nowMs > untilMs) return;
      const voter = world.ids.find(hasVoted);
      if (voter === undefined) return loop.after(5, look);
      loop.after(afterMs, () => this.#isOver || world.crash(voter));
      loop.after(afterMs + 1, () => this.#isOver || world.restart(voter));
    };
    look();
  }

  #forAWhile(a: NodeId, b: NodeId, forMs: number, cut: () => void): void {
    if (a === b) return;
    cut();
    // Some links flap.
    const { loop, network } = this.#world;
    if (this.#dice.chance(0.7)) loop.after(forMs, () => network.mend(a, b));
    if (this.#dice.chance(0.3)) loop.after(2 * forMs, () => this.#isOver || cut());
    loop.after(3 * forMs, () => network.mend(a, b));
  }

  /**
   * A leader stands still while others elect and commit, and is read from before it can hear of
   * that.
   */
  #pauseLeader(id: NodeId): void {
    const world = this.#world;
    const { loop, params } = world;
    if (id === 0 || loop.nowMs < this.#pausedUntilMs) return;
    const forMs = this.#dice.real(3, 8) * params.electionMs;
    // There shall be others to elect one; and its lease begins with a beat.
    world.network.mendAll();
    for (const one of world.ids) world.restart(one);
    world.run(this.#dice.real(0, params.heartbeatMs));
    world.isolate(id);
    // Before it has read what came meanwhile.
    loop.after(forMs, () => this.#isOver || world.read(id, true));
    world.machine(id).sleep(forMs);
    this.#pausedUntilMs = loop.nowMs + forMs;
    loop.after(forMs - 150, () => {
      if (this.#isOver) return;
      for (const { id: one } of world.leaders) if (one !== id) this.#propose(one, 1);
    });
    loop.after(forMs + 20, () => world.network.mendAll());
  }

  #halve(): void {
    const { ids, network } = this.#world;
    const side = new Map(ids.map((id) => [id, this.#dice.chance(0.5)]));
    for (const a of ids) {
      for (const b of ids) if (a < b && side.get(a) !== side.get(b)) network.cut(a, b);
    }
  }

  #fillDisk(id: NodeId, forMs: number): void {
    const { disk } = this.#world.machine(id);
    disk.isFull = true;
    this.#world.loop.after(forMs, () => (disk.isFull = false));
  }

  #change(at: NodeId): void {
    const dice = this.#dice;
    const { ids } = this.#world;
    const voters = ids.filter(() => dice.chance(0.6));
    const learners = ids.filter((id) => !voters.includes(id) && dice.chance(0.2));
    this.#world.change(at, voters, learners);
  }
}
