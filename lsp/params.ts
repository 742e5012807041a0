/**
 * Parameters and limits of LSP (docs/lsp.md, section 2), with the defaults of each wire, and a name
 * for everything that a stranger could otherwise make grow.
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import type { SmallPaths } from "./small_paths.ts";
import type { CongestionFactory } from "./congestion.ts";
import { DATAGRAM_BYTES_MAX, type Offer } from "./frame_layout.ts";
import { LARGEST_DATAGRAM_BYTES } from "./path_mtu.ts";
import type { Seal } from "./seal.ts";
import type { Params, Wire } from "./types.ts";

/** {@link Params} with nothing left out. */
export type FullParams = Required<Params>;

/** The classic course's defaults, exactly (docs/lsp.md, section 2). */
export const CLASSIC_PARAMS: FullParams = {
  epochMillis: 2000,
  epochLimit: 5,
  windowSize: 1,
  maxUnackedMessages: 1,
  maxBackOffInterval: 0,
};

/**
 * The cbor wire's defaults.
 * - Epoch 500 ms, limit 10: a dead peer is known after 5 to 5.5 s, half the classic time. A path
 *   that loses 30 % of all datagrams cuts a silent connection off once in 170,000 epochs (0.3^10),
 *   where the classic limit of 5 would do it every 400. A heartbeat is about 40 bytes: 80 bytes a
 *   second for an idle peer.
 * - Window 1024: congestion control and the receiver's advertised window are what should limit a
 *   sender, not W. 1024 messages of 1,000 bytes fill 50 Mbit/s at a round trip of 160 ms, and
 *   packed ones of 200 bytes keep a loopback reader busy between two turns of its event loop.
 * - Back-off cap 4: loss is repaired from acknowledgements and by probes; what back-off adds is the
 *   floor under them, which must not become a flood of the whole window in a blackout.
 */
export const CBOR_PARAMS: FullParams = {
  epochMillis: 500,
  epochLimit: 10,
  windowSize: 1024,
  maxUnackedMessages: 1024,
  maxBackOffInterval: 4,
};

/** Bounds of an endpoint, each named in the error or the counter that tells it was met. */
export interface LspLimits {
  /** Connections on the cbor wire of a listener, those that flush after a close included. */
  readonly maxConnections: number;
  /** Classic ones whose address is proved: they can have spoken only if they received a number. */
  readonly maxClassicConnections: number;
  /** Classic ones that have sent nothing but Connect; for one more, the oldest gives way. */
  readonly maxUnproven: number;
  /** Largest message taken, and sent, on the cbor wire; a peer may take less. */
  readonly maxMessageBytes: number;
  /** Bytes of payload a connection may hold that are not acknowledged; `write` throws above. */
  readonly maxQueuedBytes: number;
  /** Messages, small ones included, that a connection may hold so; `write` throws above. */
  readonly maxQueuedMessages: number;
  /**
   * Bytes of written messages that are not wholly acknowledged, over all connections, and
   * {@link MESSAGE_OVERHEAD_BYTES} for each. Where they are short, the connection that holds the
   * most and gets the least of it off is ended.
   */
  readonly maxQueuedBytesTotal: number;
  /** Bytes received and not read, a connection: above, data is dropped and not acknowledged. */
  readonly maxUnreadBytes: number;
  /** Messages received and not read, a connection (empty ones have no bytes). */
  readonly maxUnreadMessages: number;
  /** Unread bytes of all connections together; reordered data may take half of it. */
  readonly maxUnreadBytesTotal: number;
  /** Bytes of large messages that arrive or were not read; `maxMessageBytes` or more. */
  readonly maxReassemblyBytes: number;
  /** How many sequence numbers ahead of the next expected one are kept. */
  readonly maxReorder: number;
  /** Ended connections of which a late copy of the Connect is recognized. */
  readonly maxEndedRemembered: number;
  /** Datagrams to strangers (challenges, refusals) waiting to be sent. */
  readonly maxStrayDatagrams: number;
  /** Refusals told as notices, a second: a flood of strangers must not flood the log. */
  readonly maxRefusalsPerSecond: number;
}

/**
 * Unread: 1 MiB holds the 873 largest cbor messages, about what the default window can bring.
 * Queued: 4 MiB a connection, 80 ms of 400 Mbit/s. Connections: twice the 5,000 that are measured.
 * Classic ones have places of their own, for they are had without a cookie.
 * docs/memory.md adds up what an endpoint may hold.
 */
export const DEFAULT_LSP_LIMITS: LspLimits = {
  maxConnections: 10_000,
  maxClassicConnections: 5_000,
  maxUnproven: 1024,
  maxMessageBytes: 64 << 20,
  maxQueuedBytes: 4 << 20,
  maxQueuedMessages: 65_536,
  maxQueuedBytesTotal: 256 << 20,
  maxUnreadBytes: 1 << 20,
  maxUnreadMessages: 16_384,
  maxUnreadBytesTotal: 256 << 20,
  maxReassemblyBytes: 256 << 20,
  maxReorder: 1024,
  maxEndedRemembered: 10_000,
  maxStrayDatagrams: 256,
  maxRefusalsPerSecond: 10,
};

/**
 * What a message that waits to be sent, or acknowledged, takes beside its bytes: objects, and the
 * allocator's rounding. Measured: 104 to 371 bytes, by length.
 */
