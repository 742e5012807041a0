/**
 * A relay of UDP datagrams between clients and one server on this machine, which can be cut.
 *
 * @module
 */

/** What is sent to a socket that is closed is lost. */
const ignored = (): void => {};

/** See the module. */
export class Relay implements AsyncDisposable {
  /** Nothing passes, either way. */
  isCut = false;
  /** Nothing passes to clients. */
  isDeaf = false;
  readonly #serverPort: number;
  readonly #front: Bun.udp.Socket<"buffer">;
  /** A socket towards the server for each port of a client. */
  readonly #backs = new Map<number, Promise<Bun.udp.ConnectedSocket<"buffer">>>();

  /** A relay to the server at `port` of this machine. */
  static async to(port: number): Promise<Relay> {
    const front = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_, bytes, from) => void relay.pass(bytes, from), error: ignored },
    });
    const relay = new Relay(port, front);
    return relay;
  }

  private constructor(port: number, front: Bun.udp.Socket<"buffer">) {
    this.#serverPort = port;
    this.#front = front;
  }

  /** Where clients find it. */
  get port(): number {
    return this.#front.port;
  }

  async pass(bytes: Buffer, from: number): Promise<void> {
    if (this.isCut) return;
    let back = this.#backs.get(from);
    if (back === undefined) {
      back = this.#dial(from);
      this.#backs.set(from, back);
    }
    (await back).send(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.close();
    for (const back of this.#backs.values()) (await back).close();
  }

  #dial(to: number): Promise<Bun.udp.ConnectedSocket<"buffer">> {
    return Bun.udpSocket({
      connect: { hostname: "127.0.0.1", port: this.#serverPort },
      socket: {
        data: (_, bytes) => {
          if (!this.isCut && !this.isDeaf) this.#front.send(bytes, to, "127.0.0.1");
        },
        error: ignored,
      },
    });
  }
}
