/**
 * The values that arguments and flags may have: numbers, ports, addresses.
 *
 * @module
 */
import { UsageError } from "./errors.ts";

/** Port of a server of the fleet unless told otherwise. */
export const DEFAULT_PORT = 6060;

/** A whole number of `name` from `least` to `most`. Throws {@link UsageError}. */
export function wholeNumber(name: string, text: string, least: bigint, most: bigint): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} is "${text}", expected a whole number ${least}..${most}`);
}

/** A port; 0, where it is allowed, picks a free one. Throws {@link UsageError}. */
export function port(text: string, least = 1n): number {
  return Number(wholeNumber("PORT", text, least, 65_535n));
}

/** `HOST:PORT`, HOST a name, an IPv4 or an IPv6 address in brackets. Throws {@link UsageError}. */
export function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.%\w]+)\]|([^:[\]\s]+)):(\d+)$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined) return { host, port: port(match![3]!) };
  throw new UsageError(`the server is "${text}", expected HOST:PORT (an IPv6 HOST as [HOST])`);
}

/** A whole number of 64 bits. Throws {@link UsageError}. */
export function uint64(name: string, text: string): bigint {
  return wholeNumber(name, text, 0n, (1n << 64n) - 1n);
}

/** A number of 64 bits as 16 hexadecimal digits. Throws {@link UsageError}. */
export function hex64(name: string, text: string): bigint {
  if (/^[0-9a-f]{16}$/i.test(text)) return BigInt(`0x${text}`);
  throw new UsageError(`${name} is "${text}", expected 16 hexadecimal digits`);
}
