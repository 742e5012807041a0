/**
 * How much of the server the peers of one address have: a limit on all alone would let one of them
 * take everything.
 *
 * @module
 */

/** What one address has now. */
export interface Share {
  readonly key: string;
  miners: number;
  clients: number;
  /** Live jobs. */
  jobs: number;
  /** Messages of those, in bytes of UTF-8. */
  messageBytes: number;
}

/** Counts by address; an address of which nothing is left is forgotten. */
export class Shares {
  readonly #byKey = new Map<string, Share>();
  readonly #byConnId = new Map<number, { readonly share: Share; kind: "miners" | "clients" }>();

  /** Addresses that have something. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The share of the connection that comes from `address`, or of it alone if that is unknown. */
  of(connId: number, address: string | undefined): Share {
    const known = this.#byConnId.get(connId);
    if (known !== undefined) return known.share;
    const key = address === undefined ? `connection ${connId}` : networkOf(address);
    return this.#byKey.get(key) ?? { key, miners: 0, clients: 0, jobs: 0, messageBytes: 0 };
  }

  /** The connection turned out to be a miner or a client. */
  enter(connId: number, share: Share, kind: "miners" | "clients"): void {
    this.#byConnId.set(connId, { share, kind });
    share[kind]++;
    this.#byKey.set(share.key, share);
  }

  /** The miner or client is gone; its jobs count until they are given back. */
  leave(connId: number): void {
    const known = this.#byConnId.get(connId);
    if (known === undefined) return;
    this.#byConnId.delete(connId);
    known.share[known.kind]--;
    this.#tidy(known.share);
  }

  /** A job of that share, with a message of `bytes`, begins (1) or ends (-1). */
  countJob(share: Share, bytes: number, by: 1 | -1): void {
    share.jobs += by;
    share.messageBytes += by * bytes;
    this.#tidy(share);
  }

  #tidy(share: Share): void {
    if (share.miners + share.clients + share.jobs === 0) this.#byKey.delete(share.key);
  }
}

/** Groups of an IPv6 address that name a network: a host has 2^64 addresses of its own in it. */
const NETWORK_GROUPS = 4;

/** `HOST:PORT` without the port; of an IPv6 host the first 64 bits. */
export function networkOf(address: string): string {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  if (!host.includes(":")) return host;
  const [head, tail] = host.split("::") as [string, string | undefined];
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right].slice(0, NETWORK_GROUPS).join(":");
}
