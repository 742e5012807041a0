/**
 * Simulated files of one directory: what a program sees of them, and what of that would survive a
 * power cut. Unsynced bytes are lost by the sector, in any subset; unsynced names likewise.
 *
 * @module
 */
import { chance, integerBetween, type Random } from "../../base/random.ts";
import type { FileOperation } from "../../run/disk_files.ts";

/** What a disk writes whole or not at all, except for the very last write before a power cut. */
const SECTOR_BYTES = 512;

interface Write {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The bytes of a file, which grows: a write costs what it writes. */
class Contents {
  length = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  write({ at, bytes }: Write): void {
    const end = at + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, at);
    this.length = Math.max(this.length, end);
  }

  /** A copy of what is there of `at` to `end`. */
  read(at: number, end: number): Uint8Array {
    return this.#bytes.slice(at, Math.min(end, this.length));
  }

  become(other: Contents): void {
    this.#bytes = other.read(0, other.length);
    this.length = other.length;
  }

  flip(at: number, bits: number): void {
    if (at < this.length) this.#bytes[at]! ^= bits;
  }
}

/** A file without a name. */
class Inode {
  /** What a reader sees. */
  readonly seen: Contents = new Contents();
  /** What a power cut leaves. */
  readonly durable: Contents = new Contents();
  /** What was written since the last sync, in order. */
  unsynced: Write[] = [];

  /** Keeps `bytes`, which nobody changes. */
  write(at: number, bytes: Uint8Array): void {
    this.seen.write({ at, bytes });
    this.unsynced.push({ at, bytes });
  }

  sync(): void {
    for (const write of this.unsynced) this.durable.write(write);
    this.unsynced = [];
  }

  /** A sync that failed: what was to be written is forgotten, though a reader still sees it. */
  failSync(random: Random, survival: number): void {
    for (const write of this.#survivors(random, survival)) this.durable.write(write);
    this.unsynced = [];
  }

  cutPower(random: Random, survival: number): void {
    this.failSync(random, survival);
    this.seen.become(this.durable);
  }

  /** The parts of the unsynced writes that reached the disk: of each sector some first few. */
  *#survivors(random: Random, survival: number): Iterable<Write> {
    const written = new Map<number, number>();
    const count = this.unsynced.length;
    for (const [order, { at, bytes }] of this.unsynced.entries()) {
      const isLast = order === count - 1;
      for (let from = 0; from < bytes.length;) {
        const sector = Math.floor((at + from) / SECTOR_BYTES);
        const to = Math.min(bytes.length, (sector + 1) * SECTOR_BYTES - at);
        let until = written.get(sector);
        if (until === undefined) {
          until = chance(random, survival) ? count : integerBetween(random, 0, count - 1);
          written.set(sector, until);
        }
        const isTorn = isLast && chance(random, 0.05);
        const end = isTorn ? integerBetween(random, from, to) : to;
        if (order < until && end > from) {
          yield { at: at + from, bytes: bytes.subarray(from, end) };
        }
        from = to;
      }
    }
  }
}

/** So many zeros, to be read only. */
function zeros(length: number): Uint8Array {
  if (length > manyZeros.length) manyZeros = new Uint8Array(2 * length);
  return manyZeros.subarray(0, length);
}

let manyZeros: Uint8Array = new Uint8Array(0);

/** What an operation does to names: each binds or unbinds some, all together. */
type Naming = readonly (readonly [name: string, inode: Inode | undefined])[];

/** Thrown where a real system says ENOSPC or EIO. */
export class SimulatedError extends Error {
  override name = "SimulatedError";
  readonly isFull: boolean;

  constructor(isFull: boolean) {
    super(isFull ? "ENOSPC: no space left on device" : "EIO: i/o error");
    this.isFull = isFull;
  }
}

/** See the module. */
export class SimulatedFiles {
  /** Bytes that all files may have together. */
  capacityBytes: number = Infinity;
  /** Syncs do nothing, and say that all is well. */
  isLying: boolean = false;
  readonly #random: Random;
  #seen = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #unsynced: Naming[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get names(): string[] {
    return [...this.#seen.keys()];
  }

  /** Bytes of all files. */
  get usedBytes(): number {
    return [...this.#seen.values()].reduce((sum, { seen }) => sum + seen.length, 0);
  }

  size(file: string): number {
    return this.#inode(file).seen.length;
  }

  read(file: string, at: number, length: number): Uint8Array {
    return this.#inode(file).seen.read(at, at + length);
  }

  /** Carries out one operation. Throws a {@link SimulatedError} when there is no space for it. */
  apply(operation: FileOperation): void {
    switch (operation.op) {
      case "create":
        return this.#name([[operation.file, new Inode()]]);
      case "write":
        return this.#write(operation.file, operation.at, operation.bytes.slice());
      case "zeros":
        return this.#write(operation.file, operation.at, zeros(operation.end - operation.at));
      case "sync":
        if (!this.isLying) this.#inode(operation.file).sync();
        return;
      case "rename": {
        const inode = this.#inode(operation.file);
        return this.#name([
          [operation.file, undefined],
          [operation.to, inode],
        ]);
      }
      case "remove":
        this.#inode(operation.file);
        return this.#name([[operation.file, undefined]]);
      case "syncNames":
        if (this.isLying) return;
        this.#durable = new Map(this.#seen);
        this.#unsynced = [];
    }
  }

  /** Fails `operation` half done, as an operation does that a crash or an error cuts short. */
  cutShort(operation: FileOperation): void {
    const random = this.#random;
    if (operation.op === "write" && this.#seen.has(operation.file)) {
      const { file, at, bytes } = operation;
      const most = Math.min(bytes.length, Math.max(0, this.capacityBytes - this.usedBytes));
      this.#write(file, at, bytes.slice(0, integerBetween(random, 0, most)));
    }
    if (operation.op === "sync") this.#seen.get(operation.file)?.failSync(random, 0.5);
  }

  /** What was not durable is lost, each piece of it with the same chance or with one of its own. */
  cutPower(): void {
    const random = this.#random;
    const survival = [0, 0.5, 1][integerBetween(random, 0, 2)]!;
    for (const naming of this.#unsynced) {
      if (!chance(random, survival)) continue;
      for (const [name, inode] of naming) bind(this.#durable, name, inode);
    }
    this.#unsynced = [];
    this.#seen = new Map(this.#durable);
    for (const inode of new Set(this.#seen.values())) inode.cutPower(random, survival);
  }

  /** Flips `bits` of the byte at `at` of a file, durably. */
  rot(file: string, at: number, bits: number): void {
    const inode = this.#inode(file);
    for (const contents of [inode.seen, inode.durable]) contents.flip(at, bits);
  }

  #inode(file: string): Inode {
    const inode = this.#seen.get(file);
    if (inode === undefined) throw new Error(`ENOENT: no such file: ${file}`);
    return inode;
  }

  #write(file: string, at: number, bytes: Uint8Array): void {
    const inode = this.#inode(file);
    const growth = Math.max(0, at + bytes.length - inode.seen.length);
    const room = Math.max(0, this.capacityBytes - this.usedBytes);
    if (growth <= room) return inode.write(at, bytes);
    inode.write(at, bytes.subarray(0, Math.max(0, bytes.length - growth + room)));
    throw new SimulatedError(true);
  }

  #name(naming: Naming): void {
    for (const [name, inode] of naming) bind(this.#seen, name, inode);
    this.#unsynced.push(naming);
  }
}

function bind(names: Map<string, Inode>, name: string, inode: Inode | undefined): void {
  if (inode === undefined) names.delete(name);
  else names.set(name, inode);
}
