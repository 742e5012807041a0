/** The answer to a job by its definition, for tests to compare with. */
import { better, type Candidate } from "../../work/candidate.ts";
import { hashOf, type Subject } from "../../work/subject.ts";

/** The lowest nonce of `[lower, upper]` that meets the target, else the one of the least hash. */
export function bruteForce(
  subject: Subject,
  lower: bigint,
  upper: bigint,
  target?: bigint,
): Candidate {
  let best: Candidate | undefined;
  for (let nonce = lower; nonce <= upper; nonce++) {
    const hash = hashOf(subject, nonce);
    best = better({ hash, nonce }, best);
    if (target !== undefined && hash <= target) return { hash, nonce };
  }
  return best!;
}
