/** Commands that may never end: how they come out, and that nothing of them is left. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { tmpdir } from "node:os";
import { runWithin } from "../../tools/run_within.ts";
import { within } from "../support/waiting.ts";

const never = new Promise<never>(() => {});

/** Runs this text as a program. */
function running(text: string, isLate: Promise<unknown> = never) {
  return runWithin([process.execPath, "-e", text], tmpdir(), isLate, { TOLD: "3" });
}

test("runWithin says how a command ended by itself, and gives it its environment", async () => {
  assertEquals(await running(""), "passed");
  assertEquals(await running("process.exit(Number(process.env.TOLD))"), "failed");
});

test("runWithin kills what does not end, and what that has started", async () => {
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: () => connected.resolve(), close: () => ended.resolve(), data() {} },
  });
  const child = `const hostname = "127.0.0.1";
    Bun.connect({ hostname, port: ${server.port}, socket: { data() {} } });
    setInterval(() => {}, 1000);`;
  const parent = `Bun.spawn([process.execPath, "-e", ${JSON.stringify(child)}]); for (;;) {}`;
  assertEquals(await running(parent, within("a child's connection", connected.promise)), "hung");
  await within("the child's end", ended.promise);
});
