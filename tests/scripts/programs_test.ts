/** The real scripts as processes on real sockets: a whole fleet, its losses, its exit codes. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertMatch } from "@std/assert";
import { appVersion, listen } from "../../lsp/mod.ts";
import { helpOf } from "../support/helps.ts";
import { leastOf, resultLine } from "../support/least.ts";
import {
  killAll,
  knowKernels,
  Script,
  startLastingServer,
  startMiner,
  startServer,
} from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

/** A loss is noticed within about two seconds. */
const QUICK = ["--epoch-millis", "100", "--epoch-limit", "20"];
/** Two miners are there. (Not "miner 1": on a busy machine a connection may need a second try.) */
const TWO_JOINED = /(?:miner \d+ \(.+\) joined[^]*){2}/;

beforeAll(knowKernels);
afterAll(killAll);

const beside = sideBySide();

describe("command line", () => {
  test.each(["server", "miner", "client"])(
    "%s --help shows the usage and every flag",
    async (name) => {
      const { code, stdout, stderr } = await helpOf(`${name}.ts`);
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(stdout, `usage: bun run ${name}.ts`);
      assertStringIncludes(stdout, "--epoch-millis N");
    },
  );

  const WRONG: [string, string[], string][] = [
    ["server", ["70000"], "PORT"],
    ["server", ["6060", "6061"], "expected [PORT] (bun run server.ts --help)"],
    ["server", ["stauts", "127.0.0.1:1"], "; did you mean status? (bun run server.ts --help)"],
    ["client", ["wiat", "127.0.0.1:1", "kajab-lilon"], "; did you mean wait?"],
    ["client", ["wait", "127.0.0.1:1"], "ID (bun run client.ts wait --help)"],
    ["miner", ["[::1"], "HOST:PORT"],
    ["miner", ["--threads", "0"], "--threads"],
    ["miner", ["--kernel", "abacus"], "--kernel"],
    ["miner", ["--kernel", process.arch === "x64" ? "arm-sha" : "sha"], "it cannot run here"],
    ["client", ["127.0.0.1:1", "msg"], "expected HOST[:PORT] MESSAGE MAXNONCE"],
    ["client", ["127.0.0.1:1", "m", "9", "--zeros", "65"], "--zeros"],
    [
      "client",
      ["127.0.0.1:1", "m", "9", "--zeros", "1", "--target", "0".repeat(16)],
      "one of them",
    ],
    ["client", ["127.0.0.1:1", "m", "9", "--timeout", "0"], "seconds above 0"],
    ["client", ["127.0.0.1:1", "9", "--file", "no/such/file"], "cannot read the message"],
    ["client", ["127.0.0.1:1", "msg", "18446744073709551616"], "MAXNONCE"],
    ["client", ["127.0.0.1:1", "msg", "9", "--target", "ff"], "16 hexadecimal digits"],
    ["client", ["127.0.0.1:1", "msg", "9", "--wire", "xml"], "cbor or json"],
    ["client", ["127.0.0.1:1", "msg", "9", "--lower", "10"], "the range is empty"],
    ["client", ["127.0.0.1:1", "m".repeat(65_537), "9"], "limit is 65536"],
    ["client", ["127.0.0.1:1", "m".repeat(1400), "9", "--wire", "json"], "limit is 1400"],
    ["client", ["127.0.0.1:1", "m", "9", "--wire", "json", "--target", "0".repeat(16)], "target"],
  ];
  for (const [i, [name, args, why]] of WRONG.entries()) {
    beside(`wrong arguments get one line on stderr and exit 2: ${i + 1}`, async () => {
      const script = new Script(`${name}.ts`, args);
      assertEquals(await script.exit(), 2, `${name} ${args.join(" ")}`);
      assertEquals(script.stdout, "");
      assertStringIncludes(script.stderr, why);
      assertEquals(script.stderr.split("\n").length, 2, script.stderr);
    });
  }
});

