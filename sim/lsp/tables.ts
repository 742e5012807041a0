/**
 * The sizes of an endpoint's tables: none grows beyond its limit, and what ends leaves nothing
 * behind.
 *
 * @module
 */
import { Endpoint } from "../../lsp/endpoint.ts";
import { demand } from "../engine/trace.ts";
import type { Party } from "./party.ts";

/** At any time: each table within its limit. */
export function demandTablesBounded(name: string, core: Endpoint): void {
  const sizes = core.tableSizes();
  const { connections = 0, alarms = 0, nativeAddresses = 0, classicAddresses = 0 } = sizes;
  const { endedRemembered = 0, unproven = 0, senders = 0, strays = 0 } = sizes;
  const { maxConnections, maxClassicConnections, maxEndedRemembered, maxUnproven } = core.limits;
  const isBounded =
    connections - classicAddresses <= maxConnections &&
    classicAddresses - unproven <= maxClassicConnections &&
    alarms <= connections &&
    nativeAddresses + classicAddresses <= connections &&
    endedRemembered <= maxEndedRemembered &&
    unproven >= 0 &&
    unproven <= Math.min(maxUnproven, classicAddresses) &&
    senders === 0 &&
    strays === 0;
  demand(isBounded, () => `${name}: a table is too large: ${JSON.stringify(sizes)}`);
}

/** Once all is quiet: what is over is forgotten, and what was acknowledged takes no memory. */
export function demandTablesTidy(party: Party): void {
  const { side, host } = party;
  const { core } = host;
  if (!(core instanceof Endpoint)) return;
  demandTablesBounded(side.name, core);
  const { connections = 0, unproven = 0 } = core.tableSizes();
  const open = party.openEnds();
  demand(
    connections <= open.length,
    () => `${side.name}: keeps ${connections} connections, ${open.length} are open`,
  );
  demand(
    unproven <= open.filter(({ wire }) => wire === "json").length,
    () => `${side.name}: counts ${unproven} unproven connections`,
  );
  for (const { connId } of open) {
    const stats = core.connectionStats(connId);
    const queued = stats?.queuedBytes ?? 0;
    demand(queued === 0, () => `${side.name}: ${queued} bytes still wait on ${connId}`);
  }
  const { queuedBytes } = core.budget;
  demand(queuedBytes === 0, () => `${side.name}: ${queuedBytes} acknowledged bytes are kept`);
}
