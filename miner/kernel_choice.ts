/**
 * Which kernel hashes: the names that `--kernel` takes, and a kernel of that name.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import { createKernel, detect, kernelNames } from "./kernels/mod.ts";
import type { ProvedCode } from "./kernels/proved_code.ts";
import { SAFE_KERNEL } from "./kernels/selection.ts";

/** Lets the machine decide. */
export const AUTO = "auto";

/** What `--kernel` may say. */
export const KERNEL_NAMES: readonly string[] = [AUTO, ...kernelNames];

/**
 * The kernel of that name, made for the calling thread, or `undefined` for an unknown name. `auto`
 * is the one that is safe everywhere, as nothing is measured here: see `chooseKernel`. With
 * `proved` no machine code is run but what that allows; without it, code that this processor cannot
 * run ends the process.
 *
 * @throws {UnprovedCodeError} when code was about to be run that is not proved.
 * @throws {KernelError} when this machine cannot use it; the message says why.
 */
export function kernelNamed(name: string, proved?: ProvedCode): Kernel | undefined {
  if (!KERNEL_NAMES.includes(name)) return undefined;
  return createKernel(name === AUTO ? SAFE_KERNEL : name, proved);
}

/** Why this machine cannot run the kernel of that name, in one line, with those that it can. */
export function whyNoKernel(name: string): string | undefined {
  const kernels = detect();
  const usable = kernels.filter((kernel) => kernel.usable).map((kernel) => kernel.name);
  const names = [AUTO, ...usable];
  if (names.includes(name)) return undefined;
  const reason = kernels.find((kernel) => kernel.name === name)?.reason;
  const why =
    reason === undefined ? "there is none of that name" : `it cannot run here (${reason})`;
  return `${why}, expected one of ${names.join(", ")}`;
}
