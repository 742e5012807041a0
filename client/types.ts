/**
 * What the client's core is told and what it asks for. One core is one connection with any number
 * of jobs on it.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Status } from "../work/messages.ts";

/** A job as a caller states it; see Submit in work/messages.ts. */
export interface Job {
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
}

export type ClientInput =
  | { readonly kind: "connected"; readonly wire: Wire }
  /** Ask for a job; `job` is the caller's number for it, unique on this core. */
  | { readonly kind: "submit"; readonly job: number; readonly work: Job }
  | { readonly kind: "cancel"; readonly job: number }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  | { readonly kind: "gone"; readonly reason: string };

export type ClientEffect =
  | { readonly kind: "write"; readonly payload: Uint8Array }
  | { readonly kind: "progress"; readonly job: number; readonly status: Status }
  /** The job's end. `answer` was checked: its nonce is in range and its hash is right. */
  | {
      readonly kind: "answer";
      readonly job: number;
      readonly best: Candidate;
      readonly met: boolean;
    }
  | { readonly kind: "refused"; readonly job: number; readonly reason: string }
  /** The connection is gone; every job without an answer ends here. */
  | { readonly kind: "disconnected"; readonly reason: string };
