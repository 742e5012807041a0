/**
 * Classic peers in the server's terms: their requests as jobs, our chunks as their requests. Sizes
 * matter, for what a classic peer's buffer cannot hold never arrives (lsp.md, section 8).
 *
 * @module
 */
import type { Candidate } from "../work/candidate.ts";
import type { ClassicMessage } from "../work/classic.ts";
import { MAX_UINT64 } from "../work/hash.ts";
import type { JobSpec } from "./job.ts";

/** The job that a classic client's Request asks for, as its `number`-th. */
export function specOf(request: ClassicMessage, number: number): JobSpec {
  return { number, message: request.data, lower: request.lower, upper: request.upper };
}

/** The Request that has a classic miner search `range` (both ends included). */
export function requestOf(
  message: string,
  range: { readonly lower: bigint; readonly upper: bigint },
): ClassicMessage {
  return { type: 1, data: message, lower: range.lower, upper: range.upper, hash: 0n, nonce: 0n };
}

/** The longest Request that any chunk of the job can need. */
export function longestRequest(spec: JobSpec): ClassicMessage {
  return requestOf(spec.message, { lower: MAX_UINT64, upper: MAX_UINT64 });
}

/** The Result that answers a classic client. */
export function resultOf(best: Candidate): ClassicMessage {
  return { type: 2, data: "", lower: 0n, upper: 0n, hash: best.hash, nonce: best.nonce };
}
