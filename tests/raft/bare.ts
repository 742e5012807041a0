/** One core in the hands of a test: every message, durable step and hour is made by hand. */
import { assert } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import {
  type Config,
  type Entry,
  type Message,
  type NodeId,
  type Persisted,
  RaftCore,
  type RaftEffect,
  type RaftInput,
  type RaftNode,
  type RaftParams,
  raftParams,
  type StoreEffect,
} from "../../raft/mod.ts";

/** Three voters, of which the core in question is number 1. */
export const THREE: Config = { voters: [1, 2, 3], outgoing: [], learners: [] };

/** An entry with its term as its command. */
export function entry(index: number, term: number): Entry {
  return { index, term, kind: "command", data: new Uint8Array([term]), config: undefined };
}

/** A log of entries 1.. with these terms. */
export function logOf(...terms: number[]): Entry[] {
  return terms.map((term, i) => entry(i + 1, term));
}

/** What a disk holds: these entries, a term, and no snapshot. */
export function held(
  terms: number[],
  term: number = terms.at(-1) ?? 0,
  config: Config = THREE,
): Persisted {
  return {
    hard: { term, vote: 0 },
    snapshot: { index: 0, term: 0, config, size: 0 },
    base: { index: 0, term: 0 },
    entries: logOf(...terms),
  };
}

/** Node 1, with everything that it asked for in order. */
export class Bare {
  readonly core: RaftCore;
  readonly effects: RaftEffect[] = [];
  nowMs = 0;
  /** Whether a durable step is done as soon as it is asked for. */
  storesAtOnce = true;
  /** Whether what is to be applied is applied at once. */
  appliesAtOnce = true;

  constructor(persisted: Persisted = held([]), params: Partial<RaftParams> = {}) {
    this.core = new RaftCore({
      id: 1,
      params: raftParams(params),
      persisted,
      random: seededRandom(1),
      nowMs: 0,
    });
    this.tell({ kind: "wake" });
  }

  get node(): RaftNode {
    return this.core.node;
  }

  /** Hands in an input and gives what it brought about. */
  tell(input: RaftInput | { kind: "wake" }): RaftEffect[] {
    const start = this.effects.length;
    this.core.handle(input, this.nowMs);
    this.#drain();
    return this.effects.slice(start);
  }

  receive(from: NodeId, message: Message): RaftEffect[] {
    return this.tell({ kind: "message", from, message });
  }

  /** Time passes, and the core is woken when it wants to be. */
  wait(forMs: number): RaftEffect[] {
    const start = this.effects.length;
    const untilMs = this.nowMs + forMs;
    for (;;) {
      const wakeAtMs = this.core.wakeAtMs() ?? Infinity;
      if (wakeAtMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, wakeAtMs);
      this.tell({ kind: "wake" });
    }
    this.nowMs = untilMs;
    return this.effects.slice(start);
  }

  /** Says that the last step asked for is durable. */
  stored(): RaftEffect[] {
    const step = this.effects.findLast((effect) => effect.kind === "store");
    assert(step, "no step was asked for");
    return this.tell({ kind: "stored", token: step.token });
  }

  /** Lets node 1 stand and win with the vote of 2; gives its term. */
  lead(): number {
    this.wait(2 * this.node.params.electionMs);
    const term = this.node.term + 1;
    this.receive(2, { kind: "voted", term, pre: true, granted: true });
    this.receive(2, { kind: "voted", term, pre: false, granted: true });
    assert(this.node.role === "leader", `node 1 is ${this.node.role}`);
    return term;
  }

  #drain(): void {
    for (let effect = this.core.poll(); effect; effect = this.core.poll()) {
      this.effects.push(effect);
      if (effect.kind === "store" && this.storesAtOnce) {
        this.core.handle({ kind: "stored", token: effect.token }, this.nowMs);
      }
      if (!this.appliesAtOnce) continue;
      if (effect.kind === "apply") {
        this.core.handle({ kind: "applied", index: effect.entries.at(-1)!.index }, this.nowMs);
      }
      if (effect.kind === "restore") {
        this.core.handle({ kind: "applied", index: effect.meta.index }, this.nowMs);
      }
    }
  }
}

/** The messages among `effects`, of one kind, to one node or to any. */
export function sent<Kind extends Message["kind"]>(
  effects: readonly RaftEffect[],
  kind: Kind,
  to?: NodeId,
): (Message & { kind: Kind })[] {
  return effects
    .filter((effect) => effect.kind === "send")
    .filter((effect) => to === undefined || effect.to === to)
    .map(({ message }) => message)
    .filter((message): message is Message & { kind: Kind } => message.kind === kind);
}

/** The durable steps among `effects`. */
export function steps(effects: readonly RaftEffect[]): StoreEffect[] {
  return effects.filter((effect) => effect.kind === "store");
}
