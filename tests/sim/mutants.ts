/**
 * Semantic faults that the simulator alone must notice, each in the first 300 seeds of one harness:
 * `bun run tools/mutants.ts sim`.
 */
import type { Mutant } from "../../tools/mutants.ts";
import { PROTOCOL_FAULTS } from "./protocol_faults.ts";
import { SCHEDULER_FAULTS } from "./scheduler_faults.ts";

export const MUTANTS: readonly Mutant[] = [...PROTOCOL_FAULTS, ...SCHEDULER_FAULTS];
