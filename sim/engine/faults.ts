/**
 * What chance does on a link: its faults, drawn for a run, and the damage to a datagram.
 *
 * @module
 */
import type { Faults } from "../../base/link.ts";
import type { Millis } from "../../base/machine.ts";
import { chance, integerBetween, type Random } from "../../base/random.ts";
import type { Dice } from "./dice.ts";

/** A damaged copy of `bytes`, or `bytes` themselves when they are spared. */
export function damage(
  random: Random,
  bytes: Uint8Array,
  faults: Faults,
  mayFlip: boolean,
): Uint8Array {
  const { flipShare = 0, truncateShare = 0 } = faults;
  let result = bytes;
  if (flipShare > 0 && mayFlip && bytes.length > 0 && chance(random, flipShare)) {
    result = bytes.slice();
    const flips = integerBetween(random, 1, 4);
    for (let i = 0; i < flips; i++) {
      const bit = integerBetween(random, 0, result.length * 8 - 1);
      result[bit >> 3]! ^= 1 << (bit & 7);
    }
  }
  if (truncateShare > 0 && bytes.length > 0 && chance(random, truncateShare)) {
    result = result.slice(0, integerBetween(random, 0, bytes.length - 1));
  }
  return result;
}

/**
 * Draws the faults of one direction. Each kind is present in about half the runs, so that some runs
 * are nasty in one way only. `scaleMs` (an epoch, say) sets the scale of what is late.
 */
export function drawFaults(dice: Dice, scaleMs: Millis, name: string): Faults {
  return {
    lossShare: dice.sometimes(0.6, 0, 0.4, `${name}.loss`),
    duplicateShare: dice.sometimes(0.5, 0, 0.3, `${name}.duplicate`),
    flipShare: dice.sometimes(0.4, 0, 0.2, `${name}.flip`),
    truncateShare: dice.sometimes(0.3, 0, 0.1, `${name}.truncate`),
    lateShare: dice.sometimes(0.4, 0, 0.3, `${name}.late`),
    lateMs: dice.real(0, 3 * scaleMs, `${name}.lateMs`),
    latencyMs: dice.scale(0.05, 0.3 * scaleMs, `${name}.latencyMs`),
    jitterMs: dice.sometimes(0.6, 0, 0.3 * scaleMs, `${name}.jitterMs`),
  };
}
