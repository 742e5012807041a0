/**
 * Listening on a wildcard address so that every answer leaves from the address that was asked, as
 * with TCP: a peer that is connected to that address hears nothing from any other. Bun's sockets
 * neither tell which address was asked nor choose the one to answer from. So each address of this
 * machine has a socket of its own, and a socket for all the rest (wildcard_native.ts), which is
 * looked at now and then, tells which address still lacks one.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import { isLinkLocal } from "../base/ip_address.ts";
import { localOf } from "./address.ts";
import { AddressInUse } from "./errors.ts";
import {
  type BunSocket,
  openBound,
  type SocketHandlers,
  type UdpSocket,
} from "./socket_adapter.ts";
import type { Address } from "./types.ts";
import { type Asked, setReuse, WildcardSocket } from "./wildcard_native.ts";

/**
 * Between two looks at what came for an address without socket. That is the first datagram for it
 * only; a look that finds nothing takes about a microsecond.
 */
const LOOK_MS = 100;
/** Datagrams read in one look. */
const READ_MAX = 256;
/** Sockets at most: a program on this machine has 16 million loopback addresses to use. */
const SOCKETS_MAX = 256;
/** The share of its sockets that it keeps when the process may open no more files. */
const KEPT_SHARE = 0.75;
/** Datagrams kept for a socket that is being opened. */
const WAITING_MAX = 32;

/** One address of this machine. */
interface Local {
  /** `undefined` while it is being opened. */
  socket: BunSocket | undefined;
  /** Whether anything came to it since somebody looked for one to close. */
  isUsed: boolean;
  readonly waiting: Asked[];
}

/**
 * Binds 0.0.0.0 or :: (which takes both families) as the module says. `undefined` where the system
 * lacks what that takes; throws {@link AddressInUse}.
 */
export async function openWildcard(
  host: "0.0.0.0" | "::",
  port: number,
  handlers: SocketHandlers,
): Promise<UdpSocket | undefined> {
  const rest = WildcardSocket.open(host === "::", port);
  if (rest === "in use") throw new AddressInUse(host, port);
  if (rest === undefined) return undefined;
  const sockets = new WildcardSockets(host, rest, handlers);
  await sockets.openOwn();
  if (sockets.isEmpty) {
    sockets.close();
    return undefined;
  }
  return sockets;
}

class WildcardSockets implements UdpSocket {
  readonly host: string;
  readonly port: number;
  readonly answersFromAsked = true;
  readonly #rest: WildcardSocket;
  readonly #handlers: SocketHandlers;
  readonly #locals = new Map<string, Local>();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Sockets that are being bound. */
  #binding = 0;
  /** Fewer once the process could open no more files: others have to open some, too. */
  #socketsMax = SOCKETS_MAX;
  #isRef = true;
  #isClosed = false;

  constructor(host: string, rest: WildcardSocket, handlers: SocketHandlers) {
    this.host = host;
    this.port = rest.port;
    this.#rest = rest;
    this.#handlers = handlers;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  get isEmpty(): boolean {
    return this.#locals.size === 0;
  }

  get forbidsFragments(): boolean {
    return this.#locals.values().every(({ socket }) => socket?.forbidsFragments ?? true);
  }

