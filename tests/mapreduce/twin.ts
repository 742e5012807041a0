/**
 * The answer of a word count or an index, by the plainest means: what every run is compared with.
 * And the texts to count: a seeded, Zipf-distributed vocabulary.
 *
 * @module
 */
import { type Random, seededRandom, unitReal } from "../../base/random.ts";

/** Output files of a word count over `texts`, by the plainest means. */
export function countWords(texts: readonly string[], reducers: number): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(/\p{L}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return filesOf(
    [...counts].map(([word, count]) => [word, String(count)]),
    reducers,
  );
}

/** Output files of an index over files. */
export function indexFiles(
  files: readonly (readonly [string, string])[],
  reducers: number,
): string[] {
  const names = new Map<string, Set<string>>();
  for (const [name, text] of files) {
    for (const [word] of text.matchAll(/\p{L}+/gu)) {
      if (!names.has(word)) names.set(word, new Set());
      names.get(word)!.add(name);
    }
  }
  const lines = [...names].map(([word, of]): [string, string] => {
    return [word, `${of.size} ${[...of].sort(byBytes).join(",")}`];
  });
  return filesOf(lines, reducers);
}

/** Files of lines `key value`, by partition and in the order of the keys' bytes. */
export function filesOf(pairs: readonly (readonly [string, string])[], reducers: number): string[] {
  const files: [string, string][][] = Array.from({ length: reducers }, () => []);
  for (const [key, value] of pairs) files[partition(key, reducers)]!.push([key, value]);
  return files.map((lines) =>
    lines
      .sort(([a], [b]) => byBytes(a, b))
      .map(([key, value]) => `${escaped(key)} ${escaped(value)}\n`)
      .join(""),
  );
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** The order of UTF-8. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** FNV-1a of 32 bits, in bigint, modulo. */
export function partition(key: string, reducers: number): number {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(key)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  return Number((hash & 0x7fffffffn) % BigInt(reducers));
}

const SCRIPTS = [
  "etaoinshrdlucm",
  "éüßñçøåéœæ",
  "αβγδεζηθλμν",
  "абвгдежзийкл",
  "漢字仮名交文",
  "𐐀𐐁𐐂𝒜𝒷",
];
const BETWEEN = [
  " ",
  " ",
  " ",
  " ",
  ", ",
  ". ",
  "'",
  "-",
  "\n",
  "\r\n",
  "\t",
  " 42 ",
  "́",
  "٣",
  "\0",
];

/** Words of several scripts. */
export function vocabulary(random: Random, size: number): string[] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(unitReal(random) * from.length)]!;
  return Array.from({ length: size }, () => {
    const letters = [...(unitReal(random) < 0.8 ? SCRIPTS[0]! : pick(SCRIPTS))];
    return Array.from({ length: 1 + Math.floor(unitReal(random) * 9) }, () => pick(letters)).join(
      "",
    );
  });
}

/** A text of about so many words: word k of the vocabulary comes 1/k as often as the first. */
export function text(seed: number, words: number, size = 2_000): string {
  const random = seededRandom(seed);
  const known = vocabulary(seededRandom(1), size);
  const parts: string[] = [];
  for (let i = 0; i < words; i++) {
    const rank = Math.floor(Math.exp(unitReal(random) * Math.log(size))) - 1;
    parts.push(known[rank]!, BETWEEN[Math.floor(unitReal(random) * BETWEEN.length)]!);
  }
  return parts.join("");
}
