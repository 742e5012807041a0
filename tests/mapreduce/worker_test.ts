/** A worker's core: what it does when a job, or its server, is gone. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { encodeAbout } from "../../mapreduce/about.ts";
import { codeName } from "../../mapreduce/code_name.ts";
import { WorkerCore } from "../../mapreduce/worker_core.ts";
import type { WorkerEffect, WorkerInput } from "../../mapreduce/worker_types.ts";
import type { MapReduceMessage } from "../../work/mapreduce_messages.ts";
import type { Message } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { PART, TERMS } from "./server_desk.ts";

const ORDER = { task: 1, uid: 8, index: 0, bytes: 3, holder: 2, at: "", key: "" };

/** A worker, and what it asked for since it was looked at last. */
class Bench {
  readonly #core = new WorkerCore({ allowCode: true });
  seen: WorkerEffect[] = [];

  tell(input: WorkerInput): void {
    this.#core.handle(input, 0);
    const poll = (): WorkerEffect | undefined => this.#core.poll();
    for (let effect = poll(); effect !== undefined; effect = poll()) this.seen.push(effect);
  }

  hear(message: MapReduceMessage): void {
    this.tell({ kind: "payload", payload: encodeMessage(message) });
  }

  takes(message: Message): boolean {
    return this.#core.takes(encodeMessage(message));
  }

  /** Messages that it sent, and their kind. */
  said<K extends MapReduceMessage["kind"]>(kind: K): Extract<MapReduceMessage, { kind: K }>[] {
    return this.seen.flatMap((effect) => {
      const message = effect.kind === "write" ? decodeMessage(effect.payload) : "";
      const isIt = typeof message !== "string" && message.kind === kind;
      return isIt ? [message as Extract<MapReduceMessage, { kind: K }>] : [];
    });
  }

  /** Gives it what it asked for. */
  give(kind: "about" | "split" | "code", bytes: Uint8Array): void {
    const asked = this.said("mr-get").find(({ item }) => item.kind === kind);
    assert(asked !== undefined, `it did not ask for ${kind}`);
    this.hear({ kind: "mr-piece", id: asked.id, found: true, bytes });
  }

  kinds(...kinds: readonly WorkerEffect["kind"][]): string[] {
    return this.seen.map(({ kind }) => kind).filter((kind) => kinds.includes(kind));
  }
}

describe("a worker", () => {
  // Regression: the file of such code stayed for ever.
  test("does not put code on the disk that arrives when its job is over", () => {
    for (const isOver of [false, true]) {
      const worker = new Bench();
      worker.tell({ kind: "joined" });
      const terms = { ...TERMS, application: codeName("0a".repeat(32)) };
      worker.hear({ kind: "mr-map", ...ORDER, terms });
      if (isOver) worker.hear({ kind: "mr-forget", uid: 8 });
      worker.give("code", Uint8Array.of(1));
      assertEquals(worker.kinds("put", "verify"), isOver ? [] : ["put", "verify"]);
    }
  });

  // Regression: the miner said that it ignored the stop of an unknown chunk.
  test("takes the stop of a task that has just ended, and of no chunk of nonces", () => {
    const worker = new Bench();
    worker.tell({ kind: "joined" });
    const took = (chunk: number): boolean => worker.takes({ kind: "stop", chunk });
    for (let task = 2; task < 140; task += 2) {
      worker.hear({ kind: "mr-map", ...ORDER, task, uid: task, terms: TERMS });
      assertEquals([took(task), took(task + 1)], [true, false]);
      worker.hear({ kind: "mr-forget", uid: task });
      assertEquals([took(task), took(task + 1)], [true, false]);
    }
    // So many are remembered, and no more.
    assertEquals([took(2), took(138 - 2 * 63), took(138 - 2 * 64)], [false, true, false]);
    // Another server's chunk may have that number.
    worker.tell({ kind: "gone" });
    worker.tell({ kind: "joined" });
    assertEquals(took(138), false);
  });

  test("goes on with what runs when its server is gone, and says so to the next", () => {
    const worker = new Bench();
    worker.tell({ kind: "joined" });
    worker.hear({ kind: "mr-map", ...ORDER, terms: TERMS });
    worker.give("about", encodeAbout({ name: "n", firstLine: 0 }));
    worker.give("split", Uint8Array.of(1, 2, 3));
    const run = worker.seen.find((effect) => effect.kind === "run")!.run;
    worker.hear({ kind: "mr-map", ...ORDER, task: 2, index: 1, terms: TERMS });

    worker.seen = [];
    worker.tell({ kind: "gone" });
    assertEquals(worker.kinds("kill", "wipe"), []);
    worker.tell({ kind: "joined" });
    const row = { isMap: true, index: 0, isDone: false, hash: "" };
    assertEquals(worker.said("mr-have"), [{ kind: "mr-have", uid: 8, rows: [row] }]);
    worker.hear({ kind: "mr-adopt", task: 7, uid: 8, isMap: true, index: 0 });
    const parts = [PART, PART];
    const found = { records: 1, invalid: 0, bad: 0, skipped: [] };
    worker.tell({ kind: "ended", run, end: { kind: "mapped", parts, ...found } });
    assertEquals(worker.said("mr-mapped"), [{ kind: "mr-mapped", task: 7, parts, note: "" }]);
  });
});
