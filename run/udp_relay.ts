/**
 * A relay of UDP datagrams on this machine: a program that sends to its port speaks through it to
 * another port. What becomes of a datagram on its way is up to the owner: a delay, say, or a loss.
 *
 * @module
 */

/** To the target, or back to a sender. */
export type Way = "up" | "down";
/** Has a datagram (its own copy) on its way: to be delivered now, later, or never. */
export type Carry = (bytes: Uint8Array, way: Way, deliver: (bytes: Uint8Array) => void) => void;

/** Senders that are relayed at a time; the datagrams of more are dropped. */
const SENDERS_MAX = 1000;

/** What is sent to a socket that is closed is lost. */
const ignored = (): void => {};

/** See the module. */
export class UdpRelay implements AsyncDisposable {
  /** The port of loopback behind it; nothing passes as long as it is undefined. */
  target: number | undefined;
  readonly #carry: Carry;
  readonly #front: Bun.udp.Socket<"buffer">;
  /** A socket towards the target for each port that sends. */
  readonly #backs = new Map<number, Promise<Bun.udp.Socket<"buffer">>>();
  #isClosed = false;

  /** Opens one, on a port of loopback that is free. */
  static async open(carry: Carry, target?: number): Promise<UdpRelay> {
    const front = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_, bytes, from) => void relay.#take(bytes.slice(), from), error: ignored },
    });
    const relay = new UdpRelay(carry, front, target);
    return relay;
  }

  private constructor(carry: Carry, front: Bun.udp.Socket<"buffer">, target: number | undefined) {
    this.#carry = carry;
    this.#front = front;
    this.target = target;
  }

  /** Where others find it. */
  get port(): number {
    return this.#front.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#front.close();
    for (const back of this.#backs.values()) (await back).close();
  }

  async #take(bytes: Uint8Array, from: number): Promise<void> {
    let dialled = this.#backs.get(from);
    if (dialled === undefined) {
      if (this.#backs.size >= SENDERS_MAX) return;
      dialled = this.#dial(from);
      this.#backs.set(from, dialled);
    }
    const back = await dialled;
    this.#carry(bytes, "up", (carried) => this.#send(back, carried, this.target));
  }

  #dial(from: number): Promise<Bun.udp.Socket<"buffer">> {
    const back = (bytes: Uint8Array): void => this.#send(this.#front, bytes, from);
    return Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_, bytes) => this.#carry(bytes.slice(), "down", back), error: ignored },
    });
  }

  #send(socket: Bun.udp.Socket<"buffer">, bytes: Uint8Array, to: number | undefined): void {
    if (this.#isClosed || to === undefined) return;
    try {
      socket.send(bytes, to, "127.0.0.1");
    } catch {
      // Nobody is there to take it: it is lost, as on every network.
    }
  }
}
