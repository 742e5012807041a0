/**
 * What the client's core is told and what it asks for. One core is one session with any number of
 * jobs, over one connection after the other.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { JobRow, Status } from "../work/messages.ts";
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
  | {
      readonly kind: "submit";
      readonly job: number;
      readonly work: SearchSpec;
      /** It goes on without its client, and its answer is kept. */
      readonly detached?: boolean;
    }
  /** Follow a job that is there already, by the number that people's id stands for. */
  | { readonly kind: "attach"; readonly job: number; readonly id: number }
  | { readonly kind: "cancel"; readonly job: number }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  | { readonly kind: "gone"; readonly reason: string };

export type ClientEffect =
  /** Connect anew, to one of a cluster or not; answered by `connected` or `gone`. */
  | { readonly kind: "dial"; readonly server?: string; readonly isCluster?: boolean }
  /** The connection is gone, and is dialled again after `waitMs`. */
  | { readonly kind: "waiting"; readonly reason: string; readonly waitMs: number }
  /** The server has taken the job in; `durable`: it keeps it through its own end. */
  | {
      readonly kind: "accepted";
      readonly job: number;
      readonly id: number;
      readonly durable: boolean;
    }
  /** What a job is that was attached to. */
  | { readonly kind: "found"; readonly job: number; readonly row: JobRow }
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
