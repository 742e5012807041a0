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
export function port(text: string, least = 1n, name = "PORT"): number {
  return Number(wholeNumber(name, text, least, 65_535n));
}

/**
 * `HOST:PORT` or, with a `defaultPort`, `HOST` alone; HOST is a name, an IPv4 or an IPv6 address in
 * brackets, with its zone if it has one (`[fe80::1%eth0]`). Throws {@link UsageError}.
 */
export function hostAndPort(
  text: string,
  defaultPort?: number,
  name = "the server",
): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+(?:%[^\]\s]+)?)\]|([^:[\]\s]+))(?::(\d+))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined && match![3] !== undefined) return { host, port: port(match![3]) };
  if (host !== undefined && defaultPort !== undefined) return { host, port: defaultPort };
  throw new UsageError(`${name} is "${text}", expected HOST:PORT (an IPv6 HOST as [HOST])`);
}

/** The longest time that a timer takes: 31 bits of milliseconds, nearly 25 days. */
const SECONDS_MAX = 2_147_483;

/**
 * A time in seconds, to the millisecond, of at most 2,147,483 s, as milliseconds. Throws
 * {@link UsageError}.
 */
export function seconds(name: string, text: string): number {
  const millis = /^\d{1,9}(?:\.\d{1,3})?$/.test(text) ? Math.round(Number(text) * 1000) : 0;
  if (millis > 0 && millis <= SECONDS_MAX * 1000) return millis;
  throw new UsageError(`${name} is "${text}", expected seconds above 0, at most ${SECONDS_MAX}`);
}

const UINT64_MAX = (1n << 64n) - 1n;

/** A whole number of 64 bits, as digits, `2^40` or `1e9`. Throws {@link UsageError}. */
export function uint64(name: string, text: string): bigint {
  const power = /^(\d{1,20})(\^|e)(\d{1,3})$/i.exec(text);
  if (power === null) return wholeNumber(name, text, 0n, UINT64_MAX);
  const [base, exponent] = [BigInt(power[1]!), BigInt(power[3]!)];
  const value = power[2] === "^" ? base ** exponent : base * 10n ** exponent;
  if (value <= UINT64_MAX) return value;
  throw new UsageError(`${name} is "${text}", expected a whole number 0..${UINT64_MAX}`);
}

/** A number of 64 bits as 16 hexadecimal digits. Throws {@link UsageError}. */
export function hex64(name: string, text: string): bigint {
  if (/^[0-9a-f]{16}$/i.test(text)) return BigInt(`0x${text}`);
  throw new UsageError(`${name} is "${text}", expected 16 hexadecimal digits`);
}
