/** The memory that native kernels run in: never writable and executable, and fenced in. */
import { describe, expect, test } from "bun:test";
import { read } from "bun:ffi";
import { Assembler } from "../miner/kernels/assembler.ts";
import { cpuFeatures } from "../miner/kernels/native_cpu.ts";
import { guardedBuffer, mapCode, NativeMemoryError } from "../miner/kernels/native_memory.ts";

const MEMORY = new URL("../miner/kernels/native_memory.ts", import.meta.url).pathname;

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

/** The exit code of a process that touches `offset` bytes from one end of a buffer of 1,000 words. */
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

describe("native memory", () => {
  test("code is readable and executable, and not writable", async () => {
    if (!runsMachineCode() || process.platform !== "linux") return;
    const asm = new Assembler();
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
  }, 20_000);
});
