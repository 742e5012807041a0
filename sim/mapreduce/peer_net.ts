/**
 * Connections between simulated peers: some cannot be made, and some end early.
 *
 * @module
 */
import { chance, type Random } from "../../base/random.ts";
import type { PeerEffect, PeerInput } from "../../mapreduce/peer_types.ts";
import type { Loop } from "../engine/loop.ts";
import { Link } from "./link.ts";
import type { MapReducePlan } from "./plan.ts";

/** A machine of the run. */
export interface PeerMachine {
  readonly isAlive: boolean;
  readonly plan: { readonly port: number };
  peer(input: PeerInput): void;
}

interface Dialled {
  readonly link: Link;
  readonly owner: PeerMachine;
  readonly peer: number;
  readonly other: PeerMachine;
  readonly visitor: number;
}

/** See the module. */
export class PeerNet {
  /** Messages that went from peer to peer. */
  messages = 0;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #plan: MapReducePlan;
  readonly #byConnId = new Map<number, PeerMachine>();
  readonly #dialled = new Set<Dialled>();
  #lastVisitor = 0;

  constructor(loop: Loop, random: Random, plan: MapReducePlan) {
    this.#loop = loop;
    this.#random = random;
    this.#plan = plan;
  }

  /** A machine has that connection to the server. */
  add(connId: number, machine: PeerMachine): void {
    this.#byConnId.set(connId, machine);
  }

  /** Where a connection comes from. */
  static addressOf(connId: number): string {
    return `10.0.${connId >> 8}.${connId & 255}:5`;
  }

  carryOut(owner: PeerMachine, effect: PeerEffect): void {
    if (effect.kind === "dial") return this.#dial(owner, effect.peer, effect.at);
    if (effect.kind === "answer") {
      const known = this.#find(
        ({ other, visitor }) => other === owner && visitor === effect.visitor,
      );
      return known?.link.write(1, effect.payload);
    }
    const known = this.#find((one) => one.owner === owner && one.peer === effect.peer);
    if (known === undefined) return;
    if (effect.kind === "hang-up") return this.#hangUp(known);
    this.messages++;
    if (chance(this.#random, this.#plan.breakShare)) return this.#break(known);
    known.link.write(0, effect.payload);
  }

  /** A machine is gone without a word. */
  crash(machine: PeerMachine): void {
    for (const one of this.#dialled) {
      if (one.owner === machine) one.link.cut(0);
      else if (one.other === machine) one.link.cut(1);
      else continue;
      this.#dialled.delete(one);
    }
  }

  #find(isMeant: (one: Dialled) => boolean): Dialled | undefined {
    return this.#dialled.values().find(isMeant);
  }

  #dial(owner: PeerMachine, peer: number, at: string): void {
    const [, high, low, port] = /^10\.0\.(\d+)\.(\d+):(\d+)$/.exec(at)!.map(Number);
    const other = this.#byConnId.get((high! << 8) | low!);
    const down = (): void => owner.peer({ kind: "peer-down", peer });
    const isThere = other?.isAlive === true && other.plan.port === port;
    if (!isThere || chance(this.#random, this.#plan.unreachableShare)) {
      this.#loop.after(this.#plan.noticeMs, down);
      return;
    }
    const visitor = ++this.#lastVisitor;
    const link: Link = new Link(this.#loop, this.#random, this.#plan, [
      {
        payload: (payload) => owner.peer({ kind: "peer-payload", peer, payload }),
        gone: () => {
          this.#dialled.delete(one);
          down();
        },
      },
      {
        payload: (payload) => other.peer({ kind: "visitor-payload", visitor, payload }),
        gone: () => other.peer({ kind: "visitor-gone", visitor }),
      },
    ]);
    const one: Dialled = { link, owner, peer, other, visitor };
    this.#dialled.add(one);
    const [, mostMs] = this.#plan.delayMs;
    this.#loop.after(2 * mostMs, () => owner.peer({ kind: "peer-up", peer }));
  }

  #hangUp(one: Dialled): void {
    this.#dialled.delete(one);
    one.link.close(0);
  }

  /** The path between the two fails: both notice. */
  #break(one: Dialled): void {
    this.#dialled.delete(one);
    one.link.cut(1);
    one.other.peer({ kind: "visitor-gone", visitor: one.visitor });
  }
}
