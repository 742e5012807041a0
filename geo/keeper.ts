/**
 * Keeps what a server has taken on a disk: a log of entries, and now and then a snapshot of all of
 * them. There is one for all actors of a server.
 *
 * @module
 */
import { ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { Machine, Millis, Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import {
  PART_BYTES_MAX,
  type StoredState,
  type StoreEffect,
  type StoreInput,
} from "../base/store.ts";
import { type Entry, readEntry, writeEntry } from "./entry.ts";
import { memberOf } from "./envelope.ts";
import { Replica } from "./replica.ts";

/** Bytes of the log that are worth a snapshot, unless the last one was larger. */
export const SNAPSHOT_BYTES: number = 8 << 20;
/** The date is noted this often: how long a server was away is known to the hour. */
const NOTE_MS: Millis = 3_600_000;
/** Bytes of one part of a snapshot, but for its last entry. */
const PART_BYTES = PART_BYTES_MAX / 4;

export type KeeperInput =
  /** Keep an entry for an actor, which calls it `ticket`. */
  | {
      readonly kind: "keep";
      readonly actor: number;
      readonly ticket: number;
      readonly entry: Entry;
    }
  | StoreInput;

export type KeeperEffect =
  | StoreEffect
  /** All that the actor asked to be kept up to this ticket is durable. */
  | { readonly kind: "kept"; readonly actor: number; readonly ticket: number }
  /** The disk is full, or has failed for good: a line for people. */
  | { readonly kind: "trouble"; readonly isFinal: boolean; readonly reason: string };

/** What a keeper is made of. */
export interface KeeperOptions {
  readonly state: StoredState;
  readonly wallMs: () => Millis;
  readonly snapshotBytes?: number;
}

/** See the module. */
export class Keeper implements Machine<KeeperInput, KeeperEffect> {
  readonly replica: Replica = new Replica();
  /** When the server last noted that it ran, by its wall clock; undefined if it never did. */
  readonly lastRanMs: Millis | undefined;
  readonly #options: KeeperOptions;
  readonly #out = new Outbox<KeeperEffect>();
  #next: number;
  #token = 0;
  /** Bytes of the log behind the last snapshot, and of that. */
  #logBytes = 0;
  #snapshotBytes = 0;
  #isSaving = false;
  #noteAtMs: Millis;

  /** Throws an Error of one line if the disk holds what is no store. */
  constructor(options: KeeperOptions, nowMs: Millis) {
    this.#options = options;
    const { meta, snapshot, records } = options.state;
    this.lastRanMs = meta === undefined ? undefined : new ByteReader(meta).uint();
    if (snapshot !== undefined) {
      this.#snapshotBytes = snapshot.size;
      this.#readAll(snapshot.bytes ?? new Uint8Array(0), "the snapshot");
    }
    for (let i = records.first; i < records.next; i++) {
      const record = records.at(i);
      this.#logBytes += record.length;
      this.#readAll(record, `record ${i}`);
    }
    this.#next = Math.max(records.next, (snapshot?.index ?? 0) + 1);
    this.#noteAtMs = nowMs;
    this.#note(nowMs);
  }

  /** Addresses of all servers that are known. */
  get servers(): string[] {
    return [...this.replica.entries()].flatMap((entry) => memberOf(entry)?.address ?? []);
  }

  handle(input: KeeperInput | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "keep":
        return this.#keep(input.actor, input.ticket, input.entry);
      case "stored":
        return this.#out.release(input.token);
      case "saved":
        this.#isSaving = false;
        return;
      case "disk":
        if (input.state === "ready") return;
        return this.#out.push({
          kind: "trouble",
          isFinal: input.state === "failed",
          reason: input.reason,
        });
      case "wake":
        return this.#note(nowMs);
      case "loaded":
        return;
    }
  }

  poll(): KeeperEffect | undefined {
    return this.#out.poll();
  }

  wakeAtMs(): Millis {
    return this.#noteAtMs;
  }

  #keep(actor: number, ticket: number, entry: Entry): void {
    this.replica.merge(entry, this.#options.wallMs());
    const writer = new ByteWriter();
    writeEntry(writer, entry);
    const record = writer.taken();
    const token = ++this.#token;
    this.#out.push({ kind: "store", token, log: { at: this.#next++, records: [record] } });
    this.#out.hold(token, { kind: "kept", actor, ticket });
    this.#logBytes += record.length;
    const { snapshotBytes = SNAPSHOT_BYTES } = this.#options;
    if (!this.#isSaving && this.#logBytes > Math.max(snapshotBytes, this.#snapshotBytes)) {
      this.#save();
    }
  }

  /** All of it as a snapshot, which takes the place of the log so far. */
  #save(): void {
    this.replica.sweep(this.#options.wallMs());
    this.#isSaving = true;
    this.#logBytes = 0;
    const index = this.#next - 1;
    let writer = new ByteWriter(PART_BYTES);
    let offset = 0;
    const part = (isLast: boolean): void => {
      const bytes = writer.taken();
      const end = isLast ? { last: { log: "keep" as const } } : {};
      this.#out.push({ kind: "save", token: ++this.#token, index, offset, bytes, ...end });
      offset += bytes.length;
      writer = new ByteWriter(isLast ? 0 : PART_BYTES);
    };
    for (const entry of this.replica.entries()) {
      if (writer.length >= PART_BYTES) part(false);
      writeEntry(writer, entry);
    }
    part(true);
    this.#snapshotBytes = offset;
  }

  #note(nowMs: Millis): void {
    if (nowMs < this.#noteAtMs) return;
    this.#noteAtMs = nowMs + NOTE_MS;
    const meta = new ByteWriter(8).uint(Math.floor(this.#options.wallMs())).taken();
    this.#out.push({ kind: "store", token: ++this.#token, meta });
  }

  #readAll(bytes: Uint8Array, what: string): void {
    const reader = new ByteReader(bytes);
    const wallMs = this.#options.wallMs();
    while (reader.hasMore) {
      const entry = readEntry(reader);
      if (!reader.isSound) throw new Error(`${what} holds no entries: it is not a geo store's`);
      this.replica.merge(entry, wallMs);
    }
  }
}
