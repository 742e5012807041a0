/**
 * The kernel on Bun's own SHA-256, which uses the processor's SHA instructions where it has them.
 * It hashes the whole text for every nonce, in place, and so suits short messages.
 *
 * @module
 */
import type { Candidate } from "../work/candidate.ts";
import type { Kernel, Searcher } from "./kernel.ts";

const BLANK = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
/** Nonces searched in one go, so that their count is a small integer. */
const RUN_NONCES = 2 ** 30;

/** See the module's comment. */
export const nativeKernel: Kernel = { name: "bun", bind: (message) => bind(message) };

function bind(message: Uint8Array): Searcher {
  const prefix = new Uint8Array(message.length + 1);
  prefix.set(message);
  prefix[message.length] = BLANK;
  return { search: (lower, upper, target) => search(prefix, lower, upper, target ?? -1n) };
}

function search(prefix: Uint8Array, lower: bigint, upper: bigint, target: bigint): Candidate {
  let best: Candidate | undefined;
  for (let at = lower; at <= upper;) {
    const digits = at.toString();
    const lastOfLength = 10n ** BigInt(digits.length) - 1n;
    const limit = upper < lastOfLength ? upper : lastOfLength;
    const count = Number(limit - at) < RUN_NONCES ? Number(limit - at) + 1 : RUN_NONCES;
    const ceiling = best === undefined ? undefined : best.hash;
    const found = run(prefix, digits, count, ceiling, target);
    if (found !== undefined) best = { hash: found.hash, nonce: at + BigInt(found.index) };
    if (best !== undefined && best.hash <= target) break;
    at += BigInt(count);
  }
  return best!;
}

/** The least hash below `ceiling`, if any, of `count` nonces; ends at the first one <= `target`. */
function run(
  prefix: Uint8Array,
  first: string,
  count: number,
  ceiling: bigint | undefined,
  target: bigint,
): { hash: bigint; index: number } | undefined {
  const text = new Uint8Array(prefix.length + first.length);
  text.set(prefix);
  for (let i = 0; i < first.length; i++) text[prefix.length + i] = first.charCodeAt(i);
  const last = text.length - 1;
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  let least = ceiling;
  let leastHigh = ceiling === undefined ? 2 ** 32 : Number(ceiling >> 32n);
  let index = -1;
  for (let i = 0; ;) {
    Bun.SHA256.hash(text, digest);
    // The first 32 bits settle nearly every comparison; only then are 64 of them looked at.
    if (
      ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0 <=
      leastHigh
    ) {
      const hash = view.getBigUint64(0);
      if (least === undefined || hash < least) {
        [least, index, leastHigh] = [hash, i, Number(hash >> 32n)];
        if (hash <= target) break;
      }
    }
    if (++i === count) break;
    let at = last;
    while (text[at] === NINE) text[at--] = ZERO;
    text[at]!++;
  }
  return index < 0 ? undefined : { hash: least!, index };
}
