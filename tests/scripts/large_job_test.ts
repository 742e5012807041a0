/** A job whose message has the largest size that is allowed, through the real scripts. */
import { afterAll, expect, test } from "bun:test";
import { MESSAGE_BYTES_MAX } from "../../work/messages.ts";
import { resultLine } from "../support/least.ts";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";

afterAll(killAll);

test("a message of 65,536 bytes goes from client to miners, and its answer is right", async () => {
  const message = "a message, ".repeat(6000).slice(0, MESSAGE_BYTES_MAX);
  expect(message.length).toBe(65_536);
  const { at } = await startServer("--quiet");
  await using _ = startMiner(at);
  const client = new Script("client.ts", [at, message, "2000"]);
  expect(await client.exit()).toBe(0);
  expect(client.stdout).toBe(resultLine(message, 2000n));
});
