/**
 * How a kind of message is written and read.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";

/** The form of messages `M` on the wire: an array of the type number and the fields. */
export interface Form<M> {
  /** Its number on the wire. */
  readonly type: number;
  write(fields: FieldWriter, message: M): void;
  read(fields: FieldReader): M;
}
