/**
 * What clients and servers of the store say to each other. A message is bytes: the version of the
 * messages, the kind, then its fields (base/byte_fields.ts). docs/kv.md has the table.
 *
 * @module
 */
import { type ByteString, ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { Event } from "./change_log.ts";
import { type Answer, decodeAnswer, encodeAnswer, readKey } from "./commands.ts";
import {
  COMMAND_BYTES_MAX,
  EVENTS_MAX,
  HINT_BYTES_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  STATUS_BYTES_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";

/** Version of the messages. A server takes its own and, from the second on, the one before. */
export const MESSAGES_VERSION = 1;

/** A message of a client. `id` names it in the answer; the client counts them up. */
export type Request =
  | { readonly kind: "open"; readonly id: number }
  /** Session 0: of no session; then `number` and `lowest` are 0 too. */
  | {
      readonly kind: "write";
      readonly id: number;
      readonly session: number;
      readonly number: number;
      readonly lowest: number;
      /** Where it was decoded, a part of the message. */
      readonly command: Uint8Array;
    }
  | {
      readonly kind: "get";
      readonly id: number;
      readonly key: ByteString;
      readonly isStale: boolean;
    }
  | {
      readonly kind: "list";
      readonly id: number;
      readonly prefix: ByteString;
      /** Keys behind this one; "": from the first on. */
      readonly after: ByteString;
      readonly keysMax: number;
      readonly isStale: boolean;
      /** Without keys that go with a lease. */
      readonly isLasting?: boolean;
    }
  /** Changes behind the revision `after`; undefined: from now on. */
  | {
      readonly kind: "watch";
      readonly id: number;
      readonly prefix: ByteString;
      readonly after: number | undefined;
      /** A key that goes with a lease is told of as if it were deleted. */
      readonly isLasting?: boolean;
    }
  /** A message of events has come: another may be sent. */
  | { readonly kind: "seen"; readonly id: number }
  | { readonly kind: "unwatch"; readonly id: number }
  /** The lease's time begins anew. */
  | { readonly kind: "renew"; readonly id: number; readonly lease: number }
  | { readonly kind: "status"; readonly id: number }
  /** Make a node a voter, remove one, or hand the lead to one (0: to the best one). */
  | {
      readonly kind: "manage";
      readonly id: number;
      readonly deed: Deed;
      readonly node: number;
    }
  /** The session is of no use any more. There is no answer. */
  | { readonly kind: "close"; readonly session: number };

/** What is done to a cluster. */
export type Deed = (typeof DEEDS)[number];
const DEEDS = ["promote", "remove", "transfer"] as const;

/** Why a server did not do it. */
export type Denial =
  /** It does not lead; `leader` is the address of who does, perhaps. */
  | "not leader"
  /** Nobody is known to lead, or no quorum answers. */
  | "no leader"
  /** A limit is reached: later. */
  | "overloaded"
  /** It may have been done, or not: the lead changed. */
  | "unsure"
  | "unknown session"
  | "too many sessions"
  /** A request of a smaller number is missing, or is answered already. */
  | "out of order"
  | "no lease"
  /** The changes that a watch wants are forgotten. */
  | "compacted"
  | "too many watches"
  | "malformed";

const DENIALS: readonly Denial[] = [
  "not leader",
  "no leader",
  "overloaded",
  "unsure",
  "unknown session",
  "too many sessions",
  "out of order",
  "no lease",
  "compacted",
  "too many watches",
  "malformed",
];

/** An entry of a page. */
export interface PageItem {
  readonly key: ByteString;
  readonly value: Uint8Array;
  readonly version: number;
}

/** A message of a server. */
export type Reply =
  | { readonly kind: "opened"; readonly id: number; readonly session: number }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  /** Version 0 and no value: no such key. */
  | {
      readonly kind: "value";
      readonly id: number;
      readonly revision: number;
      readonly version: number;
      readonly value: Uint8Array | undefined;
    }
  | {
      readonly kind: "page";
      readonly id: number;
      readonly revision: number;
      readonly items: readonly PageItem[];
      readonly hasMore: boolean;
    }
  /** Of a watch: these, in order, are all changes up to the revision `upTo`. */
  | {
      readonly kind: "events";
      readonly id: number;
      readonly upTo: number;
      readonly events: readonly Event[];
    }
  | { readonly kind: "renewed"; readonly id: number; readonly ttlMs: number }
  /** JSON. */
  | { readonly kind: "status"; readonly id: number; readonly text: string }
  /** What was asked of the cluster was done; or why not, in a line. */
  | { readonly kind: "managed"; readonly id: number; readonly error: string }
  | {
      readonly kind: "denied";
      readonly id: number;
      readonly why: Denial;
      readonly leader: string;
    };

/** A reply that answers a call. */
export type AnswerReply = Exclude<Reply, { readonly kind: "opened" | "events" | "denied" }>;

const REQUESTS = [
  "open",
  "write",
  "get",
  "list",
  "watch",
  "seen",
  "unwatch",
  "renew",
  "status",
  "close",
  "manage",
] as const;
const REPLIES = [
  "opened",
  "answer",
  "value",
  "page",
  "events",
  "renewed",
  "status",
  "denied",
  "managed",
] as const;

const ANSWER_REPLY: number = REPLIES.indexOf("answer");

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bits of a list, and of a watch; a server of before this was added knows the first alone. */
const STALE = 1;
const LASTING = 2;

const lasting = (bits: number): { isLasting?: true } =>
  (bits & LASTING) === 0 ? {} : { isLasting: true };

/** What comes before a value or a command, as the writer makes room for it. */
const HEAD_BYTES_MAX = 48;

export function encodeRequest(request: Request): Uint8Array {
  const bytes = HEAD_BYTES_MAX + (request.kind === "write" ? request.command.length : 0);
  const writer = new ByteWriter(bytes).byte(MESSAGES_VERSION).byte(REQUESTS.indexOf(request.kind));
  if (request.kind === "close") return writer.uint(request.session).taken();
  writer.uint(request.id);
  switch (request.kind) {
    case "write": {
      const { session, number, lowest, command } = request;
      return writer.uint(session).uint(number).uint(lowest).raw(command).taken();
    }
    case "get":
      return writer.text(request.key).flag(request.isStale).taken();
    case "list":
      writer.text(request.prefix).text(request.after).uint(request.keysMax);
      return writer.byte((request.isStale ? STALE : 0) | (request.isLasting ? LASTING : 0)).taken();
    case "watch":
      writer.text(request.prefix).optional(request.after);
      return (request.isLasting ? writer.byte(LASTING) : writer).taken();
    case "renew":
      return writer.uint(request.lease).taken();
    case "manage":
      return writer.byte(DEEDS.indexOf(request.deed)).uint(request.node).taken();
    default:
      return writer.taken();
  }
}

/** The request that `bytes` are; undefined when they are none, or it is against the limits. */
export function decodeRequest(bytes: Uint8Array): Request | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== MESSAGES_VERSION) return undefined;
  const kind = REQUESTS[reader.byte(REQUESTS.length - 1)]!;
  const request = readRequest(reader, kind);
  return reader.isGood ? request : undefined;
}

