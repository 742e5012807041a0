/**
 * Faults planted on purpose, to prove that the simulator can fail. Each breaks a promise at the
 * boundary of an endpoint, which does not know of it.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { DatagramReader, FrameType } from "../../lsp/frame.ts";
import type { Address, EndpointCore, LspEvent, LspNotice, Outgoing } from "../../lsp/mod.ts";

/** Faults of a listener, and what each breaks. */
export const LSP_PLANTS = {
  "skip-ack": "a listener acknowledges nothing after the fifth message that its program has read",
  "early-ack": "a listener acknowledges its fifth message and never delivers it",
} as const;

export type LspPlant = keyof typeof LSP_PLANTS;

const FAULTY_MESSAGE = 5;

/** A listener with a fault. */
export class PlantedEndpoint implements EndpointCore {
  readonly #core: EndpointCore;
  readonly #plant: LspPlant;
  readonly #reader = new DatagramReader();
  #read = 0;

  constructor(core: EndpointCore, plant: LspPlant) {
    this.#core = core;
    this.#plant = plant;
  }

  pollEvent(): LspEvent | undefined {
    const event = this.#core.pollEvent();
    if (event?.kind !== "data") return event;
    const swallowed = ++this.#read === FAULTY_MESSAGE && this.#plant === "early-ack";
    return swallowed ? this.#core.pollEvent() : event;
  }

  pollDatagram(into: Uint8Array, nowMs: Millis): Outgoing | undefined {
    for (;;) {
      const out = this.#core.pollDatagram(into, nowMs);
      const skips = this.#plant === "skip-ack" && this.#read >= FAULTY_MESSAGE;
      if (out === undefined || !skips || !this.#isAck(into.slice(0, out.length))) return out;
    }
  }

  handleDatagram(bytes: Uint8Array, from: Address, nowMs: Millis): void {
    this.#core.handleDatagram(bytes, from, nowMs);
  }

  handleWake(nowMs: Millis): void {
    this.#core.handleWake(nowMs);
  }

  write(connId: number, payload: Uint8Array, nowMs: Millis): void {
    this.#core.write(connId, payload, nowMs);
  }

  closeConn(connId: number, nowMs: Millis): void {
    this.#core.closeConn(connId, nowMs);
  }

  close(nowMs: Millis): void {
    this.#core.close(nowMs);
  }

  pollNotice(): LspNotice | undefined {
    return this.#core.pollNotice();
  }

  wakeAtMs(): Millis | undefined {
    return this.#core.wakeAtMs();
  }

  #isAck(datagram: Uint8Array): boolean {
    if (datagram[0] === 0x7b) {
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(datagram);
      return text.startsWith('{"Type":2') && !text.includes('"SeqNum":0,');
    }
    if (!this.#reader.open(datagram)) return false;
    while (this.#reader.next()) if (this.#reader.type === FrameType.ack) return true;
    return false;
  }
}
