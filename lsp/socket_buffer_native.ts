/**
 * Options of a UDP socket that Bun has no call for: a larger receive buffer, so that a burst of
 * datagrams survives until the event loop comes to read it, and no fragments. Where libc cannot be
 * called, or the kernel refuses, LSP is merely slower.
 *
 * @module
 */
import { FFIType, ptr } from "bun:ffi";
import { systemLibrary } from "../run/system_library.ts";

/** What is asked for: 4 MiB held every burst that was measured; Linux stores up to its rmem_max. */
const WANTED_BYTES = 4 << 20;

/** SOL_SOCKET and SO_RCVBUF, by platform. */
const OPTION: Partial<Record<NodeJS.Platform, readonly [level: number, name: number]>> = {
  linux: [1, 8],
  darwin: [0xffff, 0x1002],
};

type SetOption = (fd: number, level: number, name: number, value: number, size: number) => number;

let setOption: SetOption | undefined;

function load(): SetOption | undefined {
  const { i32, u32, ptr: pointer } = FFIType;
  const shape = { setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 } } as const;
  try {
    return systemLibrary(shape).setsockopt as unknown as SetOption;
  } catch {
    return undefined;
  }
}

/** Enlarges the receive buffer of the socket `fd`; whether the kernel took the wish. */
export function enlargeReceiveBuffer(fd: number): boolean {
  const option = OPTION[process.platform];
  return option !== undefined && set(fd, option[0], option[1], WANTED_BYTES);
}

/**
 * "Don't fragment", for IPv4 and IPv6, by platform. Linux: IP_MTU_DISCOVER and IPV6_MTU_DISCOVER
 * set to IP_PMTUDISC_PROBE, which also leaves ICMP's word on the path's size alone; elsewhere
 * IP_DONTFRAG and IPV6_DONTFRAG.
 */
const UNFRAGMENTED: Partial<Record<NodeJS.Platform, readonly (readonly [number, number])[]>> = {
  linux: [
    [0, 10],
    [41, 23],
  ],
  darwin: [
    [0, 28],
    [41, 62],
  ],
};

/** Has what is too large for the path be lost, not cut up; whether the kernel took the wish. */
export function forbidFragments(fd: number, isSix: boolean): boolean {
  const [four, six] = UNFRAGMENTED[process.platform] ?? [];
  if (four === undefined || six === undefined) return false;
  const value = process.platform === "linux" ? 3 : 1;
  // A socket for both families needs both; one for IPv4 has no other.
  const takesFour = set(fd, four[0], four[1], value);
  return isSix ? set(fd, six[0], six[1], value) : takesFour;
}

function set(fd: number, level: number, name: number, value: number): boolean {
  if (fd < 0) return false;
  setOption ??= load();
  const bytes = Int32Array.of(value);
  return setOption?.(fd, level, name, ptr(bytes), bytes.byteLength) === 0;
}
