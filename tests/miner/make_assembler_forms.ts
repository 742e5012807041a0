/**
 * Writes tests/data/x86_forms.json: one call of the assembler for every form of instruction that
 * the kernels emit, with the bytes that GNU as gives for it. On the way, all calls are compared.
 *
 * `bun run tests/miner/make_assembler_forms.ts` (needs binutils for x86-64)
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Memory } from "../../miner/kernels/assembler.ts";
import { bytesOf, type Call, formOf, kernelCalls, type Known } from "./assembler_forms.ts";

const GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const GENERAL32 = "eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d".split(
  " ",
);
const BANK: Readonly<Record<number, string>> = { 128: "xmm", 256: "ymm", 512: "zmm" };

type Arg = Call["args"][number];

function memory({ base, index, scale = 1, displacement = 0, broadcast }: Memory, width: number) {
  const parts = [GENERAL[base]!];
  if (index !== undefined) parts.push(`${GENERAL[index]}*${scale}`);
  const sign = displacement < 0 ? "-" : "+";
  const at = `[${parts.join("+")}${sign}${Math.abs(displacement)}]`;
  return broadcast === true ? `${at}{1to${width / 32}}` : at;
}

function operand(arg: Arg, width: number): string {
  return typeof arg === "number" ? `${BANK[width]}${arg}` : memory(arg as Memory, width);
}

const general = (arg: Arg): string => GENERAL[arg as number]!;
const xmm = (arg: Arg): string => operand(arg, 128);

/** What GNU as calls each method's instruction. */
const TEXT: Readonly<Record<string, (...args: Arg[]) => string>> = {
  three: (op, w, ...rest) =>
    `${threeName(op!, w!, rest)} ${rest.map((a) => operand(a, w as number)).join(", ")}`,
  shift: (op, w, t, s, n) => `${op} ${operand(t!, w as number)}, ${operand(s!, w as number)}, ${n}`,
  threeImmediate: (op, w, t, a, b, n) => {
    const inserts = String(op).startsWith("vinsert");
    const last = operand(b!, inserts ? 128 : (w as number));
    return `${op} ${operand(t!, w as number)}, ${operand(a!, w as number)}, ${last}, ${n}`;
  },
  load: (w, t, s) => `${move(w!, t!, s!)} ${operand(t!, w as number)}, ${operand(s!, w as number)}`,
  store: (w, t, s) => {
    const name = move(w!, s!, t!).replace("{load} ", "");
    return `${name} ${operand(t!, w as number)}, ${operand(s!, w as number)}`;
  },
  broadcast: (w, t, s) => {
    const from = typeof s === "number" ? xmm(s) : `dword ptr ${memory(s as Memory, 0)}`;
    return `vpbroadcastd ${operand(t!, w as number)}, ${from}`;
  },
  moveFromGeneral: (t, s) => `vmovd ${xmm(t!)}, ${GENERAL32[s as number]}`,
  storeLane0: (t, s) => `vmovd dword ptr ${memory(t as Memory, 0)}, ${xmm(s!)}`,
  loadQuad: (t, s) => `vmovq ${xmm(t!)}, qword ptr ${memory(s as Memory, 0)}`,
  compareLessEqual: (w, k, a, b) =>
    `vpcmpud k${k}, ${operand(a!, w as number)}, ${operand(b!, w as number)}, 2`,
  testMask: (k) => `kortestw k${k}, k${k}`,
  byteMask: (w, t, s) => `vpmovmskb ${GENERAL32[t as number]}, ${operand(s!, w as number)}`,
  zeroUpper: () => "vzeroupper",
  sse: (op, t, s) =>
    op === "sha256rnds2" ? `${op} ${xmm(t!)}, ${xmm(s!)}, xmm0` : `${op} ${xmm(t!)}, ${xmm(s!)}`,
  sseImmediate: (op, t, s, n) => `${op} ${xmm(t!)}, ${xmm(s!)}, ${n}`,
  shiftBytesLeft: (t, n) => `pslldq ${xmm(t!)}, ${n}`,
  sseStore: (t, s) => `movdqu ${xmm(t!)}, ${xmm(s!)}`,
  sseByteMask: (t, s) => `pmovmskb ${GENERAL32[t as number]}, ${xmm(s!)}`,
  alu: (op, t, s) => `${op} ${general(t!)}, ${general(s!)}`,
  aluImmediate: (op, t, n) => `${op} ${general(t!)}, ${n}`,
  shiftLeft: (t, n) => `shl ${general(t!)}, ${n}`,
  signExtend: (t, s) => `movsxd ${general(t!)}, ${GENERAL32[s as number]}`,
  address: (t, s) => `lea ${general(t!)}, ${memory(s as Memory, 0)}`,
  store32: (t, s) => `mov dword ptr ${memory(t as Memory, 0)}, ${GENERAL32[s as number]}`,
  exchange: (a, b) => `xchg ${general(a!)}, ${general(b!)}`,
  push: (r) => `push ${general(r!)}`,
  pop: (r) => `pop ${general(r!)}`,
  plain: (op) => String(op),
};

