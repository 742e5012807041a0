/** `close()` says which connections did not get all that was written on them. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { connect, listen, type LspClient } from "../../lsp/mod.ts";
import type { Wire } from "../../lsp/types.ts";
import { until, within } from "../support/waiting.ts";
import { connectedPair } from "./lan.ts";

const host = "127.0.0.1";
const params = { epochMillis: 20, epochLimit: 4 };
const wires: Wire[] = ["cbor", "json"];
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Its socket is gone before it could say a word. */
function crash(client: LspClient): void {
  (client as unknown as { udp: { release(): void } }).udp.release();
}

describe.each(wires)("close() of a server (%s)", (wire) => {
  test("names the peers that were lost with something unacknowledged, and no others", async () => {
    const server = await listen({ port: 0, params });
    const at = { host, port: server.port, params, wire };
    const [dead, idle, well] = [await connect(at), await connect(at), await connect(at)];
    crash(dead);
    crash(idle);
    for (const { connId } of [dead, well]) server.write(connId, text("news"));
    assertEquals(new TextDecoder().decode(await within("the news", well.read())), "news");
    assertEquals(await within("the close", server.close()), { lost: [dead.connId] });
    await well.close();
  });

  test("names one that it had closed itself, and could not bring all to", async () => {
    const server = await listen({ port: 0, params });
    const at = { host, port: server.port, params, wire };
    const [dead, well] = [await connect(at), await connect(at)];
    crash(dead);
    for (const { connId } of [dead, well]) {
      server.write(connId, text("farewell"));
      server.closeConn(connId);
      await server.read().catch(() => {});
    }
    await until("the dead one is given up", () => server.stats(dead.connId) === undefined);
    assertEquals(await within("the close", server.close()), { lost: [dead.connId] });
    await well.close();
  });

  test("names one that it had closed itself, also if it reads of that only later", async () => {
    const server = await listen({ port: 0, params });
    const dead = await connect({ host, port: server.port, params, wire });
    crash(dead);
    server.write(dead.connId, text("farewell"));
    server.closeConn(dead.connId);
    await until("it is given up", () => server.stats(dead.connId) === undefined);
    await server.read().catch(() => {});
    assertEquals(await within("the close", server.close()), { lost: [dead.connId] });
  });

  test("leaves out what read() has reported", async () => {
    const server = await listen({ port: 0, params });
    const at = { host, port: server.port, params, wire };
    const [first, second] = [await connect(at), await connect(at)];
    for (const client of [first, second]) {
      crash(client);
      server.write(client.connId, text("too late"));
    }
    await until("both are lost", () => server.stats().queuedBytes === 0);
    const error = await server.read().catch((end: { connId: number }) => end);
    assert("connId" in error);
    const other = error.connId === first.connId ? second : first;
    assertEquals(await within("the close", server.close()), { lost: [other.connId] });
  });
});

describe.each(wires)("close() of a client (%s)", (wire) => {
  test("says whether all has arrived", async () => {
    const ending = new AbortController();
    const server = await listen({ port: 0, params, signal: ending.signal });
    const at = { host, port: server.port, params, wire };
    const lucky = await connect(at);
    lucky.write(text("in time"));
    assertEquals(await within("the close", lucky.close()), { lost: [] });
    const unlucky = await connect(at);
    (server as unknown as { udp: { release(): void } }).udp.release();
    unlucky.write(text("too late"));
    assertEquals(await within("the close", unlucky.close()), { lost: [unlucky.connId] });
    ending.abort();
  });

  test("says so also when the end came first, and was read", async () => {
    const server = await listen({ port: 0, params });
    const client = await connect({ host, port: server.port, params, wire });
    (server as unknown as { udp: { release(): void } }).udp.release();
    client.write(text("too late"));
    await within(
      "the end",
      client.read().catch(() => {}),
    );
    assertEquals(await within("the close", client.close()), { lost: [client.connId] });
  });
});

test("connections that did not get all are remembered in bounds, the last of them", () => {
  const limits = { maxEndedRemembered: 2 };
  const { link, server } = connectedPair({}, { limits });
  for (let n = 2; n <= 4; n++) {
    link.dialer({ isn: n }, `client ${n}`);
    link.run(link.nowMs + 50);
  }
  link.passes = () => false;
  for (let n = 1; n <= 4; n++) server.core.write(n, text("lost"));
  link.run(link.nowMs + 10_000);
  assertEquals(server.events.length, 4);
  assertEquals(server.core.undelivered.size, 2);
});
