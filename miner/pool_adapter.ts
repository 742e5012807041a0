/**
 * The pool of hashing threads, as the thread that serves the socket sees it. It never hashes and
 * never waits: commands go into the shared memory when its lock is free, and threads say when
 * there is something to look at.
 *
 * @module
 */
import type { Worker } from "node:worker_threads";
import { invariant } from "../base/machine.ts";
import { usableCores } from "../run/machine_limits.ts";
import type { Candidate } from "../work/candidate.ts";
import { AUTO, KERNEL_NAMES, whyNoKernel } from "./kernel_choice.ts";
import { machineCodeOf } from "./kernels/mod.ts";
import { CHOSEN_BY_NAME, type KernelVerdict, SAFE_KERNEL, type Wish } from "./kernels/selection.ts";
import { PoolControl, type SearchState } from "./pool_control.ts";
import { startWorker, type WorkerReport } from "./pool_worker.ts";
import { Prover } from "./prover_adapter.ts";
import type { Niceness, PoolCommand, PoolEvent, Search } from "./types.ts";

/** How often the running search's progress is looked at. */
const LOOK_MS = 100;
/** How soon to come back when the lock was taken. */
const LOCK_RETRY_MS = 1;
/** A thread's seat is filled again this often; then the pool goes on with one less. */
const RESPAWNS_MAX = 5;
/** A thread that has not ended this long after `close` is ended by force. */
const CLOSE_MS = 500;

/** How a pool is made. */
export interface PoolOptions {
  /** Hashing threads; by default as many as this process may use cores. */
  readonly threads?: number;
  /** Name of the kernel; by default the fastest here, found by measuring while work goes on. */
  readonly kernel?: string;
  /** Where it is kept which kernels were proved on this machine; in memory only, if left out. */
  readonly cacheDirectory?: string;
  /** Proves kernels; by default what all pools of this process with that directory share. */
  readonly prover?: Prover;
  /** Default: low. */
  readonly niceness?: Niceness;
  readonly onEvent: (event: PoolEvent) => void;
  /** The measurement of the kernels is over, or one was asked for; the threads go on with it. */
  readonly onKernel?: (verdict: KernelVerdict) => void;
  /** One line for people: a thread died, a kernel failed or is struck off. */
  readonly onLog?: (text: string) => void;
  /** The last thread has died for good; nothing will be answered any more. */
  readonly onDead?: () => void;
}

interface Open {
  readonly search: Search;
  readonly slot: number;
  /** What was told last: it holds whatever happens to the threads. */
  toldNext: bigint;
  toldBest: Candidate | undefined;
}

interface Seat {
  worker: Worker | undefined;
  rate: number | undefined;
  kernel: string;
  spawns: number;
}

/** Threads that search; see the module's comment. Tells `pool` when they are ready. */
export class Pool {
  readonly threads: number;
  readonly #options: PoolOptions;
  readonly #kernel: string;
  readonly #control: PoolControl;
  readonly #seats: Seat[] = [];
  readonly #commands: PoolCommand[] = [];
  readonly #dead: number[] = [];
  /** Searches that were started and are not ended, in order. */
  readonly #open = new Map<number, Open>();
  #order = 0;
  readonly #prover: Prover;
  /** What is wished of the prover; nothing when the kernel needs no proof. */
  readonly #wish: Wish | undefined;
  /** Which kernel it is and why, once that is known and not told yet. */
  #verdict: KernelVerdict | undefined;
  #hasToldPool = false;
  /** Ends the wait for what the prover finds out. */
  #endLearning: (() => void) | undefined;
  #hasProvedAnew = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.threads = options.threads ?? usableCores();
    this.#control = PoolControl.create(this.threads);
    this.#prover = options.prover ?? Prover.at(options.cacheDirectory);
    const named = this.#usableName(options.kernel ?? AUTO);
    const isNative = machineCodeOf(named) !== undefined;
    this.#wish = named === AUTO ? {} : isNative ? { only: named } : undefined;
    this.#verdict = this.#wish && this.#prover.known(this.#wish);
    if (this.#verdict !== undefined && isNative && this.#verdict.name !== named) {
      this.#log(`kernel ${named} cannot be used; ${this.#verdict.reason}`);
    }
    this.#kernel = this.#wish === undefined ? named : (this.#verdict?.name ?? SAFE_KERNEL);
    for (let self = 0; self < this.threads; self++) {
      this.#seats.push({ worker: undefined, rate: undefined, kernel: this.#kernel, spawns: 0 });
      this.#spawn(self);
    }
    if (this.#verdict === undefined) this.#learn();
  }

