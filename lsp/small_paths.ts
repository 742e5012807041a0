/**
 * Paths that take small datagrams only: the sizes that there are, and what was learned of hosts.
 *
 * @module
 */
import { DATAGRAM_BYTES_MAX } from "./frame.ts";

/**
 * Datagrams' sizes that messages are cut to: the usual one, and what is tried where that does not
 * pass. The last fits into the 576 bytes that every IPv4 host must take (RFC 791).
 */
export const PLAIN_SIZES: readonly number[] = [DATAGRAM_BYTES_MAX, 1024, 548];

/** Hosts whose paths are remembered; the one that was met longest ago is forgotten first. */
const HOSTS_MAX = 1024;

/** The next smaller size; `undefined` if there is none. */
export function smallerSize(bytes: number): number | undefined {
  return PLAIN_SIZES.find((size) => size < bytes);
}

/**
 * The size to begin with on a path that a datagram of `bytes` has passed. One that was not padded
 * says that a padded one had got lost.
 */
export function passedSize(bytes: number): number {
  return PLAIN_SIZES.find((size) => size <= bytes) ?? PLAIN_SIZES[1]!;
}

/** What was learned of paths, for the connections to come. */
export class SmallPaths {
  readonly #bytes = new Map<string, number>();

  /** Size that messages to `host` are cut to. */
  plainBytes(host: string): number {
    return this.#bytes.get(host) ?? DATAGRAM_BYTES_MAX;
  }

  /** Datagrams of `bytes` do not get to `host`: smaller ones shall be tried. */
  note(host: string, bytes: number): void {
    const size = smallerSize(Math.min(bytes, this.plainBytes(host)));
    if (size === undefined) return;
    this.#bytes.delete(host);
    this.#bytes.set(host, size);
    if (this.#bytes.size <= HOSTS_MAX) return;
    const [oldest] = this.#bytes.keys();
    this.#bytes.delete(oldest!);
  }

  /** Datagrams of the usual size do get to `host`. */
  forget(host: string): void {
    this.#bytes.delete(host);
  }
}