  /** Opens a socket for each address that this machine has now. */
  async openOwn(): Promise<void> {
    const own = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).map(({ address }) => (isLinkLocal(address) ? `${address}%${name}` : address)),
    );
    const bindable = own.filter((address) => this.host === "::" || !address.includes(":"));
    await Promise.all(bindable.slice(0, SOCKETS_MAX).map((address) => this.#open(address)));
  }

  sendMany(packets: readonly Uint8Array[], to: readonly Address[]): number {
    let done = 0;
    while (done < packets.length) {
      const local = localOf(to[done]!);
      let end = done + 1;
      while (end < packets.length && localOf(to[end]!) === local) end++;
      const whole = done === 0 && end === packets.length;
      const socket = this.#locals.get(local ?? "")?.socket;
      // Without a socket for it the peer asks again, and gets one.
      const sent = socket?.sendMany(
        whole ? packets : packets.slice(done, end),
        whole ? to : to.slice(done, end),
      );
      done += sent ?? end - done;
      if (sent !== undefined && done < end) return done;
    }
    return done;
  }

  ref(): void {
    this.#setRef(true);
  }

  unref(): void {
    this.#setRef(false);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const { socket } of this.#locals.values()) socket?.close();
    this.#locals.clear();
    this.#rest.close();
  }

  #setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (isRef) this.#timer.ref();
    else this.#timer.unref();
    for (const { socket } of this.#locals.values()) {
      if (isRef) socket?.ref();
      else socket?.unref();
    }
  }

  #look(): void {
    for (let i = 0; i < READ_MAX && !this.#isClosed; i++) {
      const asked = this.#rest.receive();
      if (asked === undefined) return;
      if (asked === "odd") continue;
      const known = this.#locals.get(asked.local);
      if (known?.socket !== undefined) {
        this.#handlers.data(asked.bytes, asked.host, asked.port, asked.local);
      } else if (known === undefined || known.waiting.length < WAITING_MAX) {
        const kept = { ...asked, bytes: asked.bytes.slice() };
        if (known !== undefined) known.waiting.push(kept);
        else void this.#open(asked.local, kept);
      }
    }
  }

  /** Opens a socket for `address`; where that cannot be (a broadcast's, say), forgets about it. */
  async #open(address: string, first?: Asked): Promise<void> {
    if (this.#locals.size >= this.#socketsMax) this.#closeOne();
    const local: Local = { socket: undefined, isUsed: true, waiting: first ? [first] : [] };
    this.#locals.set(address, local);
    const { data, drain } = this.#handlers;
    const handlers: SocketHandlers = {
      data: (bytes, host, port) => {
        local.isUsed = true;
        data.call(this.#handlers, bytes, host, port, address);
      },
      drain: () => drain.call(this.#handlers),
    };
    let socket = await this.#bind(address, handlers);
    if (socket === "no more files") {
      this.#shrink();
      socket = await this.#bind(address, handlers);
    }
    const isWanted = this.#locals.get(address) === local;
    if (socket === undefined || socket === "no more files") {
      if (isWanted) this.#locals.delete(address);
      return;
    }
    if (!isWanted) return socket.close();
    if (!this.#isRef) socket.unref();
    local.socket = socket;
    for (const asked of local.waiting.splice(0)) {
      this.#handlers.data(asked.bytes, asked.host, asked.port, address);
    }
  }

  /** Only while a socket of ours is bound may the port be shared; or two servers could have it. */
  async #bind(
    address: string,
    handlers: SocketHandlers,
  ): Promise<BunSocket | "no more files" | undefined> {
    this.#binding++;
    this.#rest.setReuse(true);
    try {
      const socket = await openBound(address, this.port, handlers, { shares: true });
      setReuse(socket.fd, false);
      return socket;
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      return code === "EMFILE" || code === "ENFILE" ? "no more files" : undefined;
    } finally {
      if (--this.#binding === 0 && !this.#isClosed) this.#rest.setReuse(false);
    }
  }

  /** Gives some of its sockets up, for others, too: what logs or stores has to open files. */
  #shrink(): void {
    this.#socketsMax = Math.max(1, Math.floor(this.#locals.size * KEPT_SHARE));
    for (let i = this.#locals.size - this.#socketsMax; i > 0; i--) this.#closeOne();
  }

  /** Makes room: for one that nothing came to since the last time. */
  #closeOne(): void {
    for (const [address, local] of [...this.#locals, ...this.#locals]) {
      if (!local.isUsed && local.socket !== undefined) {
        local.socket.close();
        this.#locals.delete(address);
        return;
      }
      local.isUsed = false;
    }
  }
}
