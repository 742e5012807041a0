/**
 * Instructions as data: a method of the assembler, its arguments, and the same in the syntax of a
 * real assembler. `bun run tests/miner/make_assembler_forms.ts` writes the bytes that GNU as gives
 * for them into tests/data/x86_forms.json; tests/miner/assembler_test.ts compares ours.
 *
 * @module
 */
import { Assembler, type Memory } from "../../miner/kernels/assembler.ts";
import { assembleCpuid, CPUID_EXTENSIONS } from "../../miner/kernels/cpu_native.ts";
import { type Extension, extensionsOf } from "../../miner/kernels/extensions.ts";
import { X86_CODE } from "../../miner/kernels/machine_code.ts";
import type { Shape } from "../../miner/kernels/shapes.ts";

/** A call of the assembler. */
export interface Call {
  readonly method: string;
  readonly args: readonly (string | number | Memory)[];
}

/** A call and the bytes that it must give, in hexadecimal. */
export interface Known extends Call {
  readonly text: string;
  readonly bytes: string;
}

/** Methods whose bytes depend on the place of a label, and those that are no instructions. */
const NO_FORMS = new Set(["label", "place", "jump", "finish", "align", "size"]);

/** Any extension that an instruction of ours may need. */
const ANY: ReadonlySet<Extension> = new Set([
  "SSSE3",
  "SSE4.1",
  "SHA",
  "XSAVE",
  "AVX",
  "AVX2",
  "AVX512F",
  "AVX512VL",
] as const);

/** The bytes of one call, in hexadecimal, on a processor that has everything. */
export function bytesOf({ method, args }: Call): string {
  const asm = new Assembler(ANY);
  (asm as unknown as Record<string, (...all: unknown[]) => void>)[method]!(...args);
  return asm.finish().toHex();
}

/** An assembler for code with these extensions that notes every call. */
function recordingAssembler(calls: Call[], extensions: ReadonlySet<Extension>): Assembler {
  const asm = new Assembler(extensions);
  return new Proxy(asm, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      return (...args: Call["args"]): unknown => {
        if (!NO_FORMS.has(String(name))) calls.push({ method: String(name), args });
        return Reflect.apply(value as (...all: unknown[]) => unknown, target, args) as unknown;
      };
    },
  });
}

/** Shapes that between them use every instruction a kernel has. */
const SHAPES: readonly Shape[] = [
  { kind: "single", varying: [2] },
  { kind: "single", varying: [6, 7] },
  { kind: "padded", varying: [13, 14] },
  { kind: "states", varying: [15] },
  { kind: "tail", varying: [] },
  { kind: "header", varying: [3] },
];

/** Every call that the kernels make, each once. */
export function kernelCalls(): Call[] {
  const calls: Call[] = [];
  for (const { needs, assemble } of Object.values(X86_CODE)) {
    for (const shape of SHAPES) assemble(shape, recordingAssembler(calls, extensionsOf(needs)));
  }
  assembleCpuid(recordingAssembler(calls, CPUID_EXTENSIONS));
  const known = new Map(calls.map((call) => [JSON.stringify(call), call]));
  return [...known.values()];
}

/** How large a number's encoding is: what a form depends on. */
function sizeOf(memory: Memory): string {
  const { base, index, scale, displacement = 0, broadcast } = memory;
  const size = displacement === 0 ? 0 : displacement % 64 || Math.abs(displacement) > 4096 ? 2 : 1;
  const small = displacement >= -128 && displacement <= 127 ? "s" : "l";
  return `m${base & 7}${base >> 3}${index ?? "-"}${scale ?? ""}d${size}${small}${broadcast ?? ""}`;
}

/** What makes two calls the same form: mnemonic, width, and each operand's kind and bank. */
export function formOf({ method, args }: Call): string {
  const parts = args.map((arg) => {
    if (typeof arg === "string") return arg;
    return typeof arg === "number" ? `${Math.min(arg >> 3, 4)}` : sizeOf(arg);
  });
  const width = args.find((arg) => arg === 128 || arg === 256 || arg === 512);
  return `${method} ${width ?? ""} ${parts.join(" ")}`;
}
