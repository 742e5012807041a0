/**
 * Mistakes put into Raft on purpose, to prove that the simulator sees them. None is known to the
 * core: a faulty disk, a faulty state machine, or a wrapper around the core commits them.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../../base/machine.ts";
import {
  type NodeId,
  quorumValue,
  RaftCore,
  type RaftEffect,
  type RaftInput,
  type RaftNode,
  type RaftOptions,
} from "../../raft/mod.ts";
import type { DiskPlant } from "./disk.ts";

/** A core, whole or with a mistake in it. */
export interface AnyCore extends Machine<RaftInput, RaftEffect> {
  readonly node: RaftNode;
}

/** What a node does wrong on purpose. */
export interface NodePlant {
  /** One entry in 20 is not applied. */
  readonly losesApplies: boolean;
  /** Makes the core of a life. */
  readonly createCore: (options: RaftOptions) => AnyCore;
}

/** Mistakes of a node, its disk or its state machine, and what each breaks. */
export const RAFT_PLANTS = {
  "raft-volatile-vote": "a vote is said to be durable and is not",
  "raft-torn-snapshot": "a crash tears a snapshot from the log that belongs to it",
  "raft-lost-apply": "one entry in 20 is not applied",
  "raft-old-term-commit": "a leader commits by count whatever the entry's term",
  "raft-old-append-truncates": "a follower cuts its log where an append ends that is merely old",
  "raft-stale-read": "a leader answers reads without asking whether it still leads",
  "raft-ticked-lease": "a lease goes by the clock that counts a pause as a tick",
} as const;

export type RaftPlant = keyof typeof RAFT_PLANTS;

/** What the disks do wrong. */
export function diskPlantOf(plant: RaftPlant | undefined): DiskPlant {
  return { losesVotes: plant === "raft-volatile-vote", tears: plant === "raft-torn-snapshot" };
}

/** What the nodes do wrong. */
export function nodePlantOf(plant: RaftPlant | undefined): NodePlant {
  const kinds: Partial<Record<RaftPlant, new (options: RaftOptions) => AnyCore>> = {
    "raft-old-term-commit": OldTermCommitter,
    "raft-old-append-truncates": Truncator,
    "raft-stale-read": StaleReader,
    "raft-ticked-lease": TickedClock,
  };
  const Kind = (plant && kinds[plant]) ?? RaftCore;
  return {
    losesApplies: plant === "raft-lost-apply",
    createCore: (options) => new Kind(options),
  };
}

/** A core in other hands. */
abstract class Wrapper implements AnyCore {
  protected readonly core: RaftCore;

  constructor(options: RaftOptions) {
    this.core = new RaftCore(options);
  }

  get node(): RaftNode {
    return this.core.node;
  }

  handle(input: RaftInput | Wake, nowMs: Millis): void {
    this.core.handle(input, nowMs);
  }

  poll(): RaftEffect | undefined {
    return this.core.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.core.wakeAtMs();
  }
}

/** A leader that commits by count whatever the entry's term (Raft paper, figure 8). */
class OldTermCommitter extends Wrapper {
  readonly #acknowledged = new Map<NodeId, number>();
  #term = 0;

  override handle(input: RaftInput | Wake, nowMs: Millis): void {
    super.handle(input, nowMs);
    const { node } = this;
    if (node.term !== this.#term) this.#acknowledged.clear();
    this.#term = node.term;
    if (input.kind !== "message" || input.message.kind !== "appended") return;
    const { term, index } = input.message;
    if (node.role !== "leader" || term !== node.term) return;
    this.#acknowledged.set(input.from, Math.max(index, this.#acknowledged.get(input.from) ?? 0));
    const matchOf = (id: NodeId): number =>
      id === node.id ? node.keeper.stableIndex : (this.#acknowledged.get(id) ?? 0);
    node.commitUpTo(Math.min(quorumValue(node.config, matchOf), node.log.lastIndex));
  }
}

/** A follower that cuts its log where an append ends, though that is merely old. */
class Truncator extends Wrapper {
  override handle(input: RaftInput | Wake, nowMs: Millis): void {
    const { node } = this;
    super.handle(input, nowMs);
    if (input.kind !== "message" || input.message.kind !== "append") return;
    const { term, prevIndex, entries } = input.message;
    const end = prevIndex + entries.length + 1;
    if (term !== node.term || node.role === "leader" || entries.length === 0) return;
    if (end > node.log.lastIndex || end <= node.log.baseIndex) return;
    node.log.truncate(end);
    node.keeper.keepFrom(end);
  }
}

/** A leader that answers reads without asking whether it still leads. */
class StaleReader extends Wrapper {
  readonly #answers: RaftEffect[] = [];

  override handle(input: RaftInput | Wake, nowMs: Millis): void {
    const { role, applied } = this.node;
    if (input.kind !== "read" || role !== "leader") return super.handle(input, nowMs);
    this.#answers.push({ kind: "read", id: input.id, index: applied, why: undefined });
  }

  override poll(): RaftEffect | undefined {
    return this.#answers.shift() ?? super.poll();
  }
}

/** Ticks in the least time-out; Raft has fewer, and goes by them for time-outs alone. */
const TICKS = 10;

/** A node all of whose time, that of leases too, is what it was called for. */
class TickedClock extends Wrapper {
  readonly #tickMs: Millis;
  #lastMs: Millis;
  #countedMs: Millis;

  constructor(options: RaftOptions) {
    super(options);
    this.#tickMs = options.params.electionMs / TICKS;
    this.#lastMs = this.#countedMs = options.nowMs;
  }

  override handle(input: RaftInput | Wake, nowMs: Millis): void {
    this.#countedMs += Math.min(Math.max(0, nowMs - this.#lastMs), this.#tickMs);
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    super.handle(input, this.#countedMs);
  }

  override wakeAtMs(): Millis | undefined {
    const atMs = super.wakeAtMs();
    return atMs && this.#lastMs + Math.min(atMs - this.#countedMs, this.#tickMs);
  }
}
