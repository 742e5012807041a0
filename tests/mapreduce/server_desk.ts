/**
 * A server's core with map-reduce, what is said to it, and what it says: for tests.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Coordinator } from "../../mapreduce/coordinator.ts";
import { AWAY_MS } from "../../mapreduce/limits.ts";
import { type KindPort, ServerCore } from "../../server/mod.ts";
import { TableMachine } from "../../server/table_machine.ts";
import type { Fleet } from "../../work/fleet.ts";
import type { JobTerms, WirePart } from "../../work/mapreduce_messages.ts";
import type { Message } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

export const TERMS: JobTerms = {
  application: "wc",
  reducers: 2,
  skipBad: false,
  asRecords: false,
  sortMib: 64,
  timeoutMs: 1000,
  memoryMib: 512,
  share: "",
  out: "",
  keep: false,
};
export const PART: WirePart = { bytes: 10, hash: "00".repeat(32) };

/** A server, and what it said to whom. */
export class Desk {
  core!: ServerCore;
  coordinator!: Coordinator;
  /** The table, if it outlives the server; and why what is proposed cannot be kept, if so. */
  table: TableMachine | undefined;
  refusal = "";
  nowMs = 0;
  readonly #awayMs: number;
  readonly #said = new Map<number, Message[]>();

  /** `awayMs`: how long a job is kept that nobody follows. */
  constructor(awayMs: number = AWAY_MS, table?: TableMachine) {
    this.#awayMs = awayMs;
    this.table = table;
    this.#start();
  }

  /** Ends without a word, and begins again with what is in the table. */
  restart(): void {
    const saved = this.table!.snapshot();
    this.table = new TableMachine();
    this.table.restore(saved);
    this.#start();
  }

  #start(): void {
    const make = (fleet: Fleet, port: KindPort): Coordinator =>
      (this.coordinator = new Coordinator(fleet, port, this.#awayMs));
    const { table } = this;
    this.core = new ServerCore({ kinds: [make], ...(table !== undefined && { table }) });
    if (table === undefined) return;
    this.core.handle({ kind: "lead" }, this.nowMs);
    this.#drain();
  }

  say(connId: number, message: Message): void {
    const payload = encodeMessage(message);
    this.core.handle({ kind: "payload", connId, wire: "cbor", payload }, this.nowMs);
    this.#drain();
  }

  gone(connId: number): void {
    this.core.handle({ kind: "gone", connId }, this.nowMs);
    this.#drain();
  }

  /** What it said to the connection since the last call. */
  heard(connId: number): Message[] {
    const said = this.#said.get(connId) ?? [];
    this.#said.delete(connId);
    return said;
  }

  /** The newest message of that kind to the connection. */
  last<K extends Message["kind"]>(connId: number, kind: K): Extract<Message, { kind: K }> {
    const found = this.heard(connId).findLast((message) => message.kind === kind);
    assert(found !== undefined, `no ${kind} to ${connId}`);
    return found as Extract<Message, { kind: K }>;
  }

  /** It is that late. */
  wake(nowMs: number): void {
    this.nowMs = nowMs;
    this.core.handle({ kind: "wake" }, nowMs);
    this.#drain();
  }

  get rejected(): Readonly<Record<string, number>> {
    return this.core.snapshot().rejected;
  }

  worker(connId: number, code = false): void {
    this.say(connId, { kind: "join", threads: 1, rate: 0, label: "x", name: "" });
    this.say(connId, { kind: "mr-offer", code, tasks: 1, port: 0 });
  }

  submit(connId: number, terms: Partial<JobTerms> = {}, maps = 1, key = ""): void {
    this.say(connId, {
      kind: "mr-submit",
      job: 1,
      terms: { ...TERMS, ...terms },
      maps,
      port: 0,
      key,
    });
    if (maps === 0) return;
    const sizes = Array.from({ length: maps }, () => 10);
    this.say(connId, { kind: "mr-splits", job: 1, first: 0, sizes });
  }

  #decide(id: number, command: Uint8Array): void {
    const { refusal: reason } = this;
    if (reason === "") this.table!.apply(command);
    const refusal = reason === "" ? {} : { refusal: { reason, isSure: true } };
    this.core.handle({ kind: "decided", id, ...refusal }, this.nowMs);
  }

  #drain(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "propose") this.#decide(effect.id, effect.command);
      if (effect.kind !== "write") continue;
      const message = decodeMessage(effect.payload);
      assert(typeof message !== "string", String(message));
      const said = this.#said.get(effect.connId) ?? [];
      this.#said.set(effect.connId, [...said, message]);
    }
  }
}