describe("a fleet", () => {
  beside(
    "finds the least hash, tells progress on stderr and exactly the Result on stdout",
    async () => {
      const { server, at } = await startServer();
      const miners = [1, 2].map(() => startMiner(at, "--kernel", "auto"));
      const client = new Script("client.ts", [at, "a fleet é", "1000000"]);
      assertEquals(await client.exit(), 0);
      assertEquals(client.stdout, resultLine("a fleet é", 1_000_000n));
      const endless = new Script("client.ts", [at, "a fleet é", "2^63"]);
      await endless.said(/% {2}ETA .* fleet [\d.]+ [kMG]?H\/s {2}2 miners {2}best /);
      endless.kill("SIGINT");
      assertEquals([await endless.exit(), endless.stdout], [130, ""]);
      assertMatch(endless.stderr, /searched [\d,]+ of [\d,]+ nonces; best so far [0-9a-f]{16} at /);
      const quiet = new Script("client.ts", [at, "", "4000", "--lower", "4000", "--quiet"]);
      assertEquals(await quiet.exit(), 0);
      assertEquals([quiet.stdout, quiet.stderr], [resultLine("", 4000n, 4000n), ""]);
      for (const miner of miners) {
        miner.kill("SIGTERM");
        assertEquals(await miner.exit(), 143);
        assertEquals(miner.stdout, "");
        assertStringIncludes(miner.stderr, "connected");
      }
      server.kill("SIGINT");
      assertEquals(await server.exit(), 130);
      assertEquals(server.stdout, `listening on ${at}\n`);
    },
  );

  beside(
    "a target ends the job at the lowest hit; unmet it is exit 3 with the least hash",
    async () => {
      const { at } = await startServer("--quiet");
      await using _ = startMiner(at);
      const target = 2n ** 64n / 300_000n;
      const hit = leastOf("msg", 0n, 10n ** 9n, target);
      const flags = ["--target", target.toString(16).padStart(16, "0")];
      const met = new Script("client.ts", [at, "msg", "18446744073709551615", ...flags]);
      assertEquals(await met.exit(), 0);
      assertEquals(met.stdout, `Result ${hit.hash} ${hit.nonce}\n`);
      const unmet = new Script("client.ts", [at, "msg", "5000", "--target", "0".repeat(16)]);
      assertEquals(await unmet.exit(), 3);
      assertEquals(unmet.stdout, resultLine("msg", 5000n));
      assertStringIncludes(unmet.stderr, "no hash meets the target 0000000000000000");
    },
  );

  for (const [clientWire, minerWire] of [
    ["json", "cbor"],
    ["cbor", "json"],
    ["json", "json"],
  ] as const) {
    beside(`works with a client on ${clientWire} and a miner on ${minerWire}`, async () => {
      const { at } = await startServer("--quiet");
      await using _ = startMiner(at, "--wire", minerWire);
      const args = [at, "wires <&>", "1000000", "--wire", clientWire, "--quiet"];
      const client = new Script("client.ts", args);
      assertEquals(await client.exit(), 0);
      assertEquals(client.stdout, resultLine("wires <&>", 1_000_000n));
    });
  }

  beside("survives kill -9 of a miner in the middle of a job", async () => {
    const { server, at } = await startServer(...QUICK);
    // It would take this kernel many seconds to get to the end, so there is a middle.
    const victim = startMiner(at, "--kernel", "plain", ...QUICK);
    await server.said(/miner \d+ \(.+\) joined/);
    const upper = 4_000_000n;
    const client = new Script("client.ts", [at, "kill", String(upper), ...QUICK]);
    await client.said(/best [0-9a-f]{16}/);
    victim.kill("SIGKILL");
    await using _ = startMiner(at, ...QUICK);
    assertEquals(await client.exit(), 0);
    assertEquals(client.stdout, resultLine("kill", upper));
    await server.said(/miner \d+ \(.+\) left: it fell silent/);
  });

  beside("waits for miners, and says so; a miner that comes late gets the job", async () => {
    const { at } = await startServer();
    const client = new Script("client.ts", [at, "late", "100000"]);
    await client.said(/the job waits for miners/);
    await using _ = startMiner(at);
    assertEquals(await client.exit(), 0);
    assertEquals(client.stdout, resultLine("late", 100_000n));
  });
});

