/**
 * Which kernel hashes: the names that `--kernel` takes, the kernel to begin with at once, and the
 * measurement that may find a better one while the first chunk already runs.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import {
  chooseKernel,
  createKernel,
  KernelError,
  kernelNames,
  likelyOrder,
} from "./kernels/mod.ts";

/** Lets the machine decide. */
export const AUTO = "auto";

/** What `--kernel` may say. */
export const KERNEL_NAMES: readonly string[] = [AUTO, ...kernelNames];

/**
 * The kernel of that name, made for the calling thread, or `undefined` for an unknown name. `auto`
 * is the one that is likely the fastest on this machine.
 *
 * @throws {KernelError} when this machine cannot use it; the message says why.
 */
export function kernelNamed(name: string): Kernel | undefined {
  if (!KERNEL_NAMES.includes(name)) return undefined;
  return name === AUTO ? preferredKernel() : createKernel(name);
}

function preferredKernel(): Kernel {
  for (const name of likelyOrder()) {
    try {
      return createKernel(name);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
  }
  throw new KernelError("No kernel passes its self-test on this machine");
}

/** The outcome of {@link measureKernels}. */
export interface KernelVerdict {
  readonly name: string;
  /** One line for people: what it was compared with, or why the better ones cannot be used. */
  readonly reason: string;
  /** Nonces a second of one thread, as measured. */
  readonly rate: number;
}

/** Measures what this machine can run, about a second long. */
export function measureKernels(): KernelVerdict {
  const { kernel, reason, rate } = chooseKernel();
  return { name: kernel.name, reason, rate };
}
