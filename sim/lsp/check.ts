/**
 * What must hold once the network is healed and its bound of time has passed.
 *
 * @module
 */
import { Endpoint } from "../../lsp/core.ts";
import { demand } from "../engine/trace.ts";
import type { End } from "./ledger.ts";
import type { Party } from "./party.ts";

/**
 * After healing: no dial hangs, nobody believes in a dead peer, everything written between living
 * ends has been read, and nothing is left to do in an endpoint that has drained.
 */
export function checkSettled(live: readonly Party[]): void {
  for (const party of live) {
    const { side } = party;
    const hanging = side.role === "dialer" && side.ends.size === 0 && side.refused === undefined;
    demand(!hanging || party.closing, () => `${side.name}: neither connected nor refused`);
    demand(!party.closing || side.drained, () => `${side.name}: closed, but never drained`);
    if (side.drained) demandRest(party);
    for (const end of party.openEnds()) {
      demand(!side.drained, () => `${side.name}: drained, but ${end.connId} has no end`);
      demandPartner(end, live);
    }
  }
}

/** After everybody has closed, nobody has anything left to do. */
export function checkClosed(live: readonly Party[]): void {
  for (const party of live) {
    const { side } = party;
    demand(side.drained, () => `${side.name}: closed, but never drained`);
    demandRest(party);
    for (const end of side.ends.values()) {
      demand(end.ended, () => `${side.name}: connection ${end.connId} has no end`);
    }
  }
}

/** On a healed network, a dialer is connected an epoch later. */
export function demandConnected(newcomers: readonly Party[]): void {
  for (const { side } of newcomers) {
    demand(side.ends.size === 1, () => `${side.name}: not connected on a healed network`);
  }
}

function demandPartner(end: End, live: readonly Party[]): void {
  const where = () => `${end.side.name} connection ${end.connId}`;
  const partner = end.peer ?? findPartner(end, live);
  demand(partner, () => `${where()}: nobody is at the other end, and no loss was told`);
  demand(!partner.side.dead, () => `${where()}: ${partner.side.name} is dead, no loss was told`);
  demand(
    partner.ended === undefined,
    () => `${where()}: ${partner.side.name} has ${partner.ended} it, no loss was told`,
  );
  const missing = end.sent.length - partner.received;
  demand(missing === 0, () => `${where()}: ${missing} of ${end.sent.length} never arrived`);
}

function findPartner(end: End, live: readonly Party[]): End | undefined {
  for (const party of live) {
    const other = party.side.ends.get(end.connId);
    if (party.side.role === end.side.role || other === undefined) continue;
    if (other.peer === undefined && other.ended === undefined) return other;
  }
  return undefined;
}

/** A drained endpoint has no timer and nothing to send. */
function demandRest(party: Party): void {
  const { core } = party.host;
  const wakeAtMs = core.wakeAtMs();
  const rest = wakeAtMs === undefined;
  demand(rest, () => `${party.side.name}: drained, but wants to wake at ${wakeAtMs}`);
  if (!(core instanceof Endpoint)) return;
  const { connections, unreadBytes, reassemblyBytes, queuedBytes } = core.stats();
  const bytes = unreadBytes + reassemblyBytes + queuedBytes;
  demand(
    connections === 0 && bytes === 0,
    () => `${party.side.name}: drained, but keeps ${connections} connections, ${bytes} bytes`,
  );
}
