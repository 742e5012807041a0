/**
 * Mistakes put into the players' way to the store, to prove that the simulator sees them.
 *
 * @module
 */
import type { MudParts } from "./player.ts";

/** Mistakes, and what each breaks. */
export const MUD_PLANTS = {
  "mud-added-twice": "what is added to a counter is added twice",
  "mud-added-never": "what is added to a counter is acknowledged and not done",
  "mud-old-sum": "an addition is answered by the sum before it",
} as const;

export type MudPlant = keyof typeof MUD_PLANTS;

/** The parts, one of them wrong if a mistake is planted. */
export function mudParts(plant: MudPlant | undefined): MudParts {
  const parts: MudParts = { adds: 1, toldSum: (sum) => sum };
  switch (plant) {
    case "mud-added-twice":
      return { ...parts, adds: 2 };
    case "mud-added-never":
      return { ...parts, adds: 0 };
    case "mud-old-sum":
      return { ...parts, toldSum: (sum, amount) => sum - amount };
    case undefined:
      return parts;
  }
}
