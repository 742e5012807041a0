/**
 * What clients and servers of the store say to each other. A message is bytes: the version of the
 * messages, the kind, then its fields (base/byte_fields.ts). docs/kv.md has the table.
 *
 * @module
 */
import { ByteReader, ByteWriter } from "../base/byte_fields.ts";
import { appVersion } from "../lsp/mod.ts";
import type { Event } from "./change_log.ts";
import { type Answer, decodeAnswer, encodeAnswer, isRun, nextAnswer, readKey } from "./commands.ts";
import {
  COMMAND_BYTES_MAX,
  EVENTS_MAX,
  HINT_BYTES_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  RUN_BYTES_MAX,
  RUN_MAX,
  STATUS_BYTES_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import { DEEDS, DENIALS, type PageItem, type Reply, type Request } from "./message_types.ts";

/** Version of the messages. A server takes its own and, from the second on, the one before. */
export const MESSAGES_VERSION = 1;
/** The same in the handshake of LSP. */
export const APP_VERSION: number = appVersion("kv", MESSAGES_VERSION);

export type * from "./message_types.ts";

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
  "writes",
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
  "answers",
] as const;

const ANSWER_REPLY: number = REPLIES.indexOf("answer");
const ANSWERS_REPLY: number = REPLIES.indexOf("answers");

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bits of a list, and of a watch; a server of before this was added knows the first alone. */
const STALE = 1;
const LASTING = 2;

const lasting = (bits: number): { isLasting?: true } =>
  (bits & LASTING) === 0 ? {} : { isLasting: true };

/** What comes before a value or a command, as the writer makes room for it. */
const HEAD_BYTES_MAX = 48;
/** Most answers have no more; the writer makes room for others. */
const ANSWER_BYTES = 12;

export function encodeRequest(request: Request): Uint8Array {
  const bytes = HEAD_BYTES_MAX + commandBytes(request);
  const writer = new ByteWriter(bytes).byte(MESSAGES_VERSION).byte(REQUESTS.indexOf(request.kind));
  if (request.kind === "close") return writer.uint(request.session).taken();
  writer.uint(request.id);
  switch (request.kind) {
    case "write": {
      const { session, number, lowest, command } = request;
      return writer.uint(session).uint(number).uint(lowest).raw(command).taken();
    }
    case "writes": {
      const { session, number, lowest, count, commands } = request;
      writer.uint(session).uint(number).uint(lowest).uint(count);
      return writer.raw(commands).whole();
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

function commandBytes(request: Request): number {
  if (request.kind === "write") return request.command.length;
  return request.kind === "writes" ? request.commands.length : 0;
}

/** The request that `bytes` are; undefined when they are none, or it is against the limits. */
export function decodeRequest(bytes: Uint8Array): Request | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== MESSAGES_VERSION) return undefined;
  const kind = REQUESTS[reader.byte(REQUESTS.length - 1)]!;
  const request = readRequest(reader, kind);
  return reader.isGood ? request : undefined;
}

/**
 * What a message that is no request calls itself: of a newer kind, perhaps, but of this version, it
 * can still be answered. Undefined where even that makes no sense.
 */
export function idOfUnread(bytes: Uint8Array): number | undefined {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== MESSAGES_VERSION) return undefined;
  reader.byte();
  const id = reader.uint();
  return reader.isSound ? id : undefined;
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
    case "writes": {
      const session = reader.uint();
      const number = reader.uint(2 ** 32 - 1 - RUN_MAX);
      const lowest = reader.uint(number);
      const count = reader.uint(RUN_MAX);
      const commands = reader.rest();
      const isFit = commands.length <= RUN_BYTES_MAX && isRun(commands, count);
      if (session === 0 || lowest === 0 || !isFit) reader.reject();
      return { kind, id, session, number, lowest, count, commands };
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
    case "answers":
      for (const answer of reply.answers) writer.raw(encodeAnswer(answer));
      return writer.taken();
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
      writer.byte(DENIALS.indexOf(reply.why)).blob(utf8.encode(reply.leader));
      if (reply.about !== undefined) writer.blob(utf8.encode(reply.about));
      return writer.taken();
  }
}

/** The reply that is an answer, which is encoded already. */
export function encodeAnswerReply(id: number, answer: Uint8Array): Uint8Array {
  const writer = new ByteWriter(HEAD_BYTES_MAX).byte(MESSAGES_VERSION).byte(ANSWER_REPLY);
  return writer.uint(id).raw(answer).taken();
}

/** The reply that is answers, of which each is encoded already. */
export function encodeAnswersReply(id: number, answers: readonly Uint8Array[]): Uint8Array {
  const bytes = HEAD_BYTES_MAX + answers.length * ANSWER_BYTES;
  const writer = new ByteWriter(bytes).byte(MESSAGES_VERSION).byte(ANSWERS_REPLY).uint(id);
  for (const answer of answers) writer.raw(answer);
  return writer.whole();
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
    case "answers": {
      const answers: Answer[] = [];
      while (reader.hasMore && answers.length < RUN_MAX) answers.push(nextAnswer(reader));
      return { kind, id, answers };
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
      const leader = fromUtf8.decode(reader.view(HINT_BYTES_MAX));
      if (!reader.hasMore) return { kind, id, why, leader };
      return { kind, id, why, leader, about: fromUtf8.decode(reader.view(HINT_BYTES_MAX)) };
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