/** Whether an instruction needs EVEX, which is named as if it were another one. */
function needsEvex(width: Arg, operands: readonly Arg[]): boolean {
  const evex = (arg: Arg) => (typeof arg === "number" ? arg > 15 : (arg as Memory).broadcast);
  return width === 512 || operands.some(evex);
}

function threeName(op: Arg, width: Arg, operands: readonly Arg[]): string {
  const logic = ["vpxor", "vpand", "vpor"].includes(op as string);
  return logic && needsEvex(width, operands) ? `${op}d` : String(op);
}

function move(width: Arg, register: Arg, other: Arg): string {
  // Between registers there are two encodings; ours is the one that also loads.
  return `{load} ${needsEvex(width, [register, other]) ? "vmovdqu32" : "vmovdqu"}`;
}

function run(command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command[0]}: ${stderr.toString().slice(0, 2000)}`);
  return stdout.toString();
}

/** The bytes of every instruction, by GNU as: from its listing, which has one line or more each. */
async function assembled(texts: readonly string[]): Promise<string[]> {
  const directory = mkdtempSync(`${tmpdir()}/forms-`);
  const source = `${directory}/forms.s`;
  await Bun.write(source, [".intel_syntax noprefix", ...texts, ""].join("\n"));
  const listing = run(["as", "-aln", "--listing-lhs-width=8", source, "-o", "/dev/null"]);
  rmSync(directory, { recursive: true });
  const bytes: string[] = texts.map(() => "");
  for (const line of listing.split("\n")) {
    const found = /^ *(\d+) [0-9a-f?]{4,} ([0-9A-F ]+?)\s*(\t|$)/.exec(line);
    if (found === null) continue;
    const at = Number(found[1]) - 2;
    if (at >= 0) bytes[at] += found[2]!.replaceAll(" ", "").toLowerCase();
  }
  return bytes;
}

/** Jumps in both directions, on every condition. */
const JUMPS = ["1: ret", "je 1b", "jne 2f", "jl 1b", "jle 2f", "jmp 1b", "jmp 2f", "2: ret"];
const jumps = await assembled(JUMPS.map((line) => line.replace(/^j/, "{disp32} j")));
await Bun.write(
  new URL("../data/x86_jumps.json", import.meta.url),
  `${JSON.stringify({ text: JUMPS, bytes: jumps.join("") })}\n`,
);

const calls = kernelCalls();
const texts = calls.map(({ method, args }) => TEXT[method]!(...args));
const theirs = await assembled(texts);
const forms = new Map<string, Known>();
let different = 0;
calls.forEach((call, i) => {
  if (bytesOf(call) !== theirs[i]) {
    if (different++ < 10) console.error(`${texts[i]}: ${bytesOf(call)} is not ${theirs[i]}`);
  }
  const form = formOf(call);
  if (!forms.has(form)) forms.set(form, { ...call, text: texts[i]!, bytes: theirs[i]! });
});
const lines = [...forms.values()].map((known) => JSON.stringify(known)).sort();
await Bun.write(new URL("../data/x86_forms.json", import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
console.log(`${calls.length} instructions, ${different} different; ${forms.size} forms written`);
