/**
 * What every program shares that connects over LSP. Rooms of this house import its files one by
 * one; this face is for everybody else.
 *
 * @module
 */
export {
  type ConnectionEvents,
  type ConnectionOptions,
  type ConnectionPayload,
  Connections,
  incomingConn,
} from "./connections_adapter.ts";
export { isServerThere, whyEnded } from "./endings.ts";
export {
  Uplink,
  type UplinkEvents,
  type UplinkOptions,
  type UplinkTarget,
} from "./uplink_adapter.ts";
export { serversOf, targetOf, typedServers, type ServerChoice } from "./targets.ts";
export { BOTH_WIRES_FLAGS, LSP_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "./flags.ts";
