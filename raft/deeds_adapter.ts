/**
 * What people do to a cluster by hand: a learner becomes a voter, a node is removed, the lead is
 * handed over.
 *
 * @module
 */
import { Failure } from "../run/errors.ts";
import type { NodeId } from "./messages.ts";
import type { Replica } from "./replica_face_adapter.ts";

/** See the module. */
export type ClusterDeed = "promote" | "remove" | "transfer";

/**
 * Does something to the cluster that `replica` leads. `node` 0, for a transfer: whichever voter has
 * most of the log. Rejects with a ReplicaError, or a Failure of one line.
 */
export async function manageCluster(
  replica: Replica,
  deed: ClusterDeed,
  node: NodeId,
): Promise<void> {
  const { voters, learners } = replica.status().members;
  if (deed === "transfer" && node !== 0 && !voters.includes(node)) {
    throw new Failure(`node ${node} is no voter: the voters are ${voters.join(", ")}`);
  }
  if (deed === "transfer" && node === 0 && voters.length === 1) {
    throw new Failure(`node ${voters[0]} is the only voter: nobody else can lead`);
  }
  if (deed === "transfer") return replica.transfer(node);
  const isMember = voters.includes(node) || learners.includes(node);
  if (!isMember) {
    const how = deed === "promote" ? "; a new one is started with --join" : "";
    throw new Failure(`node ${node} is no member: ${membersText(voters, learners)}${how}`);
  }
  const others = voters.filter((one) => one !== node);
  const left = learners.filter((one) => one !== node);
  if (deed === "remove" && others.length === 0) {
    throw new Failure(`node ${node} is the only voter: a cluster needs one`);
  }
  await replica.change(deed === "promote" ? [...others, node] : others, left);
}

function membersText(voters: readonly NodeId[], learners: readonly NodeId[]): string {
  return `those are ${[...voters, ...learners].toSorted((a, b) => a - b).join(", ")}`;
}
