/**
 * What a worker keeps of jobs, and gives to those who ask for it.
 *
 * @module
 */
import type { HaveRow, Item, MrWant, WirePart } from "../work/mapreduce_messages.ts";
import { digestOfParts } from "./parts_digest.ts";
import type { TaskEnd } from "./task_end.ts";
import type { Fetched, WorkerTask } from "./worker_task.ts";
import type { JobFile, JobFilePart } from "./worker_types.ts";

/** The result of a map. */
export interface KeptMap {
  readonly file: JobFile;
  readonly parts: readonly WirePart[];
  /** Where each of the parts ends. */
  readonly ends: readonly number[];
  /** Each of them is a file of its own. */
  readonly isShared: boolean;
}

/** The result of a reduce. */
export interface KeptOutput {
  readonly file: JobFile;
  readonly part: WirePart;
}

/** What a worker keeps of a job. */
export interface KeptJob {
  /** Results by index. */
  readonly maps: Map<number, KeptMap>;
  readonly outputs: Map<number, KeptOutput>;
  /** Partitions that were fetched, by map and reduce: a reduce that comes again finds them. */
  readonly fetched: Map<string, Fetched>;
  /** The application's code, unless it is built in or not here. */
  code: "none" | "fetching" | { readonly file: JobFile; readonly hash: string };
}

/** Of all jobs, by the server's number. */
export class KeptJobs {
  readonly #jobs = new Map<number, KeptJob>();

  of(uid: number): KeptJob {
    const known = this.#jobs.get(uid);
    if (known !== undefined) return known;
    const job: KeptJob = { maps: new Map(), outputs: new Map(), fetched: new Map(), code: "none" };
    this.#jobs.set(uid, job);
    return job;
  }

  /** Whether what is kept of the job is this, as yet. */
  isKept(uid: number, job: KeptJob): boolean {
    return this.#jobs.get(uid) === job;
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Keeps the result of a run, if that is one. */
  keep({ output: file, order, uid }: WorkerTask, end: TaskEnd): void {
    const { maps, outputs } = this.of(uid);
    if (end.kind === "mapped" && order.kind === "mr-map") {
      const { parts } = end;
      let at = 0;
      const ends = parts.map(({ bytes }) => (at += bytes));
      const isShared = end.isShared === true;
      maps.set(order.index, {
        file: isShared ? sharedFile(uid, order.index, 0) : file,
        parts,
        ends,
        isShared,
      });
    } else if (end.kind === "reduced" && order.kind === "mr-reduce") {
      outputs.set(order.index, { file, part: end.output });
    }
  }

  /** What is under way at the server that is gone is not under way any more. */
  interrupt(): void {
    for (const job of this.#jobs.values()) if (job.code === "fetching") job.code = "none";
  }

  /** What there is of each job, for the next server. */
  *rows(): Iterable<readonly [number, HaveRow[]]> {
    for (const [uid, { maps, outputs }] of this.#jobs) {
      const rows: HaveRow[] = [];
      for (const [index, { parts }] of maps) {
        rows.push({ isMap: true, index, isDone: true, hash: digestOfParts(parts) });
      }
      for (const [index, { part }] of outputs) {
        rows.push({ isMap: false, index, isDone: true, hash: digestOfParts([part]) });
      }
      yield [uid, rows];
    }
  }

  forget(uid: number): void {
    this.#jobs.delete(uid);
  }

  clear(): void {
    this.#jobs.clear();
  }

  /** The same for one who must know what it asks for: its SHA-256. */
  findNamed({ job: uid, item, name }: MrWant): JobFilePart | undefined {
    const job = this.#jobs.get(uid);
    if (job === undefined || name === "") return undefined;
    const hash =
      item.kind === "part"
        ? job.maps.get(item.index)?.parts[item.reduce]?.hash
        : item.kind === "output"
          ? job.outputs.get(item.index)?.part.hash
          : undefined;
    return hash === name ? this.find(uid, item) : undefined;
  }

  /** Where an item lies, if it is here. */
  find(uid: number, item: Item): JobFilePart | undefined {
    const job = this.#jobs.get(uid);
    if (job === undefined) return undefined;
    if (item.kind === "part") return partOf(job.maps.get(item.index), item.reduce);
    const file = item.kind === "output" ? job.outputs.get(item.index)?.file : undefined;
    // Its size is the disk's affair: a piece at the end is shorter.
    return file === undefined ? undefined : { file, from: 0, to: Number.MAX_SAFE_INTEGER };
  }
}

/** The partition of a map for a reduce, in the shared directory. */
export function sharedFile(uid: number, map: number, reduce: number): JobFile {
  return { uid, kind: "shared", number: map, reduce };
}

/** Where a map's partition for a reduce lies. */
export function partOf(map: KeptMap | undefined, reduce: number): JobFilePart | undefined {
  const to = map?.ends[reduce];
  if (map === undefined || to === undefined) return undefined;
  if (map.isShared) {
    const { uid, number } = map.file;
    return { file: sharedFile(uid, number, reduce), from: 0, to: map.parts[reduce]!.bytes };
  }
  return { file: map.file, from: map.ends[reduce - 1] ?? 0, to };
}
