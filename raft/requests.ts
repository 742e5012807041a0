/**
 * Who waits for what, on the node that was asked: commands until they are applied or given up,
 * reads until the state is recent enough, changes and transfers until they are through.
 *
 * @module
 */
import type { RaftCore } from "./core.ts";
import type { NodeId } from "./messages.ts";
import { entryBytes, type RaftParams } from "./params.ts";
import type { ReplicaAnswer, ReplicaRefusal, Request } from "./replica_types.ts";
import type { SessionAnswer } from "./sessions.ts";
import type { FateEffect, ProposedEffect } from "./types.ts";

/** Commands that go into one proposal weigh so much together: what is refused is not more. */
const BATCH_BYTES_MAX = 1 << 20;

/** Tells an answer to who asked. */
export type Answer = (id: number, answer: ReplicaAnswer) => void;

/** See the module. */
export class Requests {
  readonly #params: RaftParams;
  readonly #answer: Answer;
  /** Batches that were proposed and not answered yet, by their number. */
  readonly #proposed = new Map<number, readonly Request[]>();
  /** Commands in the log, by index. */
  readonly #pending = new Map<number, { readonly term: number; readonly id: number }>();
  /** Reads, changes and transfers, by the core's number. */
  readonly #errands = new Map<number, number>();
  #number = 0;

  constructor(params: RaftParams, answer: Answer) {
    this.#params = params;
    this.#answer = answer;
  }

  /** How many wait. */
  get size(): number {
    return this.#pending.size + this.#proposed.size + this.#errands.size;
  }

  /** Proposes commands, or says at once why not. */
  submit(raft: RaftCore | undefined, requests: readonly Request[], nowMs: number): void {
    let batch: Request[] = [];
    let bytes = 0;
    const propose = (): void => {
      if (batch.length === 0) return;
      const id = ++this.#number;
      this.#proposed.set(id, batch);
      const commands = batch.map(({ command }) => command);
      raft!.handle({ kind: "propose", id, commands }, nowMs);
      batch = [];
      bytes = 0;
    };
    for (const request of requests) {
      const { length } = request.command;
      if (raft === undefined) this.refuse(request.id, "not ready");
      else if (length > this.#params.entryBytesMax) this.refuse(request.id, "too large");
      else {
        batch.push(request);
        bytes += entryBytes(length);
        if (bytes >= BATCH_BYTES_MAX) propose();
      }
    }
    propose();
  }

  /** Asks something else of the core, which is told the number to answer to. */
  errand(raft: RaftCore | undefined, id: number, ask: (number: number) => void): void {
    if (raft === undefined) return this.refuse(id, "not ready");
    const number = ++this.#number;
    this.#errands.set(number, id);
    ask(number);
  }

  /** The core has said what becomes of a proposal. */
  proposed(effect: ProposedEffect): void {
    const batch = this.#proposed.get(effect.id);
    this.#proposed.delete(effect.id);
    for (const [i, { id }] of (batch ?? []).entries()) {
      if (effect.isAccepted) this.#pending.set(effect.first + i, { term: effect.term, id });
      else this.refuse(id, effect.why);
    }
  }

  /** An entry was applied. */
  applied(index: number, term: number, answer: SessionAnswer): void {
    const pending = this.#pending.get(index);
    if (pending === undefined || pending.term !== term) return;
    this.#pending.delete(index);
    this.#answer(pending.id, { isOk: true, index, answer });
  }

  /** Proposals have got their fate; of those that are committed the answer is still to come. */
  fate({ fate, term, first, last }: FateEffect): void {
    if (fate === "committed") return;
    for (let index = first; index <= last; index++) {
      const pending = this.#pending.get(index);
      if (pending === undefined || pending.term !== term) continue;
      this.#pending.delete(index);
      this.refuse(pending.id, fate);
    }
  }

  /** A snapshot has taken the place of entries up to `index`, whose answers nobody knows now. */
  restored(index: number): void {
    for (const [at, { id }] of this.#pending) {
      if (at > index) continue;
      this.#pending.delete(at);
      this.refuse(id, "unknown");
    }
  }

  /** An errand is done; or not, for a reason. */
  done(number: number, index: number, why: ReplicaRefusal | undefined): void {
    const id = this.#errands.get(number);
    this.#errands.delete(number);
    if (id === undefined) return;
    if (why !== undefined) this.refuse(id, why);
    else this.#answer(id, { isOk: true, index, answer: undefined });
  }

  /** The node ends: what is in the log may still come about, all else does not. */
  endAll(): void {
    for (const { id } of this.#pending.values()) this.refuse(id, "unknown");
    for (const batch of this.#proposed.values()) {
      for (const { id } of batch) this.refuse(id, "stopped");
    }
    for (const id of this.#errands.values()) this.refuse(id, "stopped");
    this.#pending.clear();
    this.#proposed.clear();
    this.#errands.clear();
  }

  refuse(id: number, why: ReplicaRefusal): void {
    this.#answer(id, { isOk: false, why });
  }
}

/** The leader, and where it is, in words for people. */
export function leaderText(leader: NodeId, address: string): string {
  if (leader === 0) return "no leader is known";
  return address === "" ? `node ${leader} leads` : `node ${leader} at ${address} leads`;
}
