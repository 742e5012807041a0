/**
 * Text to count words in: a seeded vocabulary whose words come as often as Zipf's law has it, with
 * accents, apostrophes and other scripts among them.
 *
 * @module
 */
import { type Random, seededRandom, unitReal } from "../base/random.ts";

const VOCABULARY = 60_000;
const LETTERS = "etaoinshrdlucmfwypvbgkjqxz";
/** A part of the text is made once and repeated: making it all would take longer than counting. */
const BLOCK_BYTES = 16 << 20;

function vocabulary(random: Random): string[] {
  const letter = (): string => LETTERS[Math.floor(unitReal(random) * unitReal(random) * 26)]!;
  return Array.from({ length: VOCABULARY }, (_, i) => {
    const length = 2 + Math.floor(unitReal(random) * unitReal(random) * 11);
    const word = Array.from({ length }, letter).join("");
    if (i % 50 === 7) return `${word}é`;
    if (i % 70 === 11) return `${word}'s`;
    return i % 97 === 3 ? `дом${word}` : word;
  });
}

/** Writes about `bytes` of text to `path`. */
export async function writeText(path: string, bytes: number): Promise<void> {
  const random = seededRandom(7);
  const words = vocabulary(random);
  const lines: string[] = [];
  for (let size = 0; size < Math.min(BLOCK_BYTES, bytes);) {
    let line = "";
    for (let left = 6 + Math.floor(unitReal(random) * 10); left > 0; left--) {
      const rank = Math.floor(Math.exp(unitReal(random) * Math.log(VOCABULARY))) - 1;
      line += words[rank]! + (unitReal(random) < 0.1 ? ", " : " ");
    }
    lines.push(line);
    size += Buffer.byteLength(line) + 1;
  }
  const block = Buffer.from(`${lines.join("\n")}\n`);
  const writer = Bun.file(path).writer();
  for (let left = bytes; left > 0; left -= block.length) {
    writer.write(left < block.length ? block.subarray(0, left) : block);
    await writer.flush();
  }
  await writer.end();
}
