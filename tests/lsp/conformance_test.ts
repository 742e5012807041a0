/**
 * The same cases over the network in memory and over real UDP on both loopback addresses, each on
 * both wires: what LSP's users may rely on wherever it runs.
 */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import type { Params, Wire } from "../../lsp/types.ts";
import { HAS_IPV6 } from "../support/ipv6.ts";
import { memoryWorld, udpWorld, type World } from "./worlds.ts";

const worlds: [string, () => World][] = [
  ["in memory", memoryWorld],
  ["UDP on 127.0.0.1", () => udpWorld("127.0.0.1")],
];
if (HAS_IPV6) worlds.push(["UDP on ::1", () => udpWorld("::1")]);
const wires: Wire[] = ["cbor", "json"];
/** Short epochs, so that real time need not be long; wide enough that a busy machine keeps up. */
const params: Params = { epochMillis: 50, epochLimit: 6, windowSize: 8, maxUnackedMessages: 8 };

/** Text of a length in which every part is different. */
function patternedText(length: number): string {
  return Array.from({ length: Math.ceil(length / 8) }, (_, i) => `${i} `.padStart(8, "."))
    .join("")
    .slice(0, length);
}

/** Without printing a megabyte where it fails. */
function assertSameText(actual: string, expected: string): void {
  assertEquals([actual.length, actual === expected], [expected.length, true]);
}

