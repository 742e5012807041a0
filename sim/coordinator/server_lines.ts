/**
 * The connections of one life of a simulated server: those that come in, from peers and from other
 * nodes, on one listener; those that its replica dials; and those by which it relays.
 *
 * @module
 */
import type { ReplicaEffect, ReplicaInput } from "../../raft/replica_types.ts";
import type { NodeEffect, NodeInput } from "../../server/types.ts";
import type { ServerBox } from "./box.ts";
import type { Line, LineEnd } from "./wires.ts";
import type { CoordinatorWorld } from "./world.ts";

/** Whom the lines speak for. */
export interface LinesOwner {
  serve(input: NodeInput): void;
  replicate(input: ReplicaInput): void;
  /** Whether that is how another node greets. */
  isPeers(payload: Uint8Array): boolean;
}

type Dial = Extract<ReplicaEffect, { readonly kind: "dial" | "write" | "drop" }>;
type Relaying = Extract<NodeEffect, { readonly kind: "dial" | "pass" | "drop" }>;

/** See the module. */
export class ServerLines {
  readonly #world: CoordinatorWorld;
  readonly #box: ServerBox;
  readonly #owner: LinesOwner;
  /** Of what came in, by the number of the line. */
  readonly #incoming = new Map<number, LineEnd>();
  /** Of other nodes among them. */
  readonly #nodes = new Set<number>();
  /** What was dialled; undefined: not made yet. */
  readonly #dialled = new Map<number, Line | undefined>();
  readonly #relayed = new Map<number, { line: Line | undefined }>();

  constructor(world: CoordinatorWorld, box: ServerBox, owner: LinesOwner) {
    this.#world = world;
    this.#box = box;
    this.#owner = owner;
    world.wires.listen(box.place, (id, wire, answer) => {
      this.#incoming.set(id, answer);
      return {
        received: (payload) => {
          const isFirst = wire === "cbor" && owner.isPeers(payload);
          if (isFirst) this.#nodes.add(id);
          if (!this.#nodes.has(id)) {
            return owner.serve({ kind: "payload", connId: id, wire, payload });
          }
          owner.replicate({ kind: "received", messages: [{ conn: 2 * id, payload }] });
        },
        gone: () => {
          this.#incoming.delete(id);
          if (this.#nodes.delete(id)) owner.replicate({ kind: "gone", conn: 2 * id });
          else owner.serve({ kind: "gone", connId: id });
        },
      };
    });
  }

  say(connId: number, payload: Uint8Array): void {
    this.#world.overheard(connId, payload);
    this.#incoming.get(connId)?.say(payload);
  }

  hangUp(connId: number): void {
    this.#incoming.get(connId)?.hangUp();
  }

  /** What the replica asks for: odd numbers are of lines that it dialled. */
  replicas(effect: Dial): void {
    const { conn } = effect;
    const { wires } = this.#world;
    if (effect.kind === "dial") return this.#dial(conn, effect.address);
    if (conn % 2 === 0) {
      const incoming = this.#incoming.get(conn / 2);
      if (effect.kind === "write") return incoming?.say(effect.payload);
      this.#nodes.delete(conn / 2);
      this.#incoming.delete(conn / 2);
      return incoming?.hangUp();
    }
    const line = this.#dialled.get(conn);
    if (effect.kind === "write") return line && wires.say(line, effect.payload);
    this.#dialled.delete(conn);
    if (line !== undefined) wires.hangUp(line);
  }

  #dial(conn: number, address: string): void {
    this.#dialled.set(conn, undefined);
    const { wires } = this.#world;
    wires.dial(this.#box.place, address, "cbor", {
      connected: (line) => {
        if (!this.#dialled.has(conn)) return wires.hangUp(line);
        this.#dialled.set(conn, line);
        this.#owner.replicate({ kind: "opened", conn });
      },
      received: (payload) => {
        if (!this.#dialled.has(conn)) return;
        this.#owner.replicate({ kind: "received", messages: [{ conn, payload }] });
      },
      gone: () => {
        if (this.#dialled.delete(conn)) this.#owner.replicate({ kind: "gone", conn });
      },
    });
  }

  relay(effect: Relaying): void {
    const { connId } = effect;
    const { wires } = this.#world;
    const known = this.#relayed.get(connId);
    if (effect.kind === "pass") {
      if (known?.line !== undefined) wires.say(known.line, effect.payload);
      return;
    }
    this.#relayed.delete(connId);
    if (known?.line !== undefined) wires.hangUp(known.line);
    if (effect.kind === "drop") return;
    const mine: { line: Line | undefined } = { line: undefined };
    this.#relayed.set(connId, mine);
    const isMine = (): boolean => this.#relayed.get(connId) === mine;
    wires.dial(this.#box.place, effect.server, "cbor", {
      connected: (line) => {
        if (!isMine()) return wires.hangUp(line);
        mine.line = line;
        this.#owner.serve({ kind: "dialled", connId });
      },
      received: (payload) => {
        if (isMine()) this.#owner.serve({ kind: "passed", connId, payload });
      },
      gone: () => {
        if (!isMine()) return;
        this.#relayed.delete(connId);
        this.#owner.serve({ kind: "dropped", connId });
      },
    });
  }
}
