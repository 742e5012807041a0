/**
 * What speaks over LSP, as one number of the handshake (docs/protocol.md, "Frames"): so that a
 * client that asks at the wrong port learns that, not that versions differ.
 *
 * @module
 */

const LETTERS = /^[a-z]{1,3}$/;
const VERSION_MAX = 255;

/**
 * The `appVersion` of an application that has a name of one to three small letters, and a version
 * of its messages, 0..255: the name is in the upper three bytes, the version in the lowest. Throws
 * a RangeError for another name or version.
 */
export function appVersion(name: string, version: number): number {
  if (!LETTERS.test(name)) {
    throw new RangeError(`the name is "${name}", expected one to three letters a to z`);
  }
  if (!Number.isInteger(version) || version < 0 || version > VERSION_MAX) {
    throw new RangeError(`the version is ${version}, expected 0..${VERSION_MAX}`);
  }
  let number = 0;
  for (const letter of name.padEnd(3, "\0")) number = number * 256 + letter.charCodeAt(0);
  return number * 256 + version;
}

/** Name and version of an `appVersion`; all of it is the version, if that has no name. */
function partsOf(number: number): { name: string; version: number } {
  const bytes = [24, 16, 8].map((shift) => (number >>> shift) & 255);
  const name = String.fromCharCode(...bytes).replace(/\0+$/, "");
  return LETTERS.test(name) ? { name, version: number & 255 } : { name: "", version: number };
}

/** The versions of LSP and of the application at one end. */
export interface Versions {
  readonly lspVersion: number;
  readonly appVersion: number;
}

/** The versions of one end, for people. */
function versionsText({ lspVersion, appVersion: number }: Versions): string {
  const { name, version } = partsOf(number);
  return `LSP ${lspVersion}, ${name === "" ? "" : `${name} `}messages ${version}`;
}

/** Why a server and a peer, `we` or `the peer`, cannot speak to each other. */
export function whyDiffer(server: Versions, peer: Versions, who: "we" | "the peer"): string {
  const isOther = partsOf(server.appVersion).name !== partsOf(peer.appVersion).name;
  const what = isOther ? "client and server are of different programs" : "versions differ";
  const has = who === "we" ? "we have" : "the peer has";
  return `${what}: the server has ${versionsText(server)}; ${has} ${versionsText(peer)}`;
}
