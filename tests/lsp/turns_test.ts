/** Reading without a promise a message, packing, and the mtu option. */
import { describe, expect, test } from "bun:test";
import { ConnectionClosed } from "../../lsp/errors.ts";
import { connect, listen } from "../../lsp/mod.ts";
import { connectedPair, cborFrames } from "./lan.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array | undefined): string => new TextDecoder().decode(payload);

describe("tryRead:", () => {
  test("gives what is here, in order, after those who asked before; throws at the end", async () => {
    await using server = await listen({ port: 0 });
    const client = await connect({ host: "127.0.0.1", port: server.port });
    expect(server.tryRead()).toBeUndefined();
    const first = server.read();
    for (const word of ["one", "two", "three"]) client.write(bytes(word));
    expect(server.tryRead()).toBeUndefined();
    expect(text((await first).payload)).toBe("one");
    expect(text(server.tryRead()?.payload)).toBe("two");
    expect(text(server.tryRead()?.payload)).toBe("three");
    expect(server.tryRead()).toBeUndefined();
    server.write(1, bytes("answer"));
    server.closeConn(1);
    expect(text(await client.read())).toBe("answer");
    await client.read().catch(() => {});
    expect(() => client.tryRead()).toThrow(ConnectionClosed);
    await client.close();
  });
});

describe("packing:", () => {
  test("messages of a turn share a datagram; with false, each frame has its own", () => {
    for (const packing of [true, false]) {
      const { link, server, client } = connectedPair({ packing }, { packing });
      link.run(link.nowMs + 100);
      const already = cborFrames(link, "client 1", "server 1").length;
      for (const word of ["a", "b", "c"]) client.core.write(1, bytes(word));
      link.run(link.nowMs + 20);
      const sent = cborFrames(link, "client 1", "server 1").slice(already);
      expect(server.texts).toEqual(["a", "b", "c"]);
      expect(sent.length).toBe(packing ? 1 : 3);
    }
  });
});

describe("with little to do:", () => {
  const params = { epochMillis: 150, epochLimit: 8 };

  test("an alarm that an acknowledgement has made needless is put off, and no later than due", () => {
    const { link, server, client } = connectedPair();
    link.run(link.nowMs + 10_000);
    // Just behind a tick, so that the probe is due long before the next.
    link.run(client.core.wakeAtMs()! + 5);
    const tickAtMs = client.core.wakeAtMs()!;
    link.write(client, 1, "a");
    const probeAtMs = client.core.wakeAtMs()!;
    expect(probeAtMs).toBeLessThan(tickAtMs);
    link.run(link.nowMs + 3);
    expect(server.texts).toEqual(["a"]);
    expect(client.core.wakeAtMs()).toBe(probeAtMs);
    client.core.putOffAlarms();
    expect(client.core.wakeAtMs()).toBe(tickAtMs);
  });

  test("an epoch with acknowledgements has no other beside them", () => {
    const { link, server, client } = connectedPair({ params }, { params });
    link.run(link.nowMs + 1000);
    const count = (): number => cborFrames(link, "client 1", "server 1").length;
    const before = count();
    for (let i = 0; i < 30; i++) {
      link.write(client, 1, "beat");
      link.run(link.nowMs + 2);
      link.write(server, 1, "answer");
      link.run(link.nowMs + 98);
    }
    // A datagram with the beat and one that acknowledges the answer.
    expect(count() - before).toBe(60);
  });

  test("while messages go to and fro no tick wakes anybody", () => {
    const params = { epochMillis: 300, epochLimit: 4 };
    const { link, server, client } = connectedPair({ params }, { params });
    link.run(link.nowMs + 1000);
    for (let i = 0; i < 40; i++) {
      link.write(client, 1, "beat");
      link.run(link.nowMs + 2);
      link.write(server, 1, "answer");
      link.run(link.nowMs + 20);
      const beatAtMs = link.nowMs + 78;
      for (const { core } of [server, client]) {
        core.putOffAlarms();
        if (i > 1) expect(core.wakeAtMs()).toBeGreaterThan(beatAtMs);
      }
      link.run(beatAtMs);
    }
    // Some epochs later both have heartbeats again.
    const before = cborFrames(link, "client 1", "server 1").length;
    link.run(link.nowMs + 3000);
    expect(cborFrames(link, "client 1", "server 1").length - before).toBeGreaterThanOrEqual(9);
    expect([server.events.length, client.events.length]).toEqual([40, 40]);
  });

  test("a peer that falls silent behind messages is lost within K + 1 epochs, as always", () => {
    const params = { epochMillis: 300, epochLimit: 4 };
    for (let phaseMs = 0; phaseMs < 300; phaseMs += 23) {
      const { link, server, client } = connectedPair({ params }, { params });
      link.run(link.nowMs + 700 + phaseMs);
      for (let i = 0; i < 10; i++) {
        link.write(client, 1, "beat");
        link.run(link.nowMs + 2);
        link.write(server, 1, "answer");
        link.run(link.nowMs + 20);
        if (i < 9) link.run(link.nowMs + 78);
      }
      const silentSinceMs = link.nowMs - 20;
      link.remove(client);
      expect(link.runUntil(() => server.events.length > 10)).toBe(true);
      const epochs = (link.nowMs - silentSinceMs) / 300;
      expect(epochs).toBeGreaterThanOrEqual(3);
      expect(epochs).toBeLessThanOrEqual(5);
    }
  });
});

describe("mtu:", () => {
  test("is kept, and refused out of its range", async () => {
    for (const mtu of [1199, 16_385, 1300.5]) {
      expect(listen({ port: 0, mtu })).rejects.toThrow(RangeError);
    }
    await using server = await listen({ port: 0, mtu: 9000 });
    expect(server.port).toBeGreaterThan(0);
  });
});
