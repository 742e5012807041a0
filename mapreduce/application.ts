/**
 * What an application is to the machinery: bytes in, bytes out. The built-in ones are this; those
 * of users are made it (`user_adapter.ts`).
 *
 * @module
 */
import { textOf, type Slice } from "./bytes.ts";
import type { Output } from "./output.ts";
import type { Combiner, MapOutput } from "./spill.ts";

/** A part of an input file, whole lines. */
export interface Split {
  /** The file as the user named it. */
  readonly name: string;
  /** Number of its first line in the file, 1 and up; known only where `needsLines` asks for it. */
  readonly firstLine: number;
}

/** A record that an application cannot take; the rest of its input is worth going on with. */
export class BadRecordError extends Error {
  override name = "BadRecordError";
}

/** What a map is given beside its input. */
export interface MapContext {
  readonly split: Split;
  readonly output: MapOutput;
  /** Memory that the application may take for itself, in bytes. */
  readonly bytes: number;
  /** Reports a bad record: throws, unless the job skips them. */
  bad(why: string): void;
}

/** One map at work: it is given the input in pieces. */
export interface Mapping {
  read(piece: Uint8Array): void;
  /** No piece follows. */
  end(): void;
}

/** An application that needs no other code. */
export interface Application {
  /** It wants to know the numbers of lines. */
  readonly needsLines?: boolean;
  map(context: MapContext): Mapping;
  readonly combine?: Combiner;
  /** Writes the lines of a key. */
  reduce(key: Slice, values: Iterable<Slice>, out: Output): void;
}

/** The decimal number that `value` is. Throws {@link BadRecordError}. */
export function numberOf(value: Slice): number {
  let number = 0;
  for (let i = value.from; i < value.to; i++) {
    const digit = value.bytes[i]! - 48;
    if (digit < 0 || digit > 9) {
      throw new BadRecordError(
        `a count is "${textOf(value.bytes.subarray(value.from, value.to))}"`,
      );
    }
    number = number * 10 + digit;
  }
  return number;
}
