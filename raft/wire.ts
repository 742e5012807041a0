/**
 * What nodes say to each other, as bytes: a CBOR array of the message's number and its fields, in
 * the order of raft/messages.ts. Entries are packed in one byte string (raft/records.ts), for a
 * message may have thousands.
 *
 * A connection carries such messages once both ends have greeted each other (raft/greeting.ts),
 * which settles version, group and cluster for all that follows.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { CLUSTER_MEMBERS_MAX, readNumber, writeNumber } from "./identity.ts";
import type { Message, SnapshotMeta } from "./messages.ts";
import { packEntries, readConfig, unpackEntries, writeConfig } from "./records.ts";

/** The largest message: an append of `appendBytesMax` and its header. */
export const WIRE_BYTES_MAX: number = 1 << 16;

interface Form<M extends Message> {
  /** Its number on the wire. */
  readonly type: number;
  write(fields: FieldWriter, message: M): void;
  /** Reads all but the term; undefined when what is in a byte string makes no sense. */
  read(fields: FieldReader, term: number): M | undefined;
}

const FORMS: { readonly [K in Message["kind"]]: Form<Extract<Message, { kind: K }>> } = {
  append: {
    type: 1,
    write: (f, m) => {
      for (const value of [m.prevIndex, m.prevTerm, m.commit]) writeNumber(f, value);
      f.bytes(packEntries(m.entries));
    },
    read: (f, term) => {
      const [prevIndex, prevTerm, commit] = [readNumber(f), readNumber(f), readNumber(f)];
      const entries = unpackEntries(f.bytes(WIRE_BYTES_MAX), prevIndex + 1, CLUSTER_MEMBERS_MAX);
      return entries && { kind: "append", term, prevIndex, prevTerm, commit, entries };
    },
  },
  appended: {
    type: 2,
    write: (f, m) => writeNumber(f, m.index),
    read: (f, term) => ({ kind: "appended", term, index: readNumber(f) }),
  },
  refused: {
    type: 3,
    write: (f, m) => {
      for (const value of [m.prevIndex, m.conflictTerm, m.conflictIndex, m.lastIndex]) {
        writeNumber(f, value);
      }
      f.flag(m.blank);
    },
    read: (f, term) => ({
      kind: "refused",
      term,
      prevIndex: readNumber(f),
      conflictTerm: readNumber(f),
      conflictIndex: readNumber(f),
      lastIndex: readNumber(f),
      blank: f.flag(),
    }),
  },
  heartbeat: {
    type: 4,
    write: (f, m) => {
      writeNumber(f, m.commit);
      writeNumber(f, m.round);
    },
    read: (f, term) => ({
      kind: "heartbeat",
      term,
      commit: readNumber(f),
      round: readNumber(f),
    }),
  },
  heard: {
    type: 5,
    write: (f, m) => writeNumber(f, m.round),
    read: (f, term) => ({ kind: "heard", term, round: readNumber(f) }),
  },
  vote: {
    type: 6,
    write: (f, m) => {
      f.flag(m.pre).flag(m.transfer);
      writeNumber(f, m.lastIndex);
      writeNumber(f, m.lastTerm);
    },
    read: (f, term) => ({
      kind: "vote",
      term,
      pre: f.flag(),
      transfer: f.flag(),
      lastIndex: readNumber(f),
      lastTerm: readNumber(f),
    }),
  },
  voted: {
    type: 7,
    write: (f, m) => f.flag(m.pre).flag(m.granted),
    read: (f, term) => ({ kind: "voted", term, pre: f.flag(), granted: f.flag() }),
  },
  takeOver: {
    type: 8,
    write: () => {},
    read: (_, term) => ({ kind: "takeOver", term }),
  },
  snapshot: {
    type: 9,
    write: (f, m) => {
      f.array((inner) => writeMeta(inner, m.meta));
      writeNumber(f, m.offset);
      f.bytes(m.data);
    },
    read: (f, term) => {
      const meta = f.array(readMeta);
      return { kind: "snapshot", term, meta, offset: readNumber(f), data: f.bytes(WIRE_BYTES_MAX) };
    },
  },
  chunked: {
    type: 10,
    write: (f, m) => {
      writeNumber(f, m.index);
      writeNumber(f, m.offset);
    },
    read: (f, term) => ({ kind: "chunked", term, index: readNumber(f), offset: readNumber(f) }),
  },
  askRead: {
    type: 11,
    write: (f, m) => writeNumber(f, m.batch),
    read: (f, term) => ({ kind: "askRead", term, batch: readNumber(f) }),
  },
  readAt: {
    type: 12,
    write: (f, m) => {
      writeNumber(f, m.batch);
      writeNumber(f, m.index);
    },
    read: (f, term) => ({ kind: "readAt", term, batch: readNumber(f), index: readNumber(f) }),
  },
};

const byType: (Form<Message> | undefined)[] = [];
for (const form of Object.values(FORMS)) byType[form.type] = form as Form<Message>;

/** The payload that says `message`. */
export function encodeWire(message: Message): Uint8Array {
  const { type, write } = FORMS[message.kind] as Form<Message>;
  const fields = new FieldWriter().count(type);
  writeNumber(fields, message.term);
  write(fields, message);
  return encodeCbor(fields.values);
}

/** Encodes a message that is sent to several nodes, one after the other, once. */
export class WireEncoder {
  #message: Message | undefined;
  #payload: Uint8Array = new Uint8Array(0);

  /** As {@link encodeWire}; nobody may change what it gives. */
  encode(message: Message): Uint8Array {
    if (message !== this.#message) this.#payload = encodeWire(message);
    this.#message = message;
    return this.#payload;
  }
}

/** The message that `payload` says, or, as a string, why it is none. Never throws. */
export function decodeWire(payload: Uint8Array): Message | string {
  if (payload.length > WIRE_BYTES_MAX) return "too large";
  const fields = FieldReader.of(decodeCbor(payload));
  if (fields === undefined) return "not a plain CBOR array";
  const form = byType[fields.count()];
  if (form === undefined) return "unknown message type";
  const message = form.read(fields, readNumber(fields));
  return message !== undefined && fields.isGood ? message : "malformed message";
}

function writeMeta(fields: FieldWriter, { index, term, config, size }: SnapshotMeta): void {
  writeNumber(fields, index);
  writeNumber(fields, term);
  writeConfig(fields, config);
  writeNumber(fields, size);
}

function readMeta(fields: FieldReader): SnapshotMeta {
  const [index, term] = [readNumber(fields), readNumber(fields)];
  return { index, term, config: readConfig(fields, CLUSTER_MEMBERS_MAX), size: readNumber(fields) };
}
