/**
 * What a client says of a split beside its bytes.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Split } from "./application.ts";
import { ABOUT_BYTES_MAX } from "./limits.ts";

/** A split's name and first line, as bytes. */
export function encodeAbout({ name, firstLine }: Split): Uint8Array {
  const fields = new FieldWriter().text(name.toWellFormed()).uint64(BigInt(firstLine));
  return encodeCbor(fields.values);
}

/** The same read; undefined for what is none. Never throws. */
export function decodeAbout(bytes: Uint8Array): Split | undefined {
  const fields = FieldReader.of(decodeCbor(bytes));
  if (fields === undefined) return undefined;
  const split = { name: fields.text(ABOUT_BYTES_MAX), firstLine: fields.rounded() };
  return fields.isGood ? split : undefined;
}
