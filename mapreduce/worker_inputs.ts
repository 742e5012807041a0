/**
 * What a worker's tasks read, and how it gets there: splits, code, and partitions.
 *
 * @module
 */
import type { EndReason, MrMap } from "../work/mapreduce_messages.ts";
import { decodeAbout, type SharedSplit } from "./about.ts";
import { type KeptJob, type KeptJobs, partOf, sharedFile } from "./kept.ts";
import { ABOUT_BYTES_MAX, CODE_BYTES_MAX, FETCH_TRIES_MAX, FETCHES_MAX } from "./limits.ts";
import type { RoutedFetch, Routes } from "./routes.ts";
import type { WorkerTask } from "./worker_task.ts";
import type { JobFile, JobFilePart, SharedPart } from "./worker_types.ts";

/** What is needed of the worker's core. */
export interface InputsPort {
  readonly jobs: KeptJobs;
  readonly routes: Routes;
  /** A number that no other file has. */
  newNumber(): number;
  put(file: JobFile, offset: number, bytes: Uint8Array): void;
  remove(file: JobFile): void;
  /** Whether this machine has that part of a shared file. */
  open(share: string, part: SharedPart, then: (good: boolean) => void): void;
  verify(part: JobFilePart, hash: string, then: (good: boolean) => void): void;
  /** Whether the task is not over. */
  isLive(task: WorkerTask): boolean;
  /** The tasks of a job that do not run yet. */
  waiting(uid: number): WorkerTask[];
  /** A task may have all that it needs. */
  ready(): void;
  end(task: WorkerTask, why: EndReason, text: string, map?: number, holder?: number): void;
}

/** See the module. */
export class TaskInputs {
  readonly #port: InputsPort;

  constructor(port: InputsPort) {
    this.#port = port;
  }

