/**
 * The store as a library: `openStore` and what it gives.
 *
 * @module
 */
import { checkInteger, OptionError } from "../base/options.ts";
import type { Params } from "../lsp/mod.ts";
import { byteString } from "../base/byte_fields.ts";
import { type Answered, type CallOptions, StoreClient } from "./client_adapter.ts";
import type { Answer, Change, Command, CommandFailure } from "./commands.ts";
import { type Elected, electedOf } from "./election_adapter.ts";
import { StoreError, type StoreErrorCode } from "./errors.ts";
import { Lease } from "./lease_adapter.ts";
import {
  CHANGES_MAX,
  COMMAND_BYTES_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  TTL_MS_MAX,
  TTL_MS_MIN,
  VALUE_BYTES_MAX,
  whyNoKey,
  whyNoValue,
} from "./limits.ts";
import type { Deed } from "./messages.ts";
import { takeLock, type Lock, type LockOptions } from "./lock_adapter.ts";
import type {
  Bytes,
  ListOptions,
  ReadOptions,
  StoreEntry,
  StoreSet,
  StoreValue,
  WriteOptions,
  Written,
} from "./store_types.ts";
import { watchChanges, type StoreChange, type WatchOptions } from "./watch_adapter.ts";

/** How a store is opened. */
export interface OpenStoreOptions {
  /** Addresses (`HOST:PORT`) of some of its servers; it finds the leader by itself. */
  readonly servers: readonly string[];
  /** Closes the store when aborted. */
  readonly signal?: AbortSignal;
  /** When calls that say nothing else are given up; never if left out. */
  readonly timeoutMs?: number;
  /** Of LSP. */
  readonly params?: Params;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Opens a store. Throws an OptionError; no server need be there yet. */
export function openStore(options: OpenStoreOptions): KvStore {
  if (options.servers.length === 0) throw new OptionError("servers", "got none");
  checkInteger("timeoutMs", options.timeoutMs, 1, 2 ** 31);
  return new KvStore(options);
}

/** A store that is open. All calls reject with a {@link StoreError}. */
export class KvStore implements AsyncDisposable {
  readonly client: StoreClient;
  readonly #timeoutMs: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #close = (): void => void this.close();

