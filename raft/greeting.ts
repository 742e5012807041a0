/**
 * What nodes say to each other beside Raft's own messages: who they are, on every new connection;
 * how a cluster is founded; where its nodes are; and what a node asks that wants to join.
 *
 * Each is a CBOR array whose first number is from 240 on, so that the owner of a listener tells a
 * node's connection from any other by its first message.
 *
 * @module
 */
import { decodeCbor, encodeCbor, leadingCounts } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import { clipped, oneLine } from "../base/text.ts";
import {
  ADDRESS_BYTES_MAX,
  type Book,
  CLUSTER_MEMBERS_MAX,
  type Phase,
  PHASES,
  readBook,
  readName,
  writeBook,
  writeName,
} from "./identity.ts";
import type { NodeId } from "./messages.ts";
import { readIds, writeIds } from "./records.ts";

/** Version of everything that nodes say to each other. */
export const PEER_VERSION = 1;
const GROUP_BYTES_MAX = 32;
const REASON_BYTES_MAX = 200;
const HELLO = 240;
/** First bytes from here on are of arrays that say their length in further bytes (RFC 8949, 3). */
const LONG_ARRAY = 0x98;
/** Numbers from here on have further bytes. */
const LONG_NUMBER = 24;

/** Ordinary messages go over `main`; pieces of snapshots, which are many, over `bulk`. */
export type Channel = "main" | "bulk";

const CHANNELS: readonly Channel[] = ["main", "bulk"];

/** The first thing that either end says. */
export interface Hello {
  readonly kind: "hello";
  /** What is replicated: `server`, `kv`. */
  readonly group: string;
  /** "" while the sender is of no cluster. */
  readonly cluster: string;
  readonly from: NodeId;
  /** 0: any node that answers at that address. */
  readonly to: NodeId;
  readonly channel: Channel;
  readonly phase: Phase;
  /** The members that the sender was started with. */
  readonly named: readonly NodeId[];
  readonly book: Book;
}

/** Everything but Raft's own messages. */
export type Frame =
  | Hello
  /** Be a member of this new cluster, whose first voters these are. */
  | { readonly kind: "found"; readonly cluster: string; readonly voters: readonly NodeId[] }
  /** It is; durably. */
  | { readonly kind: "founded" }
  /** From now on you may vote. */
  | { readonly kind: "start" }
  /** Make me a voter; `disk` names the directory that has this number. */
  | { readonly kind: "join"; readonly disk: string }
  /** Addresses have changed. */
  | { readonly kind: "book"; readonly book: Book }
  /** Ask this node, which may lead. */
  | { readonly kind: "leader"; readonly node: NodeId; readonly address: string }
  /** What was asked for will not be done; the reason is one line for people. */
  | { readonly kind: "refuse"; readonly reason: string };

interface Form<F extends Frame> {
  readonly type: number;
  write(fields: FieldWriter, frame: F): void;
  read(fields: FieldReader): F;
}

const FORMS: { readonly [K in Frame["kind"]]: Form<Extract<Frame, { kind: K }>> } = {
  hello: {
    type: HELLO,
    write: (f, m) => {
      f.count(PEER_VERSION).text(m.group);
      writeName(f, m.cluster);
      f.count(m.from).count(m.to).count(CHANNELS.indexOf(m.channel));
      f.count(PHASES.indexOf(m.phase));
      writeIds(f, m.named);
      writeBook(f, m.book);
    },
    read: (f) => {
      f.count();
      return {
        kind: "hello",
        group: f.text(GROUP_BYTES_MAX),
        cluster: readName(f),
        from: f.count(),
        to: f.count(),
        channel: CHANNELS[f.count(CHANNELS.length - 1)]!,
        phase: PHASES[f.count(PHASES.length - 1)]!,
        named: readIds(f, CLUSTER_MEMBERS_MAX),
        book: readBook(f),
      };
    },
  },
  found: {
    type: 241,
    write: (f, m) => {
      writeName(f, m.cluster);
      writeIds(f, m.voters);
    },
    read: (f) => ({ kind: "found", cluster: readName(f), voters: readIds(f, CLUSTER_MEMBERS_MAX) }),
  },
  founded: { type: 242, write: () => {}, read: () => ({ kind: "founded" }) },
  start: { type: 243, write: () => {}, read: () => ({ kind: "start" }) },
  join: {
    type: 244,
    write: (f, m) => writeName(f, m.disk),
    read: (f) => ({ kind: "join", disk: readName(f) }),
  },
  book: {
    type: 245,
    write: (f, m) => writeBook(f, m.book),
    read: (f) => ({ kind: "book", book: readBook(f) }),
  },
  leader: {
    type: 246,
    write: (f, m) => f.count(m.node).text(m.address),
    read: (f) => ({ kind: "leader", node: f.count(), address: f.text(ADDRESS_BYTES_MAX) }),
  },
  refuse: {
    type: 247,
    write: (f, m) => f.text(clipped(oneLine(m.reason), REASON_BYTES_MAX)),
    read: (f) => ({ kind: "refuse", reason: oneLine(f.text(REASON_BYTES_MAX)) }),
  },
};

const byType = new Map<number, Form<Frame>>();
for (const form of Object.values(FORMS)) byType.set(form.type, form as Form<Frame>);

/** Whether a connection whose first message is `payload` is a node's, of whatever version. */
export function isPeerGreeting(payload: Uint8Array): boolean {
  // A shared listener asks this of every message. One byte that is the whole number settles it.
  if (payload[0]! < LONG_ARRAY && payload[1]! < LONG_NUMBER) return false;
  return leadingCounts(payload, 1)[0] === HELLO;
}

/** Whether `payload` is a {@link Frame}'s, and not one of Raft's own messages. */
export function isFrame(payload: Uint8Array): boolean {
  return byType.has(leadingCounts(payload, 1)[0] ?? 0);
}

/** The payload that says `frame`. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { type, write } = FORMS[frame.kind] as Form<Frame>;
  const fields = new FieldWriter().count(type);
  write(fields, frame);
  return encodeCbor(fields.values);
}

/** What `payload` says, or, as a string, why it is nothing that can be understood. */
export function decodeFrame(payload: Uint8Array): Frame | string {
  const [type, version] = leadingCounts(payload, 2);
  if (type === HELLO && version !== PEER_VERSION) {
    return `it speaks version ${version} of the peers' messages, this node ${PEER_VERSION}`;
  }
  const fields = FieldReader.of(decodeCbor(payload));
  const frame = byType.get(fields?.count() ?? 0)?.read(fields!);
  return frame !== undefined && fields!.isGood ? frame : "its greeting is malformed";
}
