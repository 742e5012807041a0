/**
 * The search of a block header with Bun's own SHA-256, in place.
 *
 * @module
 */
import type { HeaderSearcher } from "../kernel.ts";
import { checkedHeader } from "./exact.ts";
import { scalarHeaderSearcher } from "./scalar_header.ts";

/** See the module's comment. */
export function bunHeaderSearcher(bytes: Uint8Array): HeaderSearcher {
  const header = checkedHeader(bytes);
  const nonceAt = new DataView(header.buffer, 76, 4);
  const digest = new Uint8Array(32);
  const leadingAt = new DataView(digest.buffer, 28, 4);
  return scalarHeaderSearcher(header, (nonce) => {
    nonceAt.setUint32(0, nonce, true);
    Bun.SHA256.hash(header, digest);
    Bun.SHA256.hash(digest, digest);
    return leadingAt.getUint32(0, true);
  });
}
