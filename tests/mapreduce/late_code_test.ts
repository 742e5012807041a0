/** Regression: the code of a job that is over arrived late, and its file stayed for ever. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { codeName } from "../../mapreduce/code_name.ts";
import { WorkerCore } from "../../mapreduce/worker_core.ts";
import type { WorkerEffect } from "../../mapreduce/worker_types.ts";
import type { MapReduceMessage } from "../../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { TERMS } from "./server_desk.ts";

test("code that arrives when its job is over is not put on the disk", () => {
  for (const isOver of [false, true]) {
    const core = new WorkerCore({ allowCode: true });
    const seen: WorkerEffect[] = [];
    const say = (message: MapReduceMessage): void => {
      core.handle({ kind: "payload", payload: encodeMessage(message) }, 0);
      for (let effect = core.poll(); effect !== undefined; effect = core.poll()) seen.push(effect);
    };
    core.handle({ kind: "joined" }, 0);
    const terms = { ...TERMS, application: codeName("0a".repeat(32)) };
    const order = { task: 1, uid: 8, terms, index: 0, bytes: 3, holder: 2, at: "", key: "" };
    say({ kind: "mr-map", ...order });
    const asked = seen.flatMap((effect) => {
      const message = effect.kind === "write" ? decodeMessage(effect.payload) : "";
      return typeof message !== "string" && message.kind === "mr-get" ? [message] : [];
    });
    const code = asked.find(({ item }) => item.kind === "code");
    assert(code !== undefined);
    if (isOver) say({ kind: "mr-forget", uid: 8 });
    say({ kind: "mr-piece", id: code.id, found: true, bytes: Uint8Array.of(1) });
    const kinds = seen
      .map(({ kind }) => kind)
      .filter((kind) => kind === "put" || kind === "verify");
    assertEquals(kinds, isOver ? [] : ["put", "verify"]);
  }
});