  constructor({ servers, signal, timeoutMs, params }: OpenStoreOptions) {
    try {
      this.client = new StoreClient(servers, params);
    } catch (error) {
      throw new OptionError("servers", (error as Error).message);
    }
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    if (signal?.aborted) this.#close();
    signal?.addEventListener("abort", this.#close, { once: true });
  }

  /** Gives up everything that is under way. */
  close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#close);
    return this.client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The value of a key; undefined: there is no such key. */
  async get(key: Bytes, options: ReadOptions = {}): Promise<StoreValue | undefined> {
    const { isStale = false } = options;
    const { reply } = await this.#call({ kind: "get", key: keyOf(key), isStale }, options);
    if (reply.kind !== "value") throw unexpected();
    const { value, version, revision } = reply;
    options.onRevision?.(revision);
    return value && { value, text: fromUtf8.decode(value), version, revision };
  }

  /** Sets a key, or makes it. */
  put(key: Bytes, value: Bytes, options: WriteOptions = {}): Promise<Written> {
    return this.#write({ kind: "put", change: putOf(key, value, options) }, options);
  }

  /** Adds to the end of a value; an absent key is made. */
  append(key: Bytes, value: Bytes, options: WriteOptions = {}): Promise<Written> {
    const { at } = options;
    const command = { kind: "append", key: keyOf(key), at, value: valueOf(value) } as const;
    return this.#write(command, options);
  }

  delete(key: Bytes, options: WriteOptions = {}): Promise<Written> {
    const change = { ...changeOf({ key, at: options.at }), value: undefined };
    return this.#write({ kind: "delete", change }, options);
  }

  /**
   * A put that asks for a version, without a session: it leaves nothing at the servers. When it is
   * sent again and meets a newer version, nobody can say whether that is its own (`isMaybe`).
   */
  putVersion(key: Bytes, value: Bytes, at: number, options: CallOptions = {}): Promise<Written> {
    return this.#write({ kind: "put", change: putOf(key, value, { at }) }, options, true);
  }

  /** Changes several keys as one, if all conditions are met; else none. */
  async compareAndSet(
    sets: readonly StoreSet[],
    options: CallOptions = {},
  ): Promise<{ isDone: boolean; versions: readonly number[]; revision: number }> {
    const changes = sets.map(changeOf);
    const keys = new Set(changes.map(({ key }) => key));
    if (changes.length === 0 || changes.length > CHANGES_MAX || keys.size < changes.length) {
      throw invalid(`got ${changes.length} changes, expected 1..${CHANGES_MAX} of different keys`);
    }
    const bytes = changes.reduce(
      (sum, { key, value }) => sum + key.length + (value?.length ?? 0),
      0,
    );
    if (bytes > COMMAND_BYTES_MAX - 1024) {
      throw invalid(
        `the changes have ${bytes} bytes, expected ${COMMAND_BYTES_MAX - 1024} at most`,
      );
    }
    const answer = await this.#do({ kind: "multi", changes }, options);
    if (answer.kind !== "multi") throw unexpected();
    return answer;
  }

  /** Keys with a prefix, in the order of their bytes; page by page, as they are read. */
  async *list(
    prefix: Bytes = "",
    options: ListOptions = {},
  ): AsyncGenerator<StoreEntry, void, void> {
    const { isStale = false, isLasting = false, keysMax = PAGE_KEYS_MAX } = options;
    const asked = { prefix: prefixOf(prefix), keysMax, isStale, isLasting };
    checkRange("keysMax", keysMax, 1, PAGE_KEYS_MAX);
    let after = options.after === undefined ? "" : byteString(bytesOf(options.after));
    for (let hasMore = true; hasMore;) {
      const { reply } = await this.#call({ kind: "list", after, ...asked }, options);
      if (reply.kind !== "page") throw unexpected();
      options.onRevision?.(reply.revision);
      for (const item of reply.items) yield entryOf(item);
      ({ hasMore } = reply);
      after = reply.items.at(-1)?.key ?? after;
    }
  }

  /** How many changes the store has seen. */
  async revision(options: ReadOptions = {}): Promise<number> {
    const { isStale = false } = options;
    const call = { kind: "list", prefix: "", after: "", keysMax: 1, isStale } as const;
    const { reply } = await this.#call(call, options);
    if (reply.kind !== "page") throw unexpected();
    return reply.revision;
  }

  /**
   * Changes of keys with a prefix, in order and without a gap, from now on or from behind a
   * revision. Ends with a StoreError of code `COMPACTED` if some of them are forgotten.
   */
  watch(prefix: Bytes = "", options: WatchOptions = {}): AsyncGenerator<StoreChange, void, void> {
    return watchChanges(this.client, prefixOf(prefix), options);
  }

  /** A lease, which is renewed until it is released; keys that go with it go when it ends. */
  async lease(ttlMs: number, options: CallOptions = {}): Promise<Lease> {
    checkRange("ttlMs", ttlMs, TTL_MS_MIN, TTL_MS_MAX);
    const askedMs = performance.now();
    const answer = await this.#do({ kind: "lease", ttlMs }, options);
    if (answer.kind !== "lease") throw unexpected();
    return new Lease(this.client, answer.lease, ttlMs, askedMs);
  }

  /** Waits until nobody else holds the lock `name`, and holds it. */
  lock(name: string, options: LockOptions = {}): Promise<Lock> {
    return takeLock(this, name, options);
  }

  /**
   * Stands for election: waits until nobody else is elected in the election `name`, and is. `value`
   * is what others see of the winner; the election is lost as a lock is.
   */
  elect(name: string, value: Bytes, options: Omit<LockOptions, "value"> = {}): Promise<Lock> {
    return takeLock(this, name, { ...options, value });
  }

  /** Who is elected, now and after every change; undefined: nobody. Ends when aborted. */
  elected(
    name: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Elected | undefined, void, void> {
    return electedOf(this, name, signal);
  }

  /** What the server that this store talks to says of itself. */
  async status(options: CallOptions = {}): Promise<Record<string, unknown>> {
    const { reply } = await this.#call({ kind: "status" }, options);
    if (reply.kind !== "status") throw unexpected();
    return JSON.parse(reply.text) as Record<string, unknown>;
  }

  /** Makes a learner a voter, removes a member, or hands the lead over (to 0: to the best one). */
  async manage(deed: Deed, node: number, options: CallOptions = {}): Promise<void> {
    const { reply } = await this.#call({ kind: "manage", deed, node }, options);
    if (reply.kind !== "managed") throw unexpected();
    if (reply.error !== "") throw new StoreError("NOT_DONE", reply.error);
  }

  #call(call: Parameters<StoreClient["call"]>[0], options: CallOptions): Promise<Answered> {
    const { timeoutMs = this.#timeoutMs, signal } = options;
    return this.client.call(call, { timeoutMs, signal });
  }

  async #do(command: Command, options: CallOptions): Promise<Answer> {
    const { reply } = await this.#call({ kind: "write", command, isBare: false }, options);
    if (reply.kind !== "answer") throw unexpected();
    if (reply.answer.kind === "failed") throw failure(reply.answer.why);
    return reply.answer;
  }

  #write(command: Command, options: CallOptions, isBare = false): Promise<Written> {
    const { timeoutMs = this.#timeoutMs, signal } = options;
    const read = isBare ? writtenBare : written;
    return this.client.ask({ kind: "write", command, isBare }, { timeoutMs, signal }, read);
  }
}

/** What a write came to; `isMaybe` is known of those without a session alone. */
function written({ reply }: Answered): Written {
  if (reply.kind !== "answer") throw unexpected();
  const { answer } = reply;
  if (answer.kind === "failed") throw failure(answer.why);
  if (answer.kind !== "done" && answer.kind !== "refused") throw unexpected();
  const { version, revision } = answer;
  return { isDone: answer.kind === "done", version, revision, isMaybe: false };
}

function writtenBare(answered: Answered): Written {
  const one = written(answered);
  return { ...one, isMaybe: !one.isDone && answered.isDoubtful };
}

const unexpected = (): StoreError =>
  new StoreError("NOT_UNDERSTOOD", "the server gave an answer to another question");

const invalid = (text: string): StoreError => new StoreError("INVALID", text);

function checkRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw invalid(`${name} is ${value}, expected a whole number ${min}..${max}`);
}

const FAILURES: Readonly<Record<CommandFailure, readonly [StoreErrorCode, string]>> = {
  malformed: ["NOT_UNDERSTOOD", "the servers did not understand the command"],
  "too large": ["TOO_LARGE", `the value would have more than ${VALUE_BYTES_MAX} bytes`],
  full: ["FULL", "the store is full: delete something, or make it larger"],
  "no lease": ["NO_LEASE", "the lease is over"],
  "too many leases": ["TOO_MANY_LEASES", "there are too many leases"],
  incomplete: ["NOT_UNDERSTOOD", "the command did not arrive whole"],
};

function failure(why: CommandFailure): StoreError {
  return new StoreError(...FAILURES[why]);
}

function bytesOf(value: Bytes): Uint8Array {
  return typeof value === "string" ? utf8.encode(value) : value;
}

function keyOf(key: Bytes): string {
  // Of ASCII the bytes are the characters.
  if (typeof key === "string" && isShortAscii(key)) return key;
  const bytes = bytesOf(key);
  const why = whyNoKey(bytes.length);
  if (why === undefined) return byteString(bytes);
  throw invalid(why);
}

/** Longer keys are as well encoded. */
const SHORT = 64;

function isShortAscii(text: string): boolean {
  if (text.length === 0 || text.length > SHORT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

function prefixOf(prefix: Bytes): string {
  const bytes = bytesOf(prefix);
  if (bytes.length <= KEY_BYTES_MAX) return byteString(bytes);
  throw invalid(`a prefix has ${bytes.length} bytes, expected ${KEY_BYTES_MAX} at most`);
}

function valueOf(value: Bytes): Uint8Array {
  const bytes = bytesOf(value);
  const why = whyNoValue(bytes.length);
  if (why === undefined) return bytes;
  throw invalid(why);
}

function versionOf(at: number | undefined): number | undefined {
  if (at === undefined || (Number.isSafeInteger(at) && at >= 0)) return at;
  throw invalid(`a version is ${at}, expected a whole number from 0 on`);
}

function putOf(
  key: Bytes,
  value: Bytes,
  { at, lease }: WriteOptions,
): Change & { readonly value: Uint8Array } {
  return { key: keyOf(key), at: versionOf(at), value: valueOf(value), lease: lease?.name ?? 0 };
}

function changeOf({ key, at, value, lease }: StoreSet): Change {
  const bytes = value === undefined ? undefined : valueOf(value);
  return { key: keyOf(key), at: versionOf(at), value: bytes, lease: lease?.name ?? 0 };
}

/** A key as text and as bytes. */
export function keyForms(key: string): { key: string; keyBytes: Uint8Array } {
  const keyBytes = Uint8Array.from(key, (character) => character.charCodeAt(0));
  return { key: fromUtf8.decode(keyBytes), keyBytes };
}

function entryOf(item: { key: string; value: Uint8Array; version: number }): StoreEntry {
  return { ...keyForms(item.key), value: item.value, version: item.version };
}
