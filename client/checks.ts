/**
 * What a client checks: whether a job can be carried at all, and whether an answer is true.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { CLASSIC_PAYLOAD_BYTES_MAX, type Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import { classicRequest, encodeClassicMessage } from "../work/classic.ts";
import { MESSAGE_BYTES_MAX } from "../work/messages.ts";
import { hashOf, type SearchSpec, subjectBytes, whyNoSearch } from "../work/subject.ts";

/** Why `job` cannot be carried over `wire`, in one line that names the limit, or `undefined`. */
export function whyNot(work: SearchSpec, wire: Wire): string | undefined {
  const { subject, lower, upper, target } = work;
  // Callers without types too: what is no text, or has no UTF-8 form, would be hashed as another.
  if (typeof subject !== "string" && !(subject instanceof Uint8Array)) {
    return `the message must be a string, got ${typeof subject}`;
  }
  if (typeof subject === "string" && !subject.isWellFormed()) {
    return "the message has a lone surrogate, which no UTF-8 can say: expected well-formed text";
  }
  for (const [name, value] of Object.entries({ lower, upper, target: target ?? 0n })) {
    if (typeof value !== "bigint") return `${name} must be a bigint, got ${typeof value}`;
  }
  const nonsense = whyNoSearch(work);
  if (nonsense !== undefined) return nonsense;
  const bytes = subjectBytes(subject);
  if (bytes > MESSAGE_BYTES_MAX) {
    return `the message has ${bytes} bytes, the limit is ${MESSAGE_BYTES_MAX}`;
  }
  return wire === "cbor" ? undefined : whyNotClassic(work);
}

function whyNotClassic(work: SearchSpec): string | undefined {
  if (work.target !== undefined) return "the json wire cannot carry a target";
  if (typeof work.subject !== "string") return "the json wire cannot carry a block header";
  const bytes = requestFor(work).length;
  if (bytes <= CLASSIC_PAYLOAD_BYTES_MAX) return undefined;
  const limit = `the json wire's limit is ${CLASSIC_PAYLOAD_BYTES_MAX}`;
  return `the request takes ${bytes} bytes, ${limit}`;
}

/**
 * What is wrong with an answer to `work`, or `undefined` when it is true as far as one can see.
 * `hash` gives the hash of a nonce.
 */
export function whyWrong(
  work: SearchSpec,
  best: Candidate,
  met: boolean,
  hash: typeof hashOf = hashOf,
): string | undefined {
  const { subject, lower, upper, target } = work;
  if (best.nonce < lower || best.nonce > upper) {
    return `its nonce ${best.nonce} is outside ${lower}..${upper}`;
  }
  const right = hash(subject, best.nonce);
  if (right !== best.hash) return `nonce ${best.nonce} has hash ${right}, not ${best.hash}`;
  if (met !== (target === undefined || right <= target)) {
    return `it says that the target is ${met ? "" : "not "}met`;
  }
  return undefined;
}

/** A job as the json wire asks for it. */
export function requestFor({ subject, lower, upper }: SearchSpec): Uint8Array {
  invariant(typeof subject === "string", "the json wire carries messages only");
  return encodeClassicMessage(classicRequest(subject, lower, upper));
}
