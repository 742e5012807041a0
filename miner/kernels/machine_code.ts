/**
 * All machine code there is: what it needs of a processor, and how a shape of it is made. The same
 * `needs` decide whether a processor may run it and which instructions its assembler takes.
 *
 * @module
 */
import { ArmAssembler } from "./arm_assembler.ts";
import { assembleArm } from "./arm_kernel.ts";
import { Assembler } from "./assembler.ts";
import type { AssembleShape, MakeShape } from "./engine_native.ts";
import { extensionsOf, type Feature } from "./extensions.ts";
import { assembleShaAvx2, assembleShaAvx2Narrow, assembleShaAvx512 } from "./hybrid_kernel.ts";
import { assembleShaAlone } from "./sha_alone_kernel.ts";
import { assembleAvx2, assembleAvx512 } from "./vector_kernel.ts";

/** A kernel's machine code. */
export interface MachineCode {
  readonly needs: readonly Feature[];
  readonly make: MakeShape;
}

/** Machine code for x86-64. */
export interface X86Code extends MachineCode {
  /** What `make` does with an assembler that may use what the code needs. */
  readonly assemble: AssembleShape;
}

/** Machine code that needs `needs`, no more and no less. */
export function x86Code(needs: readonly Feature[], assemble: AssembleShape): X86Code {
  const extensions = extensionsOf(needs);
  return { needs, assemble, make: (shape) => assemble(shape, new Assembler(extensions)) };
}

/** Names of the kernels for x86-64. */
export type X86CodeName = "avx512-sha" | "avx2-sha" | "avx2-sha-narrow" | "avx512" | "sha" | "avx2";

/** Code for x86-64. */
export const X86_CODE: Readonly<Record<X86CodeName, X86Code>> = {
  "avx512-sha": x86Code(["avx512vl", "sha"], assembleShaAvx512),
  "avx2-sha": x86Code(["avx2", "sha"], assembleShaAvx2),
  "avx2-sha-narrow": x86Code(["avx2", "sha"], assembleShaAvx2Narrow),
  avx512: x86Code(["avx512"], assembleAvx512),
  sha: x86Code(["sha"], assembleShaAlone),
  avx2: x86Code(["avx2"], assembleAvx2),
};

const ARM_NEEDS: readonly Feature[] = ["armSha"];
/** For AArch64. */
export const ARM_CODE: MachineCode = {
  needs: ARM_NEEDS,
  make: (shape) => assembleArm(shape, new ArmAssembler(extensionsOf(ARM_NEEDS))),
};
