/**
 * The smallest room with a disk: it numbers what it is told and echoes it, number first, once that
 * is durable. No two texts ever get the same number, whatever crashes.
 *
 * @module
 */
import { crc32c } from "../../base/crc.ts";
import type { Machine, Millis, Wake } from "../../base/machine.ts";
import { Outbox } from "../../base/outbox.ts";
import type { StateMachine } from "../../base/state_machine.ts";
import type { StoredState, StoreEffect, StoreInput } from "../../base/store.ts";

export type CounterInput = { readonly kind: "say"; readonly text: string } | StoreInput;
export type CounterEffect =
  | StoreEffect
  | { readonly kind: "echo"; readonly number: number; readonly text: string }
  | { readonly kind: "refuse"; readonly text: string }
  | { readonly kind: "exit"; readonly reason: string };

const SNAPSHOT_EVERY = 50;

/** How many texts there were, and a checksum of all of them in order. */
export class Tally implements StateMachine<number> {
  count: number = 0;
  checksum: number = 0;

  apply(command: Uint8Array, index: number): number {
    this.count = index;
    this.checksum = crc32c(command, 0, command.length, this.checksum);
    return index;
  }

  snapshot(): Uint8Array {
    return new Uint8Array(Float64Array.of(this.count, this.checksum).buffer);
  }

  restore(bytes: Uint8Array): void {
    [this.count = 0, this.checksum = 0] = new Float64Array(bytes.slice().buffer);
  }
}

/** The room's core; see the module. */
export class Counter implements Machine<CounterInput, CounterEffect> {
  readonly tally: Tally = new Tally();
  readonly #outbox = new Outbox<CounterEffect>();
  #token = 0;
  #savedAt: number;
  #isSaving = false;
  #isFull = false;

  constructor({ snapshot, records }: StoredState) {
    if (snapshot !== undefined) this.tally.restore(snapshot.bytes!);
    this.#savedAt = this.tally.count;
    for (let i = records.first; i < records.next; i++) this.tally.apply(records.at(i), i);
  }

  handle(input: CounterInput | Wake, _nowMs: Millis): void {
    switch (input.kind) {
      case "say":
        return this.#say(input.text);
      case "stored":
        return this.#outbox.release(input.token);
      case "saved":
        return void (this.#isSaving = false);
      case "disk":
        this.#isFull = input.state === "full";
        if (input.state === "failed") this.#outbox.push({ kind: "exit", reason: input.reason });
    }
  }

  poll(): CounterEffect | undefined {
    return this.#outbox.poll();
  }

  wakeAtMs(): undefined {}

  #say(text: string): void {
    if (this.#isFull) return this.#outbox.push({ kind: "refuse", text });
    const command = new TextEncoder().encode(text);
    const number = this.tally.apply(command, this.tally.count + 1);
    const token = ++this.#token;
    this.#outbox.push({ kind: "store", token, log: { at: number, records: [command] } });
    this.#outbox.hold(token, { kind: "echo", number, text });
    if (this.#isSaving || number < this.#savedAt + SNAPSHOT_EVERY) return;
    this.#isSaving = true;
    this.#savedAt = number;
    const last = { log: "keep" } as const;
    const bytes = this.tally.snapshot();
    this.#outbox.push({ kind: "save", token, index: number, offset: 0, bytes, last });
  }
}
