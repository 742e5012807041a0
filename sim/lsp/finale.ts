/**
 * The last act of an LSP run, on a healed network, where much more can be demanded than before:
 * every message written before a close is read, no living peer is lost, and one that crashes is
 * missed neither too early nor too late.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { Endpoint } from "../../lsp/core.ts";
import type { Dice } from "../engine/dice.ts";
import type { Loop } from "../engine/loop.ts";
import type { Network } from "../engine/network.ts";
import { demand } from "../engine/trace.ts";
import type { End } from "./ledger.ts";
import type { Party } from "./party.ts";
import type { LspPlan } from "./plan.ts";

/** What one client and the listener do to their connection. */
type Action = "nothing" | "client closes" | "listener closes" | "client crashes";

interface Pair {
  readonly client: Party;
  readonly clientEnd: End;
  readonly listener: Party;
  readonly listenerEnd: End;
  readonly action: Action;
  readonly atMs: Millis;
}

/** The last round of bursts and endings, and what must come of them. */
export class Finale {
  readonly #loop: Loop;
  readonly #network: Network;
  readonly #plan: LspPlan;
  readonly #script: Dice;
  readonly #latencyMs: Millis;
  readonly #pairs: Pair[] = [];

  constructor(loop: Loop, network: Network, plan: LspPlan, script: Dice, latencyMs: Millis) {
    this.#loop = loop;
    this.#network = network;
    this.#plan = plan;
    this.#script = script;
    this.#latencyMs = latencyMs;
  }

  /** Every connected pair writes a burst each way, then does one thing. */
  begin(living: readonly Party[]): void {
    const script = this.#script;
    const listener = living.find((party) => party.side.role === "listener")!;
    for (const client of living) {
      const clientEnd = client.openEnds()[0];
      if (client.side.role === "listener" || clientEnd === undefined || client.closing) continue;
      const { connId } = clientEnd;
      const listenerEnd = listener.side.ends.get(connId);
      demand(
        listenerEnd && listenerEnd.ended === undefined,
        () => `${client.side.name}: the listener knows nothing of connection ${connId}`,
      );
      client.write(clientEnd, script.integer(0, 5), script);
      listener.write(listenerEnd, script.integer(0, 5), script);
      const actions: Action[] = [
        "nothing",
        "nothing",
        "client closes",
        "listener closes",
        "client crashes",
      ];
      const action = script.pick(actions);
      const atMs = this.#loop.nowMs;
      this.#pairs.push({ client, clientEnd, listener, listenerEnd, action, atMs });
      if (action === "client closes") {
        this.#dropSome(client, listener);
        client.close();
      } else if (action === "listener closes") {
        this.#dropSome(listener, client);
        listener.closeConn(listenerEnd);
      } else if (action === "client crashes") client.crash();
    }
  }

  /** The next few datagrams in one direction are lost: what was to be said is said again. */
  #dropSome(from: Party, to: Party): void {
    const link = this.#network.link(from.host.computer.name, to.host.computer.name);
    const limits = [this.#plan.listenerParams, ...this.#plan.clients.map(({ params }) => params)];
    // One that misses nobody before so many silent epochs must not have as many.
    const most = Math.min(2, ...limits.map(({ epochLimit }) => epochLimit - 1));
    if (this.#script.chance(0.5)) link.dropNext = this.#script.integer(Math.min(1, most), most);
  }

  /** After the bound: did the right thing come of it? */
  check(): void {
    for (const { client, clientEnd, listenerEnd, action, atMs } of this.#pairs) {
      const where = () => `${client.side.name} connection ${clientEnd.connId}, ${action}`;
      if (action === "nothing") {
        demand(!clientEnd.ended, () => `${where()}: the living listener was ${clientEnd.ended}`);
        demand(!listenerEnd.ended, () => `${where()}: the living client was ${listenerEnd.ended}`);
      }
      if (action === "nothing" || action === "client closes") {
        demandAllRead(clientEnd, listenerEnd, where);
      }
      if (action === "nothing" || action === "listener closes") {
        demandAllRead(listenerEnd, clientEnd, where);
      }
      if (action === "client closes") {
        demand(client.side.drained, () => `${where()}: never drained`);
        const { core } = client.host;
        const isLost = core instanceof Endpoint && core.undelivered.has(clientEnd.connId);
        demand(!isLost, () => `${where()}: says that not all has arrived, but it has`);
        demandTold(listenerEnd, () => `${where()}: the listener`);
      }
      if (action === "listener closes") {
        demandTold(clientEnd, () => `${where()}: the client`);
      }
      if (action === "client crashes") this.#demandMissedInTime(listenerEnd, atMs, where);
    }
  }

  /** Everybody writes once more and closes at once. */
  closeAll(living: readonly Party[]): void {
    const script = this.#script;
    for (const party of living) {
      for (const end of party.openEnds()) party.write(end, script.integer(0, 3), script);
      if (!party.closing) party.close();
    }
  }

  /** K silent epochs, never later than K + 1 ticks (docs/lsp.md, section 6). */
  #demandMissedInTime(end: End, crashedAtMs: Millis, where: () => string): void {
    const { epochLimit, epochMillis } = this.#plan.listenerParams;
    const clocksMax = 1.01;
    const earliestMs = crashedAtMs + ((epochLimit - 1) * epochMillis) / clocksMax;
    const latestMs = crashedAtMs + this.#latencyMs + (epochLimit + 1) * epochMillis;
    const atMs = end.endedAtMs;
    demand(end.ended === "lost", () => `${where()}: reported as ${end.ended}`);
    const [from, to, at] = [earliestMs, latestMs, atMs].map((ms) => (ms - crashedAtMs).toFixed(2));
    demand(
      atMs >= earliestMs - 1e-6 && atMs <= latestMs + 1e-6,
      () => `${where()}: lost after ${at} ms, expected ${from} to ${to}`,
    );
  }
}

/** On the cbor wire one end tells the other that it is over; on the json wire, silence does. */
function demandTold(end: End, who: () => string): void {
  demand(end.ended, () => `${who()} was not told`);
  const isTold = end.wire === "json" || end.ended === "closed";
  demand(isTold, () => `${who()} found out by itself: ${end.ended}`);
}

function demandAllRead(writer: End, reader: End, where: () => string): void {
  const missing = writer.sent.length - reader.received;
  demand(
    missing === 0,
    () => `${where()}: ${writer.side.name} wrote ${writer.sent.length}, ${missing} not read`,
  );
}
