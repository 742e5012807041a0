/** Faults of whole nodes that the tests of raft/ must notice; part of `mutants.ts`. */
import type { Mutant } from "../../tools/mutants.ts";

const formation = "raft/formation.ts";
const link = "raft/link.ts";
const links = "raft/links.ts";
const records = "raft/records.ts";
const replication = "raft/replication.ts";
const replica = "raft/replica.ts";
const storage = "raft/storage.ts";
const wire = "raft/wire.ts";

/** A fault as [file, line, what it becomes, what no longer holds]. */
type Row = readonly [file: string, line: string, becomes: string, breaks: string];

const ROWS: readonly Row[] = [
  [
    "raft/taking.ts",
    "if (this.#isMade || this.token > 0) return false;",
    "if (this.#isMade) return false;",
    "parts of a snapshot are made faster than the disk takes them",
  ],
  [
    storage,
    "if (step === undefined || step.store > 0 || step.save > 0) return;",
    "if (step === undefined || step.save > 0) return;",
    "a step is done before its records are durable",
  ],
  [
    storage,
    "if (hard !== undefined) this.#hard = hard;",
    "if (hard !== undefined) this.#hard = { ...hard, vote: 0 };",
    "a vote is forgotten in a crash",
  ],
  [
    storage,
    "const first = identity.first.voters.length > 0 ? identity.first : this.#identity.first;",
    "const { first } = identity;",
    "the first members that came by an empty snapshot are forgotten",
  ],
  [
    storage,
    "while (this.#loads[0]?.isDone) {",
    "while (false) {",
    "a part of a snapshot that was read is given to nobody",
  ],
  [
    formation,
    "if (this.#named[0] === node && others.every((id) => this.#empty.has(id))) this.#found();",
    "if (this.#named[0] === node && others.some((id) => this.#empty.has(id))) this.#found();",
    "a cluster is founded before all members are known to be empty",
  ],
  [
    formation,
    "if (known === disk) return undefined;",
    "return undefined;",
    "a number is given to a second disk",
  ],
  [
    formation,
    "const isWanted = config === undefined || leader === 0 || isMember(config, id);",
    "const isWanted = config === undefined || isMember(config, id);",
    "a node whose configuration is old never finds the leader",
  ],
  [
    links,
    "if (this.#owner.isFellow(link.hello)) this.#owner.message(link.peer, decoded);",
    "if (link !== undefined) this.#owner.message(link.peer, decoded);",
    "a node that is of no cluster has a say",
  ],
  [
    links,
    "if (isNews) this.#owner.write(conn, encodeFrame(own));",
    "if (known === undefined) this.#owner.write(conn, encodeFrame(own));",
    "on a connection that was half made a node stays one of no cluster",
  ],
  [
    links,
    "if (!link.isDialled || stalledForMs < this.#electionMs) continue;",
    "continue;",
    "a connection that stands still is never made anew",
  ],
  [
    link,
    "if (isStalled) return;",
    "this.flush(nowMs, Infinity);",
    "what a stalled peer is told is queued",
  ],
  [
    replica,
    'if (message.kind === "snapshot" && this.#storage.isFlooded) return;',
    'if (message.kind === "snapshot") return;',
    "snapshots are never taken",
  ],
  [
    replica,
    "this.#takeSnapshot(false);",
    "",
    "a log that fills up while a snapshot is taken stays full",
  ],
  [
    records,
    "const isShortest = byte > 0 || end === at + 1;",
    "const isShortest = true;",
    "a number has two forms on the wire",
  ],
  [
    replication,
    "for (const { round } of this.peers.values()) if (round < this.#round) return false;",
    "",
    "a beat that one node has not answered is followed by one that wants no answer",
  ],
  [wire, 'if (payload.length > WIRE_BYTES_MAX) return "too large";', "", "messages have no limit"],
];

export const NODE_MUTANTS: readonly Mutant[] = ROWS.map(([file, line, becomes, breaks]) => {
  return { file, line, becomes, breaks };
});
