/**
 * Mistakes put into the geo store on purpose, to prove that the simulator sees them.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { QueryCore } from "../../geo/core.ts";
import type { Register } from "../../geo/entry.ts";
import { PACE_MS } from "../../geo/limits.ts";
import { MERGE_RULES, type MergeRules } from "../../geo/replica.ts";

/** Mistakes, and what each breaks. */
export const GEO_PLANTS = {
  "geo-first-merge": "of two puts of one millisecond the one that comes first stays",
  "geo-short-tombstone": "a deletion is forgotten after a second",
  "geo-counter-sum": "cells are merged by the maximum of what they come to",
  "geo-old-life": "a server comes back without its state, in its old life",
  "geo-lost-bucket": "a node of the hash tree is never looked at",
  "geo-hasty": "messages follow each other after 60 ms",
} as const;

export type GeoPlant = keyof typeof GEO_PLANTS;

/** What the servers of a run are made of. */
export interface GeoParts {
  readonly rules: MergeRules;
  readonly paceMs: Millis | undefined;
  /** The life of a server; drawn anew for each start if left out. */
  readonly life?: (address: string) => number;
  /** Breaks a core that was just made. */
  readonly spoil?: (core: QueryCore) => void;
}

/** The parts, one of them wrong if a mistake is planted. */
export function geoParts(plant: GeoPlant | undefined): GeoParts {
  const parts: GeoParts = { rules: MERGE_RULES, paceMs: undefined };
  switch (plant) {
    case "geo-first-merge":
      return { ...parts, rules: { ...MERGE_RULES, laterRegister: earlierOfOneMs } };
    case "geo-short-tombstone":
      return { ...parts, rules: { ...MERGE_RULES, tombstoneMs: 1000 } };
    case "geo-counter-sum":
      return {
        ...parts,
        rules: {
          ...MERGE_RULES,
          joinedCell: (a, b) => (b.plus - b.minus > a.plus - a.minus ? b : a),
        },
      };
    case "geo-old-life":
      return { ...parts, life: (address) => 1000 + Number(address.replace(/\D/g, "")) };
    case "geo-lost-bucket":
      return { ...parts, spoil: loseBucket };
    case "geo-hasty":
      return { ...parts, paceMs: 0.6 * PACE_MS };
    case undefined:
      return parts;
  }
}

function earlierOfOneMs(a: Register, b: Register): Register {
  return b.wallMs > a.wallMs ? b : a;
}

/** Half of the tree looks empty where it is compared. */
function loseBucket(core: QueryCore): void {
  const { tree } = core.replica;
  const hashOf = tree.hashOf.bind(tree);
  tree.hashOf = (node) => {
    return node.level === 1 && node.prefix % 2 === 1 ? { high: 7, low: 7 } : hashOf(node);
  };
}
