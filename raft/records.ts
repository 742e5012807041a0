/**
 * Entries of the log as bytes: one record each on a disk, one behind the other in an append.
 *
 * A record is a byte for the kind, the term as a varint (LEB128), then the command; or for a
 * configuration its three lists as CBOR. In an append each has its length, as a varint, before it.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { invariant } from "../base/machine.ts";
import type { Config, Entry, EntryKind, NodeId } from "./messages.ts";
import { NUMBER_MAX } from "./params.ts";

const KINDS: readonly EntryKind[] = ["empty", "command", "config"];
const NO_DATA = new Uint8Array(0);
/** Bytes of the longest varint below {@link NUMBER_MAX}: 52 bits, seven a byte. */
const VARINT_BYTES_MAX = 8;

/** Writes the members of a configuration. */
export function writeConfig(fields: FieldWriter, config: Config): void {
  for (const ids of [config.voters, config.outgoing, config.learners]) writeIds(fields, ids);
}

/** Reads what {@link writeConfig} wrote. */
export function readConfig(fields: FieldReader, membersMax: number): Config {
  const voters = readIds(fields, membersMax);
  const outgoing = readIds(fields, membersMax);
  return { voters, outgoing, learners: readIds(fields, membersMax) };
}

/** Writes a list of nodes. */
export function writeIds(fields: FieldWriter, ids: readonly NodeId[]): void {
  fields.array((inner) => {
    for (const id of ids) inner.count(id);
  });
}

/** Reads a list of at most `membersMax` nodes, each 1 or more. */
export function readIds(fields: FieldReader, membersMax: number): NodeId[] {
  return fields.array((inner) => {
    const ids: NodeId[] = [];
    while (inner.hasMore && ids.length <= membersMax) {
      const id = inner.count();
      if (id === 0 || ids.length === membersMax) inner.reject();
      ids.push(id);
    }
    return ids;
  });
}

/** The record of an entry; its index is known from its place. */
export function encodeRecord(entry: Entry): Uint8Array {
  const body = bodyOf(entry);
  const bytes = new Uint8Array(1 + varintBytes(entry.term) + body.length);
  bytes.set(body, writeHead(bytes, 0, entry));
  return bytes;
}

/** The entry that a record says, or undefined when it is none. Its command is a view. */
export function decodeRecord(
  bytes: Uint8Array,
  index: number,
  membersMax: number,
): Entry | undefined {
  const kind = KINDS[bytes[0] ?? KINDS.length];
  const term = readVarint(bytes, 1);
  if (kind === undefined || term === undefined) return undefined;
  return entryOf(kind, index, term.value, bytes.subarray(term.end), membersMax);
}

/** Entries of consecutive indexes, packed for an append. */
export function packEntries(entries: readonly Entry[]): Uint8Array {
  const bodies = entries.map(bodyOf);
  let length = 0;
  for (const [i, { term }] of entries.entries()) {
    const size = bodies[i]!.length;
    length += 1 + varintBytes(term) + varintBytes(size) + size;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const [i, entry] of entries.entries()) {
    const body = bodies[i]!;
    at = writeHead(bytes, at, entry);
    at = writeVarint(bytes, at, body.length);
    bytes.set(body, at);
    at += body.length;
  }
  return bytes;
}

/** The entries in `bytes`, the first of which is at `first`; undefined when it is not all that. */
export function unpackEntries(
  bytes: Uint8Array,
  first: number,
  membersMax: number,
): Entry[] | undefined {
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length;) {
    const kind = KINDS[bytes[at]!];
    const term = readVarint(bytes, at + 1);
    const size = term && readVarint(bytes, term.end);
    if (kind === undefined || size === undefined) return undefined;
    const end = size.end + size.value;
    if (end > bytes.length) return undefined;
    const body = bytes.subarray(size.end, end);
    const entry = entryOf(kind, first + entries.length, term!.value, body, membersMax);
    if (entry === undefined) return undefined;
    entries.push(entry);
    at = end;
  }
  return entries;
}

function bodyOf({ config, data }: Entry): Uint8Array {
  if (config === undefined) return data;
  const fields = new FieldWriter();
  writeConfig(fields, config);
  return encodeCbor(fields.values);
}

function entryOf(
  kind: EntryKind,
  index: number,
  term: number,
  body: Uint8Array,
  membersMax: number,
): Entry | undefined {
  if (kind === "command") return { index, term, kind, data: body, config: undefined };
  if (kind === "empty") {
    const isEmpty = body.length === 0;
    return isEmpty ? { index, term, kind, data: NO_DATA, config: undefined } : undefined;
  }
  const fields = FieldReader.of(decodeCbor(body));
  const config = fields && readConfig(fields, membersMax);
  if (!fields?.isGood || config!.voters.length === 0) return undefined;
  return { index, term, kind, data: NO_DATA, config };
}

function writeHead(bytes: Uint8Array, at: number, { kind, term }: Entry): number {
  bytes[at] = KINDS.indexOf(kind);
  return writeVarint(bytes, at + 1, term);
}

function varintBytes(value: number): number {
  invariant(value >= 0 && value < NUMBER_MAX, () => `${value} is no number of the log`);
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[to++] = (rest % 0x80) | 0x80;
  bytes[to++] = rest;
  return to;
}

/** A varint in its shortest form, and where it ends. */
function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  let unit = 1;
  for (let end = at; end < at + VARINT_BYTES_MAX; unit *= 0x80) {
    const byte = bytes[end++];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * unit;
    if (byte >= 0x80) continue;
    const isShortest = byte > 0 || end === at + 1;
    return isShortest && value < NUMBER_MAX ? { value, end } : undefined;
  }
  return undefined;
}
