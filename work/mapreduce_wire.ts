/**
 * The CBOR form of map-reduce messages; their tables are in work/mapreduce_tables.ts.
 *
 * @module
 */
import type { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Form } from "./form.ts";
import {
  ADDRESS_BYTES_MAX,
  APPLICATION_BYTES_MAX,
  type AttachWish,
  type EndReason,
  type HaveRow,
  type Item,
  type JobTerms,
  type MapReduceMessage,
  PARTS_ROWS_MAX,
  PEERS_ROWS_MAX,
  DIRECT_PIECE_BYTES_MAX,
  PIECE_BYTES_MAX,
  SHARE_BYTES,
  SHARED_PATH_BYTES_MAX,
  TROUBLE_BYTES_MAX,
  type WirePart,
  type WirePeer,
  type WireSource,
} from "./mapreduce_messages.ts";
import {
  bytesOf,
  only,
  readHave,
  readParts,
  readSizes,
  readSources,
  writeHave,
  writeParts,
  writeSizes,
  writeSources,
} from "./mapreduce_tables.ts";

const REASONS: readonly EndReason[] = ["stopped", "threw", "died", "missing", "declined"];

const WISHES: readonly AttachWish[] = ["look", "follow", "cancel"];

const NO_SOURCE: WireSource = { holder: 0, bytes: 0, hash: "" };

/** How one field is written and read. */
export interface Codec<T> {
  write(f: FieldWriter, value: T): unknown;
  read(f: FieldReader): T;
}

type MessageOf<K> = Extract<MapReduceMessage, { kind: K }>;
type Codecs<M> = { readonly [F in keyof Omit<M, "kind">]-?: Codec<M[F]> };

/** The form of a message whose fields have these codecs, in their order. */
function form<K extends MapReduceMessage["kind"]>(
  kind: K,
  type: number,
  codecs: Codecs<MessageOf<K>>,
): Form<MessageOf<K>> {
  const fields = Object.entries(codecs) as [string, Codec<unknown>][];
  return {
    type,
    write: (f, message) => {
      const values = message as unknown as Record<string, unknown>;
      for (const [name, codec] of fields) codec.write(f, values[name]);
    },
    read: (f) => {
      const message: Record<string, unknown> = { kind };
      for (const [name, codec] of fields) message[name] = codec.read(f);
      return message as unknown as MessageOf<K>;
    },
  };
}

const COUNT: Codec<number> = { write: (f, value) => f.count(value), read: (f) => f.count() };
const FLAG: Codec<boolean> = { write: (f, value) => f.flag(value), read: (f) => f.flag() };
const SIZE: Codec<number> = { write: (f, value) => f.uint64(BigInt(value)), read: size };
const TEXT: Codec<string> = {
  write: (f, value) => f.text(value),
  read: (f) => f.text(TROUBLE_BYTES_MAX),
};
const LENGTH: Codec<number> = { write: COUNT.write, read: (f) => f.count(PIECE_BYTES_MAX) };
const DIRECT_LENGTH: Codec<number> = {
  write: COUNT.write,
  read: (f) => f.count(DIRECT_PIECE_BYTES_MAX),
};
const BYTES: Codec<Uint8Array> = {
  write: (f, value) => f.bytes(value),
  // A view into the message, which is nobody else's: it is large.
  read: (f) => f.bytes(PIECE_BYTES_MAX),
};
/** Also what a server keeps of a job (mapreduce/books.ts). */
export const TERMS: Codec<JobTerms> = { write: writeTerms, read: readTerms };
const ITEM: Codec<Item> = { write: writeItem, read: readItem };
export const SIZES: Codec<readonly number[]> = { write: writeSizes, read: readSizes };
export const PARTS: Codec<readonly WirePart[]> = { write: writeParts, read: readParts };
const HAVE: Codec<readonly HaveRow[]> = { write: writeHave, read: readHave };
const SOURCES: Codec<readonly WireSource[]> = { write: writeSources, read: readSources };
const PART: Codec<WirePart> = {
  write: (f, value) => writeParts(f, [value]),
  read: (f) => only(f, readParts(f), NO_SOURCE),
};
const SOURCE: Codec<WireSource> = {
  write: (f, value) => writeSources(f, [value]),
  read: (f) => only(f, readSources(f), NO_SOURCE),
};
const PORT: Codec<number> = { write: COUNT.write, read: (f) => f.count(0xffff) };
const AT: Codec<string> = { write: TEXT.write, read: (f) => f.text(ADDRESS_BYTES_MAX) };
/** 32 bytes, or none, as hexadecimal digits. */
const KEY: Codec<string> = {
  write: (f, value) => f.bytes(Uint8Array.fromHex(value)),
  read: readKey,
};
const PEERS: Codec<readonly WirePeer[]> = { write: writePeers, read: readPeers };
const WHY: Codec<EndReason> = {
  write: (f, value) => f.count(REASONS.indexOf(value)),
  read: (f) => REASONS[f.count(REASONS.length - 1)]!,
};

