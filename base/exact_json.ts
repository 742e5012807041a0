/**
 * JSON from strangers whose whole numbers are exact. `JSON.parse` alone rounds what lies beyond
 * 2^53 without a word, and takes `1e0` for 1.
 *
 * @module
 */

/** Digits of the longest number that is read: 2^64 - 1 has 20. */
const DIGITS_MAX = 20;
/**
 * Where a number that `JSON.parse` might not give as it is written can stand in a text: with a
 * sign, a fraction, an exponent or more than 15 digits. Most texts have none, and are read faster.
 */
const ODD_NUMBER = /[:[,]\s*(?:-|\d+[.eE]|\d{16})/;
const PLAIN_DIGITS = /^\d+$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The members named `keys`, in lower case, of the JSON object that `bytes` are; or why they are
 * none. As Go's decoder has it, the case of a key in there means nothing, of several the last
 * counts, unknown ones are ignored, and `null` is as good as nothing.
 *
 * A number in plain digits, 20 of them at most, is exact: a number up to 2^53 - 1, a bigint beyond.
 * Any other (with a sign, a fraction, an exponent) is NaN.
 */
export function readExactObject<Key extends string>(
  bytes: Uint8Array,
  keys: ReadonlySet<Key>,
): Partial<Record<Key, unknown>> | "not JSON" | "not a JSON object" {
  let parsed: unknown;
  try {
    const text = utf8.decode(bytes);
    const isOdd = ODD_NUMBER.test(text);
    parsed = isOdd ? JSON.parse(text, exact as Reviver) : JSON.parse(text);
  } catch {
    return "not JSON";
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return "not a JSON object";
  }
  const members: Partial<Record<Key, unknown>> = {};
  for (const key of Object.keys(parsed)) {
    const name = key.toLowerCase() as Key;
    if (keys.has(name)) members[name] = (parsed as Record<string, unknown>)[key] ?? undefined;
  }
  return members;
}

type Reviver = (key: string, value: unknown) => unknown;

function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number") return value;
  const digits = context?.source ?? "";
  if (!PLAIN_DIGITS.test(digits) || digits.length > DIGITS_MAX) return Number.NaN;
  return Number.isSafeInteger(value) ? value : BigInt(digits);
}