  /** Nonces searched since the pool began, by blocks that are done. */
  get searched(): bigint {
    return this.#control.searched();
  }

  /** Obeys a command, in order. */
  command(command: PoolCommand): void {
    if (this.#closing !== undefined) return;
    this.#commands.push(command);
    this.#pump();
  }

  /** Ends one thread by force, as a crash would: for tests and drills. */
  killThread(self: number): void {
    void this.#seats[self]?.worker?.terminate();
  }

  /** Ends all threads; resolves when they are gone. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#endLearning?.();
    this.#control.announceClosing();
    const workers = this.#seats.flatMap(({ worker }) => (worker === undefined ? [] : [worker]));
    await Promise.all(
      workers.map((worker) => {
        const force = setTimeout(() => void worker.terminate(), CLOSE_MS);
        return new Promise<void>((resolve) => {
          worker.once("exit", () => {
            clearTimeout(force);
            resolve();
          });
        });
      }),
    );
  }

  // ---- the kernel

  /** That name, or "auto" in place of one that cannot be used here; then a line says why. */
  #usableName(name: string): string {
    const why = whyNoKernel(name);
    if (why === undefined) return name;
    this.#log(`cannot use kernel ${name}: ${why}; going on with the fastest`);
    return AUTO;
  }

  /** Has the kernels proved and measured, while the threads work with what is safe. */
  #learn(): void {
    const wish = this.#wish;
    if (wish === undefined) return;
    this.#endLearning = this.#prover.learn(wish, {
      onBetter: ({ name }) => this.#use(name),
      onDone: (verdict) => {
        this.#endLearning = undefined;
        this.#use(verdict.name);
        this.#verdict = verdict;
        if (this.#hasToldPool) this.#tellVerdict();
      },
      onWarning: (text) => this.#log(text),
    });
  }

  /** From their next block on the threads use that kernel. */
  #use(name: string): void {
    if (this.#control.kernel === 0 && name === this.#kernel) return;
    this.#control.kernel = KERNEL_NAMES.indexOf(name);
  }

  #tellVerdict(): void {
    const verdict = this.#verdict;
    this.#verdict = undefined;
    if (verdict !== undefined) this.#options.onKernel?.(verdict);
  }

  /** The records are of other code: all is proved anew, and until then what is safe works. */
  #proveAnew(kernel: string): void {
    if (this.#endLearning !== undefined) return;
    if (this.#hasProvedAnew) {
      return this.#log(`kernel ${kernel} cannot be used: its code differs from what was proved`);
    }
    this.#hasProvedAnew = true;
    this.#verdict = undefined;
    this.#control.kernel = KERNEL_NAMES.indexOf(SAFE_KERNEL);
    this.#prover.forget();
    this.#learn();
  }

  // ---- threads

  #spawn(self: number): void {
    const seat = this.#seats[self]!;
    seat.spawns++;
    seat.rate = undefined;
    const { memory } = this.#control;
    const worker = startWorker({
      role: "motherlode pool",
      memory,
      threads: this.threads,
      self,
      kernel: this.#kernel,
      proved: this.#prover.proved.memory,
      niceness: this.#options.niceness ?? "low",
    });
    seat.worker = worker;
    worker.on("message", (report: WorkerReport) => this.#handleReport(self, report));
    worker.on("error", (error: Error) =>
      this.#log(`hashing thread ${self} failed: ${error.message}`),
    );
    worker.on("exit", () => {
      seat.worker = undefined;
      if (this.#closing !== undefined) return;
      this.#dead.push(self);
      this.#pump();
    });
  }

  #handleReport(self: number, report: WorkerReport): void {
    if (this.#closing !== undefined) return;
    if (report.kind === "look") return this.#pump();
    if (report.kind === "kernel error") return this.#log(`kernel failed: ${report.text}`);
    if (report.kind === "unproved") return this.#proveAnew(report.kernel);
    this.#seats[self]!.rate = report.rate;
    this.#seats[self]!.kernel = report.kernel;
    this.#tellPool();
  }

  /** Tells how the pool is made up, once all that live are ready. */
  #tellPool(): void {
    const seats = this.#seats.filter((seat) => seat.worker !== undefined);
    if (seats.length === 0 || seats.some((seat) => seat.rate === undefined)) return;
    const rate = Math.round(seats.reduce((sum, seat) => sum + seat.rate!, 0));
    const label = [...new Set(seats.map((seat) => seat.kernel))].join(", ");
    this.#options.onEvent({ kind: "pool", threads: seats.length, rate, label });
    if (this.#hasToldPool) return;
    this.#hasToldPool = true;
    if (this.#wish !== undefined) return this.#tellVerdict();
    const reason = label === this.#kernel ? CHOSEN_BY_NAME : `${this.#kernel} cannot be used`;
    this.#options.onKernel?.({ name: label, rate: rate / seats.length, reason });
  }

  /** Leaves a dead thread's block to others and fills its seat, within limits. Under the lock. */
  #bury(self: number, heldLock: boolean): void {
    if (heldLock) {
      // It died while writing: nothing that it may have touched is believed.
      this.#control.forget(self);
      for (const { slot, toldNext, toldBest } of this.#open.values()) {
        this.#control.restart(slot, toldNext, toldBest);
      }
    } else this.#control.orphan(self);
    const again = this.#seats[self]!.spawns <= RESPAWNS_MAX;
    this.#log(`hashing thread ${self} died; ${again ? "starting another" : "going on without it"}`);
    if (again) this.#spawn(self);
    else if (this.#seats.every((seat) => seat.worker === undefined)) this.#options.onDead?.();
    else this.#tellPool();
  }

  // ---- searches

  /** Does all there is to do, or comes back in a moment if the lock is taken. */
  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#closing !== undefined) return;
    const heldLock = this.#dead.find((self) => this.#control.seizeLock(self));
    if (heldLock === undefined && !this.#control.tryLock()) {
      this.#timer = setTimeout(() => this.#pump(), LOCK_RETRY_MS);
      return;
    }
    const events: PoolEvent[] = [];
    const changed = this.#dead.length > 0 || this.#commands.length > 0;
    const dead = this.#dead.splice(0);
    while (this.#commands.length > 0 && this.#obey(this.#commands[0]!, events)) {
      this.#commands.shift();
    }
    this.#lookAtSearches(events);
    for (const self of dead) this.#bury(self, self === heldLock);
    this.#control.unlock();
    if (changed) this.#control.announceWork();
    if (this.#open.size > 0 || this.#commands.length > 0) {
      this.#timer = setTimeout(() => this.#pump(), LOOK_MS);
    }
    for (const event of events) this.#options.onEvent(event);
  }

  /** Whether the command could be obeyed; if not, a slot must become free first. */
  #obey(command: PoolCommand, events: PoolEvent[]): boolean {
    if (command.kind === "start") {
      const { search } = command;
      invariant(!this.#open.has(search.id), "a search's id is never used again");
      const slot = this.#control.open(search, this.#order + 1);
      if (slot === undefined) return false;
      this.#order++;
      this.#open.set(search.id, { search, slot, toldNext: search.lower, toldBest: undefined });
      return true;
    }
    const open = this.#open.get(command.id);
    if (open === undefined) return true;
    const { id } = command;
    if (command.kind === "shrink") {
      events.push({ kind: "shrunk", id, upper: this.#control.shrink(open.slot, command.upper) });
      return true;
    }
    const state = this.#control.stateOf(open.slot);
    if (state.finished) return true;
    this.#control.close(open.slot);
    this.#open.delete(id);
    events.push({ kind: "stopped", id, ...news(open, state) });
    return true;
  }

  #lookAtSearches(events: PoolEvent[]): void {
    for (const [id, open] of this.#open) {
      const state = this.#control.stateOf(open.slot);
      if (state.finished) {
        invariant(state.best !== undefined, "a finished search has a best candidate");
        this.#control.close(open.slot);
        this.#open.delete(id);
        events.push({ kind: "finished", id, best: state.best });
      } else if (state.begun && (state.next > open.toldNext || state.best !== undefined)) {
        events.push({ kind: "progress", id, ...news(open, state) });
      }
    }
  }

  #log(text: string): void {
    this.#options.onLog?.(text);
  }
}

/** What is known about a search; its prefix never shrinks, whatever happens to the threads. */
function news(open: Open, { next, best }: SearchState): { next: bigint; best?: Candidate } {
  if (next > open.toldNext) open.toldNext = next;
  open.toldBest = best;
  return best === undefined ? { next: open.toldNext } : { next: open.toldNext, best };
}
