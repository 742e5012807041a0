/**
 * A UDP socket on a wildcard address that knows at which address each datagram was asked for: what
 * `recvmsg` tells with IP_PKTINFO (Linux, ip(7) and ipv6(7)), and Bun has no call for.
 *
 * It is not made for traffic, for nobody wakes us when something comes: it is asked now and then.
 * What it tells once is enough to open a socket of Bun's for that address (see
 * wildcard_adapter.ts).
 *
 * @module
 */
import { FFIType, type Pointer, ptr, read } from "bun:ffi";
import { canonicalIp } from "../base/ip_address.ts";
import { systemLibrary } from "../run/system_library.ts";

/** A datagram, where it came from, and at which of our addresses. */
export interface Asked {
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly port: number;
  readonly local: string;
}

// Linux's numbers, the same on all architectures that Bun runs on.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const EADDRINUSE = 98;

const NAME_BYTES = 28;
const CONTROL_BYTES = 256;
const DATAGRAM_BYTES_MAX = 65_536;
/** struct msghdr on 64-bit Linux. */
const MESSAGE_BYTES = 56;
/** struct cmsghdr on 64-bit Linux: length, level, type. */
const CONTROL_HEAD_BYTES = 16;

const { i32, u32, u64, ptr: pointer } = FFIType;
const SHAPE = {
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, u32], returns: i32 },
  getsockname: { args: [i32, pointer, pointer], returns: i32 },
  setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
  recvmsg: { args: [i32, pointer, i32], returns: FFIType.i64_fast },
  close: { args: [i32], returns: i32 },
  if_indextoname: { args: [u32, pointer], returns: u64 },
  __errno_location: { args: [], returns: pointer },
} as const;

function load() {
  if (process.platform !== "linux") return undefined;
  try {
    return systemLibrary(SHAPE);
  } catch {
    return undefined;
  }
}

let libc: ReturnType<typeof load> | false = false;

function calls(): NonNullable<ReturnType<typeof load>> | undefined {
  if (libc === false) libc = load();
  return libc;
}

function setOption(fd: number, level: number, name: number, value: number): boolean {
  const bytes = Int32Array.of(value);
  return calls()?.setsockopt(fd, level, name, ptr(bytes), bytes.byteLength) === 0;
}

/** Lets another socket bind the port of `fd` too, if that one wishes the same; or no more. */
export function setReuse(fd: number, isOn: boolean): boolean {
  return fd >= 0 && setOption(fd, SOL_SOCKET, SO_REUSEADDR, isOn ? 1 : 0);
}

/** See the module. */
export class WildcardSocket {
  readonly port: number;
  readonly #fd: number;
  // Kept, for the kernel writes where the message's pointers point to.
  readonly #name = new Uint8Array(NAME_BYTES);
  readonly #bytes = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #control = new Uint8Array(CONTROL_BYTES);
  readonly #vector = new BigUint64Array(2);
  readonly #message = new BigUint64Array(MESSAGE_BYTES / 8);

  private constructor(fd: number, port: number) {
    this.#fd = fd;
    this.port = port;
    this.#vector[0] = BigInt(ptr(this.#bytes));
    this.#vector[1] = BigInt(DATAGRAM_BYTES_MAX);
  }

  /**
   * Binds 0.0.0.0, or :: for both families. `undefined` where the system has no such thing;
   * "in use" if another program has the port.
   */
  static open(isSix: boolean, port: number): WildcardSocket | "in use" | undefined {
    const system = calls();
    const fd = system?.socket(isSix ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0) ?? -1;
    if (system === undefined || fd < 0) return undefined;
    const tells = isSix
      ? setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) &&
        setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
      : setOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
    const name = new Uint8Array(isSix ? NAME_BYTES : 16);
    const view = new DataView(name.buffer);
    view.setUint16(0, isSix ? AF_INET6 : AF_INET, true);
    view.setUint16(2, port);
    const length = Uint32Array.of(name.length);
    const isBound = tells && system.bind(fd, ptr(name), name.length) === 0;
    const inUse = !isBound && errno() === EADDRINUSE;
    if (isBound && system.getsockname(fd, ptr(name), ptr(length)) === 0) {
      return new WildcardSocket(fd, view.getUint16(2));
    }
    system.close(fd);
    return inUse ? "in use" : undefined;
  }

  /** Whether sockets may be bound to single addresses beside it. */
  setReuse(isOn: boolean): boolean {
    return setReuse(this.#fd, isOn);
  }

  /**
   * The next datagram that has come; `undefined` for none, "odd" for one that the system does not
   * tell all of. Its bytes are good until the next.
   */
  receive(): Asked | "odd" | undefined {
    const message = this.#message;
    message[0] = BigInt(ptr(this.#name));
    message[1] = BigInt(NAME_BYTES);
    message[2] = BigInt(ptr(this.#vector));
    message[3] = 1n;
    message[4] = BigInt(ptr(this.#control));
    message[5] = BigInt(CONTROL_BYTES);
    message[6] = 0n;
    const length = Number(calls()!.recvmsg(this.#fd, ptr(message), 0));
    if (length < 0) return undefined;
    const local = this.#local(Number(message[5]));
    const from = addressAt(this.#name);
    if (local === undefined || from === undefined) return "odd";
    return { bytes: this.#bytes.subarray(0, length), ...from, local };
  }

  close(): void {
    calls()!.close(this.#fd);
  }

  /** The address in the control message: in_pktinfo's ipi_addr, or in6_pktinfo. */
  #local(length: number): string | undefined {
    const control = this.#control;
    const view = new DataView(control.buffer);
    for (let at = 0; at + CONTROL_HEAD_BYTES <= length;) {
      const bytes = Number(view.getBigUint64(at, true));
      const level = view.getInt32(at + 8, true);
      const type = view.getInt32(at + 12, true);
      const data = at + CONTROL_HEAD_BYTES;
      // ipi_addr, the third field, is the address in the datagram's header.
      if (level === IPPROTO_IP && type === IP_PKTINFO) return four(control, data + 8);
      if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
        return six(control, data, view.getUint32(data + 16, true));
      }
      if (bytes < CONTROL_HEAD_BYTES) return undefined;
      at += (bytes + 7) & ~7;
    }
    return undefined;
  }
}

/** What a sockaddr_in or sockaddr_in6 says. */
function addressAt(name: Uint8Array): { host: string; port: number } | undefined {
  const view = new DataView(name.buffer);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return { host: four(name, 4), port };
  if (family === AF_INET6) return { host: six(name, 8, view.getUint32(24, true)), port };
  return undefined;
}

function four(bytes: Uint8Array, at: number): string {
  return bytes.subarray(at, at + 4).join(".");
}

function six(bytes: Uint8Array, at: number, zone: number): string {
  const view = new DataView(bytes.buffer);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(at + 2 * i).toString(16));
  return canonicalIp(`${groups.join(":")}%${zoneName(zone)}`)!;
}

const ZONE_NAME_BYTES = 16;
const latin = new TextDecoder("latin1", { ignoreBOM: true });

/** The interface's name, as the system's texts have it; or its number. */
function zoneName(index: number): string {
  const name = new Uint8Array(ZONE_NAME_BYTES);
  if (index === 0 || Number(calls()!.if_indextoname(index, ptr(name))) === 0) return `${index}`;
  return latin.decode(name.subarray(0, name.indexOf(0)));
}

function errno(): number {
  return read.i32(calls()!.__errno_location() as Pointer, 0);
}
