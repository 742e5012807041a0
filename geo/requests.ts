/**
 * What clients ask actors, and what these answer, as bytes.
 *
 * @module
 */
import {
  byteString,
  type ByteString,
  bytesOf,
  ByteReader,
  ByteWriter,
} from "../base/byte_fields.ts";
import {
  ACTORS_MAX,
  CELL_SUM_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import { appVersion } from "../lsp/mod.ts";
import type { Shown } from "./replica.ts";
import { COUNTER_MAX, type Stamp, WALL_MS_MAX } from "./stamp.ts";

/** The version of these messages, told when a connection is made. */
export const MESSAGES_VERSION = 1;
/** The same in the handshake of LSP. */
export const APP_VERSION: number = appVersion("geo", MESSAGES_VERSION);
/** For `actor`: whichever the server likes. */
export const ANY_ACTOR: number = ACTORS_MAX;
const TEXT_BYTES_MAX = 65_536;

/** What is asked of an actor. */
export type Operation =
  | { readonly kind: "get"; readonly key: ByteString }
  | { readonly kind: "put"; readonly key: ByteString; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: ByteString }
  /** Keys that begin with `prefix`, from the first behind `after` on. */
  | {
      readonly kind: "list";
      readonly prefix: ByteString;
      readonly after: ByteString;
      readonly keysMax: number;
    }
  | { readonly kind: "add"; readonly key: ByteString; readonly delta: number }
  /** Changes of keys that begin with `prefix`, from now on, until `unwatch` with its number. */
  | { readonly kind: "watch"; readonly prefix: ByteString }
  | { readonly kind: "unwatch"; readonly watch: number }
  | { readonly kind: "status" }
  /** How many actors there are: the first question of every connection, and a measurement. */
  | { readonly kind: "hello" }
  /** The server at that address is gone for good. For the gateway. */
  | { readonly kind: "forget"; readonly server: ByteString };

/** An operation with its number, which a client uses once, and the actor that it is for. */
export interface Request {
  readonly id: number;
  readonly actor: number;
  readonly operation: Operation;
}

/** Why an operation was not done. */
export type Refusal =
  "invalid" | "full" | "overflow" | "too many" | "no actor" | "no server" | "still there";
const REFUSALS: readonly Refusal[] = [
  "invalid",
  "full",
  "overflow",
  "too many",
  "no actor",
  "no server",
  "still there",
];

/** What an actor answers. */
export type Answer =
  | { readonly kind: "shown"; readonly shown: Shown }
  /** A put or a delete was taken. */
  | { readonly kind: "done"; readonly stamp: Stamp }
  | { readonly kind: "listed"; readonly all: readonly Shown[]; readonly hasMore: boolean }
  /** What the counter comes to here. */
  | { readonly kind: "added"; readonly count: number }
  /** To a watch: keys as they are now. To `watch` itself: none. */
  | { readonly kind: "events"; readonly changes: readonly Shown[] }
  | { readonly kind: "status"; readonly json: string }
  | { readonly kind: "hello"; readonly actors: number; readonly address: string }
  | { readonly kind: "refused"; readonly why: Refusal };

/** An answer, and to what. */
export interface Reply {
  readonly id: number;
  readonly answer: Answer;
}

const OPERATIONS = [
  "get",
  "put",
  "delete",
  "list",
  "add",
  "watch",
  "unwatch",
  "status",
  "hello",
  "forget",
] as const;
const ANSWERS = [
  "shown",
  "done",
  "listed",
  "added",
  "events",
  "status",
  "hello",
  "refused",
] as const;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();
/** In such text a character is a byte, and the same in a byte string. */
const ASCII = /^[^\u0080-\uffff]*$/;

/** A text in UTF-8. */
export function bytesOfText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 as text, a mark of byte order included, and what is no UTF-8 replaced. */
export function textOfBytes(bytes: Uint8Array): string {
  // A third of what a TextDecoder costs for short text.
  return Buffer.prototype.utf8Slice.call(bytes, 0, bytes.length);
}

function writeText(writer: ByteWriter, text: string): void {
  writer.blob(bytesOfText(text));
}

/** A whole number that may be below 0. */
function writeSigned(writer: ByteWriter, value: number): void {
  writer.flag(value < 0).uint(Math.abs(value));
}

function readSigned(reader: ByteReader, most: number): number {
  const isBelow = reader.flag();
  const value = reader.uint(most);
  return isBelow ? -value : value;
}

export function encodeRequest({ id, actor, operation }: Request): Uint8Array {
  const writer = new ByteWriter(64).byte(OPERATIONS.indexOf(operation.kind)).uint(id).byte(actor);
  switch (operation.kind) {
    case "put":
      return writer.text(operation.key).blob(operation.value).taken();
    case "get":
    case "delete":
      return writer.text(operation.key).taken();
    case "list":
      writer.text(operation.prefix).text(operation.after);
      return writer.uint(operation.keysMax).taken();
    case "add":
      writeSigned(writer.text(operation.key), operation.delta);
      return writer.taken();
    case "watch":
      return writer.text(operation.prefix).taken();
    case "forget":
      return writer.text(operation.server).taken();
    case "unwatch":
      return writer.uint(operation.watch).taken();
    case "status":
    case "hello":
      return writer.taken();
  }
}

/** The request that a stranger's bytes are; undefined if they are none. */
export function decodeRequest(bytes: Uint8Array): Request | undefined {
  const reader = new ByteReader(bytes);
  const kind = OPERATIONS[reader.byte(OPERATIONS.length - 1)]!;
  const id = reader.uint();
  const actor = reader.byte(ANY_ACTOR);
  const operation = readOperation(reader, kind);
  return reader.isGood ? { id, actor, operation } : undefined;
}

function readOperation(reader: ByteReader, kind: Operation["kind"]): Operation {
  const text = (): ByteString => reader.text(KEY_BYTES_MAX);
  switch (kind) {
    case "put": {
      const key = text();
      return { kind, key, value: reader.blob(VALUE_BYTES_MAX) };
    }
    case "get":
    case "delete":
      return { kind, key: text() };
    case "list": {
      const prefix = text();
      const after = text();
      return { kind, prefix, after, keysMax: reader.uint(PAGE_KEYS_MAX) };
    }
    case "add": {
      const key = text();
      return { kind, key, delta: readSigned(reader, CELL_SUM_MAX) };
    }
    case "watch":
      return { kind, prefix: text() };
    case "forget":
      return { kind, server: text() };
    case "unwatch":
      return { kind, watch: reader.uint() };
    case "status":
    case "hello":
      return { kind };
  }
}

function writeShown(writer: ByteWriter, { key, value, count }: Shown): void {
  writer.text(key).byte((value === undefined ? 0 : 1) | (count === undefined ? 0 : 2));
  if (value !== undefined) writer.blob(value);
  if (count !== undefined) writeSigned(writer, count);
}

function readShown(reader: ByteReader): Shown {
  const key = reader.text(KEY_BYTES_MAX);
  const flags = reader.byte(3);
  const value = (flags & 1) === 0 ? undefined : reader.blob(VALUE_BYTES_MAX);
  const count = (flags & 2) === 0 ? undefined : readSigned(reader, Number.MAX_SAFE_INTEGER);
  return { key, value, count };
}

export function encodeReply({ id, answer }: Reply): Uint8Array {
  const writer = new ByteWriter(64).byte(ANSWERS.indexOf(answer.kind)).uint(id);
  switch (answer.kind) {
    case "shown":
      writeShown(writer, answer.shown);
      return writer.taken();
    case "done": {
      const { wallMs, counter, actor } = answer.stamp;
      return writer.uint(wallMs).uint(counter).uint(actor).taken();
    }
    case "listed":
      writer.flag(answer.hasMore).uint(answer.all.length);
      for (const shown of answer.all) writeShown(writer, shown);
      return writer.taken();
    case "added":
      writeSigned(writer, answer.count);
      return writer.taken();
    case "events":
      writer.uint(answer.changes.length);
      for (const change of answer.changes) writeShown(writer, change);
      return writer.taken();
    case "status":
      writeText(writer, answer.json);
      return writer.taken();
    case "hello":
      writeText(writer.byte(answer.actors), answer.address);
      return writer.taken();
    case "refused":
      return writer.byte(REFUSALS.indexOf(answer.why)).taken();
  }
}

/** The reply that bytes are; undefined if they are none. */
export function decodeReply(bytes: Uint8Array): Reply | undefined {
  const reader = new ByteReader(bytes);
  const kind = ANSWERS[reader.byte(ANSWERS.length - 1)]!;
  const id = reader.uint();
  const answer = readAnswer(reader, kind);
  return reader.isGood ? { id, answer } : undefined;
}

function readAnswer(reader: ByteReader, kind: Answer["kind"]): Answer {
  switch (kind) {
    case "shown":
      return { kind, shown: readShown(reader) };
    case "done": {
      const wallMs = reader.uint(WALL_MS_MAX);
      const counter = reader.uint(COUNTER_MAX);
      return { kind, stamp: { wallMs, counter, actor: reader.uint() } };
    }
    case "listed": {
      const hasMore = reader.flag();
      return { kind, hasMore, all: readAllShown(reader) };
    }
    case "added":
      return { kind, count: readSigned(reader, Number.MAX_SAFE_INTEGER) };
    case "events":
      return { kind, changes: readAllShown(reader) };
    case "status":
      return { kind, json: utf8.decode(reader.view(TEXT_BYTES_MAX)) };
    case "hello": {
      const actors = reader.byte(ACTORS_MAX);
      return { kind, actors, address: utf8.decode(reader.view(TEXT_BYTES_MAX)) };
    }
    case "refused":
      return { kind, why: REFUSALS[reader.byte(REFUSALS.length - 1)]! };
  }
}

function readAllShown(reader: ByteReader): Shown[] {
  const length = reader.uint();
  const all: Shown[] = [];
  while (all.length < length && reader.isSound) all.push(readShown(reader));
  return all;
}

/** A text as the bytes of a key. */
export function keyOf(text: string | Uint8Array): ByteString {
  if (typeof text !== "string") return byteString(text);
  return ASCII.test(text) ? text : byteString(bytesOfText(text));
}

/** A key as text, what is not UTF-8 replaced. */
export function textOfKey(key: ByteString): string {
  return ASCII.test(key) ? key : textOfBytes(bytesOf(key));
}

/** The number of a request and the actor that it is for, whatever else is in it. */
export function headOf(bytes: Uint8Array): { readonly id: number; readonly actor: number } {
  const reader = new ByteReader(bytes);
  reader.byte();
  const id = reader.uint();
  return { id, actor: reader.byte(ANY_ACTOR) };
}
