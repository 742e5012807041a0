/**
 * A far-away port on this machine: a relay of UDP datagrams that takes its time, for the demo and
 * for tests. Datagrams keep their order.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** What is sent to a socket that is closed is lost. */
const ignored = (): void => {};

/** Senders that are relayed at a time; the datagrams of more are dropped. */
const SENDERS_MAX = 1000;

/** See the module. */
export class DelayedPort implements AsyncDisposable {
  /** The port of loopback behind it; nothing passes as long as it is undefined. */
  target: number | undefined;
  readonly #delayMs: Millis;
  readonly #front: Bun.udp.Socket<"buffer">;
  /** A socket towards the target for each sender. */
  readonly #backs = new Map<number, Promise<Bun.udp.Socket<"buffer">>>();
  #isClosed = false;

  /** Opens one, on a port that is free; each datagram takes `delayMs` in either direction. */
  static async open(delayMs: Millis): Promise<DelayedPort> {
    const front = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_, bytes, from) => relay.#take(bytes, from), error: ignored },
    });
    const relay = new DelayedPort(delayMs, front);
    return relay;
  }

  private constructor(delayMs: Millis, front: Bun.udp.Socket<"buffer">) {
    this.#delayMs = delayMs;
    this.#front = front;
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

  #take(bytes: Buffer, from: number): void {
    const copy = bytes.slice();
    let back = this.#backs.get(from);
    if (back === undefined) {
      if (this.#backs.size >= SENDERS_MAX) return;
      back = this.#dial(from);
      this.#backs.set(from, back);
    }
    this.#later(async () => {
      const { target } = this;
      if (target !== undefined) (await back).send(copy, target, "127.0.0.1");
    });
  }

  #dial(to: number): Promise<Bun.udp.Socket<"buffer">> {
    return Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: {
        data: (_, bytes) => {
          const copy = bytes.slice();
          this.#later(() => void this.#front.send(copy, to, "127.0.0.1"));
        },
        error: ignored,
      },
    });
  }

  #later(send: () => void | Promise<void>): void {
    setTimeout(() => {
      if (this.#isClosed) return;
      // Nobody is there to take it: it is lost, as on every network.
      Promise.try(send).catch(ignored);
    }, this.#delayMs);
  }
}
