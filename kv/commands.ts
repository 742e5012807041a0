/**
 * What changes the store, and what that comes to, as bytes: commands go into the log, answers are
 * kept by sessions and sent to clients. Both are a part of the replicated state; a new kind gets a
 * new number, and no number is ever used again.
 *
 * @module
 */
import {
  type ByteString,
  ByteReader,
  ByteWriter,
  putUint,
  uintBytes,
} from "../base/byte_fields.ts";
import {
  CHANGES_MAX,
  COMMAND_BYTES_MAX,
  KEY_BYTES_MAX,
  LEASES_MAX,
  TTL_MS_MAX,
  TTL_MS_MIN,
  VALUE_BYTES_MAX,
} from "./limits.ts";

/** One change of a compareAndSet. */
export interface Change {
  readonly key: ByteString;
  /** The version that the key must have; 0: none, it must be absent. Undefined: any. */
  readonly at: number | undefined;
  /** The new value; undefined deletes the key. */
  readonly value: Uint8Array | undefined;
  /** The lease that the key goes with; 0: it stays. */
  readonly lease: number;
}

/** What changes the store. */
export type Command =
  /** A change of one key, which must fit. */
  | { readonly kind: "put"; readonly change: Change & { readonly value: Uint8Array } }
  | { readonly kind: "delete"; readonly change: Change & { readonly value: undefined } }
  /** Adds to a value; of an absent key, to nothing. A lease stays what it was. */
  | {
      readonly kind: "append";
      readonly key: ByteString;
      readonly at: number | undefined;
      readonly value: Uint8Array;
    }
  /** All or nothing. Each key comes once. */
  | { readonly kind: "multi"; readonly changes: readonly Change[] }
  /** Makes a lease, which is named by the index of its entry. */
  | { readonly kind: "lease"; readonly ttlMs: number }
  /** Leases end, and their keys go. */
  | { readonly kind: "expire"; readonly leases: readonly number[] }
  /** Tombstones of deletes up to this revision go. */
  | { readonly kind: "sweep"; readonly revision: number }
  /** A part of a command of `size` bytes, which is too large for one entry of the log. */
  | {
      readonly kind: "part";
      readonly upload: number;
      readonly size: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** The command that the parts are, if all of them came. */
  | { readonly kind: "whole"; readonly upload: number }
  /** Parts of uploads that began no later than this one go. */
  | { readonly kind: "discard"; readonly upTo: number };

/** Why a command was not carried out, whatever its conditions. */
export type CommandFailure =
  | "malformed"
  /** A value would be longer than {@link VALUE_BYTES_MAX}. */
  | "too large"
  /** The store is full. */
  | "full"
  /** The lease is unknown, or over. */
  | "no lease"
  | "too many leases"
  /** Parts of it are missing: it was not done. */
  | "incomplete";

const FAILURES: readonly CommandFailure[] = [
  "malformed",
  "too large",
  "full",
  "no lease",
  "too many leases",
  "incomplete",
];

/** What a command came to. `revision` is the store's, behind it. */
export type Answer =
  /** The key's version behind it; of a delete, its last. */
  | { readonly kind: "done"; readonly revision: number; readonly version: number }
  /** A condition was not met, or there was nothing to delete. `version`: the present one, or 0. */
  | { readonly kind: "refused"; readonly revision: number; readonly version: number }
  /** Of `multi`, in the order of its changes: versions behind it, or the present ones. */
  | {
      readonly kind: "multi";
      readonly isDone: boolean;
      readonly revision: number;
      readonly versions: readonly number[];
    }
  | { readonly kind: "lease"; readonly revision: number; readonly lease: number }
  /** Of what the servers do themselves: how many there were. */
  | { readonly kind: "swept"; readonly revision: number; readonly count: number }
  | { readonly kind: "failed"; readonly why: CommandFailure };

const KINDS = [
  "put",
  "delete",
  "append",
  "multi",
  "lease",
  "expire",
  "sweep",
  "part",
  "whole",
  "discard",
] as const;
/** Commands of so many bytes are written at one desk. */
const DESK_BYTES = 4096;
const ANSWERS = ["done", "refused", "multi", "lease", "swept", "failed"] as const;

/** Commands that are small are written here, and then copied: a writer each would cost more. */
const desk = new ByteWriter(DESK_BYTES);

export function encodeCommand(command: Command): Uint8Array {
  const bytes = bytesAbout(command);
  const writer = bytes <= DESK_BYTES ? desk.anew() : new ByteWriter(bytes);
  writer.byte(KINDS.indexOf(command.kind));
  switch (command.kind) {
    case "put":
    case "delete":
      writeChange(writer, command.change);
      break;
    case "append":
      writer.text(command.key).optional(command.at).blob(command.value);
      break;
    case "multi":
      writer.uint(command.changes.length);
      for (const change of command.changes) writeChange(writer, change);
      break;
    case "lease":
      writer.uint(command.ttlMs);
      break;
    case "expire":
      writer.uint(command.leases.length);
      for (const lease of command.leases) writer.uint(lease);
      break;
    case "sweep":
      writer.uint(command.revision);
      break;
    case "part":
      writer.uint(command.upload).uint(command.size).uint(command.offset).blob(command.bytes);
      break;
    case "whole":
      writer.uint(command.upload);
      break;
    case "discard":
      writer.uint(command.upTo);
  }
  return writer === desk ? writer.copied() : writer.taken();
}

/** Room for the fields of a command beside its keys and values: more would be made when needed. */
const FIELDS_BYTES = 40;

/** About so many bytes a command takes. */
function bytesAbout(command: Command): number {
  if (command.kind === "append") return FIELDS_BYTES + command.key.length + command.value.length;
  if (command.kind === "multi" || command.kind === "part") return DESK_BYTES + 1;
  if (command.kind !== "put") return 2 * FIELDS_BYTES;
  const { key, value } = command.change;
  return FIELDS_BYTES + key.length + value.length;
}

/**
 * The command that bytes start..end - 1 are, with copies of what it has of them; undefined when
 * they are none, or it is against the limits.
 */
export function decodeCommand(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): Command | undefined {
  if (end - start > COMMAND_BYTES_MAX) return undefined;
  const reader = new ByteReader(bytes, start, end);
  const kind = KINDS[reader.byte(KINDS.length - 1)]!;
  const command = readCommand(reader, kind);
  return reader.isGood ? command : undefined;
}

/** Commands that servers alone make. */
const OWN_KINDS: readonly Command["kind"][] = ["part", "whole", "sweep", "discard"];

/**
 * Whether it is of a kind that clients may send. What is malformed behind that fails when it is
 * applied: to look at all of it here would be to do that twice.
 */
export function isOfClients(bytes: Uint8Array): boolean {
  const kind = KINDS[bytes[0] ?? KINDS.length];
  if (kind === undefined || OWN_KINDS.includes(kind)) return false;
  if (kind !== "expire") return true;
  const command = decodeCommand(bytes);
  return command?.kind === kind && command.leases.length === 1;
}

/** Commands that may be one of several in an entry of the log: none names what it makes by that. */
const RUN_KINDS: readonly Command["kind"][] = ["put", "delete", "append", "multi"];

/** Whether a command that begins with this byte may be one of a run. */
export function isOfRuns(first: number): boolean {
  const kind = KINDS[first];
  return kind !== undefined && RUN_KINDS.includes(kind);
}

/** Whether `bytes` are `count` commands of a run, as `packed` writes them. */
export function isRun(bytes: Uint8Array, count: number): boolean {
  const reader = new ByteReader(bytes);
  for (let left = count; left > 0; left--) {
    const start = reader.pass();
    if (reader.at === start || !isOfRuns(bytes[start]!)) return false;
  }
  return count > 0 && reader.isGood;
}

function readCommand(reader: ByteReader, kind: Command["kind"]): Command {
  switch (kind) {
    case "put": {
      const change = readChange(reader);
      if (change.value === undefined) reader.reject();
      return { kind, change: change as Change & { readonly value: Uint8Array } };
    }
    case "delete": {
      const change = readChange(reader);
      if (change.value !== undefined || change.lease !== 0) reader.reject();
      return { kind, change: change as Change & { readonly value: undefined } };
    }
    case "append":
      return {
        kind,
        key: readKey(reader),
        at: reader.optional(),
        value: reader.blob(VALUE_BYTES_MAX),
      };
    case "multi": {
      const changes: Change[] = [];
      for (let left = reader.uint(CHANGES_MAX); left > 0; left--) changes.push(readChange(reader));
      if (changes.length === 0 || new Set(changes.map(({ key }) => key)).size < changes.length) {
        reader.reject();
      }
      return { kind, changes };
    }
    case "lease": {
      const ttlMs = reader.uint(TTL_MS_MAX);
      if (ttlMs < TTL_MS_MIN) reader.reject();
      return { kind, ttlMs };
    }
    case "expire": {
      const leases: number[] = [];
      for (let left = reader.uint(LEASES_MAX); left > 0 && reader.isSound; left--) {
        leases.push(reader.uint());
      }
      return { kind, leases };
    }
    case "sweep":
      return { kind, revision: reader.uint() };
    case "part": {
      const upload = reader.uint();
      const size = reader.uint(COMMAND_BYTES_MAX);
      const offset = reader.uint(size);
      return { kind, upload, size, offset, bytes: reader.blob(size - offset) };
    }
    case "whole":
      return { kind, upload: reader.uint() };
    case "discard":
      return { kind, upTo: reader.uint() };
  }
}

/** A key, which is never empty. */
export function readKey(reader: ByteReader): ByteString {
  const key = reader.text(KEY_BYTES_MAX);
  if (key === "") reader.reject();
  return key;
}

function writeChange(writer: ByteWriter, { key, at, value, lease }: Change): void {
  writer
    .text(key)
    .optional(at)
    .flag(value !== undefined);
  if (value !== undefined) writer.uint(lease).blob(value);
}

function readChange(reader: ByteReader): Change {
  const key = readKey(reader);
  const at = reader.optional();
  if (!reader.flag()) return { key, at, value: undefined, lease: 0 };
  const lease = reader.uint();
  return { key, at, value: reader.blob(VALUE_BYTES_MAX), lease };
}

export function encodeAnswer(answer: Answer): Uint8Array {
  if (answer.kind === "done" || answer.kind === "refused") return encodeVersion(answer);
  const writer = new ByteWriter(24).byte(ANSWERS.indexOf(answer.kind));
  if (answer.kind === "failed") return writer.byte(FAILURES.indexOf(answer.why)).taken();
  writer.uint(answer.revision);
  switch (answer.kind) {
    case "multi":
      writer.flag(answer.isDone).uint(answer.versions.length);
      for (const version of answer.versions) writer.uint(version);
      return writer.taken();
    case "lease":
      return writer.uint(answer.lease).taken();
    case "swept":
      return writer.uint(answer.count).taken();
  }
}

/** What nearly all answers are: they are written without a detour. */
function encodeVersion(answer: Answer & { readonly kind: "done" | "refused" }): Uint8Array {
  const { kind, revision, version } = answer;
  const bytes = new Uint8Array(1 + uintBytes(revision) + uintBytes(version));
  bytes[0] = ANSWERS.indexOf(kind);
  putUint(bytes, putUint(bytes, 1, revision), version);
  return bytes;
}

const LEASE_ANSWER: number = ANSWERS.indexOf("lease");

/** The lease that was made, if `bytes` are the answer to that. */
export function grantedLease(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== LEASE_ANSWER) return undefined;
  const answer = decodeAnswer(bytes);
  return answer?.kind === "lease" ? answer.lease : undefined;
}

/** The answer that `bytes` are; undefined when they are none. */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const reader = new ByteReader(bytes);
  const answer = nextAnswer(reader);
  return reader.isGood ? answer : undefined;
}

/** The next answer; what is none, the reader is told. */
export function nextAnswer(reader: ByteReader): Answer {
  return readAnswer(reader, ANSWERS[reader.byte(ANSWERS.length - 1)]!);
}

function readAnswer(reader: ByteReader, kind: Answer["kind"]): Answer {
  if (kind === "failed") return { kind, why: FAILURES[reader.byte(FAILURES.length - 1)]! };
  const revision = reader.uint();
  switch (kind) {
    case "done":
    case "refused":
      return { kind, revision, version: reader.uint() };
    case "multi": {
      const isDone = reader.flag();
      const versions: number[] = [];
      for (let left = reader.uint(CHANGES_MAX); left > 0; left--) versions.push(reader.uint());
      return { kind, isDone, revision, versions };
    }
    case "lease":
      return { kind, revision, lease: reader.uint() };
    case "swept":
      return { kind, revision, count: reader.uint() };
  }
}
