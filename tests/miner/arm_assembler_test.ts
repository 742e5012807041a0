/** Our AArch64 assembler against the bytes of GNU as (made by make_arm_assembler_forms.ts). */
import { describe, expect, test } from "bun:test";
import { ArmAssembler } from "../../miner/kernels/arm_assembler.ts";
import { extensionsOf } from "../../miner/kernels/extensions.ts";
import { ARM_CODE } from "../../miner/kernels/machine_code.ts";
import { armKernelCalls } from "./arm_assembler_forms.ts";
import type { Call, Known } from "./assembler_forms.ts";
import data from "../data/arm64_forms.json";

const KNOWN = data.forms as unknown as readonly Known[];

function bytesOf({ method, args }: Call): string {
  const asm = new ArmAssembler(extensionsOf(ARM_CODE.needs));
  (asm as unknown as Record<string, (...all: unknown[]) => void>)[method]!(...args);
  return asm.finish().toHex();
}

describe("ArmAssembler", () => {
  test("gives the bytes of GNU as for every known instruction", () => {
    const different = KNOWN.filter((known) => bytesOf(known) !== known.bytes);
    expect(different.map(({ text }) => text)).toEqual([]);
    expect(KNOWN.length).toBeGreaterThan(100);
  });

  test("is only asked for instructions that are known, every one", () => {
    const key = ({ method, args }: Call): string => JSON.stringify([method, args]);
    const known = new Set(KNOWN.map(key));
    expect(armKernelCalls().filter((call) => !known.has(key(call)))).toEqual([]);
  });

  test("resolves jumps in both directions, as GNU as does", () => {
    const asm = new ArmAssembler(extensionsOf(ARM_CODE.needs));
    const before = asm.label();
    const after = asm.label();
    asm.place(before);
    asm.ret();
    asm.jumpIfLess(before);
    asm.jumpIfNotZero(11, after);
    asm.jumpIfLess(after);
    asm.jumpIfNotZero(3, before);
    asm.place(after);
    asm.ret();
    expect(asm.finish().toHex()).toBe(data.jumps.bytes);
  });

  test("refuses offsets that do not fit", () => {
    const asm = new ArmAssembler(extensionsOf(ARM_CODE.needs));
    expect(() => asm.loadVector(0, 0, 8)).toThrow("offset");
    expect(() => asm.storeVector(0, 0, 65_536)).toThrow("offset");
    expect(() => asm.addImmediate(0, 0, 4096)).toThrow("immediate");
  });

  test("refuses SHA-2 instructions to code that does not ask for them", () => {
    const asm = new ArmAssembler(new Set());
    expect(() => asm.three("sha256h", 0, 1, 2)).toThrow("FEAT_SHA256");
    expect(() => asm.two("sha256su0", 0, 1)).toThrow("FEAT_SHA256");
    asm.three("add", 0, 1, 2);
  });
});
