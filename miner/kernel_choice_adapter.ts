/**
 * The fastest kernel for programs that hash in a thread of their own: proved in a child process
 * first, then made here.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import {
  type Availability,
  createKernel,
  detect,
  KernelError,
  machineCodeOf,
} from "./kernels/mod.ts";
import { selfTest } from "./kernels/known_answers.ts";
import { UnprovedCodeError } from "./kernels/proved_code.ts";
import { CHOSEN_BY_NAME, type KernelVerdict, type Wish } from "./kernels/selection.ts";
import { Prover } from "./prover_adapter.ts";

/** One line of the table of kernels. */
export interface Measured extends Availability {
  /** Nonces a second of one thread, 0 when not measured. */
  readonly rate: number;
}

/** The kernel to use, and how it was chosen. */
export interface Choice {
  readonly kernel: Kernel;
  /** One line for people. */
  readonly reason: string;
  /** Nonces a second of one thread; 0 when it was not measured. */
  readonly rate: number;
  /** Every kernel, in order of preference; one that was struck off is not usable. */
  readonly table: readonly Measured[];
}

/** How to choose. */
export interface ChooseOptions {
  /** A kernel's name: no other is chosen. */
  readonly forced?: string;
  /** Proves and measures all kernels, not just what it takes to find the fastest. Default false. */
  readonly all?: boolean;
  /** Where records are kept between runs; in memory only, if left out. */
  readonly cacheDirectory?: string;
  /** Forgets all records, and measures each kernel for so long; else what is known will do. */
  readonly renewMillis?: number;
  /** Told one line for people when a kernel is struck off, or none can be proved. */
  readonly onWarning?: (text: string) => void;
}

/**
 * The fastest kernel on this machine. Machine code is proved in child processes, which takes about
 * a second unless there are records of it; where that cannot be done, the kernel is one without.
 *
 * @throws {KernelError} only for `forced`: there is no such kernel, or it cannot be used here.
 */
export async function chooseKernel(options: ChooseOptions = {}): Promise<Choice> {
  const { forced, all = false, cacheDirectory, renewMillis, onWarning } = options;
  if (forced !== undefined) checkName(forced);
  const prover =
    renewMillis === undefined ? Prover.at(cacheDirectory) : renewed(cacheDirectory, renewMillis);
  if (forced !== undefined && machineCodeOf(forced) === undefined) {
    const table = tableOf(prover);
    return { kernel: createKernel(forced), reason: CHOSEN_BY_NAME, rate: 0, table };
  }
  const wish: Wish = { all, ...(forced !== undefined && { only: forced }) };
  let kernel: Kernel | undefined;
  let verdict = await learn(prover, wish, onWarning);
  while (!isAsProved((kernel = createKernel(verdict.name, prover.proved)))) {
    // The records are of other code of the same version: somebody works on it.
    prover.forget();
    verdict = await learn(prover, wish, onWarning);
  }
  const { name, reason, rate } = verdict;
  const table = tableOf(prover);
  if (forced !== undefined && name !== forced) {
    const row = table.find((line) => line.name === forced)!;
    const why = row.usable ? (prover.obstacle ?? "it is not proved") : row.reason;
    throw new KernelError(`Cannot use kernel ${forced}: ${why}`);
  }
  return { kernel, reason, rate, table };
}

function learn(
  prover: Prover,
  wish: Wish,
  onWarning: ChooseOptions["onWarning"],
): Promise<KernelVerdict> {
  return new Promise((onDone) => {
    prover.learn(wish, { onDone, ...(onWarning !== undefined && { onWarning }) });
  });
}

/** Whether the kernel's code is what was proved; throws when it fails its self-test. */
function isAsProved(kernel: Kernel): boolean {
  try {
    const failure = selfTest(kernel);
    if (failure === undefined) return true;
    throw new KernelError(`Cannot trust kernel ${kernel.name}: ${failure}`);
  } catch (error) {
    if (error instanceof UnprovedCodeError) return false;
    throw error;
  }
}

function renewed(directory: string | undefined, measureMillis: number): Prover {
  const probe = { measureMillis };
  const prover = new Prover(directory === undefined ? { probe } : { directory, probe });
  prover.forget();
  return prover;
}

function checkName(name: string): void {
  const row = detect().find((kernel) => kernel.name === name);
  if (row === undefined) throw new KernelError(`Cannot make kernel ${name}: there is none`);
  if (!row.usable) throw new KernelError(`Cannot use kernel ${name}: ${row.reason}`);
}

function tableOf(prover: Prover): Measured[] {
  return detect().map((row) => {
    const record = prover.records.get(row.name);
    if (record?.kind === "struck" && row.usable) {
      return { ...row, usable: false, reason: `struck off: ${record.why}`, rate: 0 };
    }
    return { ...row, rate: record?.kind === "works" ? record.rate : 0 };
  });
}
