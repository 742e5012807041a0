/**
 * What the thread that hashes partitions is told, and what it says.
 *
 * @module
 */

export type HashOrder =
  /** The first `to` bytes of a file are there: it may be hashed so far. */
  | { readonly kind: "ahead"; readonly path: string; readonly to: number }
  /** Whether the bytes `from..to-1` have that SHA-256; `ahead` of the file is over with that. */
  | {
      readonly kind: "verify";
      readonly id: number;
      readonly path: string;
      readonly from: number;
      readonly to: number;
      readonly hash: string;
    }
  /** The file is not hashed any further. */
  | { readonly kind: "forget"; readonly path: string };

/** The answer to `verify`. */
export interface HashNews {
  readonly id: number;
  readonly good: boolean;
}
