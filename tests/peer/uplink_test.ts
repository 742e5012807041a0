/** Uplinks over real sockets: one connection at a time, and not a word of an older one. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ConnectRefused, listen, type LspServer, QueueFull } from "../../lsp/mod.ts";
import { Uplink, type UplinkOptions } from "../../peer/uplink_adapter.ts";
import { until } from "../support/waiting.ts";

const QUICK = { epochMillis: 20, epochLimit: 3 };
const utf8 = new TextEncoder();
const text = new TextDecoder();
const servers: LspServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** A server, what it was told, and where its connections are. */
async function start(): Promise<{ server: LspServer; told: string[]; connIds: number[] }> {
  const told: string[] = [];
  const connIds: number[] = [];
  const server = await listen({
    port: 0,
    appVersion: 1,
    onNotice: (notice) => void (notice.kind === "connected" && connIds.push(notice.connId)),
    onLost: ({ connId, name }) => told.push(`${connId} ${name}`),
  });
  servers.push(server);
  void (async () => {
    for await (const { connId, payload } of server) told.push(`${connId} ${text.decode(payload)}`);
  })();
  return { server, told, connIds };
}

/** An uplink, and what it told its owner. */
function linkTo(options: Partial<UplinkOptions> & { port: number }): {
  link: Uplink;
  log: string[];
} {
  const log: string[] = [];
  const link = new Uplink(
    { appVersion: 1, ...options },
    {
      onConnected: (wire) => log.push(`connected ${wire}`),
      onPayload: (payload) => log.push(text.decode(payload)),
      onGone: (reason, error) => log.push(`gone: ${reason} (${(error as Error).name})`),
    },
  );
  return { link, log };
}

describe("Uplink", () => {
  test("connects, writes and reads; tells why the connection is gone, once", async () => {
    const { server, told, connIds } = await start();
    const { link, log } = linkTo({ port: server.port });
    assertEquals(link.where, `127.0.0.1:${server.port}`);
    link.write(utf8.encode("to nobody"));
    link.dial();
    await until("a connection", () => log.length > 0);
    assert(link.isConnected);
    link.write(utf8.encode("up"));
    server.write(connIds[0]!, utf8.encode("down"));
    await until("both messages", () => told.length > 0 && log.length > 1);
    server.closeConn(connIds[0]!);
    await until("the end", () => log.length > 2);
    assertEquals(told[0], "1 up");
    const gone = `gone: the server at ${link.where} said goodbye (ConnectionClosed)`;
    assertEquals(log, ["connected cbor", "down", gone]);
    assertEquals(link.isConnected, false);
    await link.close();
    assertEquals(log.length, 3);
  });

  test("dialled anew it lets go of the old connection, and says nothing more of that", async () => {
    const { server, told, connIds } = await start();
    const { link, log } = linkTo({ port: server.port, wire: "cbor" });
    link.dial();
    await until("the first connection", () => log.length > 0);
    server.write(connIds[0]!, utf8.encode("late"));
    link.dial();
    await until("the second connection", () => log.length > 1 && told.length > 0);
    assertEquals(told, ["1 ConnectionClosed"]);
    server.write(connIds[1]!, utf8.encode("new"));
    await until("its message", () => log.length > 2);
    assertEquals(log, ["connected cbor", "connected cbor", "new"]);
    await link.close();
  });

  test("tells that nobody answers, and of a server that says no", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const { link, log } = linkTo({ port: silent.port, params: QUICK });
    link.dial();
    await until("silence", () => log.length > 0);
    const nobody = `gone: no answer from the server at ${link.where} (is it running?)`;
    assertEquals(log, [`${nobody} (${ConnectRefused.name})`]);
    silent.close();
    const { server } = await start();
    const other = linkTo({ port: server.port, appVersion: 2 });
    other.link.dial();
    await until("a refusal", () => other.log.length > 0);
    assertStringIncludes(other.log[0]!, "versions differ");
    await Promise.all([link.close(), other.link.close()]);
  });

  test("ends a connection that takes no more", async () => {
    const { server, told } = await start();
    const { link, log } = linkTo({ port: server.port });
    link.dial();
    await until("a connection", () => log.length > 0);
    for (let i = 0; link.isConnected && i < 200; i++) link.write(new Uint8Array(1 << 20));
    assertEquals(link.isConnected, false);
    assertStringIncludes(log[1]!, "gone: cannot write to the server: cannot queue more than");
    assertStringIncludes(log[1]!, QueueFull.name);
    assertEquals(log.length, 2);
    await until("the server's end", () => told.some((line) => line.includes("Connection")));
    await link.close();
  });

  test("closed while it dials, it is done at once and says nothing; nor does it dial again", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const { link, log } = linkTo({ port: silent.port });
    link.dial();
    await link.close();
    link.dial();
    await link.close();
    assertEquals([log, link.isConnected], [[], false]);
    silent.close();
  });

  test("close brings over what was written last", async () => {
    const { server, told } = await start();
    const { link, log } = linkTo({ port: server.port });
    link.dial();
    await until("a connection", () => log.length > 0);
    link.write(utf8.encode("last words"));
    await link.close();
    assertEquals(told[0], "1 last words");
  });
});
