/**
 * Writes tests/data/arm64_forms.json: every instruction of the AArch64 kernel with the bytes that
 * GNU as gives for it, and a few jumps.
 *
 * `bun run tests/miner/make_arm_assembler_forms.ts` (needs binutils-aarch64-linux-gnu)
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { armKernelCalls } from "./arm_assembler_forms.ts";
import type { Call } from "./assembler_forms.ts";

type Arg = Call["args"][number];

/** What GNU as calls each method's instruction. */
const TEXT: Readonly<Record<string, (...args: Arg[]) => string>> = {
  three: (op, t, a, b) => {
    const digest = op === "sha256h" || op === "sha256h2";
    return digest ? `${op} q${t}, q${a}, v${b}.4s` : `${op} v${t}.4s, v${a}.4s, v${b}.4s`;
  },
  two: (op, t, s) => {
    const operands: Readonly<Record<string, string>> = {
      sha256su0: `v${t}.4s, v${s}.4s`,
      rev32: `v${t}.16b, v${s}.16b`,
      umaxv: `s${t}, v${s}.4s`,
      fmov: `w${t}, s${s}`,
      dup: `v${t}.4s, w${s}`,
      sxtw: `x${t}, w${s}`,
    };
    return `${op} ${operands[String(op)]}`;
  },
  moveVector: (t, s) => `mov v${t}.16b, v${s}.16b`,
  zeroVector: (t) => `movi v${t}.4s, #0`,
  moveWord: (t, to, s, from) => `mov v${t}.s[${to}], v${s}.s[${from}]`,
  loadWord: (t, word, base) => `ld1 {v${t}.s}[${word}], [x${base}], #4`,
  loadVector: (t, base, offset) => `ldr q${t}, [x${base}, #${offset}]`,
  storeVector: (s, base, offset) => `str q${s}, [x${base}, #${offset}]`,
  addImmediate: (t, s, n, high) => `add x${t}, x${s}, #${n}${high === 1 ? ", lsl #12" : ""}`,
  addShifted: (t, a, b, n) => `add x${t}, x${a}, x${b}, lsl #${n}`,
  move: (t, s) => `mov x${t}, x${s}`,
  compare: (a, b) => `cmp x${a}, x${b}`,
  ret: () => "ret",
};
/** As in tests/miner/arm_assembler_test.ts. */
const JUMPS = ["1: ret", "b.lt 1b", "cbnz w11, 2f", "b.lt 2f", "cbnz w3, 1b", "2: ret"];

function run(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command[0]}: ${stderr.toString().slice(0, 2000)}`);
}

/**
 * The bytes of instructions, by GNU as, which refuses what is neither in the first AArch64 nor of
 * FEAT_SHA256.
 */
async function assembled(texts: readonly string[]): Promise<Uint8Array> {
  const directory = mkdtempSync(`${tmpdir()}/forms-`);
  const [source, object, raw] = ["s", "o", "bin"].map((end) => `${directory}/forms.${end}`);
  await Bun.write(source!, [".arch armv8-a+sha2", ...texts, ""].join("\n"));
  run(["aarch64-linux-gnu-as", source!, "-o", object!]);
  run(["aarch64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", object!, raw!]);
  const bytes = await Bun.file(raw!).bytes();
  rmSync(directory, { recursive: true });
  return bytes;
}

const calls = armKernelCalls();
const texts = calls.map(({ method, args }) => TEXT[method]!(...args));
const bytes = await assembled(texts);
const forms = calls.map((call, i) => ({
  ...call,
  text: texts[i],
  bytes: bytes.subarray(4 * i, 4 * i + 4).toHex(),
}));
const jumps = { text: JUMPS, bytes: (await assembled(JUMPS)).toHex() };
const lines = forms.map((known) => JSON.stringify(known)).join(",\n");
await Bun.write(
  new URL("../data/arm64_forms.json", import.meta.url),
  `{\n"jumps": ${JSON.stringify(jumps)},\n"forms": [\n${lines}\n]}\n`,
);
console.log(`${forms.length} instructions written`);
