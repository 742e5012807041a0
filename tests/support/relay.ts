/**
 * A relay of UDP datagrams between clients and one server on this machine, which can be cut.
 *
 * @module
 */
import { UdpRelay } from "../../run/udp_relay.ts";

/** See the module. */
export class CuttableRelay implements AsyncDisposable {
  /** Nothing passes, either way. */
  isCut = false;
  /** Nothing passes to clients. */
  isDeaf = false;
  readonly #relay: UdpRelay;

  /** A relay to the server at `port` of this machine. */
  static async to(port: number): Promise<CuttableRelay> {
    const relay = await UdpRelay.open((bytes, way, deliver) => {
      const passes = way === "up" ? !made.isCut : !made.isCut && !made.isDeaf;
      if (passes) deliver(bytes);
    }, port);
    const made = new CuttableRelay(relay);
    return made;
  }

  private constructor(relay: UdpRelay) {
    this.#relay = relay;
  }

  /** Where clients find it. */
  get port(): number {
    return this.#relay.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#relay[Symbol.asyncDispose]();
  }
}
