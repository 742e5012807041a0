/**
 * A plain TCP client for tests, with nothing of ours but the waiting: it writes what it is told,
 * and collects what comes, when it reads.
 *
 * @module
 */
import { within } from "../support/waiting.ts";

const clients = new Set<TcpClient>();

/** One connection. */
export class TcpClient {
  /** What was read, a character a byte. */
  received = "";
  isClosed = false;
  /** Bytes of it that were not written yet. */
  unsent = 0;
  readonly #waiting = new Set<() => void>();
  readonly #outgoing: Buffer[] = [];
  #socket!: Bun.Socket;
  #endsWhenSent = false;

  /** Connects; one that `reads` not takes nothing from its socket before `resume`. */
  static async connect(
    port: number,
    { reads = true }: { readonly reads?: boolean } = {},
  ): Promise<TcpClient> {
    const client = new TcpClient();
    clients.add(client);
    client.#socket = await within(
      "a connection",
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        allowHalfOpen: true,
        socket: {
          open: (socket) => void (reads || socket.pause()),
          data: (_, bytes) => client.#note(() => (client.received += bytes.toString("latin1"))),
          drain: () => client.#flush(),
          end: (socket) => {
            socket.end();
            client.#note(() => (client.isClosed = true));
          },
          close: () => client.#note(() => (client.isClosed = true)),
          error() {},
        },
      }),
    );
    return client;
  }

  /** The whole lines that were read. */
  get lines(): string[] {
    return this.received.split("\n").slice(0, -1);
  }

  send(text: string): this {
    this.#outgoing.push(Buffer.from(text, "latin1"));
    this.unsent += text.length;
    this.#flush();
    return this;
  }

  /** Sends no more than what was said to be sent; still reads. */
  end(): this {
    this.#endsWhenSent = true;
    this.#flush();
    return this;
  }

  /** Reads from now on. */
  resume(): this {
    this.#socket.resume();
    return this;
  }

  /** Reads no more. */
  pause(): this {
    this.#socket.pause();
    return this;
  }

  /** Is gone at once. */
  kill(): void {
    clients.delete(this);
    this.#socket.terminate();
  }

  /** Waits for `holds`, looked at whenever something came. */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => void (holds() && resolve());
    this.#waiting.add(look);
    try {
      await within(what, promise, () => `received ${this.received.length} bytes`);
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Waits until so many lines were read in all; them. */
  async linesTo(count: number): Promise<string[]> {
    let [seen, from] = [0, 0];
    await this.until(`${count} lines`, () => {
      for (let at = this.received.indexOf("\n", from); at >= 0; seen++) {
        from = at + 1;
        at = this.received.indexOf("\n", from);
      }
      return seen >= count || this.isClosed;
    });
    return this.lines;
  }

  #flush(): void {
    for (let first = this.#outgoing[0]; first !== undefined; first = this.#outgoing[0]) {
      const taken = Math.max(0, this.#socket.write(first));
      this.unsent -= taken;
      if (taken < first.length) {
        this.#outgoing[0] = first.subarray(taken);
        return;
      }
      this.#outgoing.shift();
    }
    if (this.#endsWhenSent) this.#socket.shutdown();
    this.#note(() => {});
  }

  #note(change: () => void): void {
    change();
    for (const look of this.#waiting) look();
  }
}

/** Ends whatever a test left behind. */
export function killClients(): void {
  for (const client of clients) client.kill();
}
