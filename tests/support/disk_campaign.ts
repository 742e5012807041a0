/**
 * One seed of a disk's life: stores and snapshots at random, crashes and power cuts at any moment,
 * on a disk that is slow, full and failing; after each crash what it holds is judged.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import type { StoreEffect, StoreInput } from "../../base/store.ts";
import { DiskError } from "../../run/disk_errors.ts";
import type { OpenedDisk, OpenOptions } from "../../run/disk_open.ts";
import { Dice, Stream } from "../../sim/engine/dice.ts";
import { CrashedWhileOpening, drawDiskFaults, SimulatedDisk } from "../../sim/engine/disk.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { demand } from "../../sim/engine/trace.ts";
import { DiskModel } from "./disk_model.ts";
import { bytesOf } from "./disks.ts";

/** What one seed came to. */
export interface DiskRun {
  readonly lives: number;
  readonly stored: number;
  readonly saved: number;
  readonly full: number;
  readonly failed: number;
  /** Lives that ended in the middle of opening. */
  readonly halfOpened: number;
}

const LIVES = 12;
const STEPS_MAX = 200_000;
/** A core has no more than this under way. */
const PENDING_MAX = 60;
/** A slow disk with much before it takes its time. */
const CLOSE_MS = 1e6;
const OPTIONS: OpenOptions = { kind: "toy", id: "one", segmentBytes: 16 << 10 };

class DiskCampaign {
  readonly #dice: Dice;
  readonly #loop = new Loop();
  readonly #disk: SimulatedDisk;
  readonly #model = new DiskModel();
  readonly #counts = { lives: 0, stored: 0, saved: 0, full: 0, failed: 0, halfOpened: 0 };
  #opened: OpenedDisk | undefined;
  #next = 1;
  #covered = 0;
  #token = 0;
  #isSaving = false;
  #isRejecting = false;
  /** What follows when a part is saved. */
  readonly #awaited = new Map<number, () => void>();
  /** Texts are numbered, so that no two records are alike. */
  #texts = 0;

