/**
 * The ways between clients and servers: what they are called, and what they are like where nothing
 * is wrong.
 *
 * @module
 */
import type { NodeId } from "../../raft/mod.ts";
import type { LineFaults } from "../engine/lines.ts";

/** Quick, and lost after a silence of LSP's. */
export const CALM_PATHS: LineFaults = {
  latencyMs: 1,
  jitterMs: 0,
  lossShare: 0,
  resendMs: 120,
  breakShare: 0,
  silenceMs: 1200,
  refusalMs: 300,
};

/** Where a client is. */
export function placeOfClient(client: number): string {
  return `client ${client}`;
}

/** Where a server is. */
export function placeOfNode(server: NodeId): string {
  return `node ${server}`;
}
