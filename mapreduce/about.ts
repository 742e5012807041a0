/**
 * What a client says of a split beside its bytes.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { SHARED_PATH_BYTES_MAX } from "../work/mapreduce_messages.ts";
import type { Split } from "./application.ts";
import { ABOUT_BYTES_MAX } from "./limits.ts";

/** Where a split lies in a directory that client and workers share. */
export interface SharedSplit {
  /** The file, as a path from that directory. */
  readonly path: string;
  /** Where in it the split begins. */
  readonly from: number;
  /** The file's size, and when it was changed last, in milliseconds since 1970. */
  readonly fileBytes: number;
  readonly modifiedMs: number;
}

/** See the module. */
export interface About extends Split {
  /** Missing: it is to be fetched. */
  readonly shared?: SharedSplit;
}

/** A split's name, first line and place, as bytes. */
export function encodeAbout({ name, firstLine, shared }: About): Uint8Array {
  const fields = new FieldWriter().text(name.toWellFormed()).uint64(BigInt(firstLine));
  fields.optional(shared, (inner, { path, from, fileBytes, modifiedMs }) => {
    inner.text(path).uint64(BigInt(from)).uint64(BigInt(fileBytes)).rounded(modifiedMs);
  });
  return encodeCbor(fields.values);
}

/** The same read; undefined for what is none. Never throws. */
export function decodeAbout(bytes: Uint8Array): About | undefined {
  const fields = FieldReader.of(decodeCbor(bytes));
  if (fields === undefined) return undefined;
  const split = { name: fields.text(ABOUT_BYTES_MAX), firstLine: fields.rounded() };
  const shared = fields.optional((inner) => ({
    path: inner.text(SHARED_PATH_BYTES_MAX),
    from: inner.rounded(),
    fileBytes: inner.rounded(),
    modifiedMs: inner.rounded(),
  }));
  if (!fields.isGood) return undefined;
  return shared === undefined ? split : { ...split, shared };
}
