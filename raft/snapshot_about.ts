/**
 * What the disk keeps of a snapshot beside its bytes: term, members, and where the log before it
 * begins.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { CLUSTER_MEMBERS_MAX, readNumber, writeNumber } from "./identity.ts";
import type { Config, SnapshotMeta } from "./messages.ts";
import { readConfig, writeConfig } from "./records.ts";

const ABOUT_VERSION = 1;

/** What a snapshot says of itself, and of the entry before the log that is kept with it. */
export function encodeAbout(
  { term, config }: { readonly term: number; readonly config: Config },
  base: { readonly index: number; readonly term: number },
): Uint8Array {
  const fields = new FieldWriter().count(ABOUT_VERSION);
  writeNumber(fields, term);
  writeConfig(fields, config);
  writeNumber(fields, base.index);
  writeNumber(fields, base.term);
  return encodeCbor(fields.values);
}

/** Reads that of a snapshot of `size` bytes. Throws an Error of one line. */
export function readAbout(
  about: Uint8Array | undefined,
  index: number,
  size: number,
): { readonly meta: SnapshotMeta; readonly base: { index: number; term: number } } {
  const fields = FieldReader.of(decodeCbor(about ?? new Uint8Array(0)));
  const version = fields?.count();
  if (fields === undefined || version !== ABOUT_VERSION) {
    throw new Error(`its snapshot is of version ${version}, expected ${ABOUT_VERSION}`);
  }
  const term = readNumber(fields);
  const config = readConfig(fields, CLUSTER_MEMBERS_MAX);
  const base = { index: readNumber(fields), term: readNumber(fields) };
  if (!fields.isGood) throw new Error("what its snapshot says of itself is malformed");
  return { meta: { index, term, config, size }, base };
}
