/**
 * The connections of one life of a simulated server: those that come in, from peers and from other
 * nodes, on one listener; those that its replica dials; and those by which it relays.
 *
 * @module
 */
import type { ReplicaEffect, ReplicaInput } from "../../raft/replica_types.ts";
import type { NodeEffect, NodeInput } from "../../server/types.ts";
import type { Line } from "../engine/lines.ts";
import type { ServerBox } from "./box.ts";
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
  readonly #incoming = new Map<number, Line>();
  /** Of other nodes among them. */
  readonly #nodes = new Set<number>();
  /** What was dialled; undefined: not made yet. */
  readonly #dialled = new Map<number, Line | undefined>();
  readonly #relayed = new Map<number, { line: Line | undefined }>();

  constructor(world: CoordinatorWorld, box: ServerBox, owner: LinesOwner) {
    this.#world = world;
    this.#box = box;
    this.#owner = owner;
    world.lines.listen(box.place, (line, wire) => {
      const { id } = line;
      this.#incoming.set(id, line);
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
    if (effect.kind === "dial") return this.#dial(conn, effect.address);
    if (conn % 2 === 0) {
      const incoming = this.#incoming.get(conn / 2);
      if (effect.kind === "write") return incoming?.say(effect.payload);
      this.#nodes.delete(conn / 2);
      this.#incoming.delete(conn / 2);
      return incoming?.hangUp();
    }
    const line = this.#dialled.get(conn);
    if (effect.kind === "write") return line?.say(effect.payload);
    this.#dialled.delete(conn);
    line?.hangUp();
  }

  #dial(conn: number, address: string): void {
    this.#dialled.set(conn, undefined);
    this.#world.lines.dial(this.#box.place, address, "cbor", {
      connected: (line) => {
        if (!this.#dialled.has(conn)) return line.hangUp();
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
    const known = this.#relayed.get(connId);
    if (effect.kind === "pass") return known?.line?.say(effect.payload);
    this.#relayed.delete(connId);
    known?.line?.hangUp();
    if (effect.kind === "drop") return;
    const mine: { line: Line | undefined } = { line: undefined };
    this.#relayed.set(connId, mine);
    const isMine = (): boolean => this.#relayed.get(connId) === mine;
    this.#world.lines.dial(this.#box.place, effect.server, "cbor", {
      connected: (line) => {
        if (!isMine()) return line.hangUp();
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
