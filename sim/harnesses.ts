/**
 * The register of harnesses. A room that can be simulated adds its own here, and is then run by
 * sim.ts, by the tests' campaigns and by `bun run soak`.
 *
 * @module
 */
import type { Harness } from "./engine/harness.ts";
import { FLEET } from "./fleet/run.ts";
import { KV } from "./kv/run.ts";
import { LSP } from "./lsp/run.ts";
import { RAFT } from "./raft/run.ts";

/** All of them, in the order in which they run. */
export const HARNESSES: readonly Harness[] = [LSP, FLEET, RAFT, KV];

/** The harness of that name. */
export function harnessNamed(name: string): Harness | undefined {
  return HARNESSES.find((harness) => harness.name === name);
}
