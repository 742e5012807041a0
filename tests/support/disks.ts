/**
 * Both drivers of disks under one set of handles, so that one suite judges both: the real one, in a
 * directory of its own, and the simulated one.
 *
 * @module
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { seededRandom } from "../../base/random.ts";
import type { SaveEnd, Store, StoredState, StoreInput } from "../../base/store.ts";
import { openDisk } from "../../run/disk.ts";
import type { FileFailure, FileOperation, Files } from "../../run/disk_files.ts";
import type { Disk, OpenedDisk, OpenOptions } from "../../run/disk_open.ts";
import { SimulatedDisk } from "../../sim/engine/disk.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { within } from "./waiting.ts";

/** What a test's disks have unless it says otherwise. */
export const OPTIONS: OpenOptions = { kind: "toy", id: "one", segmentBytes: 32 << 10 };

/** What a test waits for on a simulated disk comes within so many virtual milliseconds. */
const VIRTUAL_MS_MAX = 20_000;

/** A disk's place, which outlives those that open it. */
export interface DiskWorld {
  open(options?: Partial<OpenOptions>): OpenedDisk;
  /** The process that has the disk open dies. */
  crash(disk: Disk): Promise<void>;
  list(): string[];
  read(file: string): Uint8Array;
  /** Flips `bits` of one byte. */
  rot(file: string, at: number, bits?: number): void;
  /** From now on no file can grow, or they can again. */
  setFull(isFull: boolean): void;
  /** The next operation `op` on a file whose name begins so fails: EIO, or ENOSPC if `isFull`. */
  failNext(op: FileOperation["op"], file: string, isFull?: boolean): void;
  /** Appends and other runs of operations so far, by the name of the first file. */
  runs(file: string): number;
  /** Lets time go by until `promise` is settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Takes everything away. */
  end(): void;
}

/** Puts faults between a log and its files. */
export class FaultyFiles implements Files {
  /** No file can grow. */
  isFull: boolean = false;
  /** A full disk takes no write at all, as those do that copy on write. */
  copiesOnWrite: boolean = false;
  failure:
    { op: FileOperation["op"]; file: string; isFull: boolean; error?: "EIO" | "EROFS" } | undefined;
  readonly ran: Map<string, number> = new Map();
  inner: Files | undefined;

  /** For `openDisk`, and those who open one. */
  readonly between = (files: Files): Files => {
    this.inner = files;
    return this;
  };

  run(operations: readonly FileOperation[], done: (failure?: FileFailure) => void): void {
    const [first] = operations;
    const name = first === undefined || first.op === "syncNames" ? "" : first.file;
    this.ran.set(name, (this.ran.get(name) ?? 0) + 1);
    this.#runOn(operations, done);
  }

  #runOn(operations: readonly FileOperation[], done: (failure?: FileFailure) => void): void {
    const [operation, ...rest] = operations;
    if (operation === undefined) return done();
    const fault = this.#faultOf(operation);
    if (fault !== undefined) return this.inner!.endOfTurn(() => done(fault));
    this.inner!.run([operation], (failure) => {
      if (failure !== undefined) done(failure);
      else this.#runOn(rest, done);
    });
  }

  #faultOf(operation: FileOperation): FileFailure | undefined {
    const { op } = operation;
    const file = op === "syncNames" ? "" : operation.file;
    if (this.failure?.op === op && file.startsWith(this.failure.file)) {
      const { isFull, error = "EIO" } = this.failure;
      this.failure = undefined;
      return { op, isFull, text: `cannot ${op} ${file}: ${isFull ? "ENOSPC" : error}` };
    }
    // What lies in a segment has its blocks already.
    const isInPlace = !this.copiesOnWrite && file.startsWith("log-");
    const grows = (op === "write" || op === "zeros") && !isInPlace;
    if (!this.isFull || !grows) return undefined;
    return { op, isFull: true, text: `cannot write ${file}: ENOSPC: no space left on device` };
  }

  read(...args: Parameters<Files["read"]>): void {
    this.inner!.read(...args);
  }

  endOfTurn(action: () => void): void {
    this.inner!.endOfTurn(action);
  }

  later(delayMs: number, action: () => void): void {
    this.inner!.later(delayMs, action);
  }
}

/** The real driver, in a directory of the system's place for such. */
export function systemWorld(): DiskWorld {
  const directory = fs.mkdtempSync(`${tmpdir()}/motherlode-disk-`);
  const faulty = new FaultyFiles();
  const open: (() => Promise<void>)[] = [];
  return {
    open(options) {
      const opened = openDisk({ ...OPTIONS, ...options, directory }, faulty.between);
      open.push(() => opened.disk.abandon());
      return opened;
    },
    crash: (disk) => new Promise((done) => disk.abandon(done)),
    list: () => fs.readdirSync(directory),
    read: (file) => new Uint8Array(fs.readFileSync(`${directory}/${file}`)),
    rot(file, at, bits = 0x10) {
      const bytes = fs.readFileSync(`${directory}/${file}`);
      bytes[at]! ^= bits;
      fs.writeFileSync(`${directory}/${file}`, bytes);
    },
    setFull: (isFull) => void (faulty.isFull = isFull),
    failNext: (op, file, isFull = false) => void (faulty.failure = { op, file, isFull }),
    runs: (file) => faulty.ran.get(file) ?? 0,
    settle: (promise) => within("a disk", promise),
    end() {
      const rest = open.map((close) => close());
      void Promise.all(rest).then(() => fs.rmSync(directory, { recursive: true, force: true }));
    },
  };
}

