/**
 * Mistakes put into Raft on purpose, to prove that the simulator sees them. None is known to the
 * core: a faulty disk, a faulty state machine, or a wrapper around the core commits them.
 *
 * @module
 */
import type { RaftCore } from "../../raft/mod.ts";
import type { Plant } from "../engine/plant.ts";
import type { DiskPlant } from "./disk.ts";
import type { NodePlant } from "./machine.ts";

/** What the disks do wrong. */
export function diskPlantOf(plant: Plant | undefined): DiskPlant {
  return { losesVotes: plant === "raft-volatile-vote", tears: plant === "raft-torn-snapshot" };
}

/** What the nodes do wrong. */
export function nodePlantOf(plant: Plant | undefined): NodePlant {
  return { losesApplies: plant === "raft-lost-apply", spoil: spoilerOf(plant) };
}

function spoilerOf(_plant: Plant | undefined): ((core: RaftCore) => RaftCore) | undefined {
  return undefined;
}
