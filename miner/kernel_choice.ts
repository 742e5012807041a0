/**
 * Which kernel hashes: the one place that knows them all.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";
import { nativeKernel } from "./native_kernel.ts";
import { plainKernel } from "./plain_kernel.ts";

/**
 * Up to this many bytes of message Bun's SHA-256 beats the plain kernel although it knows no
 * midstate: 14 against 3.4 million nonces a second at 3 bytes, 6.2 at 200, 1.9 at 1,000.
 */
const NATIVE_MESSAGE_BYTES = 448;

/** For each message the kernel that suits its length. */
const automaticKernel: Kernel = {
  name: "auto",
  bind(message) {
    return (message.length <= NATIVE_MESSAGE_BYTES ? nativeKernel : plainKernel).bind(message);
  },
};

const KERNELS: readonly Kernel[] = [automaticKernel, nativeKernel, plainKernel];

/** What `--kernel` may say. */
export const KERNEL_NAMES: readonly string[] = KERNELS.map((kernel) => kernel.name);

/** The kernel of that name, or `undefined`. */
export function kernelNamed(name: string): Kernel | undefined {
  return KERNELS.find((kernel) => kernel.name === name);
}
