/**
 * The two errors that a script turns into one line and an exit code.
 *
 * @module
 */

/** A wrong command line. */
export class UsageError extends Error {
  override name = "UsageError";
  /** The verb whose help says what is right; the program's own help if it is not set. */
  verb: string | undefined;
}

/** A failure that was foreseen: its message is the whole story. */
export class Failure extends Error {
  override name = "Failure";
}
