/** Our assembler against the bytes of GNU as (tests/data, made by make_assembler_forms.ts). */
import { describe, expect, test } from "bun:test";
import { Assembler, R10, RAX, RSP } from "../../miner/kernels/assembler.ts";
import { type Call, formOf, kernelCalls, type Known } from "./assembler_forms.ts";
import forms from "../data/x86_forms.json";
import jumps from "../data/x86_jumps.json";

const KNOWN = forms as unknown as readonly Known[];

/** The bytes of one call, in hexadecimal. */
function bytesOf({ method, args }: Call): string {
  const asm = new Assembler();
  (asm as unknown as Record<string, (...all: unknown[]) => void>)[method]!(...args);
  return asm.finish().toHex();
}

describe("Assembler", () => {
  test("gives the bytes of GNU as for every known form", () => {
    const different = KNOWN.filter((known) => bytesOf(known) !== known.bytes);
    expect(different.map(({ text }) => text)).toEqual([]);
    expect(KNOWN.length).toBeGreaterThan(500);
  });

  test("is only asked for forms that are known", () => {
    const known = new Set(KNOWN.map(formOf));
    const unknown = kernelCalls().filter((call) => !known.has(formOf(call)));
    expect(unknown.slice(0, 5)).toEqual([]);
  });

  test("resolves jumps in both directions, as GNU as does", () => {
    const asm = new Assembler();
    const before = asm.label();
    const after = asm.label();
    asm.place(before);
    asm.plain("ret");
    asm.jump(before, "e");
    asm.jump(after, "ne");
    asm.jump(before, "l");
    asm.jump(after, "le");
    asm.jump(before);
    asm.jump(after);
    asm.place(after);
    asm.plain("ret");
    expect(asm.finish().toHex()).toBe(jumps.bytes);
  });

  test("align() fills up to the boundary and no further", () => {
    const asm = new Assembler();
    asm.align(16);
    expect(asm.size).toBe(0);
    asm.push(RAX);
    asm.align(16);
    expect(asm.finish().toHex()).toBe(`50${"90".repeat(15)}`);
  });

  test("refuses rsp as an index, which has no encoding", () => {
    const asm = new Assembler();
    expect(() => asm.address(RAX, { base: R10, index: RSP, scale: 1 })).toThrow("rsp");
  });
});