  constructor(seed: number, change: (disk: SimulatedDisk) => void) {
    this.#dice = new Dice(seed, Stream.plan);
    const faults = drawDiskFaults(this.#dice, "disk");
    this.#disk = new SimulatedDisk(this.#loop, seededRandom(seed, Stream.cores), faults);
    change(this.#disk);
  }

  run(): DiskRun {
    for (let life = 0; life < LIVES; life++) this.#live();
    return this.#counts;
  }

  #live(): void {
    const dice = this.#dice;
    // The first opening does more than those that follow.
    const mayCrash = dice.chance(this.#counts.lives === 0 ? 0.8 : 0.3);
    if (mayCrash) this.#disk.openCrashesAfter = dice.integer(0, 12);
    if (!this.#open()) return;
    this.#counts.lives++;
    const endMs = this.#loop.nowMs + dice.scale(0.5, 300);
    const meanMs = dice.scale(0.02, 20);
    while (this.#loop.nowMs < endMs && !this.#isRejecting) {
      for (let burst = dice.integer(1, 6); burst > 0; burst--) {
        if (this.#model.pending < PENDING_MAX) this.#ask();
      }
      if (dice.chance(0.02)) this.#disk.files.capacityBytes = this.#disk.files.usedBytes;
      else if (dice.chance(0.05)) this.#disk.files.capacityBytes = Infinity;
      const stepMs = dice.real(0, 2 * meanMs);
      this.#loop.runUntil(this.#loop.nowMs + stepMs, () => {}, STEPS_MAX);
    }
    this.#end();
  }

  #end(): void {
    const dice = this.#dice;
    this.#disk.files.capacityBytes = Infinity;
    if (dice.chance(0.2)) {
      let isClosed = false;
      this.#opened!.disk.close(() => (isClosed = true));
      const untilMs = this.#loop.nowMs + CLOSE_MS;
      this.#loop.runUntil(untilMs, () => {}, STEPS_MAX);
      demand(isClosed, () => "the disk does not close");
    }
    if (dice.chance(0.5)) this.#disk.crashProcess();
    else this.#disk.cutPower();
  }

  #open(): boolean {
    try {
      this.#opened = this.#disk.open(OPTIONS);
    } catch (error) {
      if (error instanceof CrashedWhileOpening) {
        this.#counts.halfOpened++;
        if (this.#dice.chance(0.5)) this.#disk.cutPower();
        return false;
      }
      demand(!(error instanceof DiskError), () => `it does not open: ${(error as Error).message}`);
      throw error;
    }
    const { state, disk } = this.#opened;
    const wrong = this.#model.reopened(state);
    demand(wrong === undefined, () => wrong!);
    this.#next = state.records.next;
    this.#covered = state.snapshot?.index ?? 0;
    this.#token = 0;
    this.#awaited.clear();
    this.#isSaving = this.#isRejecting = false;
    disk.start((input) => this.#hear(input));
    return true;
  }

  #hear(input: StoreInput): void {
    this.#model.told(input);
    if (input.kind === "stored") this.#counts.stored++;
    if (input.kind === "saved") {
      this.#counts.saved++;
      this.#awaited.get(input.token)?.();
    }
    if (input.kind !== "disk") return;
    if (input.state === "full") this.#counts.full++;
    if (input.state === "failed") {
      this.#counts.failed++;
      this.#isRejecting = true;
    }
  }

  #ask(): void {
    const dice = this.#dice;
    if (!this.#isSaving && dice.chance(0.05)) return this.#save();
    const token = ++this.#token;
    if (dice.chance(0.1)) {
      return this.#do({ kind: "store", token, meta: bytesOf(`m${++this.#texts}`) });
    }
    const isReplacing = dice.chance(0.1);
    const least = Math.max(this.#covered + 1, this.#next - 5);
    const at = isReplacing ? dice.integer(least, this.#next) : this.#next;
    const records = Array.from({ length: dice.integer(isReplacing ? 0 : 1, 4) }, () => {
      return bytesOf(`${++this.#texts} `.repeat(dice.integer(1, dice.chance(0.03) ? 4000 : 80)));
    });
    this.#next = at + records.length;
    this.#do({ kind: "store", token, log: { at, records } });
  }

  /** Saves a snapshot in one to three parts; the later ones follow as a core would have them. */
  #save(): void {
    const dice = this.#dice;
    const log = dice.chance(0.3) ? "discard" : "keep";
    const most = log === "discard" ? this.#next + 20 : this.#next - 1;
    if (most <= this.#covered) return;
    const index = dice.integer(this.#covered + 1, most);
    const parts = Array.from({ length: dice.integer(1, 3) }, () => bytesOf(`s${++this.#texts} `));
    this.#isSaving = true;
    // What a snapshot stands for is settled: a core replaces none of it.
    if (log === "keep") this.#covered = index;
    const about = dice.chance(0.5) ? { about: bytesOf(`about ${index}`) } : {};
    const logFrom = dice.chance(0.5)
      ? { logFrom: Math.max(1, index + 1 - dice.integer(0, 20)) }
      : {};
    const last = { log, ...about, ...(log === "keep" && logFrom) } as const;
    let offset = 0;
    const saveNext = (): void => {
      const bytes = parts.shift()!;
      const token = ++this.#token;
      const save = { kind: "save", token, index, offset, bytes } as const;
      offset += bytes.length;
      this.#awaited.set(token, () => {
        if (parts.length > 0) return saveNext();
        this.#isSaving = false;
      });
      this.#do(parts.length > 0 ? save : { ...save, last });
      if (parts.length > 0 || log === "keep") return;
      this.#covered = index;
      this.#next = index + 1;
    };
    saveNext();
  }

  #do(effect: StoreEffect): void {
    this.#model.asked(effect);
    this.#opened!.disk.handle(effect);
  }
}

/** Runs one seed; throws a `Violation` that says what was lost. `change` may plant a fault. */
export function runDiskSeed(
  seed: number,
  change: (disk: SimulatedDisk) => void = () => {},
): DiskRun {
  return new DiskCampaign(seed, change).run();
}
