/**
 * What people call a job: a number of 32 bits, written as two words that can be said and typed
 * without looking, like `lusab-babad`.
 *
 * Each word is consonant, vowel, consonant, vowel, consonant, of 4, 2, 4, 2 and 4 bits (proquints:
 * D. S. Wilkerson, arXiv:0901.4016).
 *
 * @module
 */
import { sha256 } from "../base/sha256.ts";

const CONSONANTS = "bdfghjklmnprstvz";
const VOWELS = "aiou";
const WORD = /^[bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]$/;
/** Letters of a word. */
const WORD_LETTERS = 5;

/** `id` (0..2^32-1) as two words. */
export function idText(id: number): string {
  return `${wordOf(id >>> 16)}-${wordOf(id & 0xffff)}`;
}

/**
 * The number that `text` says, in any case, with or without the hyphen or a blank in its place;
 * `undefined` when it says none.
 */
export function idFrom(text: string): number | undefined {
  const letters = text.trim().toLowerCase().replace(/[- ]/, "");
  const [first, second] = [letters.slice(0, WORD_LETTERS), letters.slice(WORD_LETTERS)];
  if (!WORD.test(first) || !WORD.test(second)) return undefined;
  return numberOf(first) * 0x10000 + numberOf(second);
}

/** What the job of that name is called: the same everywhere, and not `isTaken`; never 0. */
export function idFor(
  { session, number }: { readonly session: bigint; readonly number: number },
  isTaken: (id: number) => boolean,
): number {
  for (let attempt = 0; ; attempt++) {
    const text = `${session}/${number}/${attempt}`;
    const [a = 0, b = 0, c = 0, d = 0] = sha256(new TextEncoder().encode(text));
    const id = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (id !== 0 && !isTaken(id)) return id;
  }
}

function wordOf(bits: number): string {
  const consonant = (at: number): string => CONSONANTS[(bits >>> at) & 15]!;
  const vowel = (at: number): string => VOWELS[(bits >>> at) & 3]!;
  return consonant(12) + vowel(10) + consonant(6) + vowel(4) + consonant(0);
}

function numberOf(word: string): number {
  const [a, b, c, d, e] = [...word].map((letter, i) =>
    (i % 2 === 0 ? CONSONANTS : VOWELS).indexOf(letter),
  ) as [number, number, number, number, number];
  return (a << 12) | (b << 10) | (c << 6) | (d << 4) | e;
}

/** What is said of an id of which a server, `here` or `there`, has no job. */
export function whyNoJob(id: number, place: "here" | "there"): string {
  const why = "it was never accepted, was cancelled, or is forgotten";
  return `no job is called ${idText(id)} ${place}: ${why}`;
}