describe("losses and signals", () => {
  beside("a lost server: with --once client and miner end, else the miner comes back", async () => {
    const { server, at } = await startLastingServer("--memory", ...QUICK);
    await using stays = startMiner(at, ...QUICK);
    const once = startMiner(at, "--once", ...QUICK);
    await server.said(TWO_JOINED);
    const client = new Script("client.ts", [at, "lost", "2^63", "--once", ...QUICK]);
    await client.said(/fleet /);
    server.kill("SIGKILL");
    assertEquals(await client.exit(), 1);
    assertEquals(client.stdout, "Disconnected\n");
    assertEquals(await once.exit(), 1);
    await stays.said(/trying again in/);
    const again = new Script("server.ts", [at.split(":")[1]!, "--memory", ...QUICK]);
    await again.said(/miner \d+ \(.+\) joined/);
  });

  beside(
    "Ctrl-C at a client cancels its job and exits 130; a server that ends says goodbye",
    async () => {
      const { server, at } = await startServer();
      const client = new Script("client.ts", [at, "cancel", "18446744073709551615"]);
      await client.said(/waits for miners/);
      client.kill("SIGINT");
      assertEquals(await client.exit(), 130);
      assertEquals(client.stdout, "");
      const other = new Script("client.ts", [at, "goodbye", "2^63", "--once"]);
      await other.said(/waits for miners/);
      server.kill("SIGTERM");
      assertEquals(await server.exit(), 143);
      assertEquals(await other.exit(), 1);
      assertEquals(other.stdout, "Disconnected\n");
    },
  );

  beside("a second signal ends at once although the server does not answer", async () => {
    const { server, at } = await startServer();
    const client = new Script("client.ts", [at, "twice", "18446744073709551615"]);
    await client.said(/waits for miners/);
    server.kill("SIGSTOP");
    client.kill("SIGINT");
    client.kill("SIGTERM");
    assert([130, 143].includes(await client.exit()));
  });
});

beside("a server tells at its end what it ignored, by reason", async () => {
  const { server, at } = await startServer();
  const connect = { hostname: "127.0.0.1", port: Number(at.split(":")[1]) };
  const stranger = await Bun.udpSocket({ hostname: "127.0.0.1", connect });
  for (let i = 0; i < 5; i++) stranger.send("{garbage");
  stranger.send(new Uint8Array(40));
  // What was sent before it is read before this client's Connect.
  const client = new Script("client.ts", [at, "ignored", "18446744073709551615"]);
  await client.said(/waits for miners/);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 143);
  const told = /ignored so far: 6 datagrams \(malformed 5, magic 1\); 0 messages\n/;
  assert(told.test(server.stderr), server.stderr);
  stranger.close();
});

describe("what cannot work gets its own line", () => {
  beside("a port in use", async () => {
    const { at } = await startServer();
    const second = new Script("server.ts", [at.split(":")[1]!]);
    assertEquals(await second.exit(), 1);
    assertStringIncludes(second.stderr, "in use");
    assertEquals(second.stdout, "");
  });

  beside("a name that does not resolve", async () => {
    const client = new Script("client.ts", ["no-such-host.invalid:6060", "msg", "9"]);
    assertEquals(await client.exit(), 1);
    assertStringIncludes(client.stderr, "cannot find the host no-such-host.invalid");
  });

  beside("a server that does not answer", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const at = `127.0.0.1:${silent.port}`;
    const quick = ["--epoch-millis", "20", "--epoch-limit", "3"];
    for (const wire of ["cbor", "json"]) {
      const client = new Script("client.ts", [at, "msg", "9", "--wire", wire, ...quick]);
      assertEquals(await client.exit(), 1);
      assertEquals(client.stdout, "Disconnected\n");
      assertStringIncludes(client.stderr, "no answer");
    }
    silent.close();
  });

  beside("a server of another version", async () => {
    await using other = await listen({ host: "127.0.0.1", port: 0, appVersion: 4711 });
    const client = new Script("client.ts", [`127.0.0.1:${other.port}`, "msg", "9"]);
    assertEquals(await client.exit(), 1);
    assertStringIncludes(client.stderr, "versions differ");
    assertStringIncludes(client.stderr, "4711");
  });

  beside("a server of another program", async () => {
    await using other = await listen({
      host: "127.0.0.1",
      port: 0,
      appVersion: appVersion("x", 1),
    });
    const at = `127.0.0.1:${other.port}`;
    const asking = ["server.ts", "kv.ts", "geo.ts"].map((name) => new Script(name, ["status", at]));
    for (const script of [...asking, new Script("mud.ts", [at, "ann"])]) {
      const code = await script.exit();
      assertEquals([code, script.stdout], [asking.includes(script) ? 4 : 1, ""], script.stderr);
      assertStringIncludes(
        script.stderr,
        "client and server are of different programs: the server",
      );
      assertStringIncludes(script.stderr, "x messages 1");
    }
  });
});
