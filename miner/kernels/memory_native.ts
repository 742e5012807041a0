/**
 * Memory from the operating system, for code and for the buffers that code works on.
 *
 * Code pages are written first and made executable afterwards, never both at once (W^X); where the
 * system refuses that, {@link NativeMemoryError} says why. Buffers end at a page that faults when
 * touched, so a kernel that writes beyond one dies at once instead of corrupting the process.
 *
 * @module
 */
import { CFunction, type FFIFunction, type Pointer, toArrayBuffer } from "bun:ffi";
import { invariant } from "../../base/machine.ts";
import { systemLibrary, systemLibraryPath } from "../../run/system_library.ts";

/** Native code cannot be used here; the message is one line for people. */
export class NativeMemoryError extends Error {
  override name = "NativeMemoryError";
}

const PAGE_BYTES = 16_384;
const PROT_NONE = 0;
const PROT_READ_WRITE = 3;
const PROT_READ_EXECUTE = 5;
/** MAP_PRIVATE | MAP_ANONYMOUS, which differ between the systems. */
const MAP_FLAGS: Readonly<Record<string, number>> = { linux: 0x22, darwin: 0x1002 };

/** What a child process needs to know to map memory here; see probe_program_native.ts. */
export function codeMemory(): { readonly library: string; readonly mapFlags: number } {
  return { library: systemLibraryPath() ?? "", mapFlags: MAP_FLAGS[process.platform] ?? 0 };
}

interface Libc {
  mmap(
    at: null,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): Pointer;
  mprotect(at: Pointer, bytes: number, protection: number): number;
}

let libc: Libc | undefined;

function memoryCalls(): Libc {
  if (libc !== undefined) return libc;
  const signatures = {
    mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
    mprotect: { args: ["ptr", "u64", "i32"], returns: "i32" },
  } as const satisfies Record<string, FFIFunction>;
  try {
    libc = systemLibrary(signatures) as unknown as Libc;
    return libc;
  } catch (error) {
    throw new NativeMemoryError((error as Error).message);
  }
}

/** AT_HWCAP of Linux: the lower 32 bits of what the kernel says of the processor. */
export function hardwareCapabilities(): number {
  try {
    return systemLibrary({ getauxval: { args: ["u64"], returns: "u32" } }).getauxval(16n);
  } catch {
    // With no C library nothing can be run anyway.
    return 0;
  }
}

const pages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

function map(bytes: number): Pointer {
  const flags = MAP_FLAGS[process.platform]!;
  const at = memoryCalls().mmap(null, bytes, PROT_READ_WRITE, flags, -1, 0);
  // MAP_FAILED is -1, as an unsigned 64-bit pointer.
  if (!at || at < 0 || at >= 2 ** 63) throw new NativeMemoryError(`mmap of ${bytes} bytes failed`);
  return at;
}

function protect(at: number, bytes: number, protection: number, what: string): void {
  if (memoryCalls().mprotect(at as Pointer, bytes, protection) === 0) return;
  throw new NativeMemoryError(`the system refuses ${what} (mprotect failed)`);
}

/** A buffer between two pages that fault; it ends exactly where the second one begins. */
export interface GuardedBuffer {
  readonly address: number;
  readonly words: Int32Array;
}

/**
 * Maps a zeroed buffer of `words` 32-bit words, rounded up to 64 bytes. Lives as long as the
 * process.
 */
export function guardedBuffer(words: number): GuardedBuffer {
  const bytes = Math.ceil(words / 16) * 64;
  const inner = pages(bytes);
  const start = map(inner + 2 * PAGE_BYTES);
  protect(start, PAGE_BYTES, PROT_NONE, "guard pages");
  protect(start + PAGE_BYTES + inner, PAGE_BYTES, PROT_NONE, "guard pages");
  const address = start + PAGE_BYTES + inner - bytes;
  return { address, words: new Int32Array(toArrayBuffer(address as Pointer, 0, bytes)) };
}

/**
 * Maps machine code, readable and executable; returns its address. Lives as long as the process.
 */
export function mapCode(code: Uint8Array): number {
  const bytes = pages(code.length);
  const start = map(bytes);
  new Uint8Array(toArrayBuffer(start, 0, bytes)).set(code);
  // On AArch64 the instruction cache must not hold what was there before: Linux sees to that when a
  // fresh page becomes executable (arch/arm64, __sync_icache_dcache).
  protect(start, bytes, PROT_READ_EXECUTE, "executable memory");
  return start;
}

/** Calls a scan: constants, lane inputs, hits or outputs, first lane, end, threshold. */
export type NativeScan = (
  constants: number,
  lanes: number,
  hits: number,
  from: number,
  to: number,
  threshold: number,
) => number;

/** A scan at `address` as a function; see {@link NativeScan}. */
export function nativeScan(address: number): NativeScan {
  invariant(address > 0, "a scan has an address");
  return CFunction({
    ptr: address as Pointer,
    args: ["ptr", "ptr", "ptr", "i32", "i32", "u32"],
    returns: "i32",
  }) as unknown as NativeScan;
}

/** A function at `address` that takes one pointer. */
export function nativeProcedure(address: number): (constants: number) => void {
  const args = ["ptr"] as const;
  return CFunction({ ptr: address as Pointer, args, returns: "void" }) as unknown as (
    constants: number,
  ) => void;
}
