/**
 * Whether the arguments are what the user typed. A runtime has them as text and puts U+FFFD in the
 * place of bytes that are not UTF-8: then a program would work on something else, in silence.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { UsageError } from "./errors.ts";

const REPLACEMENT = "\ufffd";
/** Bytes that an error shows. */
const SHOWN_BYTES_MAX = 8;

/**
 * Throws {@link UsageError} for an argument in `argv`, the last of this program's, that is not what
 * was typed, or cannot be known to be. `rawOf` gives the bytes of the last `count` arguments.
 */
export function checkArguments(
  argv: readonly string[],
  rawOf: (count: number) => readonly Uint8Array[] | undefined = rawArguments,
): void {
  const doubtful = (text: string): boolean => text.includes(REPLACEMENT) || !text.isWellFormed();
  if (!argv.some(doubtful)) return;
  const raw = rawOf(argv.length);
  for (const [i, text] of argv.entries()) {
    if (!doubtful(text)) continue;
    const name = `argument ${i + 1}`;
    const bytes = raw?.[i];
    if (bytes === undefined) {
      throw new UsageError(
        `${name} has a character U+FFFD or a lone surrogate: expected text that is UTF-8, and on ` +
          "this system U+FFFD itself cannot be told from bytes that are not",
      );
    }
    const seen = Buffer.from(text);
    if (seen.equals(bytes)) continue;
    const from = seen.findIndex((byte, at) => byte !== bytes[at]);
    const shown = bytes
      .subarray(from, from + SHOWN_BYTES_MAX)
      .toHex()
      .replace(/..(?!$)/g, "$& ");
    throw new UsageError(`${name} is not UTF-8: got ${shown} at byte ${from}, expected UTF-8 text`);
  }
}

/** The bytes of the last `count` arguments; `undefined` where the system does not tell them. */
function rawArguments(count: number): readonly Uint8Array[] | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync("/proc/self/cmdline");
  } catch {
    return undefined;
  }
  const all: Uint8Array[] = [];
  // Each argument ends with a NUL byte.
  for (let from = 0, end = 0; (end = bytes.indexOf(0, from)) >= 0; from = end + 1) {
    all.push(bytes.subarray(from, end));
  }
  return all.length < count ? undefined : all.slice(all.length - count);
}
