/**
 * IP addresses by value: one text for each, however it was typed, and what kind of address it is.
 *
 * @module
 */

/** An address's value, and its zone (RFC 4007) where it has one: an interface's name or number. */
interface Ip {
  /** Four bytes, or eight groups of 16 bits. */
  readonly parts: readonly number[];
  readonly zone: string | undefined;
}

const GROUPS = 8;
/** ::ffff:0:0/96, IPv4 addresses as sockets for both families show them (RFC 4291, 2.5.5.2). */
const MAPPED: readonly number[] = [0, 0, 0, 0, 0, 0xffff];

/**
 * The one text of `host`'s value: IPv6 as RFC 5952 writes it, an IPv4 address in IPv6's clothes
 * without them, a zone only where it means something. `undefined` if it is no IP address, as names
 * are none.
 */
export function canonicalIp(host: string): string | undefined {
  const ip = parse(host);
  if (ip === undefined) return undefined;
  if (ip.parts.length !== GROUPS) return ip.parts.join(".");
  const four = mappedFour(ip.parts);
  if (four !== undefined) return four.join(".");
  const isZoned = ip.zone !== undefined && isLinkLocalValue(ip);
  return isZoned ? `${sixText(ip.parts)}%${ip.zone}` : sixText(ip.parts);
}

/** The zone of a link-local IPv6 address; `undefined` for all else. */
export function zoneOf(host: string): string | undefined {
  const ip = parse(host);
  return ip !== undefined && isLinkLocalValue(ip) ? ip.zone : undefined;
}

/** Whether `host` is an IPv6 address that means something on one link only: fe80::/10. */
export function isLinkLocal(host: string): boolean {
  const ip = parse(host);
  return ip !== undefined && isLinkLocalValue(ip);
}

/** Whether `host` stands for every address of a machine: 0.0.0.0 or ::. */
export function isWildcard(host: string): boolean {
  const ip = canonicalIp(host);
  return ip === "0.0.0.0" || ip === "::";
}

/** Whether `host` is an address that only its own machine reaches: 127.0.0.0/8 or ::1. */
export function isLoopbackIp(host: string): boolean {
  const ip = canonicalIp(host);
  return ip === "::1" || (ip?.startsWith("127.") ?? false);
}

function isLinkLocalValue({ parts }: Ip): boolean {
  return parts.length === GROUPS && (parts[0]! & 0xffc0) === 0xfe80;
}

function mappedFour(groups: readonly number[]): number[] | undefined {
  if (MAPPED.some((group, i) => groups[i] !== group)) return undefined;
  return groups.slice(MAPPED.length).flatMap((group) => [group >> 8, group & 0xff]);
}

function parse(host: string): Ip | undefined {
  if (!host.includes(":")) {
    const parts = parseFour(host);
    return parts && { parts, zone: undefined };
  }
  const percent = host.indexOf("%");
  const zone = percent < 0 ? undefined : host.slice(percent + 1);
  if (zone === "") return undefined;
  const parts = parseSix(percent < 0 ? host : host.slice(0, percent));
  return parts && { parts, zone };
}

function parseFour(text: string): number[] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  return bytes?.every((byte) => byte < 256) ? bytes : undefined;
}

function parseSix(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === GROUPS ? head : undefined;
  if (tail === undefined) return undefined;
  // A double colon stands for one group of zeros at least.
  const zeros = GROUPS - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...Array<number>(zeros).fill(0), ...tail];
}

/** Groups with single colons between them; the last two may be written as an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const words = text.split(":");
  for (const [i, word] of words.entries()) {
    const four = i === words.length - 1 ? parseFour(word) : undefined;
    if (four !== undefined) groups.push((four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!);
    else if (/^[0-9a-f]{1,4}$/i.test(word)) groups.push(Number.parseInt(word, 16));
    else return undefined;
  }
  return groups;
}

/** RFC 5952, section 4: lower case, no leading zeros, "::" for the first longest run of zeros. */
function sixText(groups: readonly number[]): string {
  let [longestAt, longest] = [0, 1];
  for (let at = 0; at < GROUPS; at++) {
    let end = at;
    while (end < GROUPS && groups[end] === 0) end++;
    if (end - at > longest) [longestAt, longest] = [at, end - at];
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest === 1) return hex.join(":");
  return `${hex.slice(0, longestAt).join(":")}::${hex.slice(longestAt + longest).join(":")}`;
}
