/** Large messages and leave-taking on real sockets: what only the adapter can get wrong. */
import { describe, expect, test } from "bun:test";
import { connect, type EndpointStats, listen } from "../../lsp/mod.ts";
import { until } from "../support/waiting.ts";

const host = "127.0.0.1";

const countedBytes = ({ queuedBytes, unreadBytes, reassemblyBytes }: EndpointStats): number =>
  queuedBytes + unreadBytes + reassemblyBytes;

describe("lsp library, large messages:", () => {
  test("writable(bytes) waits until a large message is taken; both ends count it and two windows", async () => {
    await using server = await listen({ host, port: 0 });
    await using client = await connect({ host, port: server.port });
    const size = 16 << 20;
    let most = 0;
    for (let round = 1; round <= 3; round++) {
      await client.writable(size);
      client.write(new Uint8Array(size).fill(round));
      expect(() => client.write(new Uint8Array(size))).toThrow("maxQueuedBytes");
      const reading = server.read();
      let isRead = false;
      void reading.then(() => (isRead = true));
      await until("the whole message", () => {
        const both = [server.stats(), client.stats().endpoint].map(countedBytes);
        most = Math.max(most, ...both);
        return isRead;
      });
      const { payload } = await reading;
      expect([payload.length, payload[0], payload.at(-1)]).toEqual([size, round, round]);
    }
    expect(most).toBeGreaterThanOrEqual(size);
    expect(most).toBeLessThanOrEqual(size + 2 * (1 << 20));
  });

  test("a server may write large messages to many, each when it is taken", async () => {
    await using server = await listen({ host, port: 0, limits: { maxQueuedBytes: 100_000 } });
    const clients = await Promise.all([1, 2, 3].map(() => connect({ host, port: server.port })));
    const writing = clients.map(async ({ connId }) => {
      for (let i = 0; i < 4; i++) {
        await server.writable(connId, 400_000);
        const how = i % 2 === 0 ? "write" : "give";
        server[how](connId, new Uint8Array(400_000).fill(connId));
      }
    });
    for (const client of clients) {
      for (let i = 0; i < 4; i++) expect((await client.read())[399_999]).toBe(client.connId);
    }
    await Promise.all(writing);
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe("lsp library, after close:", () => {
  const isReleased = (client: object): boolean =>
    (client as { udp: { isReleased: boolean } }).udp.isReleased;

  test("the client's socket goes as soon as the server has answered", async () => {
    await using server = await listen({ host, port: 0 });
    const client = await connect({ host, port: server.port });
    await client.close();
    await until("the release of the socket", () => isReleased(client));
    expect(server.stats().connections).toBe(0);
  });

  test("... and soon also when nobody answers", async () => {
    const params = { epochMillis: 50 };
    const server = await listen({ host, port: 0, params });
    const client = await connect({ host, port: server.port, params });
    (server as unknown as { udp: { release(): void } }).udp.release();
    await client.close();
    await until("the release of the socket", () => isReleased(client));
  });

  test("a server's port is free at once", async () => {
    const server = await listen({ host, port: 0 });
    const client = await connect({ host, port: server.port });
    await server.close();
    await using again = await listen({ host, port: server.port });
    expect(again.port).toBe(server.port);
    await client.close();
  });
});
