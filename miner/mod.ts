/**
 * The miner: joins a server, searches the chunks that it is assigned in a pool of threads, reports.
 *
 * ```ts
 * import { mine } from "./mod.ts";
 *
 * const miner = mine({ host: "127.0.0.1", port: 6060, log: console.error });
 * await miner.ended;
 * ```
 *
 * {@link MinerCore} is the whole behaviour as a plain state machine, the same on sockets and under
 * the simulator.
 *
 * @module
 */
export { BundledError, declareGuardedMain } from "./own_worker_adapter.ts";
export { benchReport, type BenchOptions } from "./bench_adapter.ts";
export { mine, type MineOptions, type Miner, type MinerStatus } from "./adapter.ts";
export { MinerCore, PROGRESS_MS } from "./core.ts";
export { OUTSTANDING_CHUNKS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from "./core.ts";
export type { MinerGuest } from "./guest_adapter.ts";
export type { HeaderSearcher, Kernel, Searcher } from "./kernel.ts";
export { KERNEL_NAMES, kernelNamed, whyNoKernel } from "./kernel_choice.ts";
export {
  type Choice as KernelChoice,
  chooseKernel,
  type ChooseOptions,
  type Measured as MeasuredKernel,
} from "./kernel_choice_adapter.ts";
export type { Availability as KernelAvailability } from "./kernels/mod.ts";
export type { ProvedCode } from "./kernels/proved_code.ts";
export { userCacheDirectory } from "./kernels/record_store_adapter.ts";
export type { KernelVerdict } from "./kernels/selection.ts";
export { Pool, type PoolOptions } from "./pool_adapter.ts";
export type {
  MinerCoreOptions,
  MinerEffect,
  MinerInput,
  MinerRejection,
  Niceness,
  PoolCommand,
  PoolEvent,
  Search,
} from "./types.ts";
