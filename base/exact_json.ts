/**
 * JSON from strangers whose whole numbers are exact. `JSON.parse` alone rounds what lies beyond
 * 2^53 without a word, and takes `1e0` for 1.
 *
 * @module
 */

/** Digits of the longest number that is read: 2^64 - 1 has 20. */
const DIGITS_MAX = 20;
const PLAIN_DIGITS = /^\d+$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The members of the JSON object that `bytes` are, or why they are none. As Go's decoder has it,
 * the case of a key means nothing: keys are given in lower case, of several the last counts.
 *
 * A number in plain digits, 20 of them at most, is exact: a number up to 2^53 - 1, a bigint beyond.
 * Any other (with a sign, a fraction, an exponent) is NaN.
 */
export function readExactObject(
  bytes: Uint8Array,
): ReadonlyMap<string, unknown> | "not JSON" | "not a JSON object" {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(bytes), exact as (key: string, value: unknown) => unknown);
  } catch {
    return "not JSON";
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return "not a JSON object";
  }
  const members = new Map<string, unknown>();
  for (const [key, value] of Object.entries(parsed)) members.set(key.toLowerCase(), value);
  return members;
}

function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number") return value;
  const digits = context?.source ?? "";
  if (!PLAIN_DIGITS.test(digits) || digits.length > DIGITS_MAX) return Number.NaN;
  return Number.isSafeInteger(value) ? value : BigInt(digits);
}
