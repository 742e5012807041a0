/**
 * One connection to a server at a time, dialled anew whenever its owner asks for that: what every
 * program that connects shares. When to dial again is the owner's affair (`base/backoff.ts`).
 *
 * @module
 */
import { atPort } from "../base/text.ts";
import { connect, type LspClient, type Params, type Wire } from "../lsp/mod.ts";
import { whyEnded } from "./endings.ts";

/** Where to connect, and how. */
export interface UplinkOptions {
  /** The server's name or address; loopback if left out. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Default `cbor`. */
  readonly wire?: Wire | undefined;
  readonly params?: Params | undefined;
  /** Version of the application's messages. */
  readonly appVersion: number;
}

/** A server to dial. */
export interface UplinkTarget {
  readonly host: string;
  readonly port: number;
  readonly params?: Params | undefined;
}

/** What a link tells its owner, of its newest connection only. */
export interface UplinkEvents {
  onConnected(wire: Wire): void;
  onPayload(payload: Uint8Array): void;
  /**
   * The connection was lost or closed, or could not be made; not called for ends that the owner
   * asked for. `reason` is one line for people, `error` what brought it about.
   */
  onGone(reason: string, error: unknown): void;
}

/** See the module. */
export class Uplink {
  /** The server that is dialled, or was last. */
  #target: UplinkTarget;
  readonly #options: UplinkOptions & { readonly wire: Wire };
  readonly #events: UplinkEvents;
  /** Cuts off a dial that is under way. */
  readonly #ending = new AbortController();
  #client: LspClient | undefined;
  /** Counts dials and ends: what an older connection still has to say is dropped. */
  #turn = 0;
  #closed: Promise<void> | undefined;

  constructor(options: UplinkOptions, events: UplinkEvents) {
    const { host = "127.0.0.1", port, params, wire = "cbor" } = options;
    this.#target = { host, port, params };
    this.#options = { ...options, wire };
    this.#events = events;
  }

  /** `HOST:PORT` of the server, for people. */
  get where(): string {
    return atPort(this.#target.host, this.#target.port);
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  /**
   * Connects, and reads until the connection is gone; an older connection is closed. To the server
   * that was dialled last, or to another one.
   */
  dial(target: UplinkTarget = this.#target): void {
    this.#target = target;
    if (this.#closed === undefined) void this.#run(this.#leave());
  }

  /** Writes on the connection, if there is one; if it takes no more, that is its end. */
  write(payload: Uint8Array): void {
    try {
      this.#client?.write(payload);
    } catch (error) {
      // A server that does not take what it asked for is as good as gone.
      this.#leave();
      this.#events.onGone(`cannot write to the server: ${(error as Error).message}`, error);
    }
  }

  /** Ends all for good; resolves when everything written is acknowledged, or the server is lost. */
  close(): Promise<void> {
    this.#closed ??= this.#release();
    return this.#closed;
  }

  async #release(): Promise<void> {
    const client = this.#client;
    this.#turn++;
    this.#client = undefined;
    // A connection that stands is closed in peace, so that what was written last still gets out.
    if (client === undefined) this.#ending.abort();
    await client?.close();
  }

  /** Lets go of the connection; the number of the next. */
  #leave(): number {
    void this.#client?.close();
    this.#client = undefined;
    return ++this.#turn;
  }

  async #run(turn: number): Promise<void> {
    const { where } = this;
    const client = await this.#connect(turn);
    if (client === undefined) return;
    for (;;) {
      let payload: Uint8Array;
      try {
        payload = client.tryRead() ?? (await client.read());
      } catch (error) {
        return this.#tellGone(turn, where, error);
      }
      if (turn !== this.#turn) return;
      this.#events.onPayload(payload);
    }
  }

  async #connect(turn: number): Promise<LspClient | undefined> {
    const { wire, appVersion } = this.#options;
    const { host, port, params } = this.#target;
    const { where } = this;
    let client: LspClient;
    try {
      const { signal } = this.#ending;
      const given = { host, port, wire, appVersion, signal };
      client = await connect(params === undefined ? given : { ...given, params });
    } catch (error) {
      this.#tellGone(turn, where, error);
      return undefined;
    }
    if (turn !== this.#turn) {
      void client.close();
      return undefined;
    }
    this.#client = client;
    this.#events.onConnected(wire);
    return client;
  }

  #tellGone(turn: number, where: string, error: unknown): void {
    if (turn !== this.#turn) return;
    this.#client = undefined;
    this.#events.onGone(whyEnded(`the server at ${where}`, error), error);
  }
}
