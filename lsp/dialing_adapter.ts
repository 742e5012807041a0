/**
 * The socket of a dialer. While it dials, the socket talks to anybody: to all addresses of a name,
 * and it takes what a server on a wildcard address answers from another one. Once connected, it
 * talks to the server alone, which saves a quarter of the cost of sending (1.12 us instead of 0.86
 * a datagram) and keeps strangers' datagrams away. When the server has not been heard for a while,
 * or cannot be sent to, a new socket is opened, for the address of this machine may have changed
 * (another network, a VPN): the server learns of the new address, and the connection goes on.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { addressText, hostOf, portOf } from "./address.ts";
import {
  type BunSocket,
  openBound,
  openConnected,
  type SocketHandlers,
  type UdpSocket,
} from "./socket_adapter.ts";
import type { Address } from "./types.ts";
import { setReuse } from "./wildcard_native.ts";

/** What the system says when a socket's own address, or its route, is gone. */
const NO_WAY: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EHOSTUNREACH",
  "EINVAL",
  "ENETDOWN",
  "ENETUNREACH",
]);

/** What has come to a socket by then is read before it is closed. */
const LAST_READ_MS = 100;

/** A socket to dial with. */
export interface DialingSocket extends UdpSocket {
  /** Those that the system has a route to. */
  readonly addresses: readonly Address[];
  /**
   * From now on only `to` is talked to. If it is not heard for `patienceMs`, though we send, a new
   * socket is opened; Infinity: never.
   */
  settle(to: Address, patienceMs: number): void;
}

/**
 * Opens a socket to dial `hosts` at `port` with; `now` is its clock. Throws LspError `SOCKET` with
 * the system's reason if it has a route to none of them.
 */
export async function openDialing(
  hosts: readonly string[],
  port: number,
  handlers: SocketHandlers,
  now: () => Millis = () => performance.now(),
): Promise<DialingSocket> {
  const reachable: string[] = [];
  let failure: unknown;
  for (const host of hosts) {
    try {
      const tried = await openConnected(host, port, { data() {}, drain() {} });
      tried.close();
      reachable.push(host);
    } catch (error) {
      failure ??= error;
    }
  }
  if (reachable.length === 0) throw failure;
  const sockets = new Sockets(
    reachable.map((host) => addressText(host, port)),
    handlers,
    now,
  );
  await sockets.open();
  return sockets;
}

/** One socket at a time, or two while one takes the place of the other. */
class Sockets implements DialingSocket {
  readonly addresses: readonly Address[];
  readonly answersFromAsked = true;
  readonly #handlers: SocketHandlers;
  readonly #now: () => Millis;
  #socket!: BunSocket;
  /** Whether it talks to everybody. */
  #isWide = true;
  #isOpening = false;
  #settled: { readonly to: Address; readonly patienceMs: number } | undefined;
  /** When the server was last known to be heard, or a socket was opened because it was not. */
  #heardMs = 0;
  /** Whether it was heard since. */
  #isHeard = true;
  /** Whether a socket that talks to the server alone can be opened, as far as that is known. */
  #canNarrow = true;
  #isRef = true;
  #isClosed = false;

  constructor(addresses: readonly Address[], handlers: SocketHandlers, now: () => Millis) {
    this.addresses = addresses;
    this.#now = now;
    this.#handlers = {
      data: (bytes, host, port) => {
        this.#heard();
        handlers.data(bytes, host, port);
      },
      drain: () => handlers.drain(),
    };
  }

  get host(): string {
    return this.#socket.host;
  }

  get port(): number {
    return this.#socket.port;
  }

  get forbidsFragments(): boolean {
    return this.#socket.forbidsFragments;
  }

  /** Opens the first socket. */
  async open(): Promise<void> {
    this.#socket = await this.#openWide();
  }

  settle(to: Address, patienceMs: number): void {
    this.#settled = { to, patienceMs };
    void this.#replace(() => this.#openNarrow(to), false);
  }

  sendMany(packets: readonly Uint8Array[], to: readonly Address[]): number {
    const settled = this.#settled;
    if (settled !== undefined) this.#lookAround(settled.patienceMs);
    try {
      return this.#socket.sendMany(packets, to);
    } catch (error) {
      const isLost = NO_WAY.has(`${(error as { code?: unknown }).code}`);
      if (isLost && !this.#isWide && settled!.patienceMs < Infinity) this.#renew();
      throw error;
    }
  }

  ref(): void {
    this.#isRef = true;
    this.#socket.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#socket.unref();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  #heard(): void {
    this.#isHeard = true;
    const settled = this.#settled;
    if (!this.#isWide || settled === undefined || !this.#canNarrow) return;
    void this.#replace(() => this.#openNarrow(settled.to), false);
  }

  /** Opens a new socket if the server was not heard for so long. */
  #lookAround(patienceMs: number): void {
    const nowMs = this.#now();
    if (this.#isHeard) this.#heardMs = nowMs;
    this.#isHeard = false;
    if (nowMs - this.#heardMs > patienceMs) this.#renew();
  }

  #renew(): void {
    this.#heardMs = this.#now();
    void this.#replace(() => this.#openWide(), true);
  }

  async #openWide(): Promise<BunSocket> {
    const isFour = this.addresses.every((address) => !hostOf(address).includes(":"));
    return openBound(isFour ? "0.0.0.0" : "::", 0, this.#handlers);
  }

  /** On the same port as the one that it replaces: for the server nothing changes. */
  async #openNarrow(to: Address): Promise<BunSocket> {
    const { fd, port } = this.#socket;
    if (!setReuse(fd, true)) throw new Error("the port cannot be shared");
    try {
      const socket = await openConnected(hostOf(to), portOf(to), this.#handlers, port);
      setReuse(socket.fd, false);
      return socket;
    } finally {
      setReuse(fd, false);
    }
  }

  /** Puts what `open` opens in the place of the socket; where that fails, it stays. */
  async #replace(open: () => Promise<BunSocket>, isWide: boolean): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    const old = this.#socket;
    try {
      const socket = await open();
      if (this.#isClosed) return socket.close();
      if (!this.#isRef) socket.unref();
      this.#socket = socket;
      this.#isWide = isWide;
    } catch {
      if (!isWide) this.#canNarrow = false;
      return;
    } finally {
      this.#isOpening = false;
    }
    // What came before goes to the old one, and may not have been read yet.
    old.unref();
    setTimeout(() => old.close(), LAST_READ_MS).unref();
  }
}
