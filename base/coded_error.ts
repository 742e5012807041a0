/**
 * The shape of the errors that a room's users meet.
 *
 * @module
 */

/** An error with its kind for programs (`code`) and one line for people (the message). */
export class CodedError<Code extends string> extends Error {
  override name = "CodedError";
  /** The kind of failure. */
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