const WISH: Codec<AttachWish> = {
  write: (f, value) => f.count(WISHES.indexOf(value)),
  read: (f) => WISHES[f.count(WISHES.length - 1)]!,
};

/** The forms by kind; numbers from 32 on. */
export const MAPREDUCE_FORMS: {
  readonly [K in MapReduceMessage["kind"]]: Form<MessageOf<K>>;
} = {
  "mr-submit": form("mr-submit", 32, {
    job: COUNT,
    terms: TERMS,
    maps: COUNT,
    port: PORT,
    key: KEY,
  }),
  "mr-splits": form("mr-splits", 33, { job: COUNT, first: COUNT, sizes: SIZES }),
  "mr-final": form("mr-final", 34, { job: COUNT, reduce: COUNT, good: FLAG }),
  "mr-status": form("mr-status", 35, {
    job: COUNT,
    mapsDone: COUNT,
    reducesDone: COUNT,
    bytesDone: SIZE,
    failures: COUNT,
    workers: COUNT,
  }),
  "mr-output": form("mr-output", 36, {
    job: COUNT,
    reduce: COUNT,
    source: SOURCE,
    at: AT,
  }),
  "mr-done": form("mr-done", 37, { job: COUNT }),
  "mr-failed": form("mr-failed", 38, { job: COUNT, reason: TEXT }),
  "mr-note": form("mr-note", 39, { job: COUNT, text: TEXT }),
  "mr-offer": form("mr-offer", 40, { code: FLAG, tasks: COUNT, port: PORT }),
  "mr-have": form("mr-have", 64, { uid: COUNT, rows: HAVE }),
  "mr-progress": form("mr-progress", 41, { task: COUNT, bytes: SIZE, runs: FLAG }),
  "mr-mapped": form("mr-mapped", 42, { task: COUNT, parts: PARTS, note: TEXT }),
  "mr-reduced": form("mr-reduced", 43, { task: COUNT, output: PART, note: TEXT }),
  "mr-ended": form("mr-ended", 44, {
    task: COUNT,
    why: WHY,
    text: TEXT,
    map: COUNT,
    holder: COUNT,
  }),
  "mr-map": form("mr-map", 45, {
    task: COUNT,
    uid: COUNT,
    terms: TERMS,
    index: COUNT,
    bytes: SIZE,
    holder: COUNT,
    at: AT,
    key: KEY,
  }),
  "mr-reduce": form("mr-reduce", 46, {
    task: COUNT,
    uid: COUNT,
    terms: TERMS,
    index: COUNT,
    maps: COUNT,
    holder: COUNT,
    at: AT,
    key: KEY,
  }),
  "mr-sources": form("mr-sources", 47, { task: COUNT, first: COUNT, sources: SOURCES }),
  "mr-adopt": form("mr-adopt", 65, { task: COUNT, uid: COUNT, isMap: FLAG, index: COUNT }),
  "mr-forget": form("mr-forget", 48, { uid: COUNT }),
  "mr-get": form("mr-get", 49, {
    id: COUNT,
    holder: COUNT,
    job: COUNT,
    item: ITEM,
    offset: SIZE,
    length: LENGTH,
  }),
  "mr-asked": form("mr-asked", 50, {
    id: COUNT,
    job: COUNT,
    item: ITEM,
    offset: SIZE,
    length: LENGTH,
  }),
  "mr-piece": form("mr-piece", 51, { id: COUNT, found: FLAG, bytes: BYTES }),
  "mr-peers": form("mr-peers", 52, { task: COUNT, peers: PEERS }),
  "mr-attach": form("mr-attach", 54, {
    job: COUNT,
    id: COUNT,
    key: KEY,
    wish: WISH,
    port: PORT,
  }),
  "mr-attached": form("mr-attached", 55, {
    job: COUNT,
    id: COUNT,
    application: TEXT,
    maps: COUNT,
    reducers: COUNT,
    keep: FLAG,
    isSupplied: FLAG,
  }),
  "mr-want": form("mr-want", 53, {
    id: COUNT,
    name: KEY,
    job: COUNT,
    item: ITEM,
    offset: SIZE,
    length: DIRECT_LENGTH,
  }),
};

