/**
 * The simulated server: the real core on a real listener, with a witness of every message
 * that goes in and out.
 *
 * @module
 */
import type { Endpoint } from "../../lsp/core.ts";
import { createListener } from "../../lsp/listener.ts";
import type { LspEvent, LspNotice, Wire } from "../../lsp/mod.ts";
import { ServerCore } from "../../server/core.ts";
import type { ServerSnapshot } from "../../server/snapshot.ts";
import type { ServerEffect, ServerInput } from "../../server/types.ts";
import type { Quirks } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import { demand } from "../engine/trace.ts";
import type { Host, Program } from "../lsp/host.ts";
import { demandTablesBounded } from "../lsp/tables.ts";
import { cheapHash, messageOf } from "./cheap_hash.ts";
import { demandRest, demandSound } from "./check.ts";
import { Witness } from "./witness.ts";
import { type FleetWorld, SERVER, SERVER_ADDRESS } from "./world.ts";

/** LSP's tables are looked at every so many turns. */
const LOOK_TURNS = 16;

/** One life of the server. */
export class ServerMachine implements Program {
  readonly core: ServerCore;
  readonly host: Host;
  readonly #world: FleetWorld;
  readonly #process: Process<ServerInput, ServerEffect>;
  readonly #closing = new Set<number>();
  readonly #witness: Witness;
  #turns = 0;

  constructor(world: FleetWorld, quirks: Quirks) {
    this.#world = world;
    const witness = new Witness(
      world,
      (...said) => this.#pretend(...said),
      () => this.core.snapshot(),
    );
    this.#witness = witness;
    const computer = world.computer(SERVER, quirks);
    this.core = new ServerCore({
      // A client that is gone is gone for good here: what is to be answered is known at once.
      limits: { orphanMs: 0 },
      hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
      onAccept: ({ client, job, lower, upper, miner }) => {
        const message = witness.messageOf(client, job);
        if (miner === undefined) world.oracle.hashed(message, lower, upper, world.loop.nowMs);
        world.oracle.accepted(message, lower, upper);
      },
    });
    this.#process = new Process({
      computer,
      core: this.core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => witness.check(demandSound(this.core, (connId) => witness.isHonest(connId))),
    });
    const random = world.newRandom();
    const endpoint = createListener({ params: world.params, random }, computer.nowMs());
    this.host = world.addHost(SERVER, computer, endpoint, this, SERVER_ADDRESS);
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `server ${JSON.stringify(notice)}`);
    if (notice.kind === "connected") this.#witness.connected(notice.connId, notice.from);
  }

  onCrash(): void {
    this.#witness.crashed();
  }

  /** The books. */
  snapshot(): ServerSnapshot {
    return this.core.snapshot();
  }

  /** See there. */
  demandRest(): void {
    demandRest(this.core, (connId) => this.#witness.isHonest(connId) === true);
    demandTablesBounded("server", this.host.core as Endpoint);
  }

  /** Which computer a connection is from. */
  nameOf(connId: number): string | undefined {
    return this.#witness.placeOf(connId);
  }

  afterTurn(): void {
    if (++this.#turns % LOOK_TURNS === 0) {
      demandTablesBounded("server", this.host.core as Endpoint);
    }
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    const { connId } = event;
    if (event.kind !== "data") {
      this.#world.trace?.(() => `server: connection ${connId} ${event.kind}`);
      this.#closing.delete(connId);
      this.#witness.gone(connId);
      return this.#process.tell({ kind: "gone", connId });
    }
    const { wire, payload } = event;
    if (this.#witness.incoming(connId, wire, payload)) return;
    this.#process.tell({ kind: "payload", connId, wire, payload });
  }

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") {
      this.#world.trace?.(() => `server log: ${effect.text}`);
      return;
    }
    if (effect.kind === "propose") return demand(false, () => "nothing here is to outlive it");
    const { connId } = effect;
    if (effect.kind === "close") return this.#close(connId);
    if (this.#closing.has(connId)) return;
    if (this.#witness.outgoing(connId, effect.payload)) return;
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, effect.payload, nowMs);
      } catch (error) {
        this.#world.trace?.(() => `server cannot write: ${(error as Error).message}`);
        if ((error as { code?: string }).code === "QUEUE_FULL") this.#close(connId);
      }
    });
  }

  #close(connId: number): void {
    this.#closing.add(connId);
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.closeConn(connId, nowMs);
      } catch {
        // It is gone already; its end waits to be read.
      }
    });
  }

  #pretend(connId: number, wire: Wire, payload: Uint8Array): void {
    this.#world.loop.after(1, () => {
      if (!this.host.isAlive) return;
      this.host.act(() => this.#process.tell({ kind: "payload", connId, wire, payload }));
    });
  }
}
