/**
 * What a worker's core is told, and what it asks for. Files are named by numbers, never by what a
 * message says.
 *
 * @module
 */
import type { JobTerms } from "../work/mapreduce_messages.ts";
import type { SharedSplit } from "./about.ts";
import type { PeerEffect, PeerInput } from "./peer_types.ts";
import type { TaskEnd } from "./task_end.ts";

/** A file of a job. */
export interface JobFile {
  readonly uid: number;
  readonly kind: "split" | "map" | "part" | "output" | "code" | "shared";
  /** A number that this worker gave it; of what is shared, the map's. */
  readonly number: number;
  /** Of what is shared: the reduce whose partition it is. */
  readonly reduce?: number;
}

/** A part of one. */
export interface JobFilePart {
  readonly file: JobFile;
  readonly from: number;
  readonly to: number;
}

/** A part of a file in the shared directory; it was looked at, and is what it was. */
export interface SharedPart {
  readonly shared: SharedSplit;
  readonly bytes: number;
}

/** A task, ready to run. */
export type RunOrder = {
  readonly uid: number;
  readonly terms: JobTerms;
  /** The file with the application's code, unless it is built in. */
  readonly code: JobFile | undefined;
} & (
  | {
      readonly kind: "map";
      /** The input as the user named it. */
      readonly name: string;
      readonly firstLine: number;
      /** Its file, or where it lies in the shared directory. */
      readonly input: JobFilePart | SharedPart;
      readonly index: number;
      /** Its partitions, unless each of them goes into the shared directory. */
      readonly output: JobFile;
    }
  | {
      readonly kind: "reduce";
      readonly index: number;
      readonly inputs: readonly JobFilePart[];
      readonly output: JobFile;
    }
);

export type WorkerInput =
  | PeerInput
  /** The server knows this miner. */
  | { readonly kind: "joined" }
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  /** The connection is gone. */
  | { readonly kind: "gone" }
  | { readonly kind: "progress"; readonly run: number; readonly bytes: number }
  | { readonly kind: "ended"; readonly run: number; readonly end: TaskEnd }
  /** Answers `read`: with the room that it asked for in front; undefined: it cannot be read. */
  | { readonly kind: "read"; readonly id: number; readonly bytes: Uint8Array | undefined }
  /** Answers `verify`. */
  | { readonly kind: "verified"; readonly id: number; readonly good: boolean }
  /** Answers `open`. */
  | { readonly kind: "opened"; readonly id: number; readonly good: boolean };

export type WorkerEffect =
  | PeerEffect
  /** Whether this machine has that part of a file in the directory of that name. */
  | {
      readonly kind: "open";
      readonly id: number;
      readonly share: string;
      readonly part: SharedPart;
    }
  | { readonly kind: "write"; readonly payload: Uint8Array }
  /** Puts bytes into a file, which is made if need be. */
  | {
      readonly kind: "put";
      readonly file: JobFile;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /**
   * Takes `length` bytes of a file, fewer at its end, behind `room` bytes. If there is room to be
   * left, the memory is nobody else's; else it is good until the next read.
   */
  | {
      readonly kind: "read";
      readonly id: number;
      readonly file: JobFile;
      readonly offset: number;
      readonly length: number;
      readonly room: number;
    }
  /** Whether the part of a file has that SHA-256. */
  | {
      readonly kind: "verify";
      readonly id: number;
      readonly part: JobFilePart;
      readonly hash: string;
    }
  | { readonly kind: "run"; readonly run: number; readonly order: RunOrder }
  /** Ends the run, if it is the one that is under way. */
  | { readonly kind: "kill"; readonly run: number }
  | { readonly kind: "remove"; readonly file: JobFile }
  /** Removes all files of a job, or of all jobs. */
  | { readonly kind: "wipe"; readonly uid: number | undefined }
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };
