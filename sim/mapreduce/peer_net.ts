/**
 * Connections between simulated peers: some cannot be made, and some end early.
 *
 * @module
 */
import { chance, type Random } from "../../base/random.ts";
import type { PeerEffect, PeerInput } from "../../mapreduce/peer_types.ts";
import { type Line, type LineEnd, Lines } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import type { MapReducePlan } from "./plan.ts";

/** A machine of the run. */
export interface PeerMachine {
  readonly isAlive: boolean;
  readonly plan: { readonly name: string; readonly port: number };
  peer(input: PeerInput): void;
}

/** The lines of a machine: those that it dialled, by peer, and those of its visitors. */
interface Known {
  readonly dialled: Map<number, Line | undefined>;
  readonly visits: Map<number, Line>;
}

/** Where a connection comes from. */
export function addressOf(connId: number): string {
  return `10.0.${connId >> 8}.${connId & 255}:5`;
}

/** See the module. */
export class PeerNet {
  /** Messages that went from peer to peer. */
  messages = 0;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #plan: MapReducePlan;
  readonly #lines: Lines<undefined>;
  readonly #byConnId = new Map<number, PeerMachine>();
  readonly #known = new Map<PeerMachine, Known>();

  constructor(loop: Loop, random: Random, plan: MapReducePlan) {
    this.#loop = loop;
    this.#random = random;
    this.#plan = plan;
    this.#lines = new Lines({ loop, random, faults: plan.peerLines });
  }

  /** A machine has that connection to the server. */
  add(connId: number, machine: PeerMachine): void {
    this.#byConnId.set(connId, machine);
    this.#lines.listen(machine.plan.name, (line) => this.#accept(machine, line));
  }

  carryOut(owner: PeerMachine, effect: PeerEffect): void {
    if (effect.kind === "dial") return this.#dial(owner, effect.peer, effect.at);
    const { dialled, visits } = this.#linesOf(owner);
    if (effect.kind === "answer") return visits.get(effect.visitor)?.say(effect.payload);
    const line = dialled.get(effect.peer);
    if (effect.kind === "hang-up") {
      dialled.delete(effect.peer);
      return line?.hangUp();
    }
    if (line !== undefined) this.messages++;
    line?.say(effect.payload);
  }

  /** A machine is gone without a word. */
  crash(machine: PeerMachine): void {
    this.#known.delete(machine);
    this.#lines.crash(machine.plan.name);
  }

  #linesOf(machine: PeerMachine): Known {
    const known = this.#known.get(machine) ?? { dialled: new Map(), visits: new Map() };
    this.#known.set(machine, known);
    return known;
  }

  #accept(machine: PeerMachine, line: Line): LineEnd | undefined {
    if (!machine.isAlive) return undefined;
    const { visits } = this.#linesOf(machine);
    const visitor = line.id;
    visits.set(visitor, line);
    return {
      received: (payload) => machine.peer({ kind: "visitor-payload", visitor, payload }),
      gone: () => {
        visits.delete(visitor);
        machine.peer({ kind: "visitor-gone", visitor });
      },
    };
  }

  #dial(owner: PeerMachine, peer: number, at: string): void {
    const [, high, low, port] = /^10\.0\.(\d+)\.(\d+):(\d+)$/.exec(at)!.map(Number);
    const other = this.#byConnId.get((high! << 8) | low!);
    const isThere = other?.isAlive === true && other.plan.port === port;
    if (!isThere || chance(this.#random, this.#plan.unreachableShare)) {
      const { refusalMs } = this.#plan.peerLines;
      this.#loop.after(refusalMs, () => owner.peer({ kind: "peer-down", peer }));
      return;
    }
    const { dialled } = this.#linesOf(owner);
    dialled.set(peer, undefined);
    this.#lines.dial(owner.plan.name, other.plan.name, undefined, {
      connected: (line) => {
        // It has hung up, or is gone, before there was a line.
        if (!dialled.has(peer) || !owner.isAlive) return line.drop();
        dialled.set(peer, line);
        owner.peer({ kind: "peer-up", peer });
      },
      received: (payload) => owner.peer({ kind: "peer-payload", peer, payload }),
      gone: () => {
        if (dialled.delete(peer)) owner.peer({ kind: "peer-down", peer });
      },
    });
  }
}
