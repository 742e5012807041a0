/**
 * What a task is told and what it reports, between the machinery and the thread or process that
 * runs the application.
 *
 * @module
 */

/** Which application: a built-in one by name, or a module of a user at a path. */
export type ApplicationChoice = { readonly builtin: string } | { readonly module: string };

/** A part of a file. */
export interface FilePart {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** Files of a map's partitions in a shared directory: see `partFile`. */
export interface PartFiles {
  readonly directory: string;
  readonly map: number;
}

/** A map to run. */
export interface MapOrder {
  readonly kind: "map";
  readonly application: ApplicationChoice;
  readonly reducers: number;
  readonly sortBytes: number;
  readonly skipBad: boolean;
  /** Partitions are lines of JSON. */
  readonly asJson: boolean;
  /** The file as the user named it. */
  readonly name: string;
  readonly firstLine: number;
  readonly input: FilePart;
  /** Where the partitions go: one after the other, or as lines of JSON. */
  readonly output: string | PartFiles;
  /** A directory for runs. */
  readonly directory: string;
}

/** A reduce to run. */
export interface ReduceOrder {
  readonly kind: "reduce";
  readonly application: ApplicationChoice;
  readonly sortBytes: number;
  readonly skipBad: boolean;
  /** Its partition of every map, in the order of the maps. */
  readonly inputs: readonly FilePart[];
  /** The inputs are lines of JSON. */
  readonly asJson: boolean;
  /** Records instead of lines, for outputs that are to be merged. */
  readonly asRecords: boolean;
  readonly output: string;
  readonly directory: string;
}

/** What a module exports is to be checked. */
export interface InspectOrder {
  readonly kind: "inspect";
  readonly module: string;
}

export type TaskOrder = MapOrder | ReduceOrder | InspectOrder;

/** A partition that a map wrote: its size in bytes and its SHA-256, in hexadecimal digits. */
export interface Part {
  readonly bytes: number;
  readonly hash: string;
}

/** What a task reports; the last but one kinds end it. */
export type TaskReport =
  /** It lives; `bytes` of its input are read. */
  | { readonly kind: "progress"; readonly bytes: number }
  /** `skipped` are the first of the records that were skipped, for people. */
  | {
      readonly kind: "mapped";
      /** They lie in files of their own, where others see them. */
      readonly isShared?: boolean;
      readonly parts: readonly Part[];
      readonly records: number;
      readonly invalid: number;
      readonly bad: number;
      readonly skipped: readonly string[];
    }
  | {
      readonly kind: "reduced";
      readonly output: Part;
      readonly lines: number;
      readonly bad: number;
      readonly skipped: readonly string[];
    }
  | { readonly kind: "inspected"; readonly bytes: boolean; readonly wholeFiles: boolean }
  /** The application threw, or cannot be loaded: its error with its stack. */
  | { readonly kind: "threw"; readonly text: string }
  /** An input file is damaged or gone: `input` is its number. */
  | { readonly kind: "damaged"; readonly text: string };
