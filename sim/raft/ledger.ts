/**
 * The state machine of a simulated whole node: it remembers every command in order, so that what a
 * client was told can be held against what every node has.
 *
 * A command is 8 bytes, the client's number and the request's, and any filling.
 *
 * @module
 */
import type { SnapshotSteps, StateMachine } from "../../base/state_machine.ts";

const PLACE_BYTES = 8;
/** Parts of a snapshot, one of them empty. */
const PARTS = 4;

/** The command of a client's request. */
export function ledgerCommand(client: number, request: number, bytes: number): Uint8Array {
  const command = new Uint8Array(Math.max(PLACE_BYTES, bytes));
  const view = new DataView(command.buffer);
  view.setUint32(0, client);
  view.setUint32(4, request);
  return command;
}

/** The text by which an entry of the ledger is known. */
export function ledgerKey(client: number, request: number): string {
  return `${client}.${request}`;
}

/** The place, from 1 on, that an answer gives. */
export function placeIn(answer: Uint8Array): number {
  return new DataView(answer.buffer, answer.byteOffset).getUint32(0);
}

/** See the module. */
export class Ledger implements StateMachine {
  /** Commands in the order in which they were applied. */
  entries: string[] = [];
  /** Every so many-th command is not applied: a plant. */
  readonly #losesOneIn: number;
  #seen = 0;

  constructor(losesOneIn = 0) {
    this.#losesOneIn = losesOneIn;
  }

  apply(command: Uint8Array): Uint8Array {
    const view = new DataView(command.buffer, command.byteOffset, command.length);
    const isLost = this.#losesOneIn > 0 && ++this.#seen % this.#losesOneIn === 0;
    if (!isLost) this.entries.push(ledgerKey(view.getUint32(0), view.getUint32(4)));
    const answer = new Uint8Array(4);
    new DataView(answer.buffer).setUint32(0, this.entries.length);
    return answer;
  }

  snapshot(): Uint8Array {
    return new TextEncoder().encode(this.entries.join());
  }

  /** What it was at the call, in some parts. */
  snapshotSteps(): SnapshotSteps {
    return partsOf(this.snapshot());
  }

  restore(bytes: Uint8Array): void {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    this.entries = text === "" ? [] : text.split(",");
  }
}

function* partsOf(whole: Uint8Array): Generator<Uint8Array, Uint8Array> {
  const bytes = Math.ceil(whole.length / PARTS);
  for (let part = 0; part < PARTS - 1; part++) {
    yield whole.subarray(part * bytes, (part + 1) * bytes);
    if (part === 0) yield new Uint8Array(0);
  }
  return whole.subarray((PARTS - 1) * bytes);
}
