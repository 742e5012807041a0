/**
 * The register of harnesses. A room that can be simulated adds its own here, and is then run by
 * sim.ts, by the tests' campaigns and by `bun run soak`.
 *
 * @module
 */
import { ACTORS } from "./actors/run.ts";
import { COORDINATOR } from "./coordinator/run.ts";
import type { Harness } from "./engine/harness.ts";
import { FLEET } from "./fleet/run.ts";
import { GEO, GEO_NODES } from "./geo/run.ts";
import { KV } from "./kv/run.ts";
import { LSP } from "./lsp/run.ts";
import { MAPREDUCE } from "./mapreduce/run.ts";
import { MUD } from "./mud/run.ts";
import { RAFT } from "./raft/run.ts";
import { RAFT_NODES } from "./raft/whole_run.ts";

/** All of them, in the order in which they run. */
export const HARNESSES: readonly Harness[] = [
  LSP,
  FLEET,
  RAFT,
  RAFT_NODES,
  KV,
  MAPREDUCE,
  COORDINATOR,
  ACTORS,
  GEO,
  GEO_NODES,
  MUD,
];

/** The harness of that name; or all whose names begin with it: `raft` has two. */
export function harnessesNamed(name: string): readonly Harness[] {
  return HARNESSES.filter((one) => one.name === name || one.name.startsWith(`${name}-`));
}
