/** A listener and a dialer in virtual time: the way of a message, on both wires. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom, unitReal } from "../../base/random.ts";
import type { Wire } from "../../lsp/types.ts";
import { connectedPair } from "./lan.ts";

const wires: Wire[] = ["cbor", "json"];

describe.each(wires)("a pair on the %s wire", (wire) => {
  test("connects, and both ends agree on the number", () => {
    const { server, client } = connectedPair({ wire });
    assertEquals(server.notices, [{ kind: "connected", connId: 1, wire, from: "client 1" }]);
    assertEquals(client.notices, [{ kind: "connected", connId: 1, wire, from: "server 1" }]);
  });

  test("brings messages over in both directions, in order, once each", () => {
    const { link, server, client } = connectedPair({ wire });
    const texts = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    for (const text of texts) {
      link.write(client, 1, text);
      link.write(server, 1, text.toUpperCase());
    }
    link.run(link.nowMs + 2000);
    assertEquals(server.texts, texts);
    assertEquals(
      client.texts,
      texts.map((text) => text.toUpperCase()),
    );
  });

  test("does so where three in ten datagrams are lost", () => {
    const { link, server, client } = connectedPair({ wire, params: { epochLimit: 50 } });
    const random = seededRandom(7);
    link.passes = () => unitReal(random) >= 0.3;
    const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
    for (const text of texts) link.write(client, 1, text);
    for (const text of texts) link.write(server, 1, text);
    const done = () => server.texts.length === 200 && client.texts.length === 200;
    assert(link.runUntil(done, 3_000_000), `${server.texts.length} ${client.texts.length}`);
    assertEquals(server.texts, texts);
    assertEquals(client.texts, texts);
  });

  test("closes: the server learns it, and nothing keeps either awake for ever", () => {
    const { link, server, client } = connectedPair({ wire });
    link.write(client, 1, "last words");
    client.core.close(link.nowMs);
    link.run(link.nowMs + 60_000);
    assertEquals(client.notices.at(-1), { kind: "drained" });
    assertEquals(server.texts, ["last words"]);
    assertEquals(server.events.at(-1)?.kind, wire === "json" ? "lost" : "closed");
    assertEquals(client.core.wakeAtMs(), undefined);
    assertEquals(server.core.wakeAtMs(), undefined);
  });
});
