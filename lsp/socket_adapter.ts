/**
 * Opening a UDP socket with Bun: names are resolved first, failures become errors that say what to
 * do about them, and addresses have one canonical text.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { AddressInUse, LspError, UnresolvedHost } from "./errors.ts";
import { enlargeReceiveBuffer, forbidFragments } from "./socket_buffer_native.ts";
import type { Address } from "./types.ts";

/** What a socket tells. */
export interface SocketHandlers {
  data(bytes: Uint8Array, host: string, port: number): void;
  /** There is room to send again. */
  drain(): void;
}

/** A bound socket; `remote` when it talks to one address only. */
export interface UdpSocket {
  readonly port: number;
  /** The address bound to, as the system tells it. */
  readonly host: string;
  /** Whether a datagram too large for the path is lost, rather than cut up on the way. */
  readonly forbidsFragments: boolean;
  /** Sends `packets[i]` to `hosts[i]`, `ports[i]`; how many went before the kernel was full. */
  sendMany(packets: readonly Uint8Array[], to: readonly Address[]): number;
  ref(): void;
  unref(): void;
  close(): void;
}

/** `HOST PORT` as cores know addresses. */
export function addressText(host: string, port: number): Address {
  // A socket for both families reports IPv4 peers in this disguise.
  return `${host.startsWith("::ffff:") ? host.slice(7) : host} ${port}`;
}

/** The numeric address of `host`, brackets allowed; IPv4 first, as that is our default to bind. */
export async function resolveHost(host: string): Promise<string> {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (isIP(bare) !== 0) return bare;
  try {
    const found = await lookup(bare, { all: true });
    const best = found.find(({ family }) => family === 4) ?? found[0];
    if (best !== undefined) return best.address;
  } catch (cause) {
    throw new UnresolvedHost(host, { cause });
  }
  throw new UnresolvedHost(host);
}

/** Throws RangeError unless `port` is one. */
export function checkPort(port: number, least: 0 | 1): void {
  if (Number.isInteger(port) && port >= least && port <= 65_535) return;
  throw new RangeError(`Cannot use port: got ${port}, expected ${least}..65535`);
}

/**
 * Binds `host`, `port` (0: any free one). Throws {@link AddressInUse}, or LspError `SOCKET` with
 * the system's reason.
 */
export async function openListening(
  host: string,
  port: number,
  handlers: SocketHandlers,
): Promise<UdpSocket> {
  const options = { hostname: host, port, binaryType: "uint8array" } as const;
  try {
    const socket = await Bun.udpSocket({ ...options, socket: callbacks(handlers) });
    const isSix = host.includes(":");
    // Datagrams in a row often go to one peer.
    let peer: Address = "";
    let peerHost = "";
    let peerPort = 0;
    return wrap(socket, isSix, (packets, to) => {
      const flat: (Uint8Array | string | number)[] = [];
      for (let i = 0; i < packets.length; i++) {
        if (to[i] !== peer) {
          peer = to[i]!;
          const blank = peer.lastIndexOf(" ");
          peerHost = peer.slice(0, blank);
          peerPort = Number(peer.slice(blank + 1));
          if (isSix && !peerHost.includes(":")) peerHost = `::ffff:${peerHost}`;
        }
        flat.push(packets[i]!, peerPort, peerHost);
      }
      return socket.sendMany(flat);
    });
  } catch (cause) {
    throw openError("listen on", host, port, cause);
  }
}

/** A socket that talks to `host`, `port` only. */
export async function openConnected(
  host: string,
  port: number,
  handlers: SocketHandlers,
): Promise<UdpSocket> {
  // Bun binds IPv4 unless told otherwise, and then cannot reach an IPv6 address.
  const hostname = host.includes(":") ? "::" : "0.0.0.0";
  const options = { hostname, port: 0, binaryType: "uint8array" } as const;
  const connect = { hostname: host, port };
  try {
    const socket = await Bun.udpSocket({ ...options, connect, socket: callbacks(handlers) });
    return wrap(socket, host.includes(":"), (packets) => socket.sendMany(packets));
  } catch (cause) {
    throw openError("reach", host, port, cause);
  }
}

function callbacks(handlers: SocketHandlers): Bun.udp.SocketHandler<"uint8array"> {
  return {
    data: (_socket, bytes, port, host) => handlers.data(bytes, host, port),
    drain: () => handlers.drain(),
    // Without this handler the answer of a closed port (ECONNREFUSED) would end the process. It is
    // no error here: the server may start later, and a peer that is gone is found out by silence.
    error: () => {},
  };
}

type AnySocket = Bun.udp.BaseUDPSocket & { readonly fd?: number };

function wrap(socket: AnySocket, isSix: boolean, sendMany: UdpSocket["sendMany"]): UdpSocket {
  const fd = socket.fd ?? -1;
  enlargeReceiveBuffer(fd);
  const forbidsFragments = forbidFragments(fd, isSix);
  return {
    port: socket.port,
    host: socket.address.address,
    forbidsFragments,
    sendMany,
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close: () => socket.close(),
  };
}

function openError(verb: string, host: string, port: number, cause: unknown): LspError {
  const code = (cause as { code?: unknown }).code;
  if (code === "EADDRINUSE") return new AddressInUse(host, port, { cause });
  const text = `cannot ${verb} ${host}:${port}: ${(cause as Error).message}`;
  return new LspError("SOCKET", text, undefined, { cause });
}