function readRequest(reader: ByteReader, kind: Request["kind"]): Request {
  if (kind === "close") return { kind, session: reader.uint() };
  const id = reader.uint();
  switch (kind) {
    case "write": {
      const session = reader.uint();
      const number = reader.uint(2 ** 32 - 1);
      const lowest = reader.uint(number);
      const command = reader.rest();
      const isNumbered = lowest > 0;
      if (command.length > COMMAND_BYTES_MAX || isNumbered !== session > 0) reader.reject();
      return { kind, id, session, number, lowest, command };
    }
    case "get":
      return { kind, id, key: readKey(reader), isStale: reader.flag() };
    case "list": {
      const prefix = reader.text(KEY_BYTES_MAX);
      const after = reader.text(KEY_BYTES_MAX);
      const keysMax = reader.uint(PAGE_KEYS_MAX);
      if (keysMax === 0) reader.reject();
      const bits = reader.byte(STALE | LASTING);
      return { kind, id, prefix, after, keysMax, isStale: (bits & STALE) !== 0, ...lasting(bits) };
    }
    case "watch": {
      const prefix = reader.text(KEY_BYTES_MAX);
      const after = reader.optional();
      const bits = reader.hasMore ? reader.byte(LASTING) : 0;
      if (bits === STALE) reader.reject();
      return { kind, id, prefix, after, ...lasting(bits) };
    }
    case "renew":
      return { kind, id, lease: reader.uint() };
    case "manage": {
      const deed = DEEDS[reader.byte(DEEDS.length - 1)]!;
      return { kind, id, deed, node: reader.uint(2 ** 32 - 1) };
    }
    default:
      return { kind, id };
  }
}

