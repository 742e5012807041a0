/** The demo is what a newcomer sees first: it must work, and must not leave anything behind. */
import { afterAll, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { killAll, Script } from "./processes.ts";

const TIMEOUT_MILLIS = 90_000;

afterAll(killAll);

test(
  "the demo finds a nonce, verifies it, shuts everything down and exits 0",
  async () => {
    const demo = new Script("demo.ts", []);
    await demo.said(/server: listening on/);
    assertEquals(await demo.exit(), 0, demo.stderr);
    assertEquals(/^Result \d+ \d+\n$/.test(demo.stdout), true, demo.stdout);
    assertStringIncludes(demo.stderr, "verified");
    assertStringIncludes(demo.stderr, "all shut down");
  },
  TIMEOUT_MILLIS,
);

test(
  "Ctrl-C ends the demo with 130, and its server with it",
  async () => {
    const demo = new Script("demo.ts", []);
    const [, port] = await demo.said(/server: listening on 127\.0\.0\.1:(\d+)\n/);
    await demo.said(/miner 2: connected/);
    demo.kill("SIGINT");
    assertEquals(await demo.exit(), 130, demo.stderr);
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: Number(port) });
    socket.close();
  },
  TIMEOUT_MILLIS,
);
