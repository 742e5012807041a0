/**
 * The vocabulary of LSP: parameters, what an endpoint core is asked and what it tells.
 * The specification is docs/lsp.md, the wires are in docs/protocol.md.
 *
 * @module
 */
import type { LentBufferPoll, Millis } from "../base/machine.ts";

/** The two wires. `json` is the one that classic peers speak, those of the course. */
export type Wire = "cbor" | "json";

/** A peer's network address in canonical text, as lsp/address.ts writes it; opaque to cores. */
export type Address = string;

/** docs/lsp.md, section 2. Whatever is left out takes the default of the wire. */
export interface Params {
  /** Length of an epoch in milliseconds, 1 or more. */
  readonly epochMillis?: number;
  /** Silent epochs before the peer is declared lost, 1 or more. */
  readonly epochLimit?: number;
  /** Messages from the oldest unacknowledged one on that may be under way, 1 or more. */
  readonly windowSize?: number;
  /** Messages sent and not acknowledged, 1..windowSize. */
  readonly maxUnackedMessages?: number;
  /** Cap of the per-message back-off in epochs, 0 or more. */
  readonly maxBackOffInterval?: number;
}

/** Why a connection was closed, for programs. */
export type ClosureCause =
  /** We closed it: the connection, or the endpoint. */
  | "here"
  /** The peer's application closed it, once everything it wrote was delivered. */
  | "done"
  /** The peer's endpoint shut down, whatever was still to be delivered. */
  | "shutdown"
  /** One of the two saw the other break the protocol. */
  | "protocol"
  /** The connection met a limit, here or at the peer. */
  | "limit"
  /** The peer gave us up: it heard nothing for `epochLimit` epochs. */
  | "lost"
  /** The server does not know the connection any more: it was restarted. */
  | "forgotten"
  /** The path swallows datagrams of the size that was sent; the next dial sends smaller ones. */
  | "path"
  /** A newer connection from the same address took its place. */
  | "replaced"
  /** The peer's reason is none that this version knows. */
  | "other";

/** Why a dial failed, or a stranger was turned away. */
export type RefusalCause =
  /** Nobody answered for `epochLimit` epochs. */
  | "timeout"
  /** The versions of LSP or of the application's messages differ. */
  | "version"
  /** The server has no room for more connections. */
  | "full"
  /** The server is closing. */
  | "closed";

/** What the application reads, in order. A connection's last event is `lost` or `closed`. */
export type LspEvent =
  | {
      readonly kind: "data";
      readonly connId: number;
      readonly payload: Uint8Array;
      readonly wire: Wire;
    }
  /** The peer was silent for epochLimit epochs. */
  | { readonly kind: "lost"; readonly connId: number }
  /** The connection was closed, by us or by the peer (cbor wire); `reason` is one line. */
  | {
      readonly kind: "closed";
      readonly connId: number;
      readonly code: ClosureCause;
      readonly reason: string;
    };

/** What happens to connections, told at once, outside the order of what is read. */
export type LspNotice =
  | {
      readonly kind: "connected";
      readonly connId: number;
      readonly wire: Wire;
      readonly from: Address;
    }
  /** A dial failed, or a stranger was turned away; `reason` is one line for people. */
  | {
      readonly kind: "refused";
      readonly code: RefusalCause;
      readonly reason: string;
    }
  /**
   * After `close`, and after the end of a dialer's connection: everything is sent and acknowledged,
   * or the peers are gone. Once the datagrams polled by then are out, the socket can be closed.
   */
  | { readonly kind: "drained" };

/** What `close` of a client or a server has come to. */
export interface Closed {
  /**
   * The numbers of connections that ended before all that was written on them was acknowledged. It
   * may have arrived, or not; of every other connection, all of it has. A server leaves out what
   * `read` has reported as lost, or as closed by the peer.
   */
  readonly lost: readonly number[];
}

/** One datagram to send: the first `length` bytes of the buffer that was lent. */
export interface Outgoing {
  readonly to: Address;
  readonly length: number;
}

/**
 * One socket's worth of LSP without the socket: a listener with many connections, or a dialer with
 * one. It is a `Machine` (base/machine.ts) in the variant for hot paths: `handle*`, `write` and
 * `close*` are its inputs, `poll*` give its effects, and datagrams are written into a lent buffer.
 */
export interface EndpointCore {
  /** A datagram arrived. Garbage is counted and ignored. The bytes are not kept. */
  handleDatagram(bytes: Uint8Array, from: Address, nowMs: Millis): void;
  /** The time of `wakeAtMs` has come (harmless at any other time). */
  handleWake(nowMs: Millis): void;
  /** Queues `payload` (copied). Throws an LspError: unknown, closed, too large, too much queued. */
  write(connId: number, payload: Uint8Array, nowMs: Millis): void;
  /** Flushes and ends one connection; its `closed` event follows at once, and no more data. */
  closeConn(connId: number, nowMs: Millis): void;
  /** Flushes and ends everything; the notice `drained` tells when that is done. */
  close(nowMs: Millis): void;
  /** Writes the next datagram to send into `into`; `undefined` when there is none. */
  readonly pollDatagram: LentBufferPoll<Outgoing>;
  /** The next thing for the application to read. Leaving it here holds the peers back. */
  pollEvent(): LspEvent | undefined;
  /** The next notice. */
  pollNotice(): LspNotice | undefined;
  /** When to call `handleWake`; `undefined` for never. */
  wakeAtMs(): Millis | undefined;
}
