/**
 * Which processor this is, so that a child process can be asked whether it runs on the same one
 * (under an emulator or in a translated container it need not), and so that what was found out
 * about it is found again at the next start.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { oneLine } from "../../base/text.ts";
import { cpuidCode, XCR0 } from "./cpu_native.ts";
import {
  guardedBuffer,
  hardwareCapabilities,
  mapCode,
  NativeMemoryError,
  nativeScan,
} from "./memory_native.ts";

/** Leaves of CPUID: vendor, signature and features, more features, and the name in three parts. */
const BRAND: readonly number[] = [0x8000_0002 | 0, 0x8000_0003 | 0, 0x8000_0004 | 0];
const LEAVES: readonly number[] = [0, 1, 7, ...BRAND];
const OSXSAVE = 1 << 27;
/** Number of AT_HWCAP for getauxval. */
export const AT_HWCAP = 16;

/** What tells a processor from others. */
export interface Processor {
  /** One line for people. */
  readonly name: string;
  /** What CPUID or getauxval answered. */
  readonly words: readonly number[];
  /** What of CPUID was asked, in this order; nothing where there is no CPUID. */
  readonly leaves: readonly number[];
}

let known: Processor | undefined;

/** Asks the processor; the answer is kept. */
export function processor(): Processor {
  return (known ??= ask());
}

function ask(): Processor {
  if (process.arch === "x64") {
    try {
      return askCpuid();
    } catch (error) {
      // No machine code can be run here, so not even the code that asks.
      if (!(error instanceof NativeMemoryError)) throw error;
    }
  }
  const { arch, platform } = process;
  const words = platform === "linux" && arch === "arm64" ? [hardwareCapabilities()] : [];
  return { name: oneLine(cpus()[0]?.model ?? "unknown processor"), words, leaves: [] };
}

function askCpuid(): Processor {
  const scan = nativeScan(mapCode(cpuidCode()));
  const answer = guardedBuffer(16);
  const cpuid = (leaf: number): number[] => {
    scan(answer.address, 0, 0, leaf, 0, 0);
    return [...answer.words.subarray(0, 4)];
  };
  const highest = cpuid(0)[0]!;
  const saves = (cpuid(1)[2]! & OSXSAVE) !== 0;
  // Without OSXSAVE the instruction XGETBV faults, and a leaf that there is not answers anything.
  const leaves = [
    ...LEAVES.filter((leaf) => leaf < 0 || leaf <= highest),
    ...(saves ? [XCR0] : []),
  ];
  const words = leaves.flatMap(cpuid);
  return { name: nameOf(words, leaves), words, leaves };
}

/** "Intel(R) Xeon(R) Processor, GenuineIntel family 6 model 143 stepping 8". */
function nameOf(words: readonly number[], leaves: readonly number[]): string {
  const textOf = (list: readonly number[]): string =>
    oneLine(Buffer.from(Int32Array.from(list).buffer).toString("latin1").replaceAll("\0", " "));
  const vendor = textOf([words[1]!, words[3]!, words[2]!]);
  const signature = words[4]!;
  const base = (signature >>> 8) & 15;
  const family = base + (base === 15 ? (signature >>> 20) & 255 : 0);
  const model = ((signature >>> 4) & 15) | ((signature >>> 12) & 0xf0);
  const brandAt = 4 * leaves.indexOf(BRAND[0]!);
  const brand = textOf(words.slice(brandAt, brandAt + 12)) || "processor";
  return `${brand}, ${vendor} family ${family} model ${model} stepping ${signature & 15}`;
}

/** What of leaf 1 (not EBX: which core answers), of leaf 7 (EBX), of XCR0 (EAX) never varies. */
const STEADY: Readonly<Record<number, readonly number[]>> = {
  1: [0, 2, 3],
  7: [1],
  [XCR0]: [0],
};

/** Whether `told` by a child is this processor. */
export function isSameProcessor({ words, leaves }: Processor, told: readonly number[]): boolean {
  return (
    told.length === words.length &&
    words.every((word, i) => {
      const steady = STEADY[leaves[i >> 2] ?? 0];
      return (steady !== undefined && !steady.includes(i % 4)) || word === told[i];
    })
  );
}

/**
 * What may change how code behaves on the same processor: its microcode where the system tells it,
 * else the system's release.
 */
export function systemVersion(): string {
  const system = `${process.platform} ${process.arch}`;
  try {
    const microcode = /^microcode\s*:\s*(\S+)/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
    if (microcode !== undefined) return `${system}, microcode ${microcode}`;
  } catch {
    // No Linux.
  }
  return `${system} ${release()}`;
}
