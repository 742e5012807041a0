/** The demo is what a newcomer sees first: it must work, and must not leave anything behind. */
import { afterAll, beforeAll, expect } from "bun:test";
import { assertEquals, assertStringIncludes, assertThrows, assertMatch } from "@std/assert";
import { connect } from "../../lsp/mod.ts";
import { checkHash, searchAgain } from "../../tools/demo_check.ts";
import { hashNonce } from "../../work/hash.ts";
import { MESSAGES_VERSION } from "../../work/messages.ts";
import { CACHE_DIRECTORY, killAll, knowKernels, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

beforeAll(knowKernels);
afterAll(killAll);

const test = sideBySide();

test("the demo finds a nonce although miner and server are killed, verifies it, and exits 0", async () => {
  const demo = new Script("tools/demo.ts", ["--seconds", "1"]);
  // Each step has its own deadline: on a busy machine all of them take longer than one.
  for (const step of [/listening on/, /the job:/, /found nonce/, /verified:/]) {
    await demo.said(step);
  }
  assertEquals(await demo.exit(), 0, demo.stderr);
  assertEquals(/^Result \d+ \d+\n$/.test(demo.stdout), true, demo.stdout);
  assertStringIncludes(demo.stderr, "killed miner 3 in the middle of its work");
  assertMatch(demo.stderr, /found nonce .+, although miner 3 was killed, and the server, too/);
  assertStringIncludes(demo.stderr, "server: going on with 1 job of the table");
  assertStringIncludes(demo.stderr, "verified: the hash is right, and a second search of");
  const proof = demo.stderr.trimEnd().split("\n").at(-1)!;
  const [, text] = /^printf '%s' '(.+)' \| sha256sum$/.exec(proof)!;
  const digits = Bun.SHA256.hash(text!, "hex").slice(0, 16);
  assertStringIncludes(demo.stdout, `Result ${BigInt(`0x${digits}`)} `);
  assertMatch(demo.stderr, /server: miner \d \(.+\) left: it said goodbye/);
  assertStringIncludes(demo.stderr, "all shut down");
});

test("Ctrl-C ends the demo with 130, and its server with it", async () => {
  const demo = new Script("tools/demo.ts", []);
  const [, port] = await demo.said(/server: listening on 127\.0\.0\.1:(\d+)\n/);
  await demo.said(/miner 2: connected/);
  demo.kill("SIGINT");
  assertEquals(await demo.exit(), 130, demo.stderr);
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: Number(port) });
  socket.close();
});

test("kill -9 of the demo leaves no server and no miner behind", async () => {
  const demo = new Script("tools/demo.ts", []);
  const [, port] = await demo.said(/server: listening on 127\.0\.0\.1:(\d+)\n/);
  await demo.said(/miner 1: connected/);
  const params = { epochMillis: 100, epochLimit: 10 };
  const at = { host: "127.0.0.1", port: Number(port), params };
  const watch = await connect({ ...at, appVersion: MESSAGES_VERSION });
  demo.kill("SIGKILL");
  await expect(watch.read()).rejects.toThrow("silent");
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: Number(port) });
  socket.close();
});

test("the demo fails at once when one of its processes ends by itself", async () => {
  const demo = new Script("tools/demo.ts", []);
  await demo.said(/miner 1: connected/);
  const children = `/proc/${demo.process.pid}/task/${demo.process.pid}/children`;
  const [server] = (await Bun.file(children).text()).split(" ");
  process.kill(Number(server), "SIGKILL");
  assertEquals(await demo.exit(), 1);
  assertStringIncludes(demo.stderr, "demo: server.ts ended unexpectedly, exit code 137");
});

test("the demo's check refuses a wrong hash, a nonce out of range, and one that is not the least", async () => {
  const claim = (nonce: bigint, hash = hashNonce("msg", nonce)) => {
    return { message: "msg", upper: 9999n, answer: { hash, nonce, met: true } };
  };
  const least = 9913n;
  checkHash(claim(least));
  assertThrows(() => checkHash(claim(least, 1n)), Error, "not 1");
  assertThrows(() => checkHash(claim(10_000n)), Error, "outside");
  const cache = { cacheDirectory: CACHE_DIRECTORY };
  const told: bigint[] = [];
  const again = await searchAgain(
    claim(least),
    new Set(["sha"]),
    (next) => told.push(next),
    60_000,
    cache,
  );
  assertEquals(again.searched, 10_000n);
  assertEquals(again.kernel === "sha", false);
  const wrong = searchAgain(claim(least - 1n), new Set(), () => {}, 60_000, cache);
  await expect(wrong).rejects.toThrow("smaller");
  const lost = searchAgain(claim(least - 1n, 0n), new Set(), () => {}, 60_000, cache);
  await expect(lost).rejects.toThrow(`not ${least - 1n}`);
  const upper = 2n ** 64n - 1n;
  const far = { message: "msg", upper, answer: { hash: 0n, nonce: upper, met: true } };
  const part = await searchAgain(far, new Set(), () => {}, 50, cache);
  assertEquals(part.searched < upper, true);
});
