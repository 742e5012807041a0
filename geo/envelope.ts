/**
 * The one kind of message between actors, as bytes. All that one actor has to say to another at a
 * time goes into one, since it may send ten a second only.
 *
 * @module
 */
import { byteString, bytesOf, ByteReader, ByteWriter } from "../base/byte_fields.ts";
import { readNode, ROW_BYTES_MAX, writeNode } from "./compare.ts";
import { type Entry, readEntry, writeEntry } from "./entry.ts";
import type { Hash } from "./entry_hash.ts";
import type { TreeNode } from "./hash_tree.ts";
import { ACTORS_MAX, ADDRESS_BYTES_MAX, HASHES_BYTES_MAX, UNACKED_MAX } from "./limits.ts";
import { LIFE_MAX } from "./stamp.ts";

/** The version of messages between actors. */
const VERSION = 1;
/** Things of one kind in one message. */
const PARTS_MAX = 65_536;

/** A node with hashes: a row, items, or what is wanted of it. */
export interface NodeHashes {
  readonly node: TreeNode;
  readonly hashes: Uint8Array;
}

/** What a state comes to. */
export interface Digest {
  readonly hash: Hash;
  /** Nothing is under way from the sender. */
  readonly isQuiet: boolean;
  /** The sender has not compared its state with the receiver's since one of them is new. */
  readonly isFresh: boolean;
}

/** See the module. */
export interface Envelope {
  /** The sender's server, its life, how many actors it has, and which of them this is. */
  readonly address: string;
  readonly life: number;
  readonly actors: number;
  readonly index: number;
  /** The life of the receiver's server that the sender knows; 0: none. */
  readonly toLife: number;
  /** What the sender calls the receiver, where it has that from people only; else "". */
  readonly calls: string;
  /** What the receiver called the sender in its `calls`; else "". */
  readonly calledAs: string;
  /** Number of the batch of entries; 0: no batch. */
  readonly seq: number;
  /** Batches that were received. */
  readonly acks: readonly number[];
  readonly digest: Digest | undefined;
  readonly rows: readonly NodeHashes[];
  readonly items: readonly NodeHashes[];
  /** Without hashes: everything below the node. */
  readonly wants: readonly NodeHashes[];
  readonly entries: readonly Entry[];
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function writeAddress(writer: ByteWriter, address: string): void {
  writer.blob(new TextEncoder().encode(address));
}

function readAddress(reader: ByteReader): string {
  return utf8.decode(reader.view(ADDRESS_BYTES_MAX));
}

function writeNodes(writer: ByteWriter, nodes: readonly NodeHashes[]): void {
  writer.uint(nodes.length);
  for (const { node, hashes } of nodes) {
    writeNode(writer, node);
    writer.blob(hashes);
  }
}

function readNodes(reader: ByteReader, bytesMax: number): NodeHashes[] {
  return readMany(reader, () => ({ node: readNode(reader), hashes: reader.view(bytesMax) }));
}

function readMany<T>(reader: ByteReader, read: () => T, most: number = PARTS_MAX): T[] {
  const length = reader.uint(most);
  const values: T[] = [];
  while (values.length < length && reader.isSound) values.push(read());
  return values;
}

const QUIET = 1;
const FRESH = 2;
const IS_DIGEST = 4;

/** The bytes of an envelope. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { digest } = envelope;
  const writer = new ByteWriter(256).byte(VERSION);
  writeAddress(writer, envelope.address);
  writer.uint(envelope.life).byte(envelope.actors).byte(envelope.index).uint(envelope.toLife);
  writeAddress(writer, envelope.calls);
  writeAddress(writer, envelope.calledAs);
  writer.uint(envelope.seq).uint(envelope.acks.length);
  for (const ack of envelope.acks) writer.uint(ack);
  if (digest === undefined) writer.byte(0);
  else {
    writer.byte(IS_DIGEST | (digest.isQuiet ? QUIET : 0) | (digest.isFresh ? FRESH : 0));
    writer.uint(digest.hash.high).uint(digest.hash.low);
  }
  for (const nodes of [envelope.rows, envelope.items, envelope.wants]) writeNodes(writer, nodes);
  writer.uint(envelope.entries.length);
  for (const entry of envelope.entries) writeEntry(writer, entry);
  return writer.taken();
}

/** The envelope that a stranger's bytes are; undefined if they are none, or of another version. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== VERSION) return undefined;
  const address = readAddress(reader);
  const life = reader.uint(LIFE_MAX);
  const actors = reader.byte(ACTORS_MAX);
  const index = reader.byte(ACTORS_MAX - 1);
  const head = { address, life, actors, index, toLife: reader.uint(LIFE_MAX) };
  const calls = readAddress(reader);
  const calledAs = readAddress(reader);
  const seq = reader.uint();
  const acks = readMany(reader, () => reader.uint(), UNACKED_MAX);
  const digest = readDigest(reader);
  const rows = readNodes(reader, ROW_BYTES_MAX);
  const items = readNodes(reader, HASHES_BYTES_MAX);
  const wants = readNodes(reader, HASHES_BYTES_MAX);
  const entries = readMany(reader, () => readEntry(reader));
  if (!reader.isGood || index >= actors || life === 0 || !isAddress(address)) return undefined;
  return { ...head, calls, calledAs, seq, acks, digest, rows, items, wants, entries };
}

function readDigest(reader: ByteReader): Digest | undefined {
  const flags = reader.byte(IS_DIGEST | QUIET | FRESH);
  if ((flags & IS_DIGEST) === 0) return undefined;
  const high = reader.uint(2 ** 32 - 1);
  const hash = { high, low: reader.uint(2 ** 32 - 1) };
  return { hash, isQuiet: (flags & QUIET) !== 0, isFresh: (flags & FRESH) !== 0 };
}

/** Whether it looks like `HOST:PORT`: nobody dials anything else. */
export function isAddress(text: string): boolean {
  return /^(\[[0-9a-f:.%\w]+\]|[^\s:[\]]+):\d{1,5}$/i.test(text);
}

// ---- servers, as registers that people do not see

/** Keys that begin so are the store's own. */
export const OWN_PREFIX = "\0";
const SERVER_PREFIX = "\0server\0";

/** Where a server is, in which life, with how many actors. */
export interface Member {
  readonly address: string;
  readonly life: number;
  readonly actors: number;
}

export function memberKey(address: string): string {
  return SERVER_PREFIX + byteString(new TextEncoder().encode(address));
}

export function memberValue({ life, actors }: Member): Uint8Array {
  return new ByteWriter(16).uint(life).uint(actors).taken();
}

/** The address of the server that an entry is about; undefined if it is about none. */
function serverOf({ kind, key }: Entry): string | undefined {
  if (kind === "cell" || !key.startsWith(SERVER_PREFIX)) return undefined;
  const address = utf8.decode(bytesOf(key.slice(SERVER_PREFIX.length)));
  return isAddress(address) ? address : undefined;
}

/** The address of the server that is gone for good, as an entry says; undefined if it does not. */
export function forgottenBy(entry: Entry): string | undefined {
  return entry.kind === "register" && entry.value === undefined ? serverOf(entry) : undefined;
}

/** The server that an entry describes; undefined if it describes none. */
export function memberOf(entry: Entry): Member | undefined {
  const address = serverOf(entry);
  if (address === undefined || entry.kind === "cell" || entry.value === undefined) return undefined;
  const reader = new ByteReader(entry.value);
  const life = reader.uint(LIFE_MAX);
  const actors = reader.uint(ACTORS_MAX);
  return reader.isGood && life > 0 && actors > 0 ? { address, life, actors } : undefined;
}
