/**
 * The job table as a replicated state machine: what a log of commands is replayed into.
 *
 * @module
 */
import type { StateMachine } from "../base/state_machine.ts";
import { decodeCommand, type Operation } from "./operations.ts";
import { JobTable } from "./table.ts";
import { snapshotOfTable, tableFrom } from "./table_snapshot.ts";

const DONE = new Uint8Array(0);

/** See the module. Its answers are empty: what became of a command is read from the table. */
export class TableMachine implements StateMachine {
  #table = new JobTable();
  readonly #onRejected: (reason: string) => void;
  /** Commands that made no sense here, by reason. */
  readonly rejected: Map<string, number> = new Map();

  /** `onRejected` is told of each reason once. */
  constructor(onRejected: (reason: string) => void = () => {}) {
    this.#onRejected = onRejected;
  }

  /** What is committed; another one after `restore`. */
  get table(): JobTable {
    return this.#table;
  }

  apply(command: Uint8Array): Uint8Array {
    const read = decodeCommand(command);
    if (typeof read === "string") {
      if (!this.rejected.has(read)) this.#onRejected(read);
      this.rejected.set(read, (this.rejected.get(read) ?? 0) + 1);
      return DONE;
    }
    this.#table.advance(read.timeMs);
    for (const operation of read.operations) this.#carryOut(operation);
    return DONE;
  }

  snapshot(): Uint8Array {
    return snapshotOfTable(this.#table);
  }

  restore(bytes: Uint8Array): void {
    this.#table = tableFrom(bytes);
  }

  #carryOut(operation: Operation): void {
    const table = this.#table;
    switch (operation.kind) {
      case "submit":
        table.submit(operation.name, operation.work, operation.detached);
        return;
      case "progress":
        return table.progress(operation);
      case "answer":
        return table.answer(operation);
      case "fetched":
        return table.fetched(operation.name);
      case "forget":
        return table.forget(operation.name);
      case "expire":
        return table.expire();
      case "row":
        return table.rows.change(operation);
    }
  }
}
