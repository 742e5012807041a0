/**
 * Raft, a log that survives its machines (Ongaro and Ousterhout 2014; Ongaro's thesis), as a core
 * without I/O. Three nodes in one thread that agree on a counter, with memory for disks:
 *
 * ```ts
 * import { seededRandom } from "../base/mod.ts";
 * import { type Message, RaftCore, type RaftEffect, type RaftInput, raftParams } from "./mod.ts";
 *
 * const start = { index: 0, term: 0 };
 * const config = { voters: [1, 2, 3], outgoing: [], learners: [] };
 * const snapshot = { ...start, config, size: 0 };
 * const persisted = { hard: { term: 0, vote: 0 }, snapshot, base: start, entries: [] };
 * const counters = [0, 0, 0];
 * const mail: { from: number; to: number; message: Message }[] = [];
 * let nowMs = 0;
 *
 * const cores = config.voters.map((id) => {
 *   return new RaftCore({ id, params: raftParams(), persisted, random: seededRandom(id), nowMs });
 * });
 *
 * function tell(id: number, input: RaftInput | { kind: "wake" }): void {
 *   const core = cores[id - 1]!;
 *   core.handle(input, nowMs);
 *   for (let effect = core.poll(); effect; effect = core.poll()) carryOut(id, effect);
 * }
 *
 * function carryOut(id: number, effect: RaftEffect): void {
 *   if (effect.kind === "send") mail.push({ from: id, to: effect.to, message: effect.message });
 *   else if (effect.kind === "store") tell(id, { kind: "stored", token: effect.token });
 *   else if (effect.kind === "apply") {
 *     for (const { data } of effect.entries) counters[id - 1]! += data[0] ?? 0;
 *     tell(id, { kind: "applied", index: effect.entries.at(-1)!.index });
 *   }
 * }
 *
 * for (let hasProposed = false; counters.some((counter) => counter < 5); nowMs += 10) {
 *   for (const { id } of cores.map(({ node }) => node)) tell(id, { kind: "wake" });
 *   for (const { to, ...one } of mail.splice(0)) tell(to, { kind: "message", ...one });
 *   const leader = cores.find(({ node }) => node.role === "leader");
 *   if (leader === undefined || hasProposed) continue;
 *   const commands = [Uint8Array.of(2), Uint8Array.of(3)];
 *   tell(leader.node.id, { kind: "propose", id: 1, commands });
 *   hasProposed = true;
 * }
 * console.log(counters.join());
 * ```
 *
 * What goes in and comes out, with its ordering contract, is in raft/types.ts; docs/raft.md says
 * what it promises and why the numbers are what they are.
 *
 * @module
 */
export { isMember, isVoter } from "./config.ts";
export { RaftCore } from "./core.ts";
export { type ClusterDeed, manageCluster } from "./deeds_adapter.ts";
export * from "./errors.ts";
export { isPeerGreeting } from "./greeting.ts";
export { plainCommand } from "./group_state.ts";
export type * from "./messages.ts";
export type { RaftNode, Rejection } from "./node.ts";
export * from "./params.ts";
export * from "./quorum.ts";
export { ReplicaCore } from "./replica.ts";
export { openReplica } from "./adapter.ts";
export type * from "./replica_face_adapter.ts";
export * from "./replica_types.ts";
export * from "./sessions.ts";
export type * from "./types.ts";
