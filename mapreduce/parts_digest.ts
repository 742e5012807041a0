/**
 * The name of a result: one SHA-256 of all its parts' sizes and hashes.
 *
 * @module
 */
import { sha256 } from "../base/sha256.ts";
import type { Part } from "./job_types.ts";

/** In hexadecimal digits. */
export function digestOfParts(parts: readonly Part[]): string {
  const text = parts.map(({ bytes, hash }) => `${bytes}:${hash}`).join();
  return sha256(new TextEncoder().encode(text)).toHex();
}
