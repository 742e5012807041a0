/**
 * A graphics processor as a pool: the same commands and events as those of the hashing threads
 * (`miner/types.ts`), answered by a thread that serves the device.
 *
 * @module
 */
import type { Worker } from "node:worker_threads";
import type { PoolCommand, PoolEvent } from "../types.ts";
import { type GpuOrder, type GpuReport, startGpuWorker } from "./gpu_worker.ts";

/** A thread that has not ended this long after `close` is ended by force. */
const CLOSE_MS = 500;

/** How the pool is made. */
export interface GpuPoolOptions {
  readonly onEvent: (event: PoolEvent) => void;
  /**
   * There is no usable device, or it failed: nothing will be answered any more. `reason` is one
   * line for people; `ready` says whether `pool` had been told before.
   */
  readonly onFailed: (reason: string, ready: boolean) => void;
}

/** See the module's comment. Tells `pool` when the device has passed its self-test. */
export class GpuPool {
  readonly threads = 1;
  readonly #worker: Worker;
  readonly #gone = Promise.withResolvers<void>();
  #searched = 0n;
  #ready = false;
  #closing = false;
  #failed = false;

  constructor({ onEvent, onFailed }: GpuPoolOptions) {
    const fail = (reason: string): void => {
      if (this.#failed || this.#closing) return;
      this.#failed = true;
      onFailed(reason, this.#ready);
    };
    this.#worker = startGpuWorker();
    this.#worker.on("message", (report: GpuReport) => {
      if (this.#closing) return;
      if (report.kind === "failed") return fail(report.reason);
      if (report.kind === "searched") return void (this.#searched += report.nonces);
      if (report.event.kind === "pool") this.#ready = true;
      onEvent(report.event);
    });
    this.#worker.on("error", (error: Error) => fail(error.message));
    this.#worker.on("exit", () => {
      this.#gone.resolve();
      fail("its thread ended");
    });
  }

  /** Nonces searched since the pool began. */
  get searched(): bigint {
    return this.#searched;
  }

  /** Obeys a command, in order. */
  command(command: PoolCommand): void {
    this.#order(command);
  }

  /** Ends the thread and gives the device back; resolves when that is done. */
  async close(): Promise<void> {
    this.#order({ kind: "close" });
    this.#closing = true;
    const force = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await this.#gone.promise;
    clearTimeout(force);
  }

  #order(order: GpuOrder): void {
    if (!this.#closing) this.#worker.postMessage(order);
  }
}
