/**
 * Machine code as the kernels make it, each shape made once for all tests that run, take apart or
 * prove it: a kernel's code in every shape takes a processor 0.3 s and more.
 *
 * @module
 */
import type { AssembledShape, MakeShape } from "../../miner/kernels/engine_native.ts";
import { ARM_CODE, type MachineCode, X86_CODE } from "../../miner/kernels/machine_code.ts";
import { type Shape, shapeKey } from "../../miner/kernels/shapes.ts";

/** All machine code, whether it runs here or not. */
export const MACHINE_CODE: Readonly<Record<string, MachineCode>> = {
  ...X86_CODE,
  "arm-sha": ARM_CODE,
};

const made = new Map<string, AssembledShape>();

/** What `make` gives for a shape of that kernel, unless it is known. */
export function onceMade(name: string, shape: Shape, make: MakeShape): AssembledShape {
  const key = `${name} ${shapeKey(shape)}`;
  const known = made.get(key) ?? make(shape);
  made.set(key, known);
  return known;
}

/** How code of the kernel of that name is made, and kept. */
export function madeCode(name: string): MakeShape {
  const { make } = MACHINE_CODE[name]!;
  return (shape) => onceMade(name, shape, make);
}
