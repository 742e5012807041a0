/**
 * From what people type to addresses of sockets: names are looked up, all their addresses are kept,
 * and each address has one text.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";
import { canonicalIp, isLinkLocal, isWildcard, zoneOf } from "../base/ip_address.ts";
import { UnresolvedHost } from "./errors.ts";

/** Addresses of a name that are tried at most. */
export const ADDRESSES_MAX = 8;

/** A look-up may take this long; the system's own goes on for 10 s, and more. */
const LOOK_UP_MS = 5000;

/** Finds the addresses of a name. */
export type LookUp = (name: string) => Promise<string[]>;

const lookUp: LookUp = async (name) => {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
};

/** Throws RangeError unless `port` is one. */
export function checkPort(port: number, least: 0 | 1): void {
  if (Number.isInteger(port) && port >= least && port <= 65_535) return;
  throw new RangeError(`Cannot use port: got ${port}, expected ${least}..65535`);
}

/** The address to bind for `host`, brackets allowed; IPv4 first, as that is our default. */
export async function resolveToBind(host: string, look: LookUp = lookUp): Promise<string> {
  const found = await resolve(host, look);
  return found.find((address) => !address.includes(":")) ?? found[0]!;
}

/**
 * The addresses to dial for `host`, the best first, the families in turn (RFC 8305, section 4). A
 * wildcard, as a server prints itself, stands for this machine.
 */
export async function resolveToDial(
  host: string,
  look: LookUp = lookUp,
): Promise<readonly string[]> {
  const found = await resolve(host, look);
  if (found.some(isWildcard)) return found[0] === "::" ? ["::1", "127.0.0.1"] : ["127.0.0.1"];
  const first = found[0]!.includes(":");
  const [mine, other] = [found.filter(hasFamily(first)), found.filter(hasFamily(!first))];
  const turns = mine.length > other.length ? mine : other;
  const inTurn = turns.flatMap((_, i) => [mine[i], other[i]]);
  return inTurn.filter((address) => address !== undefined).slice(0, ADDRESSES_MAX);
}

function hasFamily(isSix: boolean): (address: string) => boolean {
  return (address) => address.includes(":") === isSix;
}

async function resolve(host: string, look: LookUp): Promise<string[]> {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const typed = canonicalIp(bare);
  if (typed !== undefined) return withZones(typed);
  let found: string[];
  try {
    found = await inTime(look(bare));
  } catch (cause) {
    throw new UnresolvedHost(host, whyNotFound(cause), { cause });
  }
  // Both loopback addresses have that name (RFC 6761), whatever a machine's own list says.
  if (/^(?:.+\.)?localhost\.?$/i.test(bare)) found.push("127.0.0.1", "::1");
  const texts = found.flatMap((address) => withZones(canonicalIp(address) ?? address));
  if (texts.length === 0) throw new UnresolvedHost(host, "the name has no address");
  return [...new Set(texts)];
}

/** `found`, or a rejection when that takes too long. */
async function inTime(found: Promise<string[]>): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("late")), LOOK_UP_MS);
  try {
    return await Promise.race([found, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function whyNotFound(cause: unknown): string {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  if (message === "late") return `no name server answered in ${LOOK_UP_MS / 1000} s`;
  const text = `${code}`;
  // EAI_AGAIN: a name server failed, or none could be reached (getaddrinfo(3)).
  if (/EAI_AGAIN|SERVFAIL|REFUSED|TIMEOUT/.test(text)) return "no name server could tell";
  return "there is no such name";
}

/**
 * `address` with its zone by the interface's name, as the system tells it of peers. A link-local
 * one without zone, as a look-up gives it, may be on any link: one for each.
 */
function withZones(address: string): string[] {
  if (!isLinkLocal(address)) return [address];
  const interfaces = Object.entries(networkInterfaces()).flatMap(([name, list]) => {
    const own = list?.find((entry) => entry.family === "IPv6" && isLinkLocal(entry.address));
    return own === undefined ? [] : [{ name, index: own.scopeid }];
  });
  const zone = zoneOf(address);
  if (zone === undefined) {
    const zoned = interfaces.map(({ name }) => `${address}%${name}`);
    return zoned.length > 0 ? zoned : [address];
  }
  const named = interfaces.find(({ index }) => `${index}` === zone);
  return [named === undefined ? address : `${address.split("%")[0]}%${named.name}`];
}
