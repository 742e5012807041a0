/**
 * How two replicas find out what they differ in. A row has the hashes of a node's children; where
 * they differ, the other side answers with rows of those children, or, where there is little, with
 * the hashes of all entries. Both are as short as a rare mistake allows: what a short hash hides
 * shows in the hash of everything, and the next comparison has other entries.
 *
 * @module
 */
import { ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { Entry } from "./entry.ts";
import type { Hash } from "./entry_hash.ts";
import { FAN_OUT, LEVEL_MAX, nodesAt, type TreeNode } from "./hash_tree.ts";
import type { Replica } from "./replica.ts";

/** Bytes of a hash in a message: 48 bits. */
const SHORT_BYTES = 6;
/** Bytes that say which children of a node there are. */
const MAP_BYTES = FAN_OUT / 8;
/** Bytes of the largest row. */
export const ROW_BYTES_MAX: number = MAP_BYTES + FAN_OUT * SHORT_BYTES;
/** A node with so many entries, or fewer, is compared entry by entry. */
const FEW = 48;

/** The first 48 bits of a hash. */
export function shortOf({ high, low }: Hash): number {
  return (high >>> 0) * 2 ** 16 + (low >>> 16);
}

/** What is to be done where two replicas differ. */
export interface Differences {
  /** Nodes whose rows the other side is to be sent. */
  readonly rows: TreeNode[];
  /** Nodes whose entries' hashes the other side is to be sent. */
  readonly items: TreeNode[];
  /** Nodes that are empty here. */
  readonly missing: TreeNode[];
  /** Entries that the other side does not have. */
  readonly push: Entry[];
}

/** Reads a node; level 0..{@link LEVEL_MAX}. */
export function readNode(reader: ByteReader): TreeNode {
  const level = reader.byte(LEVEL_MAX);
  return { level, prefix: reader.uint(nodesAt(level) - 1) };
}

export function writeNode(writer: ByteWriter, { level, prefix }: TreeNode): void {
  writer.byte(level).uint(prefix);
}

function childrenOf({ level, prefix }: TreeNode): TreeNode[] {
  return Array.from({ length: FAN_OUT }, (_, i): TreeNode => {
    return { level: level + 1, prefix: prefix * FAN_OUT + i };
  });
}

/** The row of a node above the lowest level. */
export function rowOf(replica: Replica, node: TreeNode): Uint8Array {
  const map = new Uint8Array(MAP_BYTES);
  const shorts: number[] = [];
  for (const [i, child] of childrenOf(node).entries()) {
    const short = shortOf(replica.tree.hashOf(child));
    if (short === 0) continue;
    map[i >> 3]! |= 1 << (i & 7);
    shorts.push(short);
  }
  return new ByteWriter(MAP_BYTES + shorts.length * SHORT_BYTES)
    .raw(map)
    .raw(shortsBytes(shorts))
    .taken();
}

/** What the row of a node says of this replica; undefined if it is no row. */
export function compareRow(
  replica: Replica,
  node: TreeNode,
  row: Uint8Array,
): Differences | undefined {
  const shorts = shortsOf(row.subarray(MAP_BYTES));
  if (row.length < MAP_BYTES || shorts === undefined || node.level >= LEVEL_MAX) return undefined;
  const found: Differences = { rows: [], items: [], missing: [], push: [] };
  let at = 0;
  for (const [i, child] of childrenOf(node).entries()) {
    const isThere = (row[i >> 3]! & (1 << (i & 7))) !== 0;
    const theirs = isThere ? shorts[at++] : 0;
    if (theirs === undefined) return undefined;
    if (theirs !== shortOf(replica.tree.hashOf(child))) differs(replica, child, isThere, found);
  }
  return at === shorts.length ? found : undefined;
}

function differs(replica: Replica, node: TreeNode, isThere: boolean, found: Differences): void {
  const count = replica.tree.countOf(node);
  if (!isThere) for (const { entry } of replica.entriesOf(node)) found.push.push(entry);
  else if (count === 0) found.missing.push(node);
  else if (count <= FEW || node.level === LEVEL_MAX) found.items.push(node);
  else found.rows.push(node);
}

/** The hashes of all entries below a node. */
export function itemsOf(replica: Replica, node: TreeNode): Uint8Array {
  const shorts: number[] = [];
  for (const { hash } of replica.entriesOf(node)) shorts.push(shortOf(hash));
  return shortsBytes(shorts);
}

/** What the entries of the other side's node are to this replica; undefined if they are none. */
export function compareItems(
  replica: Replica,
  node: TreeNode,
  items: Uint8Array,
): { readonly push: Entry[]; readonly want: Uint8Array } | undefined {
  const theirs = shortsOf(items);
  if (theirs === undefined) return undefined;
  const unknown = new Set(theirs);
  const push: Entry[] = [];
  for (const { entry, hash } of replica.entriesOf(node)) {
    if (!unknown.delete(shortOf(hash))) push.push(entry);
  }
  return { push, want: shortsBytes([...unknown]) };
}

/** The entries below a node that the other side wants; all of them if it names none. */
export function wantedOf(replica: Replica, node: TreeNode, want: Uint8Array): Entry[] | undefined {
  const shorts = shortsOf(want);
  if (shorts === undefined) return undefined;
  const wanted = new Set(shorts);
  const all = [...replica.entriesOf(node)];
  return all
    .filter(({ hash }) => wanted.size === 0 || wanted.has(shortOf(hash)))
    .map(({ entry }) => entry);
}

function shortsBytes(shorts: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(shorts.length * SHORT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, short] of shorts.entries()) {
    view.setUint32(i * SHORT_BYTES, Math.floor(short / 2 ** 16));
    view.setUint16(i * SHORT_BYTES + 4, short % 2 ** 16);
  }
  return bytes;
}

function shortsOf(bytes: Uint8Array): number[] | undefined {
  if (bytes.length % SHORT_BYTES !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / SHORT_BYTES }, (_, i) => {
    return view.getUint32(i * SHORT_BYTES) * 2 ** 16 + view.getUint16(i * SHORT_BYTES + 4);
  });
}
