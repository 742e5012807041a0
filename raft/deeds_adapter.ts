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
  if (deed === "transfer") return replica.transfer(node);
  const { voters, learners } = replica.status().members;
  const isMember = voters.includes(node) || learners.includes(node);
  if (!isMember) throw new Failure(`node ${node} is no member: start it with --join first`);
  const others = voters.filter((one) => one !== node);
  const left = learners.filter((one) => one !== node);
  if (deed === "remove" && others.length === 0) {
    throw new Failure(`node ${node} is the only voter: a cluster needs one`);
  }
  await replica.change(deed === "promote" ? [...others, node] : others, left);
}
