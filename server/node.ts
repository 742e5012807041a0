/**
 * A server of a cluster, or one alone: it has a {@link ServerCore} only while it leads, made anew
 * from the table each time. So nothing is accepted, and nothing answered, by one that leads no
 * more; what it knew of miners and clients is gone with its lead, and they are told where to go.
 *
 * A cbor peer that comes while another server leads is told so, and hung up on. While nobody is
 * known to lead it waits for a moment. Peers of the json wire stay under every leader
 * (server/relay.ts).
 *
 * @module
 */
import { earlier, invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { SERVERS_MAX } from "../base/server_ring.ts";
import { clipped, oneLine } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Message } from "../work/messages.ts";
import { ERROR_BYTES_MAX, type Manage, REPORT_BYTES_MAX } from "../work/server_messages.ts";
import { decodeMessage, encodeMessage, headOf } from "../work/wire.ts";
import { ServerCore, type ServerCoreOptions } from "./core.ts";
import { relayedSession } from "./askers.ts";
import { Relay } from "./relay.ts";
import type { ServerSnapshot } from "./snapshot.ts";
import type { NodeEffect, NodeInput, ServerInput } from "./types.ts";

/** How long a peer waits at a server that knows of no leader, before it is sent on. */
export const PARKED_MS: Millis = 500;
/** Peers that wait so; one more is sent on at once. */
export const PARKED_MAX = 10_000;
/** Changes of the cluster under way; one more is refused. */
const DEEDS_MAX = 64;

/** How a server is made. With a `table` it begins as one that does not lead. */
export interface ServerNodeOptions extends ServerCoreOptions {
  /** Where others reach this server, `HOST:PORT`. */
  readonly address?: string;
  /** How the server stands, as JSON. */
  readonly report?: () => string;
  /** A session that nobody else has picked, and nobody can guess; one of a cluster needs it. */
  readonly session?: () => bigint;
}

type Payload = Extract<ServerInput, { readonly kind: "payload" }>;

/** See the module. */
export class ServerNode implements Machine<NodeInput, NodeEffect> {
  readonly #options: ServerNodeOptions;
  readonly #effects = new Outbox<NodeEffect>();
  readonly #relay: Relay;
  #core: ServerCore;
  #leads: boolean;
  #leader = "";
  /** The leader that the log named last. */
  #named = "";
  #servers: readonly string[] = [];
  /** Connections that have spoken, and how: `relayed` ones are classic peers of another server. */
  readonly #conns = new Map<number, Wire | "relayed">();
  /** Those that wait to be told who leads, and since when; the longest first. */
  readonly #parked = new Map<number, Millis>();
  /** Those that were told to close and are not gone yet. */
  readonly #closing = new Set<number>();
  /** Proposals of this lead, by the number that they have outside. */
  readonly #proposals = new Map<number, number>();
  #lastProposal = 0;
  /** Who asked for a change of the cluster. */
  readonly #deeds = new Map<number, { readonly connId: number; readonly job: number }>();
  #lastDeed = 0;
  #nowMs: Millis = 0;

