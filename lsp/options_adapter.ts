/**
 * What `connect` and `listen` have in common: their options, what their cores are made of, and how
 * they are called off.
 *
 * @module
 */
import { freshRandom } from "../run/fresh_random.ts";
import type { CongestionFactory } from "./congestion.ts";
import { crc32Native } from "./crc32_native.ts";
import type { CoreOptions, LspLimits } from "./params.ts";
import { ChecksumSeal } from "./seal.ts";
import type { LspNotice, Params } from "./types.ts";

/** One serves for all endpoints: a checksum keeps nothing. */
const nativeSeal = new ChecksumSeal(crc32Native);

/** Options of both. */
export interface EndpointOptions {
  /** What is left out takes the default of the connection's wire. */
  readonly params?: Params;
  readonly limits?: Partial<LspLimits>;
  /** Version of the application's messages; both ends of a cbor connection must have the same. */
  readonly appVersion?: number;
  readonly congestion?: CongestionFactory;
  /** `false`: one frame a datagram, on the cbor wire too. Default `true`. */
  readonly packing?: boolean;
  /**
   * Largest datagram sent on the cbor wire, in bytes, 1200..16384. Default: 1200, which passes
   * every usual path, and what probes find to pass.
   */
  readonly mtu?: number;
  /** Ends all at once, unflushed; a `connect` in progress rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told what happens to connections: made, refused, drained. */
  readonly onNotice?: (notice: LspNotice) => void;
}

/** Randomness and a secret that no stranger can guess. */
export function unpredictable(): { random: () => number; secret: Uint8Array } {
  const secret = crypto.getRandomValues(new Uint8Array(16));
  return { random: freshRandom(), secret };
}

/** The options of a core among those of an endpoint. */
export function coreOptions(options: EndpointOptions): Omit<CoreOptions, "random"> {
  const { params, limits, appVersion, congestion, packing, mtu } = options;
  return {
    seal: nativeSeal,
    ...(params !== undefined && { params }),
    ...(limits !== undefined && { limits }),
    ...(appVersion !== undefined && { appVersion }),
    ...(congestion !== undefined && { congestion }),
    ...(packing !== undefined && { packing }),
    ...(mtu !== undefined && { mtu }),
  };
}

/** `promise`, or a rejection as soon as `signal` is aborted. */
export async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
