/**
 * What a worker keeps of jobs, and gives to those who ask for it.
 *
 * @module
 */
import type { Item, WirePart } from "../work/mapreduce_messages.ts";
import type { Fetched } from "./worker_task.ts";
import type { JobFile, JobFilePart } from "./worker_types.ts";

/** The result of a map. */
export interface KeptMap {
  readonly file: JobFile;
  readonly parts: readonly WirePart[];
  /** Where each of the parts ends. */
  readonly ends: readonly number[];
}

/** The result of a reduce. */
export interface KeptOutput {
  readonly file: JobFile;
  readonly hash: string;
}

/** What a worker keeps of a job. */
export interface KeptJob {
  /** Results by index. */
  readonly maps: Map<number, KeptMap>;
  readonly outputs: Map<number, KeptOutput>;
  /** Partitions that were fetched, by map and reduce: a reduce that comes again finds them. */
  readonly fetched: Map<string, Fetched>;
  code: "none" | "fetching" | JobFile;
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

  forget(uid: number): void {
    this.#jobs.delete(uid);
  }

  clear(): void {
    this.#jobs.clear();
  }

  /** The same for one who must know what it asks for: its SHA-256. */
  findNamed(uid: number, item: Item, name: string): JobFilePart | undefined {
    const job = this.#jobs.get(uid);
    if (job === undefined || name === "") return undefined;
    const hash =
      item.kind === "part"
        ? job.maps.get(item.index)?.parts[item.reduce]?.hash
        : item.kind === "output"
          ? job.outputs.get(item.index)?.hash
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

/** Where a map's partition for a reduce lies. */
export function partOf(map: KeptMap | undefined, reduce: number): JobFilePart | undefined {
  const to = map?.ends[reduce];
  if (map === undefined || to === undefined) return undefined;
  return { file: map.file, from: map.ends[reduce - 1] ?? 0, to };
}
