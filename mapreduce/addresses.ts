/**
 * Where the peers of a server can be asked directly. A peer says a port and no more, so that nobody
 * can have others connect to a third: its host is the one that it speaks to the server from.
 *
 * @module
 */
import { isLoopbackIp } from "../base/ip_address.ts";

/** See the module. */
export class Addresses {
  readonly #addressOf: (connId: number) => string | undefined;
  readonly #ports = new Map<number, number>();

  /** `addressOf`: where a connection comes from, as `HOST:PORT`. */
  constructor(addressOf: (connId: number) => string | undefined) {
    this.#addressOf = addressOf;
  }

  /** The port on which a peer can be asked; 0: none. */
  set(connId: number, port: number): void {
    if (port === 0) this.#ports.delete(connId);
    else this.#ports.set(connId, port);
  }

  gone(connId: number): void {
    this.#ports.delete(connId);
  }

  /** Where `asker` can ask `holder`, as `HOST:PORT`; empty: through the server. */
  of(holder: number, asker: number): string {
    const port = this.#ports.get(holder);
    const [host, other] = [this.#hostOf(holder), this.#hostOf(asker)];
    if (port === undefined || host === undefined || other === undefined) return "";
    // What the server's own machine calls itself means something on that machine alone.
    if (isLoopbackIp(bare(host)) !== isLoopbackIp(bare(other))) return "";
    return `${host}:${port}`;
  }

  #hostOf(connId: number): string | undefined {
    const address = this.#addressOf(connId);
    return address?.slice(0, address.lastIndexOf(":"));
  }
}

/** An IPv6 address without its brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
