/**
 * One hashing thread of the pool: claims a block, searches it, hands it in, and sleeps when there
 * is none. It hears of everything through the shared memory and is never disturbed by messages. Of
 * machine code it runs only what a child process has proved.
 *
 * This file is its own worker's program; bundled into one file with the rest it still is, because
 * what it starts is always "the file that I am in".
 *
 * @module
 */
import { constants, setPriority } from "node:os";
import { isMainThread, parentPort, type Worker, workerData } from "node:worker_threads";
import { hashNonce } from "../work/hash.ts";
import type { HeaderSearcher, Kernel, Searcher } from "./kernel.ts";
import { AUTO, KERNEL_NAMES, kernelNamed } from "./kernel_choice.ts";
import { ProvedCode, UnprovedCodeError } from "./kernels/proved_code.ts";
import { plainHeaderSearcher } from "./kernels/scalar_header.ts";
import { plainKernel } from "./plain_kernel.ts";
import { type Block, PoolControl, type SubjectBytes } from "./pool_control.ts";
import type { Niceness } from "./types.ts";
import { ownWorker } from "./own_worker_adapter.ts";

/** A block takes about this long, so that a stop or a shrink is soon honoured. */
const BLOCK_MS = 12;
const BLOCK_NONCES_MIN = 256;
const BLOCK_NONCES_MAX = 2 ** 32;
/** The measurement at the start: long enough for the compiler to have warmed up. */
const WARM_UP_MS = 60;
/** Messages up to this many bytes have their digits in one block with the padding. */
const PREPARED_LENGTH_MAX = 46;
/** Enough for a kernel to go its fast way. */
const PREPARED_NONCES = 10_000n;
/** Where the measurement begins: nonces of nine digits, as most jobs have. */
const WARM_UP_NONCE = 100_000_000n;

/** What a hashing thread is started with. */
export interface WorkerTask {
  readonly role: "motherlode pool";
  readonly memory: SharedArrayBuffer;
  readonly threads: number;
  /** The thread's number, 0 and up. */
  readonly self: number;
  readonly kernel: string;
  /** Memory of the {@link ProvedCode}. */
  readonly proved: SharedArrayBuffer;
  readonly niceness: Niceness;
}

/** What a thread tells the main one. */
export type WorkerReport =
  /** It is ready, and does about `rate` nonces a second with its kernel. */
  | { readonly kind: "ready"; readonly rate: number; readonly kernel: string }
  /** A search may be finished, or its slot free: have a look. */
  | { readonly kind: "look" }
  /** The kernel failed; the plain one takes its place in this thread. */
  | { readonly kind: "kernel error"; readonly text: string }
  /** Code of the kernel is not proved; the safe one takes its place until that is done. */
  | { readonly kind: "unproved"; readonly kernel: string };

/** Starts a thread. */
export function startWorker(task: WorkerTask): Worker {
  return ownWorker(import.meta.url, "pool_worker.ts", task);
}

/** A thread's work; {@link Hasher.run} returns when the pool closes. */
export class Hasher {
  readonly #control: PoolControl;
  readonly #report: (what: WorkerReport) => void;
  readonly #proved: ProvedCode | undefined;
  #kernel: Kernel;
  #subject: SubjectBytes | undefined;
  #searcher: Searcher | HeaderSearcher | undefined;
  #id = -1;
  #wanted = BLOCK_NONCES_MIN;
  /** Message lengths that the kernel was prepared for. */
  #prepared = 0;
  /** The wish for a kernel that was heard last. */
  #heard = 0;
  /** Names of kernels that failed. */
  readonly #distrusted = new Set<string>();

  constructor(
    control: PoolControl,
    kernel: Kernel,
    report: (what: WorkerReport) => void,
    proved?: ProvedCode,
  ) {
    this.#control = control;
    this.#kernel = kernel;
    this.#report = report;
    this.#proved = proved;
  }