  constructor(options: ServerNodeOptions = {}) {
    this.#options = options;
    this.#core = new ServerCore(options);
    this.#leads = options.table === undefined;
    const push = (effect: NodeEffect): void => this.#effects.push(effect);
    this.#relay = new Relay({
      dial: (connId, server) => push({ kind: "dial", connId, server }),
      pass: (connId, payload) => push({ kind: "pass", connId, payload }),
      drop: (connId) => push({ kind: "drop", connId }),
      serve: (connId, wire, payload) =>
        this.#tellCore({ kind: "payload", connId, wire, payload }, this.#nowMs),
      write: (connId, payload) => push({ kind: "write", connId, payload }),
      close: (connId) => this.#close(connId),
      session: () => {
        const { session } = options;
        invariant(session !== undefined, "a server of a cluster can draw sessions");
        return relayedSession(session());
      },
    });
  }

  /** Whether it leads, and serves. */
  get leads(): boolean {
    return this.#leads;
  }

  /** What it serves with while it leads; it knows nothing else. */
  get core(): ServerCore {
    return this.#core;
  }

  /** The state of everything, as plain data. */
  snapshot(): ServerSnapshot {
    const { tables, ...rest } = this.#core.snapshot();
    const [connections, parked, relayed] = [this.#conns.size, this.#parked.size, this.#relay.size];
    return { ...rest, tables: { ...tables, connections, parked, relayed } };
  }

  handle(input: NodeInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    switch (input.kind) {
      case "payload":
        return this.#handlePayload(input, nowMs);
      case "gone":
        return this.#handleGone(input, nowMs);
      case "lead":
        return this.#lead(nowMs);
      case "follow":
        return this.#follow(input.leader, nowMs);
      case "members":
        return this.#membersAre(input.servers);
      case "decided": {
        const id = this.#proposals.get(input.id);
        this.#proposals.delete(input.id);
        return id === undefined ? undefined : this.#tellCore({ ...input, id }, nowMs);
      }
      case "managed":
        return this.#managed(input.ticket, input.error);
      case "dialled":
        return this.#relay.dialled(input.connId);
      case "passed":
        return this.#relay.passed(input.connId, input.payload);
      case "dropped":
        return this.#relay.dropped(input.connId, nowMs);
      case "leave":
        return this.#leads ? this.#tellCore(input, nowMs) : undefined;
      case "wake":
        this.#sendOn(nowMs);
        this.#relay.wake(nowMs);
        return this.#leads ? this.#tellCore(input, nowMs) : undefined;
    }
  }

  poll(): NodeEffect | undefined {
    return this.#effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    const [first] = this.#parked.values();
    const parkedMs = first === undefined ? undefined : first + PARKED_MS;
    const coreMs = this.#leads ? this.#core.wakeAtMs() : undefined;
    return earlier(earlier(coreMs, parkedMs), this.#relay.wakeAtMs());
  }

  // ---- what peers say

  #handlePayload(input: Payload, nowMs: Millis): void {
    const { connId, payload } = input;
    if (this.#closing.has(connId)) return;
    const known = this.#conns.get(connId);
    if (known === "relayed") return this.#tellCore({ ...input, wire: "json" }, nowMs);
    if (input.wire === "json") {
      const isNew = known === undefined;
      this.#conns.set(connId, "json");
      const stays = isNew ? !this.#leads || this.#servers.length > 1 : this.#relay.has(connId);
      if (stays) return this.#relay.take(connId, payload, nowMs);
      return this.#tellCore(input, nowMs);
    }
    const { kind } = headOf(payload) ?? {};
    if (known === undefined && isRelayed(payload)) {
      if (!this.#leads) return this.#close(connId);
      this.#conns.set(connId, "relayed");
      return;
    }
    this.#conns.set(connId, "cbor");
    if (kind === "inspect" || kind === "manage") return this.#handleQuestion(connId, payload);
    if (!this.#leads) return this.#park(connId, nowMs);
    if (known === undefined) this.#tellServers(connId);
    this.#tellCore(input, nowMs);
  }

  #handleGone(input: Extract<ServerInput, { readonly kind: "gone" }>, nowMs: Millis): void {
    const { connId } = input;
    this.#closing.delete(connId);
    this.#conns.delete(connId);
    this.#parked.delete(connId);
    this.#relay.gone(connId);
    if (this.#leads) this.#tellCore(input, nowMs);
  }

  #handleQuestion(connId: number, payload: Uint8Array): void {
    const message = decodeMessage(payload);
    if (typeof message === "string") return this.#close(connId);
    if (message.kind === "manage") return this.#manage(connId, message);
    if (message.kind !== "inspect") return;
    const text = clipped(this.#options.report?.() ?? "{}", REPORT_BYTES_MAX);
    this.#write(connId, { kind: "report", job: message.job, text });
  }

  #manage(connId: number, { job, deed, node }: Manage): void {
    if (!this.#leads) return this.#sendAway(connId, this.#leader);
    if (this.#options.table === undefined || this.#deeds.size >= DEEDS_MAX) {
      const error = this.#options.table === undefined ? "it keeps its jobs in memory" : "busy";
      return this.#write(connId, { kind: "managed", job, error });
    }
    const ticket = ++this.#lastDeed;
    this.#deeds.set(ticket, { connId, job });
    this.#effects.push({ kind: "manage", ticket, deed, node });
  }

  #managed(ticket: number, text: string): void {
    const asked = this.#deeds.get(ticket);
    this.#deeds.delete(ticket);
    if (asked === undefined || this.#conns.get(asked.connId) !== "cbor") return;
    const error = clipped(oneLine(text), ERROR_BYTES_MAX);
    this.#write(asked.connId, { kind: "managed", job: asked.job, error });
  }

  // ---- who leads

  #lead(nowMs: Millis): void {
    if (!this.#leads) {
      this.#leads = true;
      this.#leader = this.#options.address ?? "";
      // What they said is not known any more: they come again, at once.
      for (const connId of this.#parked.keys()) this.#sendAway(connId, this.#leader);
      this.#named = this.#leader;
      if (this.#servers.length > 1) this.#log("this server leads: miners and clients come here");
    }
    this.#tellCore({ kind: "lead" }, nowMs);
    this.#relay.follow(this.#leader, true, nowMs);
  }

  #follow(leader: string, nowMs: Millis): void {
    this.#leader = leader;
    if (this.#leads) this.#log("this server leads no more");
    if (leader !== "" && leader !== this.#named) this.#log(`the server at ${leader} leads`);
    if (leader !== "" || this.#leads) this.#named = leader;
    if (this.#leads && this.#options.table !== undefined) {
      this.#leads = false;
      this.#core = new ServerCore(this.#options);
      this.#proposals.clear();
      // The client that asked for a transfer waits for its answer.
      const waits = new Set([...this.#deeds.values()].map(({ connId }) => connId));
      for (const [connId, wire] of this.#conns) {
        if (waits.has(connId)) continue;
        if (wire === "cbor") this.#sendAway(connId, leader);
        else if (!this.#relay.has(connId)) this.#close(connId);
      }
    }
    this.#relay.follow(leader, false, nowMs);
    if (leader === "") return;
    for (const connId of this.#parked.keys()) this.#sendAway(connId, leader);
  }

  #membersAre(servers: readonly string[]): void {
    const known = servers.slice(0, SERVERS_MAX);
    if (known.join() === this.#servers.join()) return;
    this.#servers = known;
    if (!this.#leads) return;
    for (const [connId, wire] of this.#conns) if (wire === "cbor") this.#tellServers(connId);
  }

  /** Tells a peer of the leader's where the others are; one server alone has nothing to tell. */
  #tellServers(connId: number): void {
    const { address: leader = "" } = this.#options;
    if (this.#servers.length < 2) return;
    this.#write(connId, { kind: "servers", leads: true, leader, servers: this.#servers });
  }

  #park(connId: number, nowMs: Millis): void {
    if (this.#leader !== "" || this.#parked.size >= PARKED_MAX) {
      return this.#sendAway(connId, this.#leader);
    }
    if (!this.#parked.has(connId)) this.#parked.set(connId, nowMs);
  }

  /** Those that have waited long enough for a leader may know a better place. */
  #sendOn(nowMs: Millis): void {
    for (const [connId, sinceMs] of this.#parked) {
      if (nowMs < sinceMs + PARKED_MS) return;
      this.#sendAway(connId, "");
    }
  }

  #sendAway(connId: number, leader: string): void {
    this.#write(connId, { kind: "servers", leads: false, leader, servers: this.#servers });
    this.#close(connId);
  }

  // ---- effects

  #tellCore(input: ServerInput | Wake, nowMs: Millis): void {
    const core = this.#core;
    core.handle(input, nowMs);
    for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
      if (effect.kind === "propose") {
        const id = ++this.#lastProposal;
        this.#proposals.set(id, effect.id);
        this.#effects.push({ ...effect, id });
      } else if (effect.kind === "close") this.#letGo(effect.connId);
      else if (effect.kind === "write" && this.#relay.has(effect.connId)) {
        this.#relay.passed(effect.connId, effect.payload);
      } else this.#effects.push(effect);
    }
  }

  /** The core hangs up on a peer. */
  #letGo(connId: number): void {
    if (this.#relay.has(connId)) return this.#relay.end(connId);
    // The server that speaks for it would come again.
    if (this.#conns.get(connId) === "relayed") {
      this.#write(connId, { kind: "refused", job: 0, reason: "it is let go" });
    }
    this.#close(connId);
  }

  #log(text: string): void {
    this.#effects.push({ kind: "log", level: "info", text });
  }

  #write(connId: number, message: Message): void {
    this.#effects.push({ kind: "write", connId, payload: encodeMessage(message) });
  }

  #close(connId: number): void {
    if (this.#closing.has(connId)) return;
    this.#closing.add(connId);
    this.#parked.delete(connId);
    this.#effects.push({ kind: "close", connId });
  }
}

/** Whether that is how a relay begins. */
function isRelayed(payload: Uint8Array): boolean {
  const message = payload.length <= RELAYED_BYTES_MAX ? decodeMessage(payload) : "";
  return typeof message !== "string" && message.kind === "relayed";
}

/** An array of one small number. */
const RELAYED_BYTES_MAX = 4;
