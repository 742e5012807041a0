/**
 * Asks the kernel for a larger receive buffer, so that a burst of datagrams survives until the
 * event loop comes to read it. Bun has no call for that; where libc cannot be called either, or the
 * kernel caps the wish, LSP is merely slower.
 *
 * @module
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

/** What is asked for: 4 MiB held every burst that was measured; Linux stores up to its rmem_max. */
const WANTED_BYTES = 4 << 20;

/** SOL_SOCKET and SO_RCVBUF, by platform. */
const OPTION: Partial<Record<NodeJS.Platform, readonly [level: number, name: number]>> = {
  linux: [1, 8],
  darwin: [0xffff, 0x1002],
};

const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["libc.so.6", "libc.so"],
  darwin: ["libSystem.B.dylib"],
};

type SetOption = (fd: number, level: number, name: number, value: number, size: number) => number;

let setOption: SetOption | undefined;

function load(): SetOption | undefined {
  const { i32, u32, ptr: pointer } = FFIType;
  const shape = { setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 } } as const;
  for (const name of LIBRARIES[process.platform] ?? []) {
    try {
      return dlopen(name, shape).symbols.setsockopt as unknown as SetOption;
    } catch {
      // Another libc, or none that may be called.
    }
  }
  return undefined;
}

/** Enlarges the receive buffer of the socket `fd`; whether the kernel took the wish. */
export function enlargeReceiveBuffer(fd: number): boolean {
  const option = OPTION[process.platform];
  if (option === undefined || fd < 0) return false;
  setOption ??= load();
  const value = Int32Array.of(WANTED_BYTES);
  return setOption?.(fd, option[0], option[1], ptr(value), value.byteLength) === 0;
}
