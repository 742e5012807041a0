/**
 * What the log needs of files: few operations, each named, so that the simulator can offer the same
 * and fail at every one of them.
 *
 * @module
 */

/** One thing to be done to a file of the directory. */
export type FileOperation =
  /** Makes an empty file, in place of one of that name. */
  | { readonly op: "create"; readonly file: string }
  /** Writes all of `bytes` at an offset of a file that exists. */
  | { readonly op: "write"; readonly file: string; readonly at: number; readonly bytes: Uint8Array }
  /** Writes zeros from offset `at` up to `end`. */
  | { readonly op: "zeros"; readonly file: string; readonly at: number; readonly end: number }
  /**
   * Makes the content and size of a file durable. `isOfWrite`: nothing but what the write just
   * before it wrote is not durable yet, so that both can be done in one.
   */
  | { readonly op: "sync"; readonly file: string; readonly isOfWrite?: boolean }
  /** Gives a file another name, in place of the file that has it. */
  | { readonly op: "rename"; readonly file: string; readonly to: string }
  | { readonly op: "remove"; readonly file: string }
  /** Makes the names of the files durable. */
  | { readonly op: "syncNames" };

/**
 * What a large file is called while its space is given back piece by piece; what a crash has left
 * of it goes at the next opening.
 */
const GOING = ".going";

/** The name of a file that is on its way out. */
export function goingFile(file: string): string {
  return `${file}${GOING}`;
}

/** Whether a file is on its way out. */
export function isGoing(file: string): boolean {
  return file.endsWith(GOING);
}

/** Why an operation failed. */
export interface FileFailure {
  readonly op: FileOperation["op"] | "read";
  /** No space: it may be tried again. Anything else means that the disk is not to be trusted. */
  readonly isFull: boolean;
  /** One line for people: what was tried, on which file, and what the system said. */
  readonly text: string;
}

/** The files of one directory while a log uses them. Calls return at once, answers come later. */
export interface Files {
  /**
   * Carries out `operations` one after the other, up to the first that fails. Calls that are under
   * way together do not wait for each other. The caller leaves the bytes alone until `done`.
   */
  run(operations: readonly FileOperation[], done: (failure?: FileFailure) => void): void;
  /** Reads up to `length` bytes. */
  read(
    file: string,
    at: number,
    length: number,
    done: (result: Uint8Array | FileFailure) => void,
  ): void;
  /** Runs `action` when all inputs that have arrived by now are handled. */
  endOfTurn(action: () => void): void;
  /** Runs `action` `delayMs` from now. */
  later(delayMs: number, action: () => void): void;
}

/** The same directory while it is being opened: calls return when they are done. */
export interface Volume {
  /** How people know the directory. */
  readonly name: string;
  list(): string[];
  size(file: string): number;
  /** Reads up to `length` bytes; fewer at the file's end. */
  read(file: string, at: number, length: number): Uint8Array;
  /** Carries out all `operations`. Like the others it throws a `DiskError` when it cannot. */
  apply(operations: readonly FileOperation[]): void;
}
