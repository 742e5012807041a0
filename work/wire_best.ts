/**
 * The CBOR form of a candidate: the array [hash, nonce].
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Candidate } from "./candidate.ts";

/** A candidate, as the array [hash, nonce]. */
export function writeBest(f: FieldWriter, best: Candidate): FieldWriter {
  return f.array((inner) => inner.uint256(best.hash).uint64(best.nonce));
}

/** See {@link writeBest}. */
export function readBest(f: FieldReader): Candidate {
  return f.array((inner) => ({ hash: inner.uint256(), nonce: inner.uint64() }));
}

/** A candidate that may be missing. */
export function readOptionalBest(f: FieldReader): { best?: Candidate } {
  const best = f.optional(readBest);
  return best === undefined ? {} : { best };
}

/** A candidate that may be missing, as [hash, nonce] or []: one array less, where depth counts. */
export function writeFlatBest(f: FieldWriter, best: Candidate | undefined): FieldWriter {
  return f.optional(best, (inner, { hash, nonce }) => inner.uint256(hash).uint64(nonce));
}

/** See {@link writeFlatBest}. */
export function readFlatBest(f: FieldReader): { best?: Candidate } {
  const best = f.optional((inner) => ({ hash: inner.uint256(), nonce: inner.uint64() }));
  return best === undefined ? {} : { best };
}
