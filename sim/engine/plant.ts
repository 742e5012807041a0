/**
 * Faults planted on purpose, to prove that the simulator can fail. Each breaks a promise at the
 * boundary of a core; none is known to the cores.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { DatagramReader, FrameType } from "../../lsp/frame.ts";
import type { Address, EndpointCore, LspEvent, LspNotice, Outgoing } from "../../lsp/mod.ts";

/** Environment variable that names the fault to plant. */
export const PLANT_VARIABLE = "MOTHERLODE_PLANT";

/**
 * - `skip-ack`: a listener acknowledges nothing after the fifth message that its program has read.
 * - `early-ack`: a listener acknowledges its fifth message and never delivers it.
 * - `lose-chunk`: a server takes a chunk that it never assigned for searched.
 * - `last-hash`: a miner answers with the last nonce of a chunk instead of the best.
 * - `raft-…`: see sim/raft/plants.ts.
 */
export type Plant =
  | "skip-ack"
  | "early-ack"
  | "lose-chunk"
  | "last-hash"
  | "raft-volatile-vote"
  | "raft-old-term-commit"
  | "raft-old-append-truncates"
  | "raft-stale-read"
  | "raft-torn-snapshot"
  | "raft-lost-apply";

export const PLANTS: readonly Plant[] = [
  "skip-ack",
  "early-ack",
  "lose-chunk",
  "last-hash",
  "raft-volatile-vote",
  "raft-old-term-commit",
  "raft-old-append-truncates",
  "raft-stale-read",
  "raft-torn-snapshot",
  "raft-lost-apply",
];

/** The fault that `environment` asks for. Throws on a name that does not exist. */
export function plantFrom(environment: Record<string, string | undefined>): Plant | undefined {
  const name = environment[PLANT_VARIABLE];
  if (name === undefined || name === "") return undefined;
  const plant = PLANTS.find((known) => known === name);
  if (plant !== undefined) return plant;
  throw new RangeError(`${PLANT_VARIABLE}=${name}: expected one of ${PLANTS.join(", ")}`);
}

const FAULTY_MESSAGE = 5;

/** A listener with a fault: `skip-ack` or `early-ack`. */
export class PlantedEndpoint implements EndpointCore {
  readonly #core: EndpointCore;
  readonly #plant: Plant;
  readonly #reader = new DatagramReader();
  #read = 0;

  constructor(core: EndpointCore, plant: Plant) {
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
