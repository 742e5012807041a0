/**
 * What the miner's core is told and what it asks for: between the server (over LSP) on one side and
 * the pool of hashing threads on the other.
 *
 * @module
 */
import type { Random } from "../base/random.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Candidate } from "../work/candidate.ts";
import type { SearchSpec } from "../work/subject.ts";

/** A range to search, as the pool gets it. `id` is the core's own number, never reused. */
export interface Search extends SearchSpec {
  readonly id: number;
}

/** Asked of the pool. Searches run in the order of their `start`; threads flow on to the next. */
export type PoolCommand =
  | { readonly kind: "start"; readonly search: Search }
  /** Answered by `shrunk`, unless `finished` or `stopped` was told before. */
  | { readonly kind: "shrink"; readonly id: number; readonly upper: bigint }
  /** Answered by `stopped`, unless `finished` or `stopped` was told before. */
  | { readonly kind: "stop"; readonly id: number };

/** Reported by the pool. After `finished` or `stopped` nothing more is reported for that id. */
export type PoolEvent =
  /** A few times a second, of the running search: all in [lower, next - 1] is searched. */
  | {
      readonly kind: "progress";
      readonly id: number;
      readonly next: bigint;
      readonly best?: Candidate;
    }
  | { readonly kind: "shrunk"; readonly id: number; readonly upper: bigint }
  | {
      readonly kind: "stopped";
      readonly id: number;
      readonly next: bigint;
      readonly best?: Candidate;
    }
  /** All is searched, or the lowest hit of the target is known (then `best` is that). */
  | { readonly kind: "finished"; readonly id: number; readonly best: Candidate }
  /** The pool as a whole: threads that hash, nonces a second it measured (0: not yet), a label. */
  | {
      readonly kind: "pool";
      readonly threads: number;
      readonly rate: number;
      readonly label: string;
    };

/**
 * How hashing threads stand against other programs: `low` takes what nobody else wants, so that a
 * miner does not hurt the desktop it runs on; `normal` competes.
 */
export type Niceness = "low" | "normal";

export type MinerInput =
  | PoolEvent
  /**
   * Which kernel the pool's threads go on with, and why; `rate`: nonces a second of one thread. May
   * come at any time after `pool`.
   */
  | {
      readonly kind: "kernel";
      readonly name: string;
      readonly rate: number;
      readonly reason: string;
    }
  | { readonly kind: "connected"; readonly wire: Wire }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  /**
   * The connection was lost or closed, or could not be made; `reason` is one line for people. A
   * server that `isThere` was restarted, say: it need not be waited for.
   */
  | { readonly kind: "gone"; readonly reason: string; readonly isThere?: boolean };

export type MinerEffect =
  | PoolCommand
  /** Connect to the server (again), one of a cluster or not; answered by `connected` or `gone`. */
  | { readonly kind: "dial"; readonly server?: string; readonly isCluster?: boolean }
  | { readonly kind: "write"; readonly payload: Uint8Array }
  /** The server knows this miner from here on; not on the json wire. */
  | { readonly kind: "joined" }
  /** The miner is done for good (`--once`, or refused by the server). */
  | { readonly kind: "exit"; readonly reason: string }
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };

/** Why a message of the server was ignored. */
export type MinerRejection =
  | "not connected"
  | "malformed"
  | "unexpected kind"
  | "chunk number used before"
  | "too many chunks"
  | "empty range"
  | "unknown chunk"
  | "shrink below the chunk";

/** How a miner core is made. */
export interface MinerCoreOptions {
  /** Spreads retries in time. */
  readonly random: Random;
  /** For people: what its owner calls it. Default none. */
  readonly name?: string;
  /** The servers, each `HOST:PORT`; left out: one, which its owner knows. */
  readonly servers?: readonly string[];
  /** Exit when the server is lost instead of trying again. */
  readonly once?: boolean;
}
