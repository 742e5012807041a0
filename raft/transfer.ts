/**
 * Handing the lead to another voter (Raft thesis, 3.10): it is brought up to date, then asked to
 * stand at once.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { isVoter } from "./config.ts";
import type { NodeId } from "./messages.ts";
import type { RaftNode } from "./node.ts";
import type { Replication } from "./replication.ts";
import type { Refusal, TransferInput } from "./types.ts";

/** Transfers during one term of a leader. */
export class Transfer {
  readonly #node: RaftNode;
  readonly #lead: Replication;
  #current:
    | { readonly id: number; readonly to: NodeId; readonly untilMs: Millis; isAsked: boolean }
    | undefined;
  /** Whether anybody was ever asked in this term: from then on a lease proves nothing. */
  wasAsked = false;

  constructor(node: RaftNode, lead: Replication) {
    this.#node = node;
    this.#lead = lead;
  }

  /** Whether proposals have to wait. */
  get isUnderWay(): boolean {
    return this.#current !== undefined;
  }

  get wakeAtMs(): Millis | undefined {
    return this.#current?.untilMs;
  }

  /** Begins a transfer, or refuses it. */
  begin({ id, to: wanted }: TransferInput): void {
    const node = this.#node;
    if (this.#current !== undefined) return this.#end(id, "transferring");
    const to = wanted === 0 ? this.mostComplete : wanted;
    if (to === node.id) return this.#end(id, undefined);
    if (!isVoter(node.config, to)) return this.#end(id, "invalid");
    this.#current = { id, to, untilMs: node.nowMs + node.params.patienceMs, isAsked: false };
  }

  /** The voter other than this node that has most of the log, of those the one heard last. */
  get mostComplete(): NodeId {
    const { config } = this.#node;
    let best: { readonly id: NodeId; readonly match: number; readonly heardMs: Millis } | undefined;
    for (const { id, match, heardMs } of this.#lead.peers.values()) {
      if (!config.voters.includes(id)) continue;
      const isBetter =
        best === undefined ||
        match > best.match ||
        (match === best.match && heardMs > best.heardMs);
      if (isBetter) best = { id, match, heardMs };
    }
    return best?.id ?? 0;
  }

  /** Asks the chosen voter to stand when it has the whole log. */
  advance(): void {
    const current = this.#current;
    if (current === undefined || current.isAsked) return;
    if ((this.#lead.peers.get(current.to)?.match ?? 0) < this.#node.log.lastIndex) return;
    current.isAsked = true;
    this.ask(current.to);
  }

  /** The request may have been lost: it goes out again, if there is one. */
  askAgain(): void {
    if (this.#current !== undefined) this.#current.isAsked = false;
  }

  /** Asks `to` to stand for election, whatever it has. */
  ask(to: NodeId): void {
    const node = this.#node;
    if (to === 0) return;
    this.wasAsked = true;
    node.send(to, { kind: "takeOver", term: node.term });
  }

  /** Gives up a transfer that takes too long: this node leads on. */
  wake(): void {
    const current = this.#current;
    if (current === undefined || this.#node.nowMs < current.untilMs) return;
    this.#current = undefined;
    this.#end(current.id, "timed out");
  }

  /** The lead is gone, which is what was asked for. */
  leadLost(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) this.#end(current.id, undefined);
  }

  #end(id: number, why: Refusal | undefined): void {
    this.#node.out.push({ kind: "transferred", id, isDone: why === undefined, why });
  }
}
