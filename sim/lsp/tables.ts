/**
 * The sizes of an endpoint's tables: none grows beyond its limit.
 *
 * @module
 */
import type { Endpoint } from "../../lsp/core.ts";
import { demand } from "../engine/trace.ts";

/** At any time: each table within its limit. */
export function demandTablesBounded(name: string, core: Endpoint): void {
  const sizes = core.tableSizes();
  const { connections = 0, alarms = 0, cborAddresses = 0, classicAddresses = 0 } = sizes;
  const { endedRemembered = 0, unproven = 0, senders = 0, strays = 0 } = sizes;
  const { maxConnections, maxClassicConnections, maxEndedRemembered, maxUnproven } = core.limits;
  const isBounded =
    connections - classicAddresses <= maxConnections &&
    classicAddresses - unproven <= maxClassicConnections &&
    alarms <= connections &&
    cborAddresses + classicAddresses <= connections &&
    endedRemembered <= maxEndedRemembered &&
    unproven >= 0 &&
    unproven <= Math.min(maxUnproven, classicAddresses) &&
    senders === 0 &&
    strays === 0;
  demand(isBounded, () => `${name}: a table is too large: ${JSON.stringify(sizes)}`);
}