  /** Fetches what a map reads, unless it lies in a directory that is shared. */
  map(task: WorkerTask, order: MrMap): void {
    const { holder, uid: job, index, at, key: name } = order;
    let about = new Uint8Array();
    this.#fetch(task, {
      holder,
      job,
      at,
      name,
      item: { kind: "about", index },
      bytes: ABOUT_BYTES_MAX,
      isBound: true,
      onPiece: (_offset, piece) => (about = piece.slice()),
      onDone: () => {
        const split = decodeAbout(about);
        if (split === undefined) return this.#noSplit(task);
        task.name = split.name;
        task.firstLine = split.firstLine;
        if (order.terms.share !== "") this.#open(task, order, split.shared);
        this.#port.ready();
      },
      onFailed: () => this.#noSplit(task),
    });
    if (order.terms.share === "") this.#split(task, order);
  }

  #noSplit(task: WorkerTask): void {
    this.#port.end(task, "died", "its split cannot be had");
  }

  /** Reads the split where it lies, if it lies here, too. */
  #open(task: WorkerTask, order: MrMap, shared: SharedSplit | undefined): void {
    if (shared === undefined) return this.#split(task, order);
    const part = { shared, bytes: order.bytes };
    this.#port.open(order.terms.share, part, (good) => {
      if (!this.#port.isLive(task)) return;
      if (!good) return this.#split(task, order);
      task.shared = part;
      task.hasInput = true;
      this.#port.ready();
    });
  }

  #split(task: WorkerTask, { holder, uid: job, index, bytes, at, key: name }: MrMap): void {
    this.#fetch(task, {
      holder,
      job,
      at,
      name,
      item: { kind: "split", index },
      bytes,
      onPiece: (offset, piece) => this.#port.put(task.split, offset, piece),
      onDone: () => {
        if (bytes === 0) this.#port.put(task.split, 0, new Uint8Array());
        task.hasInput = true;
        this.#port.ready();
      },
      onFailed: () => this.#noSplit(task),
    });
  }

  /** The first task of a job that needs its code fetches it for all. */
  code({ order }: WorkerTask, job: KeptJob, hash: string): void {
    job.code = "fetching";
    const { holder, uid, at, key: name } = order;
    const file: JobFile = { uid, kind: "code", number: 0 };
    // A job that is over is not to have files again: this fetch is no task's.
    const isKept = (): boolean => this.#port.jobs.isKept(uid, job);
    const failed = (text: string): void => {
      if (!isKept()) return;
      job.code = "none";
      for (const task of this.#port.waiting(uid)) this.#port.end(task, "died", text);
    };
    let bytes = 0;
    this.#port.routes.start({
      holder,
      job: uid,
      at,
      name,
      item: { kind: "code" },
      bytes: CODE_BYTES_MAX,
      isBound: true,
      onPiece: (offset, piece) => {
        if (!isKept()) return;
        bytes = Math.max(bytes, offset + piece.length);
        this.#port.put(file, offset, piece);
      },
      onDone: () => {
        if (!isKept()) return;
        this.#port.verify({ file, from: 0, to: bytes }, hash, (good) => {
          if (!good) return failed("its code is not what its name says");
          job.code = { file, hash };
          this.#port.ready();
        });
      },
      onFailed: () => failed("its code cannot be had"),
    });
  }

  /** Fetches the partitions of a reduce, some at a time. */
  sources(task: WorkerTask): void {
    while (task.fetching < FETCHES_MAX && task.nextSource < task.sources.length) {
      task.fetching++;
      this.#fetchSource(task, task.nextSource++, FETCH_TRIES_MAX);
      // What it needed cannot be had.
      if (!this.#port.isLive(task)) return;
    }
    this.#port.ready();
  }

  #fetchSource(task: WorkerTask, map: number, tries: number, looks = true): void {
    const { holder, bytes, hash } = task.sources[map]!;
    const { index: reduce, uid } = task.order;
    const { fetched, maps } = this.#port.jobs.of(uid);
    const key = `${map}/${reduce}`;
    const known = fetched.get(key);
    const done = (part: JobFilePart): void => {
      // What lies in the shared directory others can remove: it is looked at each time.
      if (part.file.kind !== "shared") fetched.set(key, { part, hash });
      if (!this.#port.isLive(task)) return;
      task.parts[map] = part;
      task.fetched++;
      task.fetching--;
      this.sources(task);
    };
    const file: JobFile = { uid, kind: "part", number: this.#port.newNumber() };
    const part = { file, from: 0, to: bytes };
    if (bytes === 0) return done(part);
    if (known?.hash === hash) return done(known.part);
    const own = partOf(maps.get(map), reduce);
    if (own !== undefined && maps.get(map)!.parts[reduce]!.hash === hash && tries > 1) {
      // It is its own: nothing is fetched, unless its disk has damaged it.
      return this.#port.verify(own, hash, (good) => {
        if (good) done(own);
        else if (this.#port.isLive(task)) this.#fetchSource(task, map, 1);
      });
    }
    if (task.terms.share !== "" && looks) {
      // It may lie where all see it.
      const seen = { file: sharedFile(uid, map, reduce), from: 0, to: bytes };
      return this.#port.verify(seen, hash, (good) => {
        if (good) done(seen);
        else if (this.#port.isLive(task)) this.#fetchSource(task, map, tries, false);
      });
    }
    const failed = (): void => {
      // The job may be over: nothing of it is to be touched.
      if (!this.#port.isLive(task)) return;
      this.#port.remove(file);
      if (tries > 1) return this.#fetchSource(task, map, tries - 1, false);
      this.#port.end(task, "missing", `the partition of map ${map} cannot be had`, map, holder);
    };
    // What came damaged directly is fetched through the server.
    const at = tries === FETCH_TRIES_MAX ? (task.peers.get(holder) ?? "") : "";
    this.#fetch(task, {
      holder,
      job: uid,
      at,
      name: hash,
      item: { kind: "part", index: map, reduce },
      bytes,
      onPiece: (offset, piece) => this.#port.put(file, offset, piece),
      onDone: () => this.#port.verify(part, hash, (good) => (good ? done(part) : failed())),
      onFailed: failed,
    });
  }

  #fetch(task: WorkerTask, fetch: RoutedFetch): void {
    task.cancels.push(this.#port.routes.start(fetch));
  }
}
