/**
 * What the simulated network must know of LSP's datagrams.
 *
 * @module
 */
import type { Wire } from "../engine/network.ts";
import { describeDatagram } from "./describe.ts";

const FIRST_BYTE_OF_JSON = 0x7b;

/** Whether a datagram is of the json wire. */
export function isClassic(bytes: Uint8Array): boolean {
  return bytes[0] === FIRST_BYTE_OF_JSON;
}

/**
 * The cbor wire stands everything. The json wire is defenceless in two ways: its checksum does
 * not cover acks and headers, so bits of it are never flipped; and a restarted server counts its
 * ids from 1, so its datagrams never pass from or to a socket that was closed and opened again.
 */
export const LSP_WIRE: Wire = {
  describe: describeDatagram,
  mayFlip: (bytes) => !isClassic(bytes),
  mayOutlive: (bytes) => !isClassic(bytes),
};