export const MESSAGE_OVERHEAD_BYTES = 256;

/** Bytes that a buffer lent to `pollDatagram` must have: the largest classic frame, rounded up. */
export const DATAGRAM_BUFFER_BYTES = 2048;

/** Room that out-of-order messages leave free: above the largest payload of either wire. */
export const IN_ORDER_RESERVE_BYTES = 1500;

/** `limits` with the defaults filled in. Throws RangeError on a value that cannot work. */
export function fullLimits(limits: Partial<LspLimits> = {}): LspLimits {
  const full = { ...DEFAULT_LSP_LIMITS, ...limits };
  // With only the message's limit given, the other's default must not make a contradiction of it.
  const { maxMessageBytes, maxReassemblyBytes = DEFAULT_LSP_LIMITS.maxReassemblyBytes } = full;
  if (limits.maxReassemblyBytes === undefined) {
    full.maxReassemblyBytes = Math.max(maxReassemblyBytes, maxMessageBytes);
  }
  for (const [name, value] of Object.entries(full)) {
    const least = name.startsWith("maxUnreadBytes") ? 2 * IN_ORDER_RESERVE_BYTES : 1;
    if (Number.isInteger(value) && value >= least && value < 2 ** 32) continue;
    throw new RangeError(`Cannot use ${name}: got ${value}, expected an integer ${least}..2^32-1`);
  }
  if (full.maxReassemblyBytes >= maxMessageBytes) return full;
  const text = `got ${full.maxReassemblyBytes}, expected maxMessageBytes (${maxMessageBytes}) or more`;
  throw new RangeError(`Cannot use maxReassemblyBytes: ${text}`);
}

/** What an endpoint core is made of besides its time. */
export interface CoreOptions {
  readonly params?: Params;
  readonly limits?: Partial<LspLimits>;
  /** Initial sequence numbers, phases of the ticks, and (unless given) the secret. */
  readonly random: Random;
  /** Key of cookies and of classic numbers, 16 bytes or more; unpredictable to strangers. */
  readonly secret?: Uint8Array;
  /**
   * The application and the version of its messages, 0..2^32-1, as `appVersion(name, version)`
   * gives it; must be equal on both ends. Default 0.
   */
  readonly appVersion?: number;
  /** Whether a listener serves the json wire, too. Default `true`. */
  readonly classic?: boolean;
  /** Gives connections of the json wire their numbers; by default no stranger can guess them. */
  readonly classicIds?: () => number;
  /** What protects datagrams; by default a checksum in plain TypeScript, which runs everywhere. */
  readonly seal?: Seal;
  /** `false`: one frame a datagram, on the cbor wire too. Default `true`. */
  readonly packing?: boolean;
  /**
   * Largest datagram sent on the cbor wire, in bytes, 1200..16384. Default: 1200, which passes
   * every usual path, and what probes find to pass where `probesMtu` lets them.
   */
  readonly mtu?: number;
  /** Whether larger datagrams are tried; only for sockets that forbid fragments. */
  readonly probesMtu?: boolean;
  /** What is known of paths that large datagrams do not pass; kept from one dial to the next. */
  readonly paths?: SmallPaths;
  /** Makes the congestion controller of each cbor connection. */
  readonly congestion?: CongestionFactory;
}

/** `params` with the defaults of `wire` filled in. Throws RangeError on a value out of range. */
export function fullParams(wire: Wire, params: Params = {}): FullParams {
  const base = wire === "json" ? CLASSIC_PARAMS : CBOR_PARAMS;
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  const full: FullParams = { ...base, ...(Object.fromEntries(given) as Params) };
  // With only one of the two given, the other's default must not make a contradiction of it.
  const both = params.windowSize !== undefined && params.maxUnackedMessages !== undefined;
  checkEach(full);
  if (!both && full.maxUnackedMessages > full.windowSize) {
    return { ...full, maxUnackedMessages: full.windowSize };
  }
  const { maxUnackedMessages: m, windowSize: w } = full;
  if (m <= w) return full;
  throw new RangeError(`Cannot use maxUnackedMessages: got ${m}, expected at most windowSize ${w}`);
}

/** What we tell a peer of ourselves while connecting. */
export function ownOffer(limits: LspLimits, params?: Params): Offer {
  return {
    windowMessages: Math.min(limits.maxReorder, limits.maxUnreadMessages),
    windowBytes: limits.maxUnreadBytes,
    epochMillis: fullParams("cbor", params).epochMillis,
    maxMessageBytes: limits.maxMessageBytes,
  };
}

/** `mtu` or its default. Throws RangeError on a value out of range. */
export function checkMtu(mtu: number = DATAGRAM_BYTES_MAX): number {
  const [least, most] = [DATAGRAM_BYTES_MAX, LARGEST_DATAGRAM_BYTES];
  if (Number.isInteger(mtu) && mtu >= least && mtu <= most) return mtu;
  throw new RangeError(`Cannot use mtu: got ${mtu}, expected ${least}..${most}`);
}

function checkEach(params: FullParams): void {
  for (const [name, value] of Object.entries(params)) {
    const least = name === "maxBackOffInterval" ? 0 : 1;
    if (Number.isInteger(value) && value >= least) continue;
    throw new RangeError(`Cannot use ${name}: got ${value}, expected an integer >= ${least}`);
  }
}
