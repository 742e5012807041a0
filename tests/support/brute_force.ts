/**
 * The answer to a job by its definition, for tests to compare with: by Bun's own SHA-256, which
 * shares nothing with our kernels and is fast from the first nonce on.
 *
 * @module
 */
import { better, type Candidate } from "../../work/candidate.ts";
import type { Subject } from "../../work/subject.ts";

/** The hash of a nonce behind a message, or in a block header. */
function hashOf(subject: Subject, nonce: bigint): bigint {
  if (typeof subject === "string") {
    return BigInt(`0x${Bun.SHA256.hash(`${subject} ${nonce}`, "hex").slice(0, 16)}`);
  }
  const header = Buffer.from(subject);
  header.writeUInt32LE(Number(nonce), 76);
  const inner = Buffer.from(Bun.SHA256.hash(header, "hex"), "hex");
  const digest = Buffer.from(Bun.SHA256.hash(inner, "hex"), "hex");
  return BigInt(`0x${digest.reverse().toString("hex")}`);
}

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
