/**
 * The socket of a listener: on one address, or on a wildcard.
 *
 * @module
 */
import { isWildcard } from "../base/ip_address.ts";
import { openBound, type SocketHandlers, type UdpSocket } from "./socket_adapter.ts";
import { openWildcard } from "./wildcard_adapter.ts";

/**
 * Binds `host`, `port` (0: any free one); `::` takes both families. Throws AddressInUse, or
 * LspError `SOCKET` with the system's reason.
 */
export async function openListening(
  host: string,
  port: number,
  handlers: SocketHandlers,
): Promise<UdpSocket> {
  const wildcard = isWildcard(host) ? (host.includes(":") ? "::" : "0.0.0.0") : undefined;
  const apart = wildcard && (await openWildcard(wildcard, port, handlers));
  return apart ?? openBound(host, port, handlers);
}
