/** Our assembler against the bytes of GNU as (tests/data, made by make_assembler_forms.ts). */
import { describe, expect, test } from "bun:test";
import { Assembler, R10, RAX, RSP } from "../../miner/kernels/assembler.ts";
import { extensionsOf } from "../../miner/kernels/extensions.ts";
import { bytesOf, formOf, kernelCalls, type Known } from "./assembler_forms.ts";
import forms from "../data/x86_forms.json";
import jumps from "../data/x86_jumps.json";

const KNOWN = forms as unknown as readonly Known[];

describe("Assembler", () => {
  test("gives the bytes of GNU as for every known form", () => {
    const different = KNOWN.filter((known) => bytesOf(known) !== known.bytes);
    expect(different.map(({ text }) => text)).toEqual([]);
    expect(KNOWN.length).toBeGreaterThan(500);
  });

  test("is only asked for forms that are known, in every shape", () => {
    const known = new Set(KNOWN.map(formOf));
    const unknown = kernelCalls().filter((call) => !known.has(formOf(call)));
    expect(unknown.slice(0, 5)).toEqual([]);
  });

  test("resolves jumps in both directions, as GNU as does", () => {
    const asm = new Assembler(new Set());
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
    const asm = new Assembler(new Set());
    asm.align(16);
    expect(asm.size).toBe(0);
    asm.push(RAX);
    asm.align(16);
    expect(asm.finish().toHex()).toBe(`50${"90".repeat(15)}`);
  });

  test("refuses rsp as an index, which has no encoding", () => {
    const asm = new Assembler(new Set());
    expect(() => asm.address(RAX, { base: R10, index: RSP, scale: 1 })).toThrow("rsp");
  });

  const avx2 = (): Assembler => new Assembler(extensionsOf(["avx2", "sha"]));
  const vl = (): Assembler => new Assembler(extensionsOf(["avx512vl"]));

  test("refuses, for AVX2 and SHA, whatever only AVX-512 can say", () => {
    const memory = { base: R10, displacement: 64 };
    const say = (call: (asm: Assembler) => void) => expect(() => call(avx2()));
    // The fault that ended every process on a Zen 3: seen there in the header of avx2-sha.
    say((asm) => asm.threeImmediate("vinserti32x4", 256, 8, 7, memory, 1)).toThrow("AVX512F");
    say((asm) => asm.three("vpaddd", 512, 1, 2, 3)).toThrow("AVX512F");
    say((asm) => asm.three("vpaddd", 256, 16, 2, 3)).toThrow("AVX512F");
    say((asm) => asm.three("vpaddd", 256, 1, 17, 3)).toThrow("AVX512F");
    say((asm) => asm.three("vpaddd", 256, 1, 2, 18)).toThrow("AVX512F");
    say((asm) => asm.three("vpaddd", 256, 1, 2, { ...memory, broadcast: true })).toThrow("AVX512F");
    say((asm) => asm.shift("vprord", 256, 1, 2, 7)).toThrow("AVX512F");
    say((asm) => asm.load(128, 16, memory)).toThrow("AVX512F");
    say((asm) => asm.broadcast(128, 16, memory)).toThrow("AVX512F");
    say((asm) => asm.storeLane0(memory, 16)).toThrow("AVX512F");
    say((asm) => asm.compareLessEqual(512, 1, 2, 3)).toThrow("AVX512F");
    say((asm) => asm.testMask(1)).toThrow("AVX512F");
    avx2().threeImmediate("vinserti128", 256, 8, 7, memory, 1);
  });

  test("refuses AVX-512 on short vectors without AVX512VL, and bytes without AVX512BW", () => {
    const short = new Assembler(extensionsOf(["avx512"]));
    expect(() => short.three("vpaddd", 256, 16, 2, 3)).toThrow("AVX512VL");
    short.storeLane0({ base: RAX }, 16);
    expect(() => vl().three("vpshufb", 128, 16, 2, 3)).toThrow("AVX512BW");
  });

  test("refuses AVX2 where there is only AVX, and SSE's extensions where there is only SSE2", () => {
    const avx = new Assembler(new Set(["AVX"] as const));
    avx.three("vpaddd", 128, 1, 2, 3);
    avx.load(256, 1, { base: RAX });
    expect(() => avx.three("vpaddd", 256, 1, 2, 3)).toThrow("AVX2");
    expect(() => avx.broadcast(128, 1, 2)).toThrow("AVX2");
    const baseline = new Assembler(new Set());
    baseline.sse("paddd", 1, 2);
    expect(() => baseline.sse("pminud", 1, 2)).toThrow("SSE4.1");
    expect(() => baseline.sseImmediate("palignr", 1, 2, 4)).toThrow("SSSE3");
    expect(() => baseline.sse("sha256rnds2", 1, 2)).toThrow("SHA");
    expect(() => baseline.zeroUpper()).toThrow("AVX");
    expect(() => baseline.plain("xgetbv")).toThrow("XSAVE");
  });

  test("refuses forms that no processor has", () => {
    expect(() => vl().three("vpcmpeqd", 256, 16, 1, 2)).toThrow("does not exist");
    expect(() => vl().threeImmediate("vinserti128", 256, 16, 1, 2, 1)).toThrow("does not exist");
    expect(() => vl().byteMask(256, RAX, 16)).toThrow("does not exist");
    expect(() => vl().sse("paddd", 16, 1)).toThrow("does not exist");
  });

  test("takes from the baseline exactly the known forms that need no extension", () => {
    const baseline = new Assembler(new Set());
    const taken = new Set(
      KNOWN.filter(({ method, args }) => {
        try {
          (baseline as unknown as Record<string, (...all: unknown[]) => void>)[method]!(...args);
          return true;
        } catch {
          return false;
        }
      }).map(({ text }) => text.split(" ")[0]!),
    );
    const words = "add address and cmp cpuid lea leave mov movd movdqa movdqu movq movsxd paddd ";
    const more =
      "pcmpeqd pmovmskb pop por pshufd pslldq punpckhdq punpckhqdq punpckldq punpcklqdq ";
    const expected = `${words}${more}push pxor ret shl sub test xchg xor`.split(" ");
    expect([...taken].filter((word) => !expected.includes(word))).toEqual([]);
    expect(taken.size).toBeGreaterThan(20);
  });
});
