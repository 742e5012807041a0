/**
 * The AArch64 instructions of the kernel as calls of the assembler, and in the syntax of GNU as.
 * `bun run tests/miner/make_arm_assembler_forms.ts` makes tests/data/arm64_forms.json of them.
 *
 * @module
 */
import { ArmAssembler } from "../../miner/kernels/arm_assembler.ts";
import { everyShape } from "../../miner/kernels/every_shape.ts";
import { extensionsOf } from "../../miner/kernels/extensions.ts";
import { ARM_CODE } from "../../miner/kernels/machine_code.ts";
import { assembleArm } from "../../miner/kernels/arm_kernel.ts";
import type { Call } from "./assembler_forms.ts";

/** Methods whose words depend on the place of a label, and those that are no instructions. */
const NO_FORMS = new Set(["label", "place", "jumpIfLess", "jumpIfNotZero", "finish"]);

/** Every call that the kernel makes, each once. */
export function armKernelCalls(): Call[] {
  const calls = new Map<string, Call>();
  const asm = new Proxy(new ArmAssembler(extensionsOf(ARM_CODE.needs)), {
    get(target, name) {
      const value = Reflect.get(target, name, target) as (...all: unknown[]) => unknown;
      return (...args: Call["args"]): unknown => {
        const call = { method: String(name), args };
        if (!NO_FORMS.has(call.method)) calls.set(JSON.stringify(call), call);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  for (const shape of everyShape()) assembleArm(shape, asm);
  return [...calls.values()];
}