/** The simulated driver, on a clock of its own. */
export function simulatedWorld(): DiskWorld {
  const loop = new Loop();
  const disk = new SimulatedDisk(loop, seededRandom(7));
  return {
    open: (options) => disk.open({ ...OPTIONS, ...options }),
    crash(open) {
      open.abandon(() => {});
      return Promise.resolve();
    },
    list: () => disk.files.names,
    read: (file) => disk.files.read(file, 0, disk.files.size(file)),
    rot: (file, at, bits = 0x10) => disk.files.rot(file, at, bits),
    setFull: (isFull) => void (disk.files.capacityBytes = isFull ? 0 : Infinity),
    failNext: (op, file, isFull = false) => void (disk.failNext = { op, file, isFull }),
    runs: (file) => disk.runs.get(file) ?? 0,
    async settle(promise) {
      let isSettled = false;
      const note = (): void => void (isSettled = true);
      promise.then(note, note);
      for (let i = 0; !isSettled && i < VIRTUAL_MS_MAX; i++) {
        // Whatever waits for promises goes first, as it does on Bun.
        for (let job = 0; job < 5; job++) await Promise.resolve();
        if (!isSettled) loop.runUntil(loop.nowMs + 1, () => {}, 1e9);
      }
      if (!isSettled) throw new Error(`${VIRTUAL_MS_MAX} virtual ms went by in vain`);
      return await promise;
    },
    end() {},
  };
}

/** Both, by the names of their tests. */
export const DISK_WORLDS: Readonly<Record<string, () => DiskWorld>> = {
  "disk on files": systemWorld,
  "simulated disk": simulatedWorld,
};

/** A disk that was opened, with the other end of what its core would be told. */
export class Rig {
  readonly world: DiskWorld;
  readonly disk: Disk;
  readonly state: StoredState;
  readonly told: StoreInput[] = [];
  token = 0;
  /** The highest token that was answered by `stored`. */
  stored = 0;
  readonly #watchers = new Set<() => void>();

  constructor(world: DiskWorld, options?: Partial<OpenOptions>) {
    this.world = world;
    const { disk, state } = world.open(options);
    this.disk = disk;
    this.state = state;
    disk.start((input) => {
      this.told.push(input);
      if (input.kind === "stored") this.stored = input.token;
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Lets time go by until `found` gives something. */
  until<T>(found: () => T | undefined | false): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = (): void => {
      const result = found();
      if (result === undefined || result === false) return;
      this.#watchers.delete(look);
      resolve(result);
    };
    this.#watchers.add(look);
    look();
    return this.world.settle(promise);
  }

  /** Asks for a store, and does not wait. Gives the token. */
  ask(store: Omit<Store, "kind" | "token">): number {
    const token = ++this.token;
    this.disk.handle({ kind: "store", token, ...store });
    return token;
  }

  async store(store: Omit<Store, "kind" | "token">): Promise<void> {
    const token = this.ask(store);
    await this.until(() => this.stored >= token);
  }

  /** Appends `texts` from index `at` on. */
  append(at: number, ...texts: string[]): Promise<void> {
    return this.store({ log: { at, records: texts.map(bytesOf) } });
  }

  /** Saves a snapshot in parts of `partBytes`. */
  async save(
    index: number,
    bytes: Uint8Array,
    last: SaveEnd | SaveEnd["log"],
    partBytes: number = 1 << 20,
  ): Promise<void> {
    for (let offset = 0; ; offset += partBytes) {
      const part = bytes.subarray(offset, offset + partBytes);
      const isLast = offset + partBytes >= bytes.length;
      const token = this.askToSave(index, offset, part, isLast ? last : undefined);
      await this.until(() => this.wasSaved(token));
      if (isLast) return;
    }
  }

  askToSave(
    index: number,
    offset: number,
    bytes: Uint8Array,
    last?: SaveEnd | SaveEnd["log"],
  ): number {
    const token = ++this.token;
    const save = { kind: "save", token, index, offset, bytes } as const;
    const end = typeof last === "string" ? { log: last } : last;
    this.disk.handle(end === undefined ? save : { ...save, last: end });
    return token;
  }

  wasSaved(token: number): boolean {
    return this.told.some((input) => input.kind === "saved" && input.token === token);
  }

  /** The part of a snapshot from `offset` on; undefined if it is not the newest. */
  load(index: number, offset: number, bytesMax: number): Promise<Uint8Array | null> {
    const before = this.told.length;
    this.disk.handle({ kind: "load", index, offset, bytesMax });
    return this.until(() => {
      const input = this.told.slice(before).find(({ kind }) => kind === "loaded");
      return input?.kind === "loaded" && (input.bytes ?? null);
    });
  }

  /** The state that the disk told last, if it told any. */
  get diskState(): string | undefined {
    const last = this.told.findLast(({ kind }) => kind === "disk");
    return last?.kind === "disk" ? last.state : undefined;
  }

  close(): Promise<void> {
    return this.world.settle(new Promise((done) => this.disk.close(done)));
  }

  /** What the log held when it was opened, as text. */
  get texts(): string[] {
    return textsOf(this.state);
  }
}

/** The records of a state as text, from its first one on. */
export function textsOf({ records }: StoredState): string[] {
  const texts: string[] = [];
  for (let index = records.first; index < records.next; index++) {
    texts.push(textOf(records.at(index)));
  }
  return texts;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
