/**
 * The log as a node has it in memory: entries behind a base, of consecutive indexes and of terms
 * that never fall.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { ConfigHistory } from "./config.ts";
import type { Entry } from "./messages.ts";
import { entryBytes } from "./params.ts";
import type { Persisted } from "./types.ts";

/** Where two logs differ, as a refusal tells it. */
export interface Conflict {
  /** The term of the entry in question; 0 when the log is shorter. */
  readonly term: number;
  /** The first index of that term that the log still has; 0 when it is shorter. */
  readonly index: number;
}

/** What an entry weighs. */
export function weightOf(entry: Entry): number {
  return entryBytes(entry.data.length);
}

/** Entries, their terms, and the configurations among them. */
export class RaftLog {
  readonly configs: ConfigHistory;
  #entries: Entry[];
  #baseIndex: number;
  #baseTerm: number;
  #bytes = 0;

  constructor({ snapshot, base, entries }: Persisted) {
    invariant(base.index <= snapshot.index, "the log begins behind the snapshot");
    this.configs = new ConfigHistory({ index: snapshot.index, config: snapshot.config });
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#entries = [];
    for (const entry of entries) this.append(entry);
    invariant(this.lastIndex >= snapshot.index, "the log ends before the snapshot");
    invariant(this.termAt(snapshot.index) === snapshot.term, "log and snapshot do not fit");
  }

  /** The entry before the first that is here. */
  get baseIndex(): number {
    return this.#baseIndex;
  }

  get baseTerm(): number {
    return this.#baseTerm;
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }

  /** The weight of all entries here. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The weight of the entries behind `index`. */
  bytesBehind(index: number): number {
    let bytes = this.#bytes;
    const count = index - this.#baseIndex;
    for (let i = 0; i < count; i++) bytes -= weightOf(this.#entries[i]!);
    return bytes;
  }

  /** The term at `index`; undefined where the log has nothing, or nothing any more. */
  termAt(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term;
  }

  /** The entry at `index`, which is here. */
  entryAt(index: number): Entry {
    const entry = this.#entries[index - this.#baseIndex - 1];
    invariant(entry, () => `no entry ${index} in ${this.#baseIndex + 1}..${this.lastIndex}`);
    return entry;
  }

  /** Adds the next entry. */
  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, () => `entry ${entry.index} leaves a gap`);
    invariant(entry.term >= this.lastTerm, () => `the term falls at ${entry.index}`);
    this.#entries.push(entry);
    this.#bytes += weightOf(entry);
    if (entry.config !== undefined) this.configs.append(entry);
  }

  /** Takes away the entry at `index` and all behind it. */
  truncate(index: number): void {
    invariant(index > this.#baseIndex, () => `cannot truncate at ${index}, it is compacted`);
    while (this.lastIndex >= index) this.#bytes -= weightOf(this.#entries.pop()!);
    this.configs.truncate(index);
  }

  /** Lets go of the entries up to `index`, and of configurations before `configsFrom`. */
  compact(index: number, configsFrom: number): void {
    if (index > this.#baseIndex) {
      const term = this.termAt(index);
      invariant(term !== undefined, () => `cannot compact up to ${index}, the log is shorter`);
      const gone = this.#entries.splice(0, index - this.#baseIndex);
      for (const entry of gone) this.#bytes -= weightOf(entry);
      this.#baseIndex = index;
      this.#baseTerm = term;
    }
    this.configs.forgetBefore(configsFrom);
  }

  /** Everything goes: the log is empty behind `index`. */
  reset(index: number, term: number): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  /**
   * The index behind which the last entries up to `index` are: at most so many, that weigh at most
   * so much.
   */
  behindLast(index: number, entriesMax: number, bytesMax: number): number {
    let behind = index;
    const least = Math.max(this.#baseIndex, index - entriesMax);
    for (let bytes = 0; behind > least; behind--) {
      bytes += weightOf(this.#entries[behind - this.#baseIndex - 1]!);
      if (bytes > bytesMax) break;
    }
    return behind;
  }

  /** Of the entries from..to, both included, the first ones that weigh `bytesMax`, or the first. */
  slice(from: number, to: number, bytesMax: number = Infinity): Entry[] {
    const start = from - this.#baseIndex - 1;
    invariant(start >= 0 && to <= this.lastIndex, () => `no entries ${from}..${to} here`);
    let end = start;
    let bytes = 0;
    for (const most = to - this.#baseIndex; end < most; end++) {
      bytes += weightOf(this.#entries[end]!);
      if (bytes > bytesMax && end > start) break;
    }
    return this.#entries.slice(start, end);
  }

  /** Whether a log that ends so is at least as complete as this one (Raft paper, 5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;
    return lastIndex >= this.lastIndex;
  }

  /** What a refusal at `index` tells. */
  conflictAt(index: number): Conflict {
    if (index > this.lastIndex) return { term: 0, index: 0 };
    const term = this.termAt(index) ?? this.#baseTerm;
    return { term, index: this.#firstNotBelow(term) };
  }

  /** The last index whose term is at most `term`; the base's when even that is later. */
  lastOfTermsUpTo(term: number): number {
    return this.#firstNotBelow(term + 1) - 1;
  }

  /** The first index behind the base whose term is at least `term`. */
  #firstNotBelow(term: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.term >= term) high = middle;
      else low = middle + 1;
    }
    return this.#baseIndex + 1 + low;
  }
}
