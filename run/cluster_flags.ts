/**
 * The flags that make a server a node of a cluster: the same for every program that has one.
 *
 * @module
 */
import type { CommandLine, Flag } from "./args.ts";
import type { DataPlace } from "./data_place.ts";
import { UsageError } from "./errors.ts";
import { hostAndPort, port as portOf, wholeNumber } from "./flags.ts";

const NODE_MAX = 2n ** 32n - 1n;

export const CLUSTER_FLAGS: Readonly<Record<string, Flag>> = {
  node: { value: "N", help: "this node's number (1)" },
  cluster: { value: "N=HOST:PORT,…", help: "the first members, this one included" },
  bootstrap: { help: "found the cluster now, without asking the other members" },
  join: { value: "HOST:PORT", help: "be taken into the cluster of that server" },
  "force-new-cluster": { help: "go on alone, with what is here: when most nodes are lost" },
  advertise: { value: "HOST:PORT", help: "what others are to call this server" },
};

/** What the command line says of the cluster. */
export interface ClusterChoice {
  readonly node: number;
  /** The first members and where they are. */
  readonly members?: ReadonlyMap<number, string>;
  readonly join?: string;
  readonly bootstrap: boolean;
  readonly forceNewCluster: boolean;
  readonly advertise?: string;
}

/** Reads {@link CLUSTER_FLAGS}. Throws a {@link UsageError}. */
export function clusterFlags(line: CommandLine): ClusterChoice {
  const node = Number(wholeNumber("--node", line.flag("node") ?? "1", 1n, NODE_MAX));
  const clusterText = line.flag("cluster");
  const members = clusterText === undefined ? undefined : membersOf(clusterText);
  const join = line.flag("join");
  const advertise = line.flag("advertise");
  if (join !== undefined) hostAndPort(join, undefined, "--join");
  if (advertise !== undefined) hostAndPort(advertise, undefined, "--advertise");
  const isCluster = members !== undefined || join !== undefined;
  if (isCluster && line.has("memory")) {
    throw new UsageError("--memory is for a single node: a cluster keeps its word on disks");
  }
  if (members !== undefined && join !== undefined) {
    throw new UsageError("--cluster is for the first members, --join for later ones: expected one");
  }
  if (isCluster && line.flag("node") === undefined) {
    throw new UsageError("--node is missing: which of the members this is");
  }
  if (members?.has(node) === false) {
    throw new UsageError(`--node is ${node}, which --cluster does not have`);
  }
  return {
    node,
    bootstrap: line.has("bootstrap"),
    forceNewCluster: line.has("force-new-cluster"),
    ...(members !== undefined && { members }),
    ...(join !== undefined && { join }),
    ...(advertise !== undefined && { advertise }),
  };
}

/** What names other nodes. */
interface Others {
  readonly members?: ReadonlyMap<number, string> | undefined;
  readonly join?: string | undefined;
}

/** Whether there are other nodes. */
export function isCluster({ members, join }: Others): boolean {
  return members !== undefined || join !== undefined;
}

/**
 * The port of this node by `--cluster`, if that names it; `given`, if it is, has to be the same,
 * unless `--advertise` says where others reach it. Throws a {@link UsageError}.
 */
export function clusterPort(choice: ClusterChoice, given: string | undefined): number | undefined {
  const { node, members, advertise } = choice;
  const own = members?.get(node);
  if (own === undefined) return undefined;
  const { port } = hostAndPort(own);
  if (given === undefined) return port;
  const wanted = portOf(given, 0n);
  if (wanted === port || advertise !== undefined) return wanted;
  throw new UsageError(
    `PORT is ${wanted}, but --cluster has node ${node} at ${own} (--advertise HOST:PORT)`,
  );
}

/** Where a node keeps its data: one of several has to have a directory. Throws a UsageError. */
export function clusterPlace(choice: Others, place: DataPlace): DataPlace {
  if (!isCluster(choice)) return place;
  // A cluster keeps its word on disks: there, memory never has to do.
  if (place.directory !== undefined) return { ...place, isDefault: false };
  const why = place.why === "port" ? "a cluster on port 0" : "this user";
  throw new UsageError(`--data is missing: ${why} has no default`);
}

/** `node 2 of 1=HOST:PORT,2=HOST:PORT`, for people. */
export function clusterText({ node, members, join }: ClusterChoice): string {
  if (members === undefined) return `node ${node}, which joins the cluster of ${join}`;
  return `node ${node} of ${[...members].map(([each, at]) => `${each}=${at}`).join(",")}`;
}

/** `1=HOST:PORT,2=HOST:PORT` */
function membersOf(text: string): Map<number, string> {
  const members = new Map<number, string>();
  for (const part of text.split(",")) {
    const match = /^(\d{1,10})=(.+)$/.exec(part);
    if (match === null) throw new UsageError(`--cluster has "${part}", expected N=HOST:PORT`);
    const node = Number(wholeNumber("--cluster", match[1]!, 1n, NODE_MAX));
    const at = match[2]!;
    hostAndPort(at, undefined, `--cluster, node ${node},`);
    if (members.has(node)) throw new UsageError(`--cluster has node ${node} twice`);
    const [twin] = [...members].find(([, other]) => other === at) ?? [];
    if (twin !== undefined) {
      throw new UsageError(`--cluster has nodes ${twin} and ${node} at the same ${at}`);
    }
    members.set(node, at);
  }
  return members;
}
