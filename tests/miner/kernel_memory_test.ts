/** The memory that native kernels run in: never writable and executable, and fenced in. */
import { describe, expect, test } from "bun:test";
import { read } from "bun:ffi";
import { join } from "node:path";
import { Assembler } from "../../miner/kernels/assembler.ts";
import { cpuFeatures } from "../../miner/kernels/cpu_native.ts";
import { guardedBuffer, mapCode, NativeMemoryError } from "../../miner/kernels/memory_native.ts";
import { sideBySide } from "../support/side_by_side.ts";

const MEMORY = join(import.meta.dirname, "../../miner/kernels/memory_native.ts");

const CHOICE = join(import.meta.dirname, "../../miner/kernel_choice_adapter.ts");

/** Whether machine code runs here at all; if not, that is the one thing to check. */
function runsMachineCode(): boolean {
  try {
    cpuFeatures();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(NativeMemoryError);
    console.warn(`not run here: native memory (${String(error)})`);
    return false;
  }
}

/**
 * The exit code of a process that touches `offset` bytes from one end of a buffer of 1,000 words.
 */
function touch(end: "start" | "end", offset: number): number {
  const script = `
    import { read } from "bun:ffi";
    import { guardedBuffer } from ${JSON.stringify(MEMORY)};
    const { address, words } = guardedBuffer(1008);
    const page = 16384;
    const start = address + words.byteLength - page;
    const at = (${JSON.stringify(end)} === "end" ? address + words.byteLength : start) + ${offset};
    read.u8(at, 0);
    process.exit(42);`;
  const { exitCode } = Bun.spawnSync([process.execPath, "-e", script], { stderr: "ignore" });
  return exitCode;
}

/** What a new process prints that first runs `before` and then chooses a kernel. */
async function choiceAfter(before: string, env: Record<string, string> = {}): Promise<string> {
  const script = `
    ${before}
    const { chooseKernel } = await import(${JSON.stringify(CHOICE)});
    const { kernel, reason } = await chooseKernel();
    console.log(kernel.name + " | " + reason);`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    env: { ...Bun.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return stdout + stderr;
}

describe("where machine code cannot run, another kernel is chosen, with the reason", () => {
  const beside = sideBySide();

  beside("executable memory is refused", async () => {
    if (process.platform !== "linux") return console.warn("not run here: PR_SET_MDWE");
    // Linux 6.3 and up: memory that was writable can never become executable.
    const said = await choiceAfter(`
      import { dlopen } from "bun:ffi";
      const prctl = { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" };
      const { symbols } = dlopen("libc.so.6", { prctl });
      if (symbols.prctl(65, 1n, 0n, 0n, 0n) !== 0) console.log("no PR_SET_MDWE");`);
    if (said.includes("no PR_SET_MDWE")) return console.warn("not run here: PR_SET_MDWE");
    expect(said).toMatch(/^(wasm|bun|plain) \| .*refuses executable memory/);
  });

  beside("the system is one for which it is not set up", async () => {
    const said = await choiceAfter(
      `Object.defineProperty(process, "platform", { value: "win32" });`,
    );
    expect(said).toMatch(/^(wasm|bun|plain) \| .*machine code/);
  });

  beside("there is no just-in-time compiler", async () => {
    const said = await choiceAfter("", { BUN_JSC_useJIT: "0" });
    expect(said).toMatch(/^(wasm|bun|plain) \| .*no machine code/);
  });
});

describe("native memory", () => {
  test("code is readable and executable, and not writable", async () => {
    if (!runsMachineCode() || process.platform !== "linux") return;
    const asm = new Assembler(new Set());
    asm.plain("ret");
    const address = mapCode(asm.finish());
    expect(read.u8(address as never, 0)).toBe(0xc3);
    const maps = (await Bun.file("/proc/self/maps").text()).split("\n");
    const line = maps.find((entry) => {
      const [from, to] = entry
        .split(" ")[0]!
        .split("-")
        .map((hex) => Number.parseInt(hex, 16));
      return from! <= address && address < to!;
    });
    expect(line?.split(" ")[1]).toBe("r-xp");
  });

  test("guardedBuffer() is zeroed, aligned to a cache line and as long as asked", () => {
    if (!runsMachineCode()) return;
    const { address, words } = guardedBuffer(1000);
    expect(words.length).toBe(1008);
    expect(address % 64).toBe(0);
    expect(words.every((word) => word === 0)).toBe(true);
    words[1007] = 7;
    expect(read.i32(address as never, 4 * 1007)).toBe(7);
  });

  test("guardedBuffer() faults on the first byte past its end, and before its first page", () => {
    if (!runsMachineCode()) return;
    expect(touch("end", -1)).toBe(42);
    expect(touch("end", 0)).not.toBe(42);
    expect(touch("start", 0)).toBe(42);
    expect(touch("start", -1)).not.toBe(42);
  });
});
