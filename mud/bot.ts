/**
 * What a bot types: somebody who works hard and understands little.
 *
 * @module
 */
import { integerBetween, type Random } from "../base/random.ts";
import { HARDWARE_NAMES, PLACES } from "./rules.ts";

const LINES: readonly (readonly [string, number])[] = [
  ["mine", 30],
  ["solve", 30],
  ["buy", 25],
  ["move", 4],
  ["say", 3],
  ["stats", 3],
  ["inv", 2],
  ["shop", 1],
  ["who", 1],
  ["top", 1],
];
const FIGHT_LINES: readonly (readonly [string, number])[] = [
  ["solve", 90],
  ["inv", 4],
  ["resign", 6],
];
const SAYINGS = ["hello", "who wants to solve this with me?", "almost there", "I need more cpus"];

/** The next line. */
export function botLine(isFighting: boolean, random: Random): string {
  const word = drawn(isFighting ? FIGHT_LINES : LINES, random);
  if (word === "buy") return `buy ${oneOf(HARDWARE_NAMES, random)}`;
  if (word === "move") return `move ${oneOf(PLACES, random)}`;
  if (word === "say") return `say ${oneOf(SAYINGS, random)}`;
  return word;
}

function oneOf(words: readonly string[], random: Random): string {
  return words[integerBetween(random, 0, words.length - 1)] ?? "";
}

function drawn(weighted: readonly (readonly [string, number])[], random: Random): string {
  let rest = integerBetween(
    random,
    1,
    weighted.reduce((sum, [, weight]) => sum + weight, 0),
  );
  return weighted.find(([, weight]) => (rest -= weight) <= 0)?.[0] ?? "";
}