/** A size that a double holds. */
function size(f: FieldReader): number {
  const value = f.rounded();
  if (value > Number.MAX_SAFE_INTEGER) f.reject();
  return value;
}

function writeTerms(f: FieldWriter, terms: JobTerms): FieldWriter {
  return f.array((inner) => {
    inner.text(terms.application).count(terms.reducers).flag(terms.skipBad).flag(terms.asRecords);
    inner.count(terms.sortMib).count(terms.timeoutMs).count(terms.memoryMib);
    KEY.write(inner, terms.share);
    inner.text(terms.out).flag(terms.keep);
  });
}

function readTerms(f: FieldReader): JobTerms {
  return f.array((inner) => ({
    application: inner.text(APPLICATION_BYTES_MAX),
    reducers: inner.count(PARTS_ROWS_MAX),
    skipBad: inner.flag(),
    asRecords: inner.flag(),
    sortMib: inner.count(),
    timeoutMs: inner.count(),
    memoryMib: inner.count(),
    share: readKey(inner),
    out: inner.text(SHARED_PATH_BYTES_MAX),
    keep: inner.flag(),
  }));
}

function readKey(f: FieldReader): string {
  const bytes = bytesOf(f, SHARE_BYTES);
  if (bytes.length !== 0 && bytes.length !== SHARE_BYTES) f.reject();
  return bytes.toHex();
}

function writePeers(f: FieldWriter, peers: readonly WirePeer[]): FieldWriter {
  return f.array((inner) => {
    for (const { holder, at } of peers) inner.count(holder).text(at);
  });
}

function readPeers(f: FieldReader): WirePeer[] {
  return f.array((inner) => {
    const peers: WirePeer[] = [];
    while (inner.hasMore && peers.length < PEERS_ROWS_MAX) {
      peers.push({ holder: inner.count(), at: AT.read(inner) });
    }
    return peers;
  });
}

const ITEMS = ["about", "split", "code", "part", "output"] as const;

function writeItem(f: FieldWriter, item: Item): FieldWriter {
  return f.array((inner) => {
    inner.count(ITEMS.indexOf(item.kind));
    if (item.kind !== "code") inner.count(item.index);
    if (item.kind === "part") inner.count(item.reduce);
  });
}

function readItem(f: FieldReader): Item {
  return f.array((inner) => {
    const kind = ITEMS[inner.count(ITEMS.length - 1)]!;
    if (kind === "code") return { kind };
    const index = inner.count();
    return kind === "part" ? { kind, index, reduce: inner.count() } : { kind, index };
  });
}
