/**
 * Who is here: the connections that ask for jobs, and the sessions that they speak for; sessions
 * whose clients are away are remembered while they have jobs.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Admission } from "./admission.ts";
import { Asker, type Client } from "./askers.ts";
import type { Outlet } from "./outlet.ts";
import type { Shares } from "./shares.ts";

/** See the module. */
export class Attendance {
  readonly byConnId: Map<number, Client> = new Map();
  readonly askers: Map<bigint, Asker> = new Map();
  readonly #shares: Shares;
  readonly #admission: Admission;
  readonly #outlet: Outlet;

  constructor(shares: Shares, admission: Admission, outlet: Outlet) {
    this.#shares = shares;
    this.#admission = admission;
    this.#outlet = outlet;
  }

  /** The connection over which a session speaks, if it is there. */
  clientOf(asker: Asker): Client | undefined {
    return this.byConnId.get(asker.connId);
  }

  /** The client behind the connection, a new one if need be; undefined if the house is full. */
  enter(connId: number, wire: Wire, session: bigint, job: number): Client | undefined {
    const known = this.byConnId.get(connId);
    if (known !== undefined) return known;
    const share = this.#shares.of(connId, this.#outlet.addressOf(connId));
    const reason = this.#admission.whyFull(share, this.byConnId.size);
    if (reason !== undefined) {
      this.#outlet.tell("warn", `client ${connId} refused: ${reason}`, "stranger");
      if (wire === "cbor") this.#outlet.write(connId, { kind: "refused", job, reason });
      this.#outlet.close(connId);
      return undefined;
    }
    const asker = this.askers.get(session) ?? new Asker(session, wire, connId, share);
    this.#shares.enter(connId, share, "clients");
    this.askers.set(session, asker);
    const client = { connId, asker, waiting: [], requests: 0, attached: new Map() };
    this.byConnId.set(connId, client);
    return client;
  }

  /** The session of a job that is there already; its client is away since `nowMs` if it is new. */
  recall(session: bigint, nowMs: Millis): Asker {
    const known = this.askers.get(session);
    const asker = known ?? new Asker(session, "cbor", 0, this.#shares.of(0, undefined), nowMs);
    this.askers.set(session, asker);
    return asker;
  }

  /** The connection ended: who it was. */
  leave(connId: number): Client | undefined {
    const client = this.byConnId.get(connId);
    if (client === undefined) return undefined;
    this.byConnId.delete(connId);
    this.#shares.leave(connId);
    return client;
  }

  /** Forgets a session that nothing is left to remember for. */
  tidy(asker: Asker): void {
    if (asker.isIdle && this.askers.get(asker.session) === asker) {
      this.askers.delete(asker.session);
    }
  }
}
