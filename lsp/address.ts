/**
 * Addresses as cores know them: one text for each, `HOST PORT`; or `HOST PORT LOCAL` where it
 * matters at which of its own addresses an endpoint was asked, and has to answer from.
 *
 * @module
 */
import { canonicalIp } from "../base/ip_address.ts";
import { atPort } from "../base/text.ts";
import type { Address } from "./types.ts";

/** The address of `host`, `port`, that was asked at our address `local`, if that matters. */
export function addressText(host: string, port: number, local?: string): Address {
  // The system writes addresses in one way, but for IPv4 ones on a socket for both families.
  const isTyped = host.includes(":") && host.includes(".");
  const text = isTyped ? (canonicalIp(host) ?? host) : host;
  return local === undefined ? `${text} ${port}` : `${text} ${port} ${local}`;
}

/** The host, or IP address, of `address`. */
export function hostOf(address: Address): string {
  return address.slice(0, address.indexOf(" "));
}

/** The port of `address`. */
export function portOf(address: Address): number {
  const from = address.indexOf(" ") + 1;
  const to = address.indexOf(" ", from);
  return Number(to < 0 ? address.slice(from) : address.slice(from, to));
}

/** Which of our own addresses it was asked at; `undefined` where that does not matter. */
export function localOf(address: Address): string | undefined {
  const to = address.indexOf(" ", address.indexOf(" ") + 1);
  return to < 0 ? undefined : address.slice(to + 1);
}

/** `HOST:PORT` as people write it. */
export function readableAddress(address: Address): string {
  return atPort(hostOf(address), portOf(address));
}