  run(): void {
    const control = this.#control;
    const rate = this.#measure();
    this.#report({ kind: "ready", rate, kernel: this.#kernel.name });
    while (!control.closing) {
      if (control.kernel !== this.#heard) this.#changeKernel(control.kernel);
      const seen = control.workCount();
      control.lock();
      const block = control.claim(this.#wanted);
      control.unlock();
      if (block === undefined) {
        if (!this.#prepareNext()) control.awaitWork(seen);
        continue;
      }
      const best = this.#search(block);
      control.lock();
      const look = control.complete(best);
      control.unlock();
      if (look) this.#report({ kind: "look" });
    }
  }

  /**
   * Nonces a second of the best block of a few, so that what else the machine does at one moment
   * does not decide; on a message of common length. A kernel that errs is replaced.
   */
  #measure(): number {
    const message = "motherlode warm-up";
    this.#bind({ bytes: new TextEncoder().encode(message), isHeader: false });
    let lower = WARM_UP_NONCE;
    let rate = 0;
    // The first search may make the kernel's code: it does not count.
    for (let endMs = Infinity, first = true, nowMs = performance.now(); nowMs < endMs;) {
      const kernel = this.#kernel;
      const count = this.#wanted;
      const upper = lower + BigInt(count) - 1n;
      const best = this.#search({ slot: 0, id: -1, lower, upper, target: undefined });
      lower = upper + 1n;
      if (best.hash !== hashNonce(message, best.nonce)) {
        this.#fallBack(new Error(`wrong hash for nonce ${best.nonce}`));
      }
      const thenMs = performance.now();
      const measured = (count * 1000) / Math.max(thenMs - nowMs, 0.001);
      rate = kernel === this.#kernel ? Math.max(rate, measured) : 0;
      if (first) endMs = thenMs + WARM_UP_MS;
      first = false;
      nowMs = thenMs;
    }
    return rate;
  }

  /** Searches a block and learns from its time how large the next one should be. */
  #search(block: Block): ReturnType<Searcher["search"]> {
    if (block.id !== this.#id) {
      this.#id = block.id;
      const subject = this.#control.subjectOf(block);
      if (this.#subject === undefined || !isSame(subject, this.#subject)) this.#bind(subject);
    }
    const { lower, upper, target } = block;
    const startMs = performance.now();
    let best;
    try {
      best = this.#searcher!.search(lower, upper, target);
    } catch (error) {
      this.#fallBack(error);
      best = this.#searcher!.search(lower, upper, target);
    }
    const nonces = Number(upper - lower) + 1;
    const tookMs = performance.now() - startMs;
    // Short blocks, as at a search's end, say little about the time of a full one.
    if (nonces * 4 < this.#wanted) return best;
    const fitting = nonces * Math.min(4, Math.max(0.25, BLOCK_MS / Math.max(tookMs, 0.001)));
    this.#wanted = Math.round(Math.min(BLOCK_NONCES_MAX, Math.max(BLOCK_NONCES_MIN, fitting)));
    return best;
  }

  #bind(subject: SubjectBytes): void {
    this.#subject = subject;
    // Another subject may take longer; a small first block finds out.
    this.#wanted = Math.max(BLOCK_NONCES_MIN, this.#wanted >> 3);
    try {
      this.#searcher = searcherOf(this.#kernel, subject);
    } catch (error) {
      this.#fallBack(error);
    }
  }

  /**
   * In idle moments has the kernel make its code for messages of one more length, so that a short
   * job need not wait for it. Whether there was anything left to make.
   */
  #prepareNext(): boolean {
    if (this.#prepared > PREPARED_LENGTH_MAX) return false;
    const message = new Uint8Array(this.#prepared++).fill(0x61);
    try {
      this.#kernel.bind(message).search(WARM_UP_NONCE, WARM_UP_NONCE + PREPARED_NONCES);
    } catch {
      // A search that needs this shape reports it then.
      return false;
    }
    return true;
  }

  /** From the next block on another kernel works, unless it cannot be made in this thread. */
  #changeKernel(number: number): void {
    this.#heard = number;
    const name = KERNEL_NAMES[number]!;
    if (name === this.#kernel.name || this.#distrusted.has(name)) return;
    try {
      this.#kernel = kernelNamed(name, this.#proved)!;
      this.#subject = undefined;
      this.#id = -1;
      this.#prepared = 0;
    } catch (error) {
      if (error instanceof UnprovedCodeError) this.#report({ kind: "unproved", kernel: name });
      else this.#report({ kind: "kernel error", text: String(error) });
    }
  }

  /** A kernel that failed once is not trusted again; one that must be proved first may be. */
  #fallBack(error: unknown): void {
    if (error instanceof UnprovedCodeError) {
      this.#report({ kind: "unproved", kernel: this.#kernel.name });
      this.#kernel = kernelNamed(AUTO)!;
      this.#searcher = searcherOf(this.#kernel, this.#subject!);
      return;
    }
    this.#report({ kind: "kernel error", text: `${this.#kernel.name}: ${String(error)}` });
    this.#distrusted.add(this.#kernel.name);
    this.#kernel = plainKernel;
    this.#searcher = searcherOf(plainKernel, this.#subject!);
  }
}

function searcherOf(kernel: Kernel, { bytes, isHeader }: SubjectBytes): Searcher | HeaderSearcher {
  if (!isHeader) return kernel.bind(bytes);
  return kernel.bindHeader?.(bytes) ?? plainHeaderSearcher(bytes);
}

function isSame(a: SubjectBytes, b: SubjectBytes): boolean {
  return a.isHeader === b.isHeader && Buffer.compare(a.bytes, b.bytes) === 0;
}

/** The kernel to begin with; where it cannot be made, that is told, and the safe one is. */
function firstKernel(
  name: string,
  report: (what: WorkerReport) => void,
  proved: ProvedCode,
): Kernel {
  try {
    const kernel = kernelNamed(name, proved);
    if (kernel !== undefined) return kernel;
    report({ kind: "kernel error", text: `there is no kernel ${name}` });
  } catch (error) {
    if (error instanceof UnprovedCodeError) report({ kind: "unproved", kernel: name });
    else report({ kind: "kernel error", text: (error as Error).message });
  }
  return kernelNamed(AUTO)!;
}

/** Has this thread run only when nobody else wants to. Best effort: some systems refuse it. */
function stepBack(): void {
  try {
    // On Linux process 0 is the calling thread; elsewhere the whole process steps back.
    setPriority(0, constants.priority.PRIORITY_LOW);
  } catch {
    return;
  }
}

function runThread({ memory, threads, self, kernel, niceness, ...task }: WorkerTask): void {
  const report = (what: WorkerReport): void => parentPort!.postMessage(what);
  if (niceness === "low") stepBack();
  const control = new PoolControl(memory, threads, self);
  const proved = new ProvedCode(task.proved);
  new Hasher(control, firstKernel(kernel, report, proved), report, proved).run();
}

/** Whether this thread is one that {@link startWorker} started. */
function isTask(data: unknown): data is WorkerTask {
  return (
    typeof data === "object" && data !== null && "role" in data && data.role === "motherlode pool"
  );
}

if (!isMainThread && isTask(workerData)) runThread(workerData);
