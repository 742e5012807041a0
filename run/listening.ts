/**
 * What a program that listens says of it: one ready line for scripts, and, where strangers can
 * reach it, one for people.
 *
 * @module
 */
import { hostname, networkInterfaces } from "node:os";
import { isLinkLocal, isLoopbackIp, isWildcard } from "../base/ip_address.ts";
import { atPort } from "../base/text.ts";
import { logLine } from "./log.ts";
import { printResult } from "./output.ts";

/** Where a program listens. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `HOST:PORT` that others are to use, if it is not the bound one. */
  readonly advertise?: string | undefined;
  /** Whether every answer leaves from the address that was asked; true if left out. */
  readonly answersFromAsked?: boolean;
}

/** Whether only programs of this machine reach `host`. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || isLoopbackIp(host);
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
  const line = `others reach this at ${reach}; ${warning}`;
  if (at.answersFromAsked !== false) return line;
  return `${line}; classic peers reach it at no other address of this machine: bind that one (--host)`;
}

/**
 * Says that a program listens: the ready line on stdout (as JSON if asked for), then, in the log,
 * `more`, and how others reach it.
 */
export async function sayListening(
  at: Listening,
  isJson: boolean,
  more: readonly string[] = [],
): Promise<void> {
  const ready = isJson ? JSON.stringify({ kind: "listening", ...at }) : readyLine(at);
  await printResult(`${ready}\n`);
  for (const line of more) logLine(line);
  const open = openLine(at);
  if (open !== undefined) logLine(open);
}

/** `host`, or, if it is a wildcard, an address of this machine, or its name. */
function reachableHost(host: string): string {
  if (!isWildcard(host)) return host;
  const takesSix = host.includes(":");
  const all = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).map((entry) => ({ name, ...entry })),
  );
  const outward = all.filter(
    ({ internal, family }) => !internal && (takesSix || family === "IPv4"),
  );
  // One that means the same everywhere is better than one that is good on a single link.
  const best =
    outward.find(({ family }) => family === "IPv4") ??
    outward.find(({ address }) => !isLinkLocal(address)) ??
    outward[0];
  if (best === undefined) return hostname();
  return isLinkLocal(best.address) ? `${best.address}%${best.name}` : best.address;
}
