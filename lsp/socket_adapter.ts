/**
 * Opening a UDP socket with Bun: failures become errors that say what to do about them. What comes
 * to a wildcard address is told apart by wildcard_adapter.ts.
 *
 * @module
 */
import { canonicalIp, isLinkLocal, isWildcard } from "../base/ip_address.ts";
import { atPort } from "../base/text.ts";
import { hostOf, portOf } from "./address.ts";
import { AddressInUse, LspError } from "./errors.ts";
import { enlargeReceiveBuffer, forbidFragments } from "./socket_buffer_native.ts";
import type { Address } from "./types.ts";

/** What a socket tells. */
export interface SocketHandlers {
  /** `local`: which of our own addresses was asked, on a socket that has several. */
  data(bytes: Uint8Array, host: string, port: number, local?: string): void;
  /** There is room to send again. */
  drain(): void;
}

/** A bound socket; it sends to anybody, or to one address only. */
export interface UdpSocket {
  readonly port: number;
  /** The address bound to, as the system tells it. */
  readonly host: string;
  /** Whether a datagram too large for the path is lost, rather than cut up on the way. */
  readonly forbidsFragments: boolean;
  /** Whether an answer leaves from the address that was asked. */
  readonly answersFromAsked: boolean;
  /** Sends `packets[i]` to `to[i]`; how many went before the kernel was full. */
  sendMany(packets: readonly Uint8Array[], to: readonly Address[]): number;
  ref(): void;
  unref(): void;
  close(): void;
}

/** A socket of Bun's, with what Bun does not tell of it. */
export interface BunSocket extends UdpSocket {
  /** Its descriptor; -1 if it is not known. */
  readonly fd: number;
}

/** Bun's flag for SO_REUSEADDR. */
const REUSE_ADDRESS = 16;

/** What may be said to Bun about a socket that it opens. */
export interface OpenOptions {
  /** The port may be that of another socket that lets it be shared. */
  readonly shares?: boolean;
}

/**
 * Binds `host`, `port` (0: any free one). Throws {@link AddressInUse}, or LspError `SOCKET` with
 * the system's reason.
 */
export async function openBound(
  host: string,
  port: number,
  handlers: SocketHandlers,
  { shares = false }: OpenOptions = {},
): Promise<BunSocket> {
  const flags = shares ? { flags: REUSE_ADDRESS } : {};
  const options = { hostname: host, port, binaryType: "uint8array", ...flags } as const;
  try {
    const socket = await Bun.udpSocket({ ...options, socket: callbacks(handlers) });
    const isSix = host.includes(":");
    // Datagrams in a row often go to one peer.
    let peer: Address = "";
    let peerHost = "";
    let peerPort = 0;
    return wrap(socket, host, (packets, to) => {
      const flat: (Uint8Array | string | number)[] = [];
      for (let i = 0; i < packets.length; i++) {
        if (to[i] !== peer) {
          peer = to[i]!;
          peerHost = hostOf(peer);
          peerPort = portOf(peer);
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

/**
 * A socket that talks to `host`, `port` only; bound to port `own`, which it shares with a socket of
 * ours, or to any. Throws LspError `SOCKET` with the system's reason.
 */
export async function openConnected(
  host: string,
  port: number,
  handlers: SocketHandlers,
  own = 0,
): Promise<BunSocket> {
  // Bun binds IPv4 unless told otherwise, and then cannot reach an IPv6 address.
  const hostname = host.includes(":") ? "::" : "0.0.0.0";
  const flags = own === 0 ? {} : { flags: REUSE_ADDRESS };
  const options = { hostname, port: own, binaryType: "uint8array", ...flags } as const;
  const connect = { hostname: host, port };
  try {
    const socket = await Bun.udpSocket({ ...options, connect, socket: callbacks(handlers) });
    return wrap(socket, host, (packets) => socket.sendMany(packets));
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

function wrap(socket: AnySocket, asked: string, sendMany: UdpSocket["sendMany"]): BunSocket {
  const fd = socket.fd ?? -1;
  enlargeReceiveBuffer(fd);
  const forbidsFragments = forbidFragments(fd, asked.includes(":"));
  const bound = socket.address.address;
  return {
    fd,
    port: socket.port,
    // Bun leaves the zone out, without which a link-local address means nothing.
    host: isLinkLocal(bound) ? (canonicalIp(asked) ?? bound) : bound,
    forbidsFragments,
    answersFromAsked: !isWildcard(bound),
    sendMany,
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close: () => socket.close(),
  };
}

/** What keeps a socket from being opened, for people. */
export function openError(verb: string, host: string, port: number, cause: unknown): LspError {
  const code = (cause as { code?: unknown }).code;
  if (code === "EADDRINUSE") return new AddressInUse(host, port, { cause });
  const text = `cannot ${verb} ${atPort(host, port)}: ${(cause as Error).message}`;
  return new LspError("SOCKET", text, undefined, { cause });
}
