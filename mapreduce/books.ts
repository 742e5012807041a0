/**
 * What of a job outlives its server, as rows of the job table: who asked for what, the sizes of its
 * splits, and the results that were believed. Who runs what does not, nor who has a result: workers
 * say that when they are back.
 *
 * A job is the group `mr/ID`. Its first row is [version, id, number, key, address, terms, maps];
 * `s/N` are sizes of splits, `m/N` the partitions of map N, `r/N` of reduce N [whether it is final,
 * its output]. The group `mr-past/ID` has why a job ended that nobody followed.
 *
 * @module
 */
import { decodeCbor, encodeCbor } from "../base/cbor.ts";
import { FieldReader, FieldWriter } from "../base/fields.ts";
import type { Millis } from "../base/machine.ts";
import type { KeptRows, RowChange } from "../server/mod.ts";
import { type JobTerms, SHARE_BYTES, TROUBLE_BYTES_MAX } from "../work/mapreduce_messages.ts";
import { PARTS, SIZES, TERMS } from "../work/mapreduce_wire.ts";
import type { JobOrigin, MapReduceJob } from "./fleet_job.ts";
import type { Part } from "./job_types.ts";
import { SPLITS_MAX } from "./limits.ts";
import type { PlannedTask } from "./plan.ts";

const VERSION = 1;
const JOB = "mr/";
const PAST = "mr-past/";
/** Sizes of one row. */
const SIZES_MAX = 4_000;
/** Bytes of one command's rows, about: it stays below what an entry of the log may hold. */
const COMMAND_BYTES = 48_000;
const ADDRESS_BYTES_MAX = 256;
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** What is kept of a job. */
export interface KeptPlan {
  readonly origin: Omit<JobOrigin, "connId">;
  readonly sizes: readonly number[];
  readonly maps: ReadonlyMap<number, readonly Part[]>;
  readonly reduces: ReadonlyMap<number, { readonly isFinal: boolean; readonly part: Part }>;
}

/** See the module. */
export class Books {
  readonly #rows: KeptRows;
  /** Tasks whose results are not in the table as they are here, by job. */
  readonly #dirty = new Map<MapReduceJob, Set<PlannedTask>>();
  /** Commands under way. */
  #saving = 0;

  constructor(rows: KeptRows) {
    this.#rows = rows;
  }

