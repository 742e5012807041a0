/** Whole nodes, as `openReplica` runs them, on virtual time: what the core alone does not have. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type NodeId, plainCommand, raftParams, type ReplicaInput } from "../../raft/mod.ts";
import { CALM_DISK } from "../../sim/engine/disk.ts";
import { ledgerCommand } from "../../sim/raft/ledger.ts";
import { WholeWorld } from "../../sim/raft/whole_world.ts";

const T = 300;
/** Everything here comes about within this. */
const PATIENCE_MS = 40 * T;

/** Nodes on calm disks, and a client that asks the leader. */
class Cluster extends WholeWorld {
  #sent = 0;

  constructor(nodes: number, spares: number, trailingEntries: number) {
    super({
      seed: 1,
      nodes,
      spares,
      params: raftParams({ electionMs: T, trailingEntries, chunkBytesMax: 500 }),
      snapshotBytes: 1 << 20,
      clockOf: () => ({ clockOriginMs: 0, clockRate: 1 }),
      diskOf: () => CALM_DISK,
      plant: { losesOneIn: 0, lies: false },
      transcript: undefined,
    });
    for (const id of this.ids) assert(this.node(id).start());
  }

  command(): void {
    const command = plainCommand(ledgerCommand(1, ++this.#sent, 100));
    this.#ask((id) => ({ kind: "submit", requests: [{ id, command }] }));
  }

  /** Changes the voters, and waits until all of them that are up know. */
  change(...voters: NodeId[]): void {
    this.#ask((id) => ({ kind: "change", id, voters, learners: [] }));
    this.agree(
      voters.filter((id) => this.node(id).isUp),
      voters,
    );
  }

  /** Runs until `voters` are the voters by what each of `ids` knows. */
  agree(ids: readonly NodeId[], voters: readonly NodeId[] = ids): void {
    const isThere = (id: NodeId): boolean => {
      const config = this.node(id).core?.raft?.node.config;
      return config?.outgoing.length === 0 && config.voters.join() === voters.join();
    };
    this.#until(() => ids.every(isThere), `${voters.join()} as voters`);
  }

  /** Runs until `id` has applied all that any node has. */
  catchUp(id: NodeId): void {
    const isThere = (): boolean => this.node(id).ledger.entries.length === this.history.length;
    this.#until(isThere, `node ${id} with all that is applied`);
    assertEquals(this.node(id).ledger.entries, this.history);
  }

  /** Asks the leader, and the next one if it lost the lead meanwhile. */
  #ask(ask: (id: number) => ReplicaInput): void {
    for (let isDone = false; !isDone;) {
      let isAnswered = false;
      this.#until(() => this.leader !== undefined, "a leader");
      this.ask(this.leader!.id, ask, ({ isOk }) => {
        isAnswered = true;
        isDone = isOk;
      });
      this.#until(() => isAnswered, "an answer");
    }
  }

  #until(isDone: () => boolean, what: string): void {
    this.runUntil(isDone, PATIENCE_MS, () => what);
  }
}

describe("whole nodes", () => {
  test("one whose configuration is old finds the leader, which is no member of that", () => {
    const cluster = new Cluster(3, 2, 4096);
    cluster.agree([1, 2, 3, 4, 5]);
    // Node 1 knows where 4 and 5 are; by its log they are members no more.
    cluster.change(1, 2, 3);
    cluster.node(1).crash(false);
    cluster.change(1, 4, 5);
    for (const id of [2, 3]) cluster.node(id).crash(false);
    assert(cluster.node(1).start());
    cluster.agree([1, 4, 5]);
  });

  test("one that lacks what the others have no more gets a snapshot", () => {
    const cluster = new Cluster(3, 0, 0);
    cluster.agree([1, 2, 3]);
    cluster.isolate(3);
    for (let i = 0; i < 10; i++) cluster.command();
    for (const id of [1, 2]) cluster.node(id).tell({ kind: "snapshot" });
    cluster.command();
    cluster.mendAll();
    cluster.catchUp(3);
    assert(cluster.node(3).core!.raft!.node.snapshot.index > 0);
  });
});
