/**
 * Who a node is, as its directory keeps it beside the log: its cluster, its number, how far its
 * cluster is founded, where the others are; and the term and the vote, which change far more often
 * but must be in one place with the rest.
 *
 * @module
 */
import { type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { META_BYTES_MAX } from "../base/store.ts";
import type { Config, HardState, NodeId } from "./messages.ts";
import { NUMBER_MAX } from "./params.ts";
import { readConfig, readIds, writeConfig, writeIds } from "./records.ts";

/** Members that a cluster may have: all of them, and where they are, go into a disk's metadata. */
export const CLUSTER_MEMBERS_MAX = 16;
/** Nodes whose address is remembered: members now and before. */
export const BOOK_MAX = 32;
/** Bytes of `HOST:PORT`. */
export const ADDRESS_BYTES_MAX = 80;
/** A cluster's or disk's name: 8 random bytes in hexadecimal. */
const NAME_BYTES = 8;

const META_VERSION = 1;

/** - `empty`: of no cluster. `founded`: of one, without a vote yet. `running`: it takes part. */
export type Phase = "empty" | "founded" | "running";

/** How phases are counted, in metadata and on the wire. */
export const PHASES: readonly Phase[] = ["empty", "founded", "running"];

/** Where a node is, by its own word; of two the one with the higher version is newer. */
export interface Place {
  readonly address: string;
  readonly version: number;
  /** Names the disk that has this number; "" when that is not known. */
  readonly disk: string;
}

/** Addresses by node. */
export type Book = ReadonlyMap<NodeId, Place>;

/** What a node keeps of itself. */
export interface Identity {
  /** "" while it is of no cluster. */
  readonly cluster: string;
  readonly node: NodeId;
  /** Drawn once for each directory. */
  readonly disk: string;
  readonly phase: Phase;
  /** Whether it founded the cluster: it alone lets the other first members vote. */
  readonly isFounder: boolean;
  /** Whether it was a member once: one that was removed does not ask to be taken in again. */
  readonly wasMember: boolean;
  /** On the founder: who has not said that the cluster is founded there too. */
  readonly pending: readonly NodeId[];
  /** The first members, in force at index 0; none on a node that joined later. */
  readonly first: Config;
  readonly book: Book;
}

/** Everything in a disk's metadata. */
export interface StoredMeta {
  readonly identity: Identity;
  readonly hard: HardState;
}

/** Writes a name of {@link Identity}. */
export function writeName(fields: FieldWriter, name: string): void {
  fields.bytes(Uint8Array.fromHex(name));
}

/** Reads a name; "" if there is none. */
export function readName(fields: FieldReader): string {
  const bytes = fields.bytes(NAME_BYTES);
  if (bytes.length > 0 && bytes.length < NAME_BYTES) fields.reject();
  return bytes.toHex();
}

/** Writes a number below 2^52. */
export function writeNumber(fields: FieldWriter, value: number): void {
  if (value < 2 ** 32) fields.count(value);
  else fields.uint64(BigInt(value));
}

/** Reads a number below 2^52. */
export function readNumber(fields: FieldReader): number {
  const value = fields.rounded();
  if (value < NUMBER_MAX) return value;
  fields.reject();
  return 0;
}

/** Writes addresses, in the order of the nodes: five fields in a row each. */
export function writeBook(fields: FieldWriter, book: Book): void {
  fields.array((inner) => {
    for (const [node, { address, version, disk }] of book) {
      inner.count(node).text(address).count(version);
      writeName(inner, disk);
    }
  });
}

/** Reads addresses. */
export function readBook(fields: FieldReader): Map<NodeId, Place> {
  return fields.array((inner) => {
    const book = new Map<NodeId, Place>();
    while (inner.hasMore) {
      const node = inner.count();
      const address = inner.text(ADDRESS_BYTES_MAX);
      const version = inner.count();
      book.set(node, { address, version, disk: readName(inner) });
      if (node === 0 || book.size > BOOK_MAX) inner.reject();
    }
    return book;
  });
}

/** The metadata of a disk. */
export function encodeMeta({ identity, hard }: StoredMeta): Uint8Array {
  const { cluster, node, disk, phase, isFounder, wasMember, pending, first, book } = identity;
  const fields = new FieldWriter().count(META_VERSION);
  writeName(fields, cluster);
  fields.count(node);
  writeName(fields, disk);
  fields.count(PHASES.indexOf(phase)).flag(isFounder).flag(wasMember);
  writeIds(fields, pending);
  writeConfig(fields, first);
  writeNumber(fields, hard.term);
  fields.count(hard.vote);
  const whole = new FieldWriter();
  whole.values.push(...fields.values);
  writeBook(whole, book);
  const bytes = encodeCbor(whole.values);
  if (bytes.length <= META_BYTES_MAX) return bytes;
  // Members' addresses come again from the command line, and from those who know them.
  writeBook(fields, new Map());
  return encodeCbor(fields.values);
}

/** What metadata says. Throws an Error of one line when it is none that this version knows. */
export function decodeMeta(bytes: Uint8Array): StoredMeta {
  const value: CborValue | undefined = decodeCbor(bytes);
  const fields = FieldReader.of(value);
  const version = fields?.count();
  if (fields === undefined || version !== META_VERSION) {
    const got = version === undefined ? "none" : `version ${version}`;
    throw new Error(`its metadata is of ${got}, expected version ${META_VERSION}`);
  }
  const cluster = readName(fields);
  const node = fields.count();
  const disk = readName(fields);
  const phase = PHASES[fields.count(PHASES.length - 1)]!;
  const [isFounder, wasMember] = [fields.flag(), fields.flag()];
  const pending = readIds(fields, CLUSTER_MEMBERS_MAX);
  const first = readConfig(fields, CLUSTER_MEMBERS_MAX);
  const hard = { term: readNumber(fields), vote: fields.count() };
  const book = readBook(fields);
  if (!fields.isGood) throw new Error("its metadata is malformed");
  const about = { cluster, node, disk, phase, isFounder, wasMember };
  return { identity: { ...about, pending, first, book }, hard };
}