for (const [place, make] of worlds) {
  for (const wire of wires) {
    describe(`conformance, ${place}, ${wire}:`, () => {
      function run(name: string, body: (world: World) => Promise<void>): void {
        test(name, async () => {
          const world = make();
          try {
            await body(world);
          } finally {
            await world.dispose();
          }
        });
      }

      run("both ends have the same ids, which are never used again", async (world) => {
        const server = await world.listen(params);
        const first = await world.connect(wire, params, 1);
        const second = await world.connect(wire, params, 2);
        await first.close();
        const third = await world.connect(wire, params, 3);
        const ids = [first.connId, second.connId, third.connId];
        assertEquals(new Set(ids).size, 3);
        if (wire === "cbor") assertEquals(ids, [1, 2, 3]);
        second.write("second");
        third.write("third");
        const [, secondId, thirdId] = ids;
        const expected = [`data ${secondId} second`, `data ${thirdId} third`];
        const read: string[] = [];
        while (read.length < 2) {
          const line = await server.read();
          if (line.startsWith("data")) read.push(line);
        }
        assertEquals(read.toSorted(), expected.toSorted());
        await second.close();
        await third.close();
        await server.close();
      });

      run("many messages go both ways, in order and once", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params);
        const count = 300;
        for (let i = 0; i < count; i++) {
          client.write(`up ${i}`);
          server.write(client.connId, `down ${i}`);
        }
        for (let i = 0; i < count; i++) {
          assertEquals(await server.read(), `data ${client.connId} up ${i}`);
          assertEquals(await client.read(), `data down ${i}`);
        }
      });

      run("messages may be empty, and as large as 1000 bytes", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params);
        const large = "x".repeat(1000);
        for (const text of ["", large, "", large, "end"]) client.write(text);
        const read: string[] = [];
        for (let i = 0; i < 5; i++) read.push(await server.read());
        const lines = ["", large, "", large, "end"].map((text) => `data ${client.connId} ${text}`);
        assertEquals(read, lines);
      });

      if (wire === "cbor") {
        run("large messages go both ways among small ones, in order and once", async (world) => {
          const server = await world.listen(params);
          const client = await world.connect(wire, params);
          const texts = [1167, 5, 65_536, 0, 300_000, 2000, 1_000_000, 7].map(patternedText);
          for (const text of texts) {
            client.write(text);
            server.write(client.connId, text);
          }
          for (const text of texts) {
            assertSameText(await server.read(), `data 1 ${text}`);
            assertSameText(await client.read(), `data ${text}`);
          }
        });

        run("close() brings a large message over", async (world) => {
          const server = await world.listen(params);
          const client = await world.connect(wire, params);
          const text = patternedText(2_000_000);
          client.write(text);
          await client.close();
          assertSameText(await server.read(), `data 1 ${text}`);
          assertEquals(await server.read(), "closed 1");
        });

        run("a peer that vanishes inside a large message leaves nothing of it", async (world) => {
          const server = await world.listen(params);
          const client = await world.connect(wire, params);
          client.write("whole");
          assertEquals(await server.read(), "data 1 whole");
          client.write(patternedText(4_000_000));
          world.crash(client);
          assertEquals(await server.read(), "lost 1");
        });
      }

      run("sequence numbers go past 2^32", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params, 2 ** 32 - 3);
        for (let i = 0; i < 10; i++) client.write(`${i}`);
        for (let i = 0; i < 10; i++) {
          assertEquals(await server.read(), `data ${client.connId} ${i}`);
        }
        for (let i = 0; i < 10; i++) server.write(client.connId, `${i}`);
        for (let i = 0; i < 10; i++) assertEquals(await client.read(), `data ${i}`);
      });

      run("a silent connection lives on by heartbeats", async (world) => {
        const server = await world.listen(params);
        const quiet = await world.connect(wire, params, 1);
        const crashing = await world.connect(wire, params, 2);
        world.crash(crashing);
        assertEquals(await server.read(), `lost ${crashing.connId}`);
        // By now the quiet one has been silent for as long as the lost one.
        quiet.write("still here");
        assertEquals(await server.read(), `data ${quiet.connId} still here`);
      });

      run("data received before a loss is read first, then the loss, once", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params, 1);
        const witness = await world.connect(wire, params, 2);
        client.write("last words");
        assertEquals(await server.read(), `data ${client.connId} last words`);
        world.crash(client);
        assertEquals(await server.read(), `lost ${client.connId}`);
        witness.write("next");
        assertEquals(await server.read(), `data ${witness.connId} next`);
      });

      run("close() brings over everything that was written", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params);
        for (let i = 0; i < 100; i++) client.write(`${i}`);
        await client.close();
        const { connId } = client;
        for (let i = 0; i < 100; i++) assertEquals(await server.read(), `data ${connId} ${i}`);
        assertEquals(await server.read(), `${wire === "json" ? "lost" : "closed"} ${connId}`);
      });

      run("a read in progress ends when we close", async (world) => {
        await world.listen(params);
        const client = await world.connect(wire, params);
        await client.close();
        assertEquals(await client.read(), "closed");
      });

      run("closeConn() flushes, and is told once", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params, 1);
        const other = await world.connect(wire, params, 2);
        const { connId } = client;
        for (let i = 0; i < 20; i++) server.write(connId, `${i}`);
        server.closeConn(connId);
        assertEquals(await server.read(), `closed ${connId}`);
        for (let i = 0; i < 20; i++) assertEquals(await client.read(), `data ${i}`);
        assertEquals(await client.read(), wire === "json" ? "lost" : "closed");
        other.write("and on");
        assertEquals(await server.read(), `data ${other.connId} and on`);
      });

      run("close() of the server brings over everything, to all", async (world) => {
        const server = await world.listen(params);
        const clients = [
          await world.connect(wire, params, 1),
          await world.connect(wire, params, 2),
        ];
        for (const { connId } of clients) {
          for (let i = 0; i < 20; i++) server.write(connId, `${i}`);
        }
        await server.close();
        for (const client of clients) {
          for (let i = 0; i < 20; i++) assertEquals(await client.read(), `data ${i}`);
          assertEquals(await client.read(), wire === "json" ? "lost" : "closed");
        }
      });

      run("garbage from strangers changes nothing", async (world) => {
        const server = await world.listen(params);
        const client = await world.connect(wire, params);
        const negative = `{"Type":1,"ConnID":${client.connId},"SeqNum":8,"Size":-1,"Checksum":0,"Payload":"YQ=="}`;
        const unknown = `{"Type":9,"ConnID":${client.connId},"SeqNum":8,"Size":0,"Checksum":0,"Payload":null}`;
        for (const text of ["", "{", "garbage", "{}", negative, unknown, "\u{d1}xx"]) {
          await world.inject(new TextEncoder().encode(text));
        }
        await world.inject(Uint8Array.fromHex("82d9dfff831affffffff81617405da5368726400"));
        client.write("unharmed");
        assertEquals(await server.read(), `data ${client.connId} unharmed`);
        server.write(client.connId, "likewise");
        assertEquals(await client.read(), "data likewise");
      });
    });
  }
}

describe("conformance, both wires on one port:", () => {
  for (const [place, make] of worlds) {
    test(place, async () => {
      const world = make();
      const server = await world.listen(params);
      const other = await world.connect("cbor", params, 1);
      const classic = await world.connect("json", params, 2);
      other.write("other");
      assertEquals(await server.read(), `data ${other.connId} other`);
      classic.write("classic");
      assertEquals(await server.read(), `data ${classic.connId} classic`);
      await world.dispose();
    });
  }
});
