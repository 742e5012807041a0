/**
 * The thread that serves a graphics processor: it works through the searches that the pool is
 * given, in order, and says how they go. The socket thread is never kept waiting, neither by a
 * driver's compiler nor by `bun-webgpu`, which polls for results.
 *
 * As `pool_worker.ts` this file is its own worker's program.
 *
 * @module
 */
import { isMainThread, parentPort, type Worker, workerData } from "node:worker_threads";
import { clipped } from "../../base/text.ts";
import { Channel } from "../../channels/mod.ts";
import { LABEL_BYTES_MAX } from "../../work/messages.ts";
import type { PoolCommand, PoolEvent, Search } from "../types.ts";
import { type Gpu, openGpu } from "./gpu_native.ts";
import { firstPace, GpuSearch, type Pace, selfTestGpu } from "./gpu_search_native.ts";
import { headerSubject, messageSubject } from "./tiles.ts";
import { ownWorker } from "../own_worker_adapter.ts";

/** The running search's progress is told this often. */
const TELL_MS = 100;
/** The measurement at the start: long enough for batches to grow to their full size. */
const WARM_UP_MS = 400;
const WARM_UP_NONCE = 1_000_000_000n;

/** What the thread is started with. */
export interface GpuTask {
  readonly role: "motherlode gpu";
}

/** What the thread is told. */
export type GpuOrder = PoolCommand | { readonly kind: "close" };

/** What it tells. */
export type GpuReport =
  | { readonly kind: "event"; readonly event: PoolEvent }
  /** So many more nonces are searched. */
  | { readonly kind: "searched"; readonly nonces: bigint }
  /** The device failed or there is none, for the reason given in one line; the thread ends. */
  | { readonly kind: "failed"; readonly reason: string };

/** Starts the thread. */
export function startGpuWorker(): Worker {
  const task: GpuTask = { role: "motherlode gpu" };
  return ownWorker(import.meta.url, "gpu_worker.ts", task);
}

interface Open {
  readonly search: Search;
  readonly running: GpuSearch;
  toldMs: number;
}

/** Searches on a device, one after the other. */
export class GpuQueue {
  readonly #gpu: Gpu;
  readonly #report: (what: GpuReport) => void;
  readonly #pace: Pace = firstPace();
  readonly #open = new Map<number, Open>();
  /** Rings when there is something to do; closed when there will not be. */
  readonly #bell = new Channel<undefined>(1);

  constructor(gpu: Gpu, report: (what: GpuReport) => void) {
    this.#gpu = gpu;
    this.#report = report;
  }

  /** Tests and measures the device, tells the pool's make-up, then works until it is closed. */
  async run(): Promise<void> {
    const failure = await selfTestGpu(this.#gpu);
    if (failure !== undefined)
      throw new Error(`${this.#gpu.label} fails its self-test: ${failure}`);
    const rate = await this.#measure();
    this.#tell({ kind: "pool", threads: 1, rate, label: poolLabel(this.#gpu.label) });
    while (!this.#bell.closed) {
      const [first] = this.#open.values();
      if (first !== undefined) await this.#step(first);
      else await this.#bell.receive();
    }
  }

  /** Obeys an order at once; a batch that runs is neither waited for nor interrupted. */
  obey(order: GpuOrder): void {
    switch (order.kind) {
      case "close":
        this.#open.clear();
        return this.#bell.close();
      case "start": {
        const { search } = order;
        const { id, lower, upper, target } = search;
        const subject =
          typeof search.subject === "string"
            ? messageSubject(new TextEncoder().encode(search.subject))
            : headerSubject(search.subject);
        const pace = this.#pace;
        const running = new GpuSearch(this.#gpu, subject, lower, upper, { target, pace });
        this.#open.set(id, { search, running, toldMs: performance.now() });
        break;
      }
      case "shrink": {
        const { id } = order;
        const upper = this.#open.get(id)?.running.shrink(order.upper);
        if (upper !== undefined) this.#tell({ kind: "shrunk", id, upper });
        break;
      }
      case "stop": {
        const { id } = order;
        const standing = this.#open.get(id)?.running.standing;
        this.#open.delete(id);
        if (standing !== undefined) this.#tell({ kind: "stopped", id, ...standing });
      }
    }
    this.#bell.trySend(undefined);
  }

  async #step(open: Open): Promise<void> {
    const { search, running } = open;
    const { id } = search;
    const from = running.next;
    await running.step();
    this.#report({ kind: "searched", nonces: running.next - from });
    if (this.#open.get(id) !== open) return;
    if (running.finished) {
      this.#open.delete(id);
      return this.#tell({ kind: "finished", id, best: running.best! });
    }
    const nowMs = performance.now();
    const { standing } = running;
    if (nowMs < open.toldMs + TELL_MS || standing.best === undefined) return;
    open.toldMs = nowMs;
    this.#tell({ kind: "progress", id, ...standing });
  }

  /** Nonces a second, on a message and nonces of common lengths. */
  async #measure(): Promise<number> {
    const subject = messageSubject(new TextEncoder().encode("motherlode warm-up"));
    const pace = this.#pace;
    const search = new GpuSearch(this.#gpu, subject, WARM_UP_NONCE, 2n ** 64n - 1n, { pace });
    // The first batch has the shader made: it does not count.
    await search.step();
    const endMs = performance.now() + WARM_UP_MS;
    while (performance.now() < endMs && !this.#bell.closed) await search.step();
    return Math.round(1000 * pace.rate);
  }

  #tell(event: PoolEvent): void {
    this.#report({ kind: "event", event });
  }
}

/** What the server is told of the device: as much of its name as a miner's label may have. */
export function poolLabel(name: string): string {
  return clipped(`gpu ${name}`, LABEL_BYTES_MAX);
}

async function runThread(): Promise<void> {
  const report = (what: GpuReport): void => parentPort!.postMessage(what);
  // Orders that come while the device is still being opened wait for their turn.
  const early: GpuOrder[] = [];
  let obey = (order: GpuOrder): void => void early.push(order);
  parentPort!.on("message", (order: GpuOrder) => obey(order));
  let gpu: Gpu | undefined;
  try {
    gpu = await openGpu();
    const queue = new GpuQueue(gpu, report);
    obey = (order) => queue.obey(order);
    early.forEach(obey);
    await queue.run();
  } catch (error) {
    report({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
  gpu?.close();
  parentPort!.close();
}

/** Whether this thread is the one that {@link startGpuWorker} started. */
function isTask(data: unknown): data is GpuTask {
  return (
    typeof data === "object" && data !== null && "role" in data && data.role === "motherlode gpu"
  );
}

if (!isMainThread && isTask(workerData)) void runThread();
