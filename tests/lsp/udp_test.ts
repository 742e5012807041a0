/** The library on real sockets: what is Bun's and the system's, not the protocol's. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import {
  AddressInUse,
  connect,
  ConnectionClosed,
  ConnectionLost,
  ConnectRefused,
  listen,
  type LspNotice,
  PayloadTooLarge,
  QueueFull,
  UnknownConnection,
  UnresolvedHost,
} from "../../lsp/mod.ts";
import { HAS_IPV6 } from "../support/ipv6.ts";
import { within } from "../support/waiting.ts";

const host = "127.0.0.1";
const params = { epochMillis: 50, epochLimit: 6 };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What `promise` rejects with. */
function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert(false, "did not reject"),
    (error) => error,
  );
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: host, socket: { data() {}, error() {} } });
  const { port } = socket;
  socket.close();
  return port;
}

describe("lsp library:", () => {
  test("a port in use gives AddressInUse", async () => {
    await using server = await listen({ port: 0 });
    const error = await failure(listen({ port: server.port }));
    assert(error instanceof AddressInUse && error.code === "ADDRESS_IN_USE");
    expect(error.message).toContain(`${server.port}`);
  });

  test("an address that is not ours gives LspError SOCKET", async () => {
    const error = await failure(listen({ host: "203.0.113.7", port: 0 }));
    expect(error).toMatchObject({ code: "SOCKET" });
  });

  test("a name without address gives UnresolvedHost", async () => {
    const error = await failure(connect({ host: "no.such.host.invalid", port: 9 }));
    assert(error instanceof UnresolvedHost && error.code === "UNRESOLVED_HOST");
  });

  test("impossible ports give RangeError", async () => {
    assert((await failure(listen({ port: 65_536 }))) instanceof RangeError);
    assert((await failure(connect({ host, port: 0 }))) instanceof RangeError);
  });

  test("a silent server gives ConnectRefused, ECONNREFUSED or not", async () => {
    const error = await failure(connect({ host, port: await freePort(), params }));
    assert(error instanceof ConnectRefused && error.refusal === "timeout");
  });

  test("the server may start after the client", async () => {
    const asked = Promise.withResolvers<void>();
    const data = (): void => asked.resolve();
    const deaf = await Bun.udpSocket({ hostname: host, socket: { data, error() {} } });
    const { port } = deaf;
    const connecting = connect({ host, port, params: { epochMillis: 50, epochLimit: 100 } });
    await asked.promise;
    deaf.close();
    await using server = await listen({ port });
    await using client = await connecting;
    client.write(encode("hello"));
    assertEquals(decode((await server.read()).payload), "hello");
  });

  test("another version gives ConnectRefused, and a notice on both sides", async () => {
    const notices: LspNotice[] = [];
    const onNotice = (notice: LspNotice): void => void notices.push(notice);
    await using server = await listen({ port: 0, appVersion: 1, onNotice });
    const error = await failure(connect({ host, port: server.port, appVersion: 2, onNotice }));
    assert(error instanceof ConnectRefused && error.refusal === "version");
    const lines = notices.map((notice) => (notice.kind === "refused" ? notice.reason : ""));
    assertEquals(lines.length, 2);
    for (const line of lines) expect(line).toMatch(/messages 1.*messages 2/);
  });

  test("names and brackets are understood", async () => {
    await using server = await listen({ host: "localhost", port: 0 });
    await using client = await connect({ host: "localhost", port: server.port });
    assertEquals(client.connId, 1);
    if (!HAS_IPV6) return;
    await using six = await listen({ host: "[::1]", port: 0 });
    await using other = await connect({ host: "[::1]", port: six.port });
    assertEquals(other.connId, 1);
  });

  test.if(HAS_IPV6)("a socket for both families serves both", async () => {
    const from: string[] = [];
    const onNotice = (notice: LspNotice): void => {
      if (notice.kind === "connected") from.push(notice.from.split(" ")[0]!);
    };
    await using server = await listen({ host: "::", port: 0, onNotice });
    await using four = await connect({ host, port: server.port });
    await using six = await connect({ host: "::1", port: server.port });
    for (const client of [four, six]) {
      client.write(encode("ping"));
      const { connId, payload } = await server.read();
      server.write(connId, payload);
      assertEquals(decode(await client.read()), "ping");
    }
    assertEquals(from, ["127.0.0.1", "::1"]);
  });

  test("errors have code and connId; write throws, read rejects", async () => {
    const limits = { maxQueuedBytes: 3000, maxMessageBytes: 4999 };
    const server = await listen({ port: 0, params, limits });
    const client = await connect({ host, port: server.port, params });
    expect(() => server.write(9, new Uint8Array(1))).toThrow(UnknownConnection);
    expect(() => client.write(new Uint8Array(5000))).toThrow(PayloadTooLarge);
    server.write(1, new Uint8Array(1000));
    server.write(1, new Uint8Array(1000));
    server.write(1, new Uint8Array(1000));
    expect(() => server.write(1, new Uint8Array(1))).toThrow(QueueFull);
    await server.writable(1);
    server.write(1, new Uint8Array(1));
    await client.close();
    assert((await failure(client.read())) instanceof ConnectionClosed);
    expect(() => client.write(new Uint8Array(1))).toThrow(ConnectionClosed);
    expect(await failure(server.read())).toMatchObject({ code: "CONNECTION_CLOSED", connId: 1 });
    const reading = failure(server.read());
    await server.close();
    expect(await reading).toMatchObject({ code: "CONNECTION_CLOSED", connId: undefined });
  });

  test("iterators yield data, tell losses to onLost, and end on close", async () => {
    const ends: unknown[] = [];
    const server = await listen({ port: 0, params, onLost: (end) => ends.push(end) });
    const client = await connect({ host, port: server.port, params });
    const seen: string[] = [];
    const serving = (async () => {
      for await (const { connId, payload } of server) {
        seen.push(decode(payload));
        server.write(connId, payload);
        if (seen.length === 3) server.closeConn(connId);
      }
    })();
    for (const text of ["a", "b", "c"]) client.write(encode(text));
    const echoed: string[] = [];
    for await (const payload of client) echoed.push(decode(payload));
    assertEquals(
      [seen, echoed],
      [
        ["a", "b", "c"],
        ["a", "b", "c"],
      ],
    );
    await client.close();
    await server.close();
    await serving;
    expect(ends).toMatchObject([{ code: "CONNECTION_CLOSED", connId: 1 }]);
  });

  test("a lost server ends a client's iteration with ConnectionLost", async () => {
    const server = await listen({ port: 0, params });
    const client = await connect({ host, port: server.port, params });
    (server as unknown as { udp: { release(): void } }).udp.release();
    const iterating = (async () => {
      for await (const _ of client);
    })();
    const error = await failure(iterating);
    assert(error instanceof ConnectionLost && error.connId === 1);
    assert((await failure(client.read())) instanceof ConnectionLost);
    await client.close();
  });

  test("a signal ends a connect in progress, with its reason", async () => {
    const { signal, ...controller } = withAbort();
    const connecting = connect({ host, port: await freePort(), signal });
    controller.abort(new Error("changed my mind"));
    expect(await failure(connecting)).toMatchObject({ message: "changed my mind" });
  });

  test("a signal ends a connection at once, and the peer learns it", async () => {
    await using server = await listen({ port: 0 });
    const { signal, abort } = withAbort();
    const client = await connect({ host, port: server.port, signal });
    abort(new Error("enough"));
    assert((await failure(client.read())) instanceof ConnectionClosed);
    expect(await failure(server.read())).toMatchObject({ code: "CONNECTION_CLOSED", connId: 1 });
  });

  test("statistics are plain data", async () => {
    await using server = await listen({ port: 0 });
    await using client = await connect({ host, port: server.port });
    client.write(encode("x"));
    await server.read();
    const { endpoint, connection } = client.stats();
    assertEquals(connection?.sentMessages, 1);
    assert(endpoint.sentDatagrams >= 2);
    assertEquals(server.stats(1)?.receivedMessages, 1);
    assertEquals(structuredClone(server.stats()), server.stats());
  });

  test("a burst larger than the kernel's buffers comes through, in order", async () => {
    await using server = await listen({ port: 0 });
    await using client = await connect({ host, port: server.port });
    const count = 5000;
    for (let i = 0; i < count; i++) client.write(encode(`${i}`.padStart(200, ".")));
    for (let i = 0; i < count; i++) {
      const { payload } = await server.read();
      assertEquals(Number(decode(payload).replaceAll(".", "")), i);
    }
  });

  test("many clients at once are served", async () => {
    await using server = await listen({ port: 0 });
    const dials = Array.from({ length: 100 }, () => connect({ host, port: server.port }));
    const clients = await Promise.all(dials);
    for (const client of clients) client.write(encode(`${client.connId}`));
    for (let i = 0; i < clients.length; i++) {
      const { connId, payload } = await server.read();
      assertEquals(decode(payload), `${connId}`);
    }
    await Promise.all(clients.map((client) => client.close()));
  });

  test("nothing keeps a process alive after close", async () => {
    const script = `
      import { connect, listen } from "./lsp/mod.ts";
      const server = await listen({ port: 0 });
      const client = await connect({ host: "127.0.0.1", port: server.port });
      client.write(new Uint8Array(3));
      await server.read();
      await client.close();
      await server.close();
      console.log("closed");`;
    const root = join(import.meta.dirname, "../..");
    const child = Bun.spawn([process.execPath, "-e", script], { cwd: root, stdout: "pipe" });
    try {
      assertEquals(await within("the end of the process", child.exited), 0);
    } finally {
      child.kill("SIGKILL");
    }
    assertEquals(await child.stdout.text(), "closed\n");
  });
});

function withAbort(): { signal: AbortSignal; abort: (reason: Error) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
