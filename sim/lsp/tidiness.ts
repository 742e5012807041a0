/**
 * What ends leaves nothing behind in an endpoint's tables.
 *
 * @module
 */
import { Endpoint } from "../../lsp/core.ts";
import { demand } from "../engine/trace.ts";
import type { Party } from "./party.ts";
import { demandTablesBounded } from "./tables.ts";

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
