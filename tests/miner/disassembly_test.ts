/**
 * All machine code for x86-64 there can be, read by a disassembler that is not ours (iced-x86): it
 * knows which extensions of the processor each instruction needs, and these are held against what
 * the code asks of a processor before it is run there.
 */
import { describe, expect, test } from "bun:test";
import { Code, CpuidFeature, Decoder, DecoderOptions, Instruction } from "iced-x86";
import { Assembler } from "../../miner/kernels/assembler.ts";
import { assembleCpuid, CPUID_EXTENSIONS } from "../../miner/kernels/cpu_native.ts";
import { HEADER_SHAPE, STATES_SHAPE, TAIL_SHAPE } from "../../miner/kernels/engine.ts";
import { everyShape } from "../../miner/kernels/every_shape.ts";
import {
  type Extension,
  extensionsOf,
  type Feature,
  FEATURE_EXTENSIONS,
} from "../../miner/kernels/extensions.ts";
import { X86_CODE } from "../../miner/kernels/machine_code.ts";
import { shapeKey } from "../../miner/kernels/shapes.ts";
import { layoutOf, tileShape } from "../../miner/kernels/tile_layout.ts";
import { everyCode, X86_CODE_NAMES } from "./assembler_forms.ts";

/** What the disassembler calls the parts of x86-64 that every such processor has. */
const BASELINE = ["INTEL8086", "INTEL186", "INTEL386", "INTEL486", "X64", "SSE", "SSE2", "CPUID"];
/** And what it calls our extensions, where it has another name. */
const NAMES: Partial<Record<Extension, string>> = { "SSE4.1": "SSE4_1" };

const nameOf = (extension: Extension): string => NAMES[extension] ?? extension;

/** Code as the disassembler sees it. */
interface Disassembly {
  /** The kinds of instructions, of each where it is first. */
  readonly kinds: ReadonlyMap<Code, number>;
  /** What is no instruction, or jumps to where none begins. */
  readonly broken: readonly string[];
}

/** Of each kind of instruction, whether it jumps: asking the disassembler takes its time. */
const jumping = new Map<Code, boolean>();

function disassemble(code: Uint8Array): Disassembly {
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const instruction = new Instruction();
  const kinds = new Map<Code, number>();
  const starts = new Set<number>();
  const jumps: { at: number; to: number }[] = [];
  const broken: string[] = [];
  for (let at = 0; at < code.length; at = decoder.position) {
    decoder.decodeOut(instruction);
    const kind = instruction.code;
    starts.add(at);
    if (kind === Code.INVALID) broken.push(`no instruction at ${at}`);
    if (!kinds.has(kind)) kinds.set(kind, at);
    let isJump = jumping.get(kind);
    if (isJump === undefined) {
      isJump = instruction.isJmpShortOrNear || instruction.isJccShortOrNear;
      jumping.set(kind, isJump);
    }
    if (isJump) jumps.push({ at, to: Number(instruction.nearBranchTarget) });
  }
  for (const { at, to } of jumps) if (!starts.has(to)) broken.push(`jump at ${at} to ${to}`);
  instruction.free();
  decoder.free();
  return { kinds, broken };
}

/** The extensions that each kind of instruction needs, by the disassembler's names. */
const featuresOf = new Map<Code, readonly string[]>();
function featuresAt(code: Uint8Array, kind: Code, at: number): readonly string[] {
  let known = featuresOf.get(kind);
  if (known === undefined) {
    const decoder = new Decoder(64, code.subarray(at), DecoderOptions.None);
    const instruction = decoder.decode();
    known = [...instruction.cpuidFeatures()].map((feature) => CpuidFeature[feature]!);
    featuresOf.set(kind, known);
    instruction.free();
    decoder.free();
  }
  return known;
}

/** Instructions of `code` that need more than the baseline and `extensions`, a line each. */
function offences(code: Uint8Array, extensions: Iterable<Extension>, used: Set<string>): string[] {
  const allowed = new Set([...BASELINE, ...[...extensions].map(nameOf)]);
  const { kinds, broken } = disassemble(code);
  const lines = [...broken];
  for (const [kind, at] of kinds) {
    const features = featuresAt(code, kind, at);
    for (const feature of features) used.add(feature);
    const missing = features.filter((feature) => !allowed.has(feature));
    if (missing.length > 0) lines.push(`${Code[kind]} at ${at} needs ${missing.join(" and ")}`);
  }
  return lines;
}

/** The extensions that of several needs only this one brings. */
function broughtBy(need: Feature, needs: readonly Feature[]): readonly Extension[] {
  const others = extensionsOf(needs.filter((other) => other !== need));
  return FEATURE_EXTENSIONS[need].filter((extension) => !others.has(extension));
}

describe("machine code uses the extensions that it asks for, by another disassembler:", () => {
  for (const name of X86_CODE_NAMES) {
    const { needs } = X86_CODE[name];
    const check = (): void => {
      const used = new Set<string>();
      const wrong = everyCode(name).codes.flatMap(({ shape, code }) =>
        offences(code, extensionsOf(needs), used).map((line) => `${shapeKey(shape)}: ${line}`),
      );
      expect(wrong).toEqual([]);
      // And it asks for nothing in vain, which would keep it from processors that can run it.
      const idle = needs.filter(
        (need) => !broughtBy(need, needs).some((extension) => used.has(nameOf(extension))),
      );
      expect(idle).toEqual([]);
    };
    test(`${name}, in all ${everyShape().length} shapes`, check);
  }

  test("the code that asks the processor", () => {
    const code = assembleCpuid(new Assembler(CPUID_EXTENSIONS));
    expect(offences(code, CPUID_EXTENSIONS, new Set())).toEqual([]);
  });
});

describe("the check of machine code", () => {
  /** `vinserti32x4 ymm8, ymm7, [r11+3392], 1`: once in the code for AVX2 and SHA. */
  const INSERT = Uint8Array.fromHex("625345283883400d000001");

  test("reports the instruction that ended miners on a Zen 3", () => {
    const found = offences(INSERT, extensionsOf(X86_CODE["avx2-sha"].needs), new Set());
    expect(found).toEqual([
      "EVEX_Vinserti32x4_ymm_k1z_ymm_xmmm128_imm8 at 0 needs AVX512VL and AVX512F",
    ]);
  });

  test("reports bytes that are no instruction, and jumps into the middle of one", () => {
    expect(offences(Uint8Array.fromHex("06"), [], new Set())).toContain("no instruction at 0");
    expect(offences(Uint8Array.fromHex("4889c8ebfc"), [], new Set())).toEqual(["jump at 3 to 1"]);
  });

  // A search gets its code from a CodeCache (code_cache.ts) alone: for headers, for straddling
  // digits, or for the shape of a layout, which depends on nothing but length and digits.
  test("sees every shape: no prefix of any length, with any count of digits, brings another", () => {
    const keys = everyShape().map(shapeKey);
    const [known, reached] = [new Set(keys), new Set<string>()];
    expect(known.size).toBe(keys.length);
    for (const from of [1, 65, 129, 64_001, 2 ** 20 + 1]) {
      for (let prefix = from; prefix < from + 64; prefix++) {
        for (let digits = 1; digits <= String(2n ** 64n - 1n).length; digits++) {
          const layout = layoutOf(prefix, digits);
          if (!layout.straddles) reached.add(shapeKey(tileShape(layout)));
        }
      }
    }
    const others = [HEADER_SHAPE, STATES_SHAPE, TAIL_SHAPE].map(shapeKey);
    expect([...known].sort()).toEqual([...reached, ...others].sort());
  });
});
