/**
 * What a program that listens says of it: one ready line for scripts, and, where strangers can
 * reach it, one for people.
 *
 * @module
 */
import { hostname, networkInterfaces } from "node:os";
import { atPort } from "../base/text.ts";

/** Where a program listens. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `HOST:PORT` that others are to use, if it is not the bound one. */
  readonly advertise?: string;
}

/** Whether only programs of this machine reach `host`. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(host);
}

/** The ready line of every server: `listening on HOST:PORT`. */
export function readyLine({ host, port }: Listening): string {
  return `listening on ${atPort(host, port)}`;
}

/** The warning that nobody is asked who he is, and how others reach it; none on loopback. */
export function openLine(at: Listening): string | undefined {
  if (isLoopback(at.host)) return undefined;
  const reach = at.advertise ?? atPort(reachableHost(at.host), at.port);
  const warning = "there is no authentication yet: serve only networks that you trust";
  return `others reach this at ${reach}; ${warning}`;
}

/** `host`, or, if it is a wildcard, an address of this machine, or its name. */
function reachableHost(host: string): string {
  if (!["0.0.0.0", "::"].includes(host)) return host;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outward = addresses.filter(({ internal }) => !internal);
  return (outward.find(({ family }) => family === "IPv4") ?? outward[0])?.address ?? hostname();
}
