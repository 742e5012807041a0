/**
 * A bad network in virtual time: dialer cores and one listener core on both sides of a bottleneck,
 * without sockets or waiting, so that equal seeds give equal figures on every machine.
 *
 * @module
 */
import { seededRandom } from "../base/random.ts";
import type { CongestionFactory } from "../lsp/congestion.ts";
import { createDialer, type Dialer } from "../lsp/dialer.ts";
import type { Endpoint } from "../lsp/core.ts";
import { createListener, type Listener } from "../lsp/listener.ts";
import { DATAGRAM_BUFFER_BYTES } from "../lsp/params.ts";
import type { LspEvent, Params } from "../lsp/types.ts";
import { Pipe } from "./relay.ts";

/** The path, the same in both directions, and what runs over it. */
export interface VirtualLinkOptions {
  readonly rttMs: number;
  /** Probability that a datagram vanishes, in either direction. */
  readonly loss: number;
  /** Bottleneck rate in bits of UDP payload a second. */
  readonly bitsPerSecond: number;
  readonly queueBytes: number;
  readonly seed: number;
  /** Connections that share the path. */
  readonly flows: number;
  readonly params?: Params;
  readonly congestion?: CongestionFactory;
  /** Timers ring at multiples of this, as an event loop's do. Default 1 ms. */
  readonly timerStepMs?: number;
}

/** An endpoint, and the pipe that it sends into. */
interface Node {
  readonly core: Endpoint;
  readonly address: string;
  readonly out: Pipe;
}

/** See the module. Time starts at 0, when every dialer sends its first Connect. */
export class VirtualLink {
  nowMs = 0;
  readonly listener: Listener;
  readonly dialers: Dialer[] = [];
  /** Client to server, and back. */
  readonly up: Pipe;
  readonly down: Pipe;
  /** Told what the listener reads. */
  onEvent: (event: LspEvent) => void = () => {};
  /** Whether a datagram reaches the pipe; for tests that drop a chosen one. */
  passes: (bytes: Uint8Array, from: string) => boolean = () => true;

  readonly #nodes: Node[] = [];
  readonly #byAddress = new Map<string, Node>();
  readonly #timerStepMs: number;
  readonly #buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);

  constructor(options: VirtualLinkOptions) {
    const { rttMs, loss, bitsPerSecond, queueBytes, seed, flows, params, congestion } = options;
    this.#timerStepMs = options.timerStepMs ?? 1;
    const pipe = (stream: number): Pipe =>
      new Pipe({
        delayMs: rttMs / 2,
        loss,
        bitsPerSecond,
        queueBytes,
        random: seededRandom(seed, stream),
      });
    this.up = pipe(1);
    this.down = pipe(2);
    const shared = { ...(params && { params }), ...(congestion && { congestion }) };
    this.listener = createListener({ random: seededRandom(seed, 3), ...shared });
    this.#add({ core: this.listener, address: "server 1", out: this.down });
    for (let i = 0; i < flows; i++) {
      const dialer = createDialer({
        random: seededRandom(seed, 10 + i),
        to: "server 1",
        ...shared,
      });
      this.dialers.push(dialer);
      this.#add({ core: dialer, address: `client ${i}`, out: this.up });
    }
  }

  /** Advances to the next thing that happens, at `untilMs` at the latest; false when there. */
  step(untilMs: number): boolean {
    for (const node of this.#nodes) this.#flush(node);
    const nextMs = this.#nextMs();
    if (nextMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    this.nowMs = Math.max(this.nowMs, nextMs);
    this.up.release(this.nowMs);
    this.down.release(this.nowMs);
    for (const { core } of this.#nodes) {
      if (this.#ringsAtMs(core) <= this.nowMs) core.handleWake(this.nowMs);
    }
    return true;
  }

  #add(node: Node): void {
    this.#nodes.push(node);
    this.#byAddress.set(node.address, node);
  }

  #nextMs(): number {
    let nextMs = Math.min(this.up.nextMs, this.down.nextMs);
    for (const { core } of this.#nodes) nextMs = Math.min(nextMs, this.#ringsAtMs(core));
    return nextMs;
  }

  #ringsAtMs(core: Endpoint): number {
    const atMs = core.wakeAtMs() ?? Infinity;
    return Math.ceil(atMs / this.#timerStepMs) * this.#timerStepMs;
  }

  #flush(node: Node): void {
    const { core, address, out } = node;
    if (core === this.listener) this.#read();
    for (let next = core.pollDatagram(this.#buffer, this.nowMs); next;) {
      const bytes = this.#buffer.subarray(0, next.length);
      const to = this.#byAddress.get(next.to)!;
      if (this.passes(bytes, address)) {
        out.take(bytes, this.nowMs, (arrived) =>
          to.core.handleDatagram(arrived, address, this.nowMs),
        );
      }
      next = core.pollDatagram(this.#buffer, this.nowMs);
    }
  }

  #read(): void {
    const { listener } = this;
    for (let event = listener.pollEvent(); event; event = listener.pollEvent()) {
      this.onEvent(event);
    }
  }
}
