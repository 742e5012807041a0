/** A group of simulated nodes as the scenarios want it: T is 300 ms, the beat 100 ms. */
import { assert } from "@std/assert";
import type { NodeId, ProposedEffect } from "../../raft/mod.ts";
import type { RaftMachine } from "../../sim/raft/machine.ts";
import type { Faults } from "../../base/link.ts";
import { type Proposal, RaftWorld, type WorldOptions } from "../../sim/raft/world.ts";

/** T: the least election time-out. */
export const T = 300;
/** "All agree" means: within this. */
export const AGREE_MS: number = 20 * T;

/** A network that loses one message in ten and mixes up the others. */
export const LOSSY: Faults = {
  lossShare: 0.1,
  duplicateShare: 0,
  lateShare: 0,
  lateMs: 0,
  latencyMs: 0.5,
  jitterMs: 26,
};

/** The same, and two messages in three come up to two seconds late. */
export const LATE: Faults = { ...LOSSY, lateShare: 0.66, lateMs: 2200 };

/** An accepted answer. */
export type Accepted = ProposedEffect & { readonly isAccepted: true };

/** A world with the hands that scenarios need. */
export class Group extends RaftWorld {
  #commands = 0;

  constructor(nodes: number, options: Partial<WorldOptions> = {}) {
    super({ seed: nodes, ...options, nodes });
  }

  /** Runs until there is one leader whom more than half of `ids` follow, and gives it. */
  elect(ids: readonly NodeId[] = this.ids): RaftMachine {
    let found: RaftMachine | undefined;
    const isElected = (): boolean => {
      found = this.leaders.find(({ id, node }) => {
        const followers = ids.filter((other) => {
          const one = this.machine(other).node;
          return one?.term === node!.term && one.leader === id;
        });
        return ids.includes(id) && followers.length * 2 > ids.length;
      });
      return found !== undefined;
    };
    this.runUntil(isElected, AGREE_MS, "a leader");
    return found!;
  }

  /** The next command: no two are alike. */
  command(bytes = 16): Uint8Array {
    const data = new Uint8Array(bytes);
    new DataView(data.buffer).setUint32(0, ++this.#commands);
    return data;
  }

  /** Proposes one command and expects it to be accepted. */
  accept(id: NodeId, bytes = 16): Accepted {
    return accepted(this.propose(id, this.command(bytes)));
  }

  /** Runs until `index` is applied on all of `ids`. */
  agree(index: number, ids: readonly NodeId[] = this.ids): void {
    const isThere = (): boolean =>
      ids.every((id) => (this.machine(id).node?.applied ?? 0) >= index);
    this.runUntil(isThere, AGREE_MS, `agreement of ${ids.join()} on ${index}`);
  }

  /** Proposes to the leader until a command is committed and applied on `ids`; its index. */
  commitOne(ids: readonly NodeId[] = this.ids, bytes = 16): number {
    let answer: Accepted | undefined;
    let proposal: Proposal | undefined;
    const isCommitted = (): boolean => {
      const leader = this.leaders.find(({ id }) => ids.includes(id));
      const isOpen = proposal?.answer?.isAccepted && proposal.fate === undefined;
      if (leader !== undefined && !isOpen && proposal?.fate !== "committed") {
        proposal = this.propose(leader.id, this.command(bytes));
      }
      if (proposal?.fate !== "committed") return false;
      answer = accepted(proposal);
      return true;
    };
    this.runUntil(isCommitted, AGREE_MS, `a commit among ${ids.join()}`);
    this.agree(answer!.last, ids);
    return answer!.last;
  }

  /** Node ids other than these. */
  others(...ids: readonly NodeId[]): NodeId[] {
    return this.ids.filter((id) => !ids.includes(id));
  }

  /** Cuts the group into parts that do not hear each other; who is in none hears nobody. */
  split(...parts: readonly (readonly NodeId[])[]): void {
    this.network.mendAll();
    for (const a of this.ids) {
      for (const b of this.ids) {
        if (a < b && !parts.some((part) => part.includes(a) && part.includes(b))) {
          this.network.cut(a, b);
        }
      }
    }
  }

  /** Messages as request-reply pairs. */
  get pairs(): number {
    return this.network.sent / 2;
  }
}

/** The answer to a proposal that was accepted. */
export function accepted({ answer }: Proposal): Accepted {
  assert(answer?.isAccepted, `refused: ${JSON.stringify(answer)}`);
  return answer;
}
