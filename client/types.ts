/**
 * What the client's core is told and what it asks for. One core is one connection with any number
 * of jobs on it.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { Status } from "../work/messages.ts";
import type { SearchSpec } from "../work/subject.ts";

/** A job as a caller states it; see Submit in work/messages.ts. */
export type Job = Subject & {
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
};

/** What nonces are hashed with: a message, or an 80-byte block header (its nonce is ignored). */
type Subject =
  | { readonly message: string; readonly header?: undefined }
  | { readonly header: Uint8Array; readonly message?: undefined };

export type ClientInput =
  | { readonly kind: "connected"; readonly wire: Wire }
  /** Ask for a job; `job` is the caller's number for it, unique on this core. */
  | { readonly kind: "submit"; readonly job: number; readonly work: SearchSpec }
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
