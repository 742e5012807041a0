/**
 * A simulated disk: the log of `run/disk.ts`, byte for byte the same code, on simulated files. It
 * is slow, fails, runs full, lies and rots as it is told to, and a power cut loses what was not
 * synced. A disk outlives the processes that open it.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { chance, type Random, unitReal } from "../../base/random.ts";
import { DiskError } from "../../run/disk_errors.ts";
import type { FileFailure, FileOperation, Files, Volume } from "../../run/disk_files.ts";
import type { DiskLog } from "../../run/disk_log.ts";
import {
  type Disk,
  LogDisk,
  type OpenedDisk,
  type OpenOptions,
  openVolume,
} from "../../run/disk_open.ts";
import type { Owner } from "../../run/disk_owner.ts";
import type { Durable } from "./computer.ts";
import type { Dice } from "./dice.ts";
import { SimulatedError, SimulatedFiles } from "./disk_files.ts";
import type { Loop } from "./loop.ts";

/** What a disk is like. Shares are probabilities an operation. */
export interface DiskFaults {
  /** An operation takes up to this long, a sync up to ten times as long. */
  readonly operationMs: Millis;
  /** Operations that take up to `slowMs` more. */
  readonly slowShare: number;
  readonly slowMs: Millis;
  /** Writes and syncs that fail with EIO. */
  readonly failShare: number;
}

/** A quick disk without faults. */
export const CALM_DISK: DiskFaults = { operationMs: 0.02, slowShare: 0, slowMs: 0, failShare: 0 };

/** Draws what a disk is like. Each kind of fault is there in about half the runs. */
export function drawDiskFaults(dice: Dice, name: string): DiskFaults {
  return {
    operationMs: dice.scale(0.005, 1, `${name}.operationMs`),
    slowShare: dice.sometimes(0.5, 0, 0.2, `${name}.slow`),
    slowMs: dice.scale(1, 500, `${name}.slowMs`),
    failShare: dice.sometimes(0.4, 0, 0.01, `${name}.fail`),
  };
}

/** Thrown out of `open` when the process crashes in the middle of it. */
export class CrashedWhileOpening extends Error {
  override name = "CrashedWhileOpening";
}

/** See the module. */
export class SimulatedDisk implements Durable {
  readonly files: SimulatedFiles;
  faults: DiskFaults;
  /** How people know it. */
  readonly name: string;
  /** Operations after which the next `open` crashes. */
  openCrashesAfter: number = Infinity;
  /** The next operation `op` on a file whose name begins so fails: EIO, or ENOSPC. */
  failNext:
    | { readonly op: FileOperation["op"]; readonly file: string; readonly isFull: boolean }
    | undefined;
  /** Runs of operations so far, by the name of the first file. */
  readonly runs: Map<string, number> = new Map();
  readonly #loop: Loop;
  readonly #random: Random;
  #open: OpenSimulatedDisk | undefined;

  constructor(loop: Loop, random: Random, faults: DiskFaults = CALM_DISK, name = "disk") {
    this.#loop = loop;
    this.#random = random;
    this.faults = faults;
    this.name = name;
    this.files = new SimulatedFiles(random);
  }

