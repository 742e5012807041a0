/**
 * Instructions as data: a method of the assembler, its arguments, and the same in the syntax of a
 * real assembler. `bun run tests/miner/make_assembler_forms.ts` writes the bytes that GNU as gives
 * for them into tests/data/x86_forms.json; tests/miner/assembler_test.ts compares ours.
 *
 * @module
 */
import { Assembler, type Memory } from "../../miner/kernels/assembler.ts";
import { assembleCpuid, CPUID_EXTENSIONS } from "../../miner/kernels/cpu_native.ts";
import { everyShape } from "../../miner/kernels/every_shape.ts";
import { type Extension, extensionsOf } from "../../miner/kernels/extensions.ts";
import { X86_CODE, type X86CodeName } from "../../miner/kernels/machine_code.ts";
import type { Shape } from "../../miner/kernels/shapes.ts";
import { onceMade } from "./made_code.ts";

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

/** The kernels for x86-64. */
export const X86_CODE_NAMES: readonly X86CodeName[] = Object.keys(X86_CODE) as X86CodeName[];

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

/** An assembler for code with these extensions that notes every call, each once. */
function recordingAssembler(calls: Map<string, Call>, extensions: ReadonlySet<Extension>) {
  const asm = new Assembler(extensions);
  return new Proxy(asm, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      return (...args: Call["args"]): unknown => {
        const call = { method: String(name), args };
        if (!NO_FORMS.has(call.method)) calls.set(JSON.stringify(call), call);
        return Reflect.apply(value as (...all: unknown[]) => unknown, target, args) as unknown;
      };
    },
  });
}

/** A kernel's code for x86-64 in every shape, and the calls of the assembler that made it. */
export interface EveryCode {
  readonly codes: readonly { readonly shape: Shape; readonly code: Uint8Array }[];
  readonly calls: ReadonlyMap<string, Call>;
}

const made = new Map<X86CodeName, EveryCode>();

/** All of a kernel's code, made on first use: it takes 0.3 s of a processor's time. */
export function everyCode(name: X86CodeName): EveryCode {
  let every = made.get(name);
  if (every === undefined) {
    const { needs, assemble } = X86_CODE[name];
    const calls = new Map<string, Call>();
    const codes = everyShape().map((shape) => {
      const asm = recordingAssembler(calls, extensionsOf(needs));
      const assembled = assemble(shape, asm);
      return { shape, code: onceMade(name, shape, () => assembled).code };
    });
    made.set(name, (every = { codes, calls }));
  }
  return every;
}

/** Every call that the kernels make, each once. */
export function kernelCalls(): Call[] {
  const calls = new Map<string, Call>();
  for (const name of X86_CODE_NAMES) {
    for (const [key, call] of everyCode(name).calls) calls.set(key, call);
  }
  assembleCpuid(recordingAssembler(calls, CPUID_EXTENSIONS));
  return [...calls.values()];
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
