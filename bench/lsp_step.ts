/**
 * What LSP's core costs without a socket: messages through a listener and a dialer in memory, on
 * both wires. `bun run bench/lsp_step.ts`
 *
 * @module
 */
import { bench, do_not_optimize, run, summary } from "mitata";
import { seededRandom } from "../base/random.ts";
import { crc32Native } from "../lsp/crc32_native.ts";
import { ChecksumSeal, createDialer, createListener, DATAGRAM_BUFFER_BYTES } from "../lsp/mod.ts";
import type { EndpointCore, Params, Wire } from "../lsp/types.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

/** Messages a round, as many as a busy turn of an event loop brings. */
const BURST = 16;
const payload = new Uint8Array(200);

class Pair {
  readonly #server;
  readonly #client;
  readonly #buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);
  readonly #connId: number;
  #nowMs = 0;

  constructor(wire: Wire) {
    const params: Params = { windowSize: 64, maxUnackedMessages: 64 };
    const common = { params, seal: new ChecksumSeal(crc32Native) };
    this.#server = createListener({ ...common, random: seededRandom(1) });
    this.#client = createDialer({ ...common, random: seededRandom(2), to: "server 1", wire });
    for (let i = 0; i < 3; i++) this.#exchange();
    const notice = this.#client.pollNotice();
    if (notice?.kind !== "connected") throw new Error("the two are not connected");
    this.#connId = notice.connId;
  }

  /** Every datagram of one end goes to the other, until both are silent. */
  #exchange(): void {
    while (this.#carry(this.#client, this.#server, "client 1")) this.#nowMs += 0.01;
  }

  #carry(from: EndpointCore, to: EndpointCore, address: string): boolean {
    const buffer = this.#buffer;
    let carried = this.#pass(from, to, address, buffer);
    carried = this.#pass(to, from, "server 1", buffer) || carried;
    return carried;
  }

  #pass(from: EndpointCore, to: EndpointCore, name: string, into: Uint8Array): boolean {
    let any = false;
    for (let out = from.pollDatagram(into, this.#nowMs); out; any = true) {
      to.handleDatagram(into.subarray(0, out.length), name, this.#nowMs);
      out = from.pollDatagram(into, this.#nowMs);
    }
    return any;
  }

  /** `count` messages from the client, each read and acknowledged. */
  send(count: number): number {
    this.#nowMs += 0.1;
    for (let i = 0; i < count; i++) this.#client.write(this.#connId, payload);
    this.#exchange();
    let read = 0;
    while (this.#server.pollEvent() !== undefined) read++;
    if (read !== count) throw new Error(`${read} of ${count} messages came`);
    return read;
  }
}

for (const wire of ["cbor", "json"] satisfies Wire[]) {
  summary(() => {
    const one = new Pair(wire);
    bench(`${wire}: one message of 200 bytes, acknowledged`, () => do_not_optimize(one.send(1)));
    const many = new Pair(wire);
    bench(`${wire}: ${BURST} such messages in one turn`, () => do_not_optimize(many.send(BURST)));
  });
}

await run();