export function encodeReply(reply: Reply): Uint8Array {
  const bytes = HEAD_BYTES_MAX + (reply.kind === "value" ? (reply.value?.length ?? 0) : 0);
  const writer = new ByteWriter(bytes).byte(MESSAGES_VERSION).byte(REPLIES.indexOf(reply.kind));
  writer.uint(reply.id);
  switch (reply.kind) {
    case "opened":
      return writer.uint(reply.session).taken();
    case "answer":
      return writer.raw(encodeAnswer(reply.answer)).taken();
    case "value":
      writer.uint(reply.revision).uint(reply.version);
      return (reply.value === undefined ? writer : writer.raw(reply.value)).taken();
    case "page":
      writer.uint(reply.revision).flag(reply.hasMore).uint(reply.items.length);
      for (const { key, value, version } of reply.items) {
        writer.text(key).blob(value).uint(version);
      }
      return writer.taken();
    case "events":
      writer.uint(reply.upTo).uint(reply.events.length);
      for (const { revision, key, value, version } of reply.events) {
        writer
          .uint(revision)
          .text(key)
          .uint(version)
          .flag(value !== undefined);
        if (value !== undefined) writer.blob(value);
      }
      return writer.taken();
    case "renewed":
      return writer.uint(reply.ttlMs).taken();
    case "status":
      return writer.blob(utf8.encode(reply.text)).taken();
    case "managed":
      return writer.blob(utf8.encode(reply.error)).taken();
    case "denied":
      return writer.byte(DENIALS.indexOf(reply.why)).blob(utf8.encode(reply.leader)).taken();
  }
}

/** The reply that is an answer, which is encoded already. */
export function encodeAnswerReply(id: number, answer: Uint8Array): Uint8Array {
  const writer = new ByteWriter(HEAD_BYTES_MAX).byte(MESSAGES_VERSION).byte(ANSWER_REPLY);
  return writer.uint(id).raw(answer).taken();
}

/** The reply that `bytes` are; undefined when they are none. */
export function decodeReply(bytes: Uint8Array): Reply | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== MESSAGES_VERSION) return undefined;
  const kind = REPLIES[reader.byte(REPLIES.length - 1)]!;
  const reply = readReply(reader, kind);
  return reader.isGood ? reply : undefined;
}

function readReply(reader: ByteReader, kind: Reply["kind"]): Reply {
  const id = reader.uint();
  switch (kind) {
    case "opened":
      return { kind, id, session: reader.uint() };
    case "answer": {
      const answer = decodeAnswer(reader.rest());
      if (answer === undefined) reader.reject();
      return { kind, id, answer: answer ?? { kind: "failed", why: "malformed" } };
    }
    case "value": {
      const revision = reader.uint();
      const version = reader.uint();
      const rest = reader.tail();
      if (rest.length > (version === 0 ? 0 : VALUE_BYTES_MAX)) reader.reject();
      return { kind, id, revision, version, value: version === 0 ? undefined : rest };
    }
    case "page": {
      const revision = reader.uint();
      const hasMore = reader.flag();
      const items: PageItem[] = [];
      for (let left = reader.uint(PAGE_KEYS_MAX); left > 0 && reader.isSound; left--) {
        const key = readKey(reader);
        items.push({ key, value: reader.blob(VALUE_BYTES_MAX), version: reader.uint() });
      }
      return { kind, id, revision, items, hasMore };
    }
    case "events":
      return readEvents(reader, id);
    case "renewed":
      return { kind, id, ttlMs: reader.uint() };
    case "status":
      return { kind, id, text: fromUtf8.decode(reader.view(STATUS_BYTES_MAX)) };
    case "managed":
      return { kind, id, error: fromUtf8.decode(reader.view(HINT_BYTES_MAX)) };
    case "denied": {
      const why = DENIALS[reader.byte(DENIALS.length - 1)]!;
      return { kind, id, why, leader: fromUtf8.decode(reader.view(HINT_BYTES_MAX)) };
    }
  }
}

function readEvents(reader: ByteReader, id: number): Reply {
  const upTo = reader.uint();
  const events: Event[] = [];
  for (let left = reader.uint(EVENTS_MAX); left > 0 && reader.isSound; left--) {
    const revision = reader.uint();
    const key = readKey(reader);
    const version = reader.uint();
    const value = reader.flag() ? reader.blob(VALUE_BYTES_MAX) : undefined;
    events.push({ revision, key, value, version });
  }
  return { kind: "events", id, upTo, events };
}