  /** Has a job kept that begins; it is when `then` is called. One without a key cannot be. */
  begin(
    origin: Omit<JobOrigin, "connId">,
    sizes: readonly number[],
    nowMs: Millis,
    then: (nowMs: Millis) => void,
    giveUp: (reason: string, nowMs: Millis) => void,
  ): void {
    if (this.#rows.kept === undefined || origin.key === "") return then(nowMs);
    const { id, number, key, address, terms } = origin;
    const group = `${JOB}${id}`;
    const head = new FieldWriter().count(VERSION).count(id).count(number);
    head.bytes(Uint8Array.fromHex(key)).text(address);
    TERMS.write(head, terms);
    head.count(sizes.length);
    const rows: RowChange[] = [{ group, row: "", bytes: encodeCbor(head.values) }];
    for (let at = 0; at < sizes.length; at += SIZES_MAX) {
      const row = new FieldWriter();
      SIZES.write(row, sizes.slice(at, at + SIZES_MAX));
      rows.push({ group, row: `s/${at / SIZES_MAX}`, bytes: encodeCbor(row.values) });
    }
    const commands = inCommands(rows);
    let left = commands.length;
    const refuse = (reason: string, atMs: Millis): void => {
      if (left < 0) return;
      left = -1;
      this.#shut(group, atMs);
      giveUp(reason, atMs);
    };
    for (const changes of commands) {
      this.#rows.keep(changes, nowMs, (atMs) => void (--left === 0 && then(atMs)), refuse);
    }
  }

  /** What is known of the task's result has changed. */
  note(job: MapReduceJob, planned: PlannedTask): void {
    if (this.#rows.kept === undefined || job.origin.key === "") return;
    const tasks = this.#dirty.get(job) ?? new Set();
    this.#dirty.set(job, tasks.add(planned));
  }

  /** Has kept what was noted since the last call, unless that is under way as yet. */
  flush(nowMs: Millis): void {
    if (this.#dirty.size === 0 || this.#saving > 0) return;
    const rows: RowChange[] = [];
    for (const [job, tasks] of this.#dirty) {
      for (const planned of tasks) rows.push(rowOf(job, planned));
    }
    this.#dirty.clear();
    for (const changes of inCommands(rows)) {
      this.#saving++;
      this.#rows.keep(changes, nowMs, () => void this.#saving--);
    }
  }

  /** The job is over. */
  end(job: MapReduceJob, nowMs: Millis): void {
    this.#dirty.delete(job);
    if (job.origin.key !== "") this.shut(job.origin.id, nowMs);
  }

  /** The job of that id is not to be kept. */
  shut(id: number, nowMs: Millis): void {
    this.#shut(`${JOB}${id}`, nowMs);
  }

  /** Keeps why a job ended; undefined: that is not needed any more. */
  past(id: number, why: string | undefined, nowMs: Millis): void {
    if (this.#rows.kept === undefined) return;
    const bytes = why === undefined ? undefined : new TextEncoder().encode(why);
    this.#rows.keep([{ group: `${PAST}${id}`, row: "", bytes }], nowMs);
  }

  /** Why jobs ended, by their ids. */
  *pasts(): Iterable<readonly [number, string]> {
    for (const [group, rows] of this.#rows.kept ?? []) {
      if (!group.startsWith(PAST)) continue;
      const why = DECODER.decode(rows.get("")?.subarray(0, TROUBLE_BYTES_MAX));
      yield [Number(group.slice(PAST.length)), why];
    }
  }

  /** All jobs that are kept; what of them is not whole goes. */
  kept(nowMs: Millis): KeptPlan[] {
    const plans: KeptPlan[] = [];
    for (const [group, rows] of this.#rows.kept ?? []) {
      if (!group.startsWith(JOB)) continue;
      const plan = planFrom(rows);
      if (plan !== undefined && group === `${JOB}${plan.origin.id}`) plans.push(plan);
      else this.#shut(group, nowMs);
    }
    return plans;
  }

  #shut(group: string, nowMs: Millis): void {
    if (this.#rows.kept === undefined) return;
    this.#rows.keep([{ group, row: "", bytes: undefined }], nowMs);
  }
}

/** The rows in as few commands as may be. */
function inCommands(rows: readonly RowChange[]): RowChange[][] {
  const commands: RowChange[][] = [];
  let size = Infinity;
  for (const row of rows) {
    const bytes = 100 + (row.bytes?.length ?? 0);
    if (size + bytes > COMMAND_BYTES) {
      commands.push([]);
      size = 0;
    }
    commands.at(-1)!.push(row);
    size += bytes;
  }
  return commands;
}

function rowOf({ origin }: MapReduceJob, { kind, index, claim, isFinal }: PlannedTask): RowChange {
  const group = `${JOB}${origin.id}`;
  const row = `${kind === "map" ? "m" : "r"}/${index}`;
  if (claim === undefined) return { group, row, bytes: undefined };
  const fields = new FieldWriter();
  if (kind === "reduce") fields.flag(isFinal);
  PARTS.write(fields, claim);
  return { group, row, bytes: encodeCbor(fields.values) };
}

function planFrom(rows: ReadonlyMap<string, Uint8Array>): KeptPlan | undefined {
  const head = FieldReader.of(decodeCbor(rows.get("") ?? new Uint8Array()));
  if (head === undefined || head.count() !== VERSION) return undefined;
  const [id, number] = [head.count(), head.count()];
  const key = head.bytes(SHARE_BYTES).toHex();
  const address = head.text(ADDRESS_BYTES_MAX);
  const terms: JobTerms = TERMS.read(head);
  const count = head.count(SPLITS_MAX);
  if (!head.isGood) return undefined;
  const sizes: number[] = [];
  for (let i = 0; sizes.length < count; i++) {
    const more = read(rows.get(`s/${i}`), (f) => SIZES.read(f)) ?? [];
    if (more.length === 0) return undefined;
    sizes.push(...more);
  }
  const maps = new Map<number, readonly Part[]>();
  const reduces = new Map<number, { readonly isFinal: boolean; readonly part: Part }>();
  for (const [name, bytes] of rows) {
    const [kind, text] = name.split("/");
    const index = Number(text);
    if (kind === "m" && index < count) {
      const parts = read(bytes, (f) => PARTS.read(f));
      if (parts?.length === terms.reducers) maps.set(index, parts);
    } else if (kind === "r" && index < terms.reducers) {
      const found = read(bytes, (f) => ({ isFinal: f.flag(), parts: PARTS.read(f) }));
      const [part] = found?.parts ?? [];
      if (part !== undefined) reduces.set(index, { isFinal: found!.isFinal, part });
    }
  }
  return { origin: { id, number, key, address, terms }, sizes, maps, reduces };
}

/** What `take` reads of a row, if that is all of it. */
function read<T>(bytes: Uint8Array | undefined, take: (f: FieldReader) => T): T | undefined {
  const fields = FieldReader.of(decodeCbor(bytes ?? new Uint8Array()));
  const value = fields && take(fields);
  return fields?.isGood === true ? value : undefined;
}
