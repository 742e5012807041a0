/**
 * LSP, the Live Sequence Protocol: ordered, exactly-once messages over UDP, with both sides knowing
 * when the other is gone. One listener serves both wires: cbor, and the json of the classic course.
 *
 * ```ts
 * import { connect, listen } from "./mod.ts";
 *
 * await using server = await listen({ port: 0, onLost: (end) => console.log(end.message) });
 * await using client = await connect({ host: "127.0.0.1", port: server.port });
 * client.write(new TextEncoder().encode("hello"));
 * const { connId, payload } = await server.read();
 * server.write(connId, payload);
 * console.log(new TextDecoder().decode(await client.read()));
 * ```
 *
 * The specification is docs/lsp.md, the wires are in docs/protocol.md. For simulations,
 * `createListener` and `createDialer` give the same protocol without socket or clock.
 *
 * @module
 */
export { hostOf, readableAddress } from "./address.ts";
export { appVersion } from "./app_version.ts";
export { CLASSIC_PAYLOAD_BYTES_MAX } from "./classic_frame.ts";
export type { AckSample, CongestionControl, CongestionFactory } from "./congestion.ts";
export type { ConnectionStats, EndpointStats } from "./counters.ts";
export type { Checksum } from "./crc32.ts";
export { createDialer, type Dialer, type DialerOptions } from "./dialer.ts";
export type { Endpoint } from "./core.ts";
export * from "./errors.ts";
export { createListener, type Listener } from "./listener.ts";
export {
  CLASSIC_PARAMS,
  type CoreOptions,
  DATAGRAM_BUFFER_BYTES,
  DEFAULT_LSP_LIMITS,
  fullLimits,
  type FullParams,
  fullParams,
  type LspLimits,
  CBOR_PARAMS,
} from "./params.ts";
export { ChecksumSeal, type Seal } from "./seal.ts";
export type * from "./types.ts";
export { connect, type ConnectOptions, type LspClient } from "./client_adapter.ts";
export type { EndpointOptions } from "./options_adapter.ts";
export {
  type ConnectionEnd,
  listen,
  type ListenOptions,
  type LspServer,
  type Received,
} from "./server_adapter.ts";