  /** Opens it for one life of a process. Throws a `DiskError`, or {@link CrashedWhileOpening}. */
  open(options: OpenOptions): OpenedDisk {
    if (this.#open !== undefined) throw new DiskError("LOCKED", `${this.name}: it is in use`);
    const files = new TimedFiles(this, this.#loop, this.#random);
    const volume = new UntimedVolume(this);
    const { owner, state, log } = openVolume(volume, files, options, this.#random);
    this.#open = new OpenSimulatedDisk(owner, log, files, () => (this.#open = undefined));
    return { disk: this.#open, state };
  }

  /** The process that has it open dies. What it wrote stays, what it was writing may be half. */
  crashProcess(): void {
    this.#open?.crash();
  }

  /** The machine dies: what was not synced is lost, in part. */
  cutPower(): void {
    this.crashProcess();
    this.files.cutPower();
  }

  /** Carries out one operation, with the faults of this disk. */
  apply(operation: FileOperation, mayFail: boolean): void {
    const { op } = operation;
    const isWriting = op === "write" || op === "zeros" || op === "sync" || op === "syncNames";
    const { failNext } = this;
    const isDoomed = op === failNext?.op && fileOf(operation).startsWith(failNext.file);
    if (isDoomed) this.failNext = undefined;
    if (isDoomed || (mayFail && isWriting && chance(this.#random, this.faults.failShare))) {
      this.files.cutShort(operation);
      throw new SimulatedError(isDoomed && failNext.isFull);
    }
    this.files.apply(operation);
  }

  /** How long an operation takes. */
  durationMs({ op }: Pick<FileOperation, "op">): Millis {
    const { operationMs, slowShare, slowMs } = this.faults;
    const usualMs = operationMs * unitReal(this.#random) * (op === "sync" ? 10 : 1);
    return usualMs + (chance(this.#random, slowShare) ? unitReal(this.#random) * slowMs : 0);
  }
}

function fileOf(operation: FileOperation): string {
  return operation.op === "syncNames" ? "" : operation.file;
}

function failureOf(disk: string, op: FileOperation, error: unknown): FileFailure {
  const where = `${disk}/${fileOf(op)}`;
  const isFull = error instanceof SimulatedError && error.isFull;
  return { op: op.op, isFull, text: `cannot ${op.op} ${where}: ${(error as Error).message}` };
}

/** The files as a log sees them: every operation takes its time. */
class TimedFiles implements Files {
  readonly #disk: SimulatedDisk;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #underWay = new Set<FileOperation>();
  #isAlive = true;

  constructor(disk: SimulatedDisk, loop: Loop, random: Random) {
    this.#disk = disk;
    this.#loop = loop;
    this.#random = random;
  }

  run(operations: readonly FileOperation[], done: (failure?: FileFailure) => void): void {
    const { runs } = this.#disk;
    const name = fileOf(operations[0]!);
    runs.set(name, (runs.get(name) ?? 0) + 1);
    let next = 0;
    const step = (): void => {
      const operation = operations[next++];
      if (operation === undefined) return done();
      this.#underWay.add(operation);
      this.#after(this.#disk.durationMs(operation), () => {
        this.#underWay.delete(operation);
        try {
          this.#disk.apply(operation, true);
        } catch (error) {
          return done(failureOf(this.#disk.name, operation, error));
        }
        step();
      });
    };
    step();
  }

  read(
    file: string,
    at: number,
    length: number,
    done: (result: Uint8Array | FileFailure) => void,
  ): void {
    this.#after(this.#disk.durationMs({ op: "write" }), () => {
      try {
        done(this.#disk.files.read(file, at, length));
      } catch (error) {
        done({ ...failureOf(this.#disk.name, { op: "sync", file }, error), op: "read" });
      }
    });
  }

  endOfTurn(action: () => void): void {
    this.#after(0, action);
  }

  later(delayMs: number, action: () => void): void {
    this.#after(delayMs, action);
  }

  /** Nobody is called any more; of what is under way some is done, or half done. */
  end(): void {
    this.#isAlive = false;
    for (const operation of this.#underWay) {
      if (chance(this.#random, 0.5)) this.#disk.files.cutShort(operation);
    }
  }

  #after(delayMs: Millis, action: () => void): void {
    this.#loop.after(delayMs, () => {
      if (this.#isAlive) action();
    });
  }
}

/** The files while a disk is opened. */
class UntimedVolume implements Volume {
  readonly name: string;
  readonly #disk: SimulatedDisk;

  constructor(disk: SimulatedDisk) {
    this.name = disk.name;
    this.#disk = disk;
  }

  list(): string[] {
    return this.#disk.files.names;
  }

  size(file: string): number {
    return this.#disk.files.size(file);
  }

  read(file: string, at: number, length: number): Uint8Array {
    return this.#disk.files.read(file, at, length);
  }

  apply(operations: readonly FileOperation[]): void {
    for (const operation of operations) {
      if (this.#disk.openCrashesAfter-- <= 0) {
        this.#disk.openCrashesAfter = Infinity;
        this.#disk.files.cutShort(operation);
        throw new CrashedWhileOpening();
      }
      try {
        this.#disk.apply(operation, false);
      } catch (error) {
        const { isFull, text } = failureOf(this.name, operation, error);
        throw new DiskError(isFull ? "FULL" : "UNUSABLE", text, { cause: error });
      }
    }
  }
}

class OpenSimulatedDisk extends LogDisk implements Disk {
  readonly #files: TimedFiles;
  #release: (() => void) | undefined;

  constructor(owner: Owner, log: DiskLog, files: TimedFiles, release: () => void) {
    super(owner, log);
    this.#files = files;
    this.#release = release;
  }

  close(done: () => void): void {
    this.log.close(() => {
      this.crash();
      done();
    });
  }

  abandon(done: () => void): void {
    this.crash();
    done();
  }

  crash(): void {
    this.log.abandon();
    this.#files.end();
    this.#release?.();
    this.#release = undefined;
  }
}
