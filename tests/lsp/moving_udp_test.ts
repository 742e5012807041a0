/** A client whose own address changes in mid-connection, on real sockets behind a relay. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { connect, listen, type LspNotice } from "../../lsp/mod.ts";
import { until, within } from "../support/waiting.ts";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const params = { epochMillis: 50, epochLimit: 60 };

type Socket = Bun.udp.Socket<"uint8array">;

/**
 * Stands between clients and a server as a router does: each address of a client has a socket of
 * its own toward the server. `forget` makes it deaf to all addresses that it has seen so far.
 */
class Router {
  port = 0;
  readonly seen: number[] = [];
  readonly #serverPort: number;
  readonly #outward = new Map<number, Socket>();
  #deaf: readonly number[] = [];
  #inward!: Socket;

  private constructor(serverPort: number) {
    this.#serverPort = serverPort;
  }

  static async open(serverPort: number): Promise<Router> {
    const router = new Router(serverPort);
    router.#inward = await Bun.udpSocket({
      hostname: "127.0.0.1",
      binaryType: "uint8array",
      socket: { data: (_socket, bytes, port) => void router.#out(bytes.slice(), port), error() {} },
    });
    router.port = router.#inward.port;
    return router;
  }

  forget(): void {
    this.#deaf = [...this.seen];
  }

  close(): void {
    this.#inward.close();
    for (const socket of this.#outward.values()) socket.close();
  }

  async #out(bytes: Uint8Array, port: number): Promise<void> {
    if (!this.seen.includes(port)) this.seen.push(port);
    if (this.#deaf.includes(port)) return;
    let socket = this.#outward.get(port);
    if (socket === undefined) {
      socket = await Bun.udpSocket({
        hostname: "127.0.0.1",
        binaryType: "uint8array",
        socket: {
          data: (_socket, back) => {
            if (!this.#deaf.includes(port)) this.#inward.send(back, port, "127.0.0.1");
          },
          error() {},
        },
      });
      this.#outward.set(port, socket);
    }
    socket.send(bytes, this.#serverPort, "127.0.0.1");
  }
}

const ending: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of ending.splice(0)) await one.close();
});

describe("a client whose way to the server is gone", () => {
  test("opens a new socket and goes on with the same connection, again and again", async () => {
    const notices: LspNotice[] = [];
    const onNotice = (notice: LspNotice): void => void notices.push(notice);
    const server = await listen({ port: 0, params, onNotice, onLost: () => {} });
    const router = await Router.open(server.port);
    const client = await connect({ host: "127.0.0.1", port: router.port, params });
    ending.push(client, server, router);
    for (let round = 0; round < 3; round++) {
      client.write(utf8.encode(`up ${round}`));
      const { connId, payload } = await within("what the client wrote", server.read());
      assertEquals([connId, text(payload)], [1, `up ${round}`]);
      router.forget();
      // Nothing of what either end sends now gets there, until the client is at another address.
      client.write(utf8.encode(`on ${round}`));
      server.write(1, utf8.encode(`down ${round}`));
      assertEquals(text((await within("the client's way", server.read())).payload), `on ${round}`);
      assertEquals(text(await within("the server's way", client.read())), `down ${round}`);
    }
    assertEquals(notices.filter(({ kind }) => kind === "connected").length, 1);
    assert(router.seen.length >= 4, `${router.seen.length} addresses`);
    assertEquals(server.stats().connections, 1);
  });

  test("keeps its port as long as the server is heard, and while it dials", async () => {
    // Epochs that outlast what a busy machine holds a process up.
    const calm = { epochMillis: 700, epochLimit: 10 };
    const server = await listen({ port: 0, params: calm, onLost: () => {} });
    const router = await Router.open(server.port);
    const client = await connect({ host: "127.0.0.1", port: router.port, params: calm });
    ending.push(client, server, router);
    for (let i = 0; i < 40; i++) {
      client.write(utf8.encode(`${i}`));
      const { payload } = await within("a message", server.read());
      server.write(1, payload);
      await within("its echo", client.read());
      if (i !== 20) continue;
      const before = server.stats().receivedDatagrams;
      await until("heartbeats", () => server.stats().receivedDatagrams > before + 1);
    }
    assertEquals(router.seen.length, 1);
  });
});
