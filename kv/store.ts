/**
 * The store as a replicated state: keys with values and versions, tombstones, leases. It changes by
 * commands alone, in the order of the log.
 *
 * @module
 */
import { type SnapshotSteps, type StateMachine, wholeOf } from "../base/state_machine.ts";
import { type ByteString, ByteReader, ByteWriter, joinedBytes } from "../base/byte_fields.ts";
import { ChangeLog } from "./change_log.ts";
import {
  type Answer,
  type Change,
  type Command,
  type CommandFailure,
  decodeCommand,
  encodeAnswer,
} from "./commands.ts";
import { Items, PART_BYTES, partsOf } from "./items.ts";
import {
  ITEM_BYTES,
  KEY_BYTES_MAX,
  LEASES_MAX,
  PAGE_BYTES_MAX,
  PAGE_KEYS_MAX,
  STORE_BYTES_MAX,
  TTL_MS_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import type { Item, ItemHead } from "./record.ts";
import { Staging } from "./staging.ts";

/** What is left of a deleted key: a version, above which the key goes on when it is made again. */
interface Tombstone {
  readonly version: number;
  readonly revision: number;
}

/** A lease: its time to live, and the keys that go with it. */
interface Lease {
  readonly ttlMs: number;
  readonly keys: Set<ByteString>;
}

/** A page of a list. */
export interface Page {
  readonly items: readonly Item[];
  /** Whether more keys follow. */
  readonly hasMore: boolean;
}

const SNAPSHOT_VERSION = 1;

/** See the module. */
export class Store implements StateMachine {
  #items = new Items();
  /** In the order of their revisions. */
  #tombstones = new Map<ByteString, Tombstone>();
  #staging = new Staging();
  /** In the order of their names. */
  #leases = new Map<number, Lease>();
  /** The latest changes, of this node. */
  readonly changes: ChangeLog = new ChangeLog();
  readonly #bytesMax: number;
  #revision = 0;
  #bytes = 0;

  /** `bytesMax` must be the same on all nodes. */
  constructor(bytesMax: number = STORE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Counts changes: one more with each. */
  get revision(): number {
    return this.#revision;
  }

  /** Keys that are there. */
  get size(): number {
    return this.#items.size;
  }

  /** The weight of all that is kept, at most {@link STORE_BYTES_MAX}. */
  get bytes(): number {
    return this.#bytes;
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }

  /** The upload of a large command that began last, of those that are under way. */
  get lastUpload(): number | undefined {
    return this.#staging.last;
  }

  /** Times to live of leases by name, in the order of their making. */
  get leases(): ReadonlyMap<number, { readonly ttlMs: number }> {
    return this.#leases;
  }

  /** The value is good until the next command. */
  get(key: ByteString): Item | undefined {
    return this.#items.get(key);
  }

  /**
   * Keys with `prefix` behind `after`, in order: a page, or fewer if `keysMax` says so. Values are
   * good until the next command.
   * `isLasting`: without those that go with a lease.
   */
  list(
    prefix: ByteString,
    after: ByteString,
    keysMax: number = PAGE_KEYS_MAX,
    isLasting = false,
  ): Page {
    const items: Item[] = [];
    let bytes = 0;
    for (const item of this.#items.from(after > prefix ? after : prefix)) {
      if (!item.key.startsWith(prefix)) break;
      if (item.key === after || (isLasting && item.lease !== 0)) continue;
      if (items.length >= Math.min(keysMax, PAGE_KEYS_MAX) || bytes >= PAGE_BYTES_MAX) {
        return { items, hasMore: true };
      }
      items.push(item);
      bytes += item.key.length + item.value.length;
    }
    return { items, hasMore: false };
  }

  apply(bytes: Uint8Array, index: number): Uint8Array {
    return this.applyPart(bytes, 0, bytes.length, index);
  }

  applyPart(bytes: Uint8Array, start: number, end: number, index: number): Uint8Array {
    const command = decodeCommand(bytes, start, end);
    const malformed: Answer = { kind: "failed", why: "malformed" };
    return encodeAnswer(command === undefined ? malformed : this.#do(command, index));
  }

  #do(command: Command, index: number): Answer {
    switch (command.kind) {
      case "put":
      case "delete":
        return this.#changeOne(command.change);
      case "append": {
        const { key, at, value } = command;
        if (!isAt(this.#items.head(key), at)) return this.#refused(this.#items.head(key));
        const item = this.#items.get(key);
        const whole = item === undefined ? value : joinedBytes([item.value, value]);
        return this.#changeOne({ key, at, value: whole, lease: item?.lease ?? 0 });
      }
      case "multi":
        return this.#changeAll(command.changes);
      case "lease":
        if (this.#leases.size >= LEASES_MAX) return failed("too many leases");
        this.#leases.set(index, { ttlMs: command.ttlMs, keys: new Set() });
        return { kind: "lease", revision: this.#revision, lease: index };
      case "expire":
        return this.#expire(command.leases);
      case "sweep":
        return this.#sweep(command.revision);
      case "part":
        this.#staging.add(command);
        return this.#swept(1);
      case "whole": {
        const bytes = this.#staging.take(command.upload);
        const whole = bytes && decodeCommand(bytes);
        // One that is not whole, or is made of itself, is none.
        if (whole === undefined || whole.kind === "whole") return failed("incomplete");
        return this.#do(whole, index);
      }
      case "discard":
        return this.#swept(this.#staging.discard(command.upTo));
    }
  }

  #changeOne(change: Change): Answer {
    const item = this.#items.head(change.key);
    if (!isAt(item, change.at)) return this.#refused(item);
    if (change.value === undefined && item === undefined) return this.#refused(item);
    const why = this.#whyNotOne(change) ?? this.#whyFull(this.#growthBy(change));
    if (why !== undefined) return failed(why);
    const version = this.#change(change);
    return { kind: "done", revision: this.#revision, version };
  }

  #changeAll(changes: readonly Change[]): Answer {
    const items = changes.map(({ key }) => this.#items.head(key));
    if (!changes.every(({ at }, i) => isAt(items[i], at))) {
      const versions = items.map((item) => item?.version ?? 0);
      return { kind: "multi", isDone: false, revision: this.#revision, versions };
    }
    const why = this.#whyNot(changes);
    if (why !== undefined) return failed(why);
    const versions = changes.map((change) => this.#change(change));
    return { kind: "multi", isDone: true, revision: this.#revision, versions };
  }

  #refused(item: ItemHead | undefined): Answer {
    return { kind: "refused", revision: this.#revision, version: item?.version ?? 0 };
  }

  #whyNot(changes: readonly Change[]): CommandFailure | undefined {
    let growth = 0;
    for (const change of changes) {
      const why = this.#whyNotOne(change);
      if (why !== undefined) return why;
      growth += this.#growthBy(change);
    }
    return this.#whyFull(growth);
  }

  #whyNotOne({ value, lease }: Change): CommandFailure | undefined {
    if (value === undefined) return undefined;
    if (value.length > VALUE_BYTES_MAX) return "too large";
    return lease !== 0 && !this.#leases.has(lease) ? "no lease" : undefined;
  }

  #growthBy({ key, value }: Change): number {
    if (value === undefined) return 0;
    const item = this.#items.head(key);
    if (item !== undefined) return value.length - item.valueBytes;
    return value.length + (this.#tombstones.has(key) ? 0 : ITEM_BYTES + key.length);
  }

  #whyFull(growth: number): CommandFailure | undefined {
    return growth > 0 && this.#bytes + growth > this.#bytesMax ? "full" : undefined;
  }

  /** Changes one key, which must be possible; the key's version behind it. */
  #change({ key, value, lease }: Change): number {
    const item = this.#items.head(key);
    const tombstone = item === undefined ? this.#tombstones.get(key) : undefined;
    const last = item?.version ?? tombstone?.version ?? 0;
    // A delete in a multi of a key that is not there changes nothing.
    if (value === undefined && item === undefined) return 0;
    const revision = ++this.#revision;
    if (item !== undefined && item.lease !== lease) this.#leases.get(item.lease)?.keys.delete(key);
    if (item === undefined && tombstone === undefined) this.#bytes += ITEM_BYTES + key.length;
    this.#bytes += (value?.length ?? 0) - (item?.valueBytes ?? 0);
    if (value === undefined) {
      this.#items.delete(key);
      this.#tombstones.set(key, { version: last, revision });
    } else {
      if (tombstone !== undefined) this.#tombstones.delete(key);
      this.#items.set({ key, value, version: last + 1, lease });
      if (lease !== 0) this.#leases.get(lease)!.keys.add(key);
    }
    const version = value === undefined ? last : last + 1;
    this.changes.push({ revision, key, value, version }, lease !== 0);
    return version;
  }

  #expire(leases: readonly number[]): Answer {
    let count = 0;
    for (const name of leases) {
      const lease = this.#leases.get(name);
      if (lease === undefined) continue;
      count++;
      // In their order, which is the same on every node, also after a snapshot.
      for (const key of [...lease.keys].sort()) {
        this.#change({ key, at: undefined, value: undefined, lease: 0 });
      }
      this.#leases.delete(name);
    }
    return this.#swept(count);
  }

  #swept(count: number): Answer {
    return { kind: "swept", revision: this.#revision, count };
  }

  #sweep(upTo: number): Answer {
    let count = 0;
    for (const [key, { revision }] of this.#tombstones) {
      if (revision > upTo) break;
      this.#tombstones.delete(key);
      this.#bytes -= ITEM_BYTES + key.length;
      count++;
    }
    return this.#swept(count);
  }

  snapshot(): Uint8Array {
    return wholeOf(this.snapshotSteps());
  }

  snapshotSteps(): SnapshotSteps {
    const staged = new ByteWriter();
    this.#staging.write(staged);
    const head = new ByteWriter().byte(SNAPSHOT_VERSION).uint(this.#revision);
    head.uint(this.#leases.size);
    for (const [name, { ttlMs }] of this.#leases) head.uint(name).uint(ttlMs);
    head.uint(this.#items.size);
    const tombstones = {
      keys: [...this.#tombstones.keys()],
      each: [...this.#tombstones.values()],
    };
    // From here on the state may change.
    const items = partsOf(this.#items.frozen(), head.whole());
    return stepsOf(items, tombstones, staged.whole());
  }

  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    const version = reader.byte();
    if (version !== SNAPSHOT_VERSION) {
      throw new Error(`Cannot read a store of version ${version}: expected ${SNAPSHOT_VERSION}`);
    }
    const other = new Store(this.#bytesMax);
    other.#read(reader);
    if (!reader.isGood) throw new Error("Cannot read the store: its snapshot is damaged");
    this.#items = other.#items;
    this.#tombstones = other.#tombstones;
    this.#leases = other.#leases;
    this.#staging = other.#staging;
    this.#bytes = other.#bytes;
    this.#revision = other.#revision;
    this.changes.restart(this.#revision);
  }

  /** Reads what follows the version of a snapshot. */
  #read(reader: ByteReader): void {
    this.#revision = reader.uint();
    for (let left = reader.uint(); left > 0 && reader.isSound; left--) {
      this.#leases.set(reader.uint(), { ttlMs: reader.uint(TTL_MS_MAX), keys: new Set() });
    }
    for (let left = reader.uint(); left > 0 && reader.isSound; left--) {
      const key = reader.text(KEY_BYTES_MAX);
      const value = reader.blob(VALUE_BYTES_MAX);
      const item = { key, value, version: reader.uint(), lease: reader.uint() };
      this.#items.set(item);
      this.#bytes += ITEM_BYTES + key.length + value.length;
      this.#leases.get(item.lease)?.keys.add(key);
    }
    for (let left = reader.uint(); left > 0 && reader.isSound; left--) {
      const key = reader.text(KEY_BYTES_MAX);
      this.#tombstones.set(key, { version: reader.uint(), revision: reader.uint() });
      this.#bytes += ITEM_BYTES + key.length;
    }
    this.#staging.read(reader);
  }
}

/** The parts of a snapshot: items, tombstones, what is staged. */
function* stepsOf(
  items: Generator<Uint8Array, void, void>,
  { keys, each }: { readonly keys: readonly ByteString[]; readonly each: readonly Tombstone[] },
  staged: Uint8Array,
): Generator<Uint8Array, Uint8Array, void> {
  yield* items;
  let writer = new ByteWriter().uint(keys.length);
  for (const [i, key] of keys.entries()) {
    const { version, revision } = each[i]!;
    writer.text(key).uint(version).uint(revision);
    if (writer.length < PART_BYTES) continue;
    yield writer.whole();
    writer = new ByteWriter(PART_BYTES);
  }
  return writer.raw(staged).whole();
}

const failed = (why: CommandFailure): Answer => ({ kind: "failed", why });

/** Whether a key has the version that is asked for; 0: it must be absent. */
function isAt(item: ItemHead | undefined, at: number | undefined): boolean {
  return at === undefined || at === (item?.version ?? 0);
}
