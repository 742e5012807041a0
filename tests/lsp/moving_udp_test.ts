/** A client whose own address changes in mid-connection, on real sockets behind a relay. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { openDialing } from "../../lsp/dialing_adapter.ts";
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
});

describe("openDialing", () => {
  /** A dialing socket with a clock of its own, and a server that answers while it `talks`. */
  async function dialled() {
    const server = { talks: true, heard: 0, ports: new Set<number>() };
    const there = await Bun.udpSocket({
      hostname: "127.0.0.1",
      binaryType: "uint8array",
      socket: {
        data(socket, bytes, port, host) {
          server.heard++;
          server.ports.add(port);
          if (server.talks) socket.send(bytes, port, host);
        },
        error() {},
      },
    });
    const clock = { nowMs: 0 };
    let answers = 0;
    const handlers = { data: () => void answers++, drain() {} };
    const hosts = ["127.0.0.1"];
    const socket = await openDialing(hosts, there.port, handlers, () => clock.nowMs);
    ending.push(there, socket);
    const [to] = socket.addresses;
    const send = async (): Promise<void> => {
      const { heard } = server;
      const before = answers;
      socket.sendMany([Uint8Array.of(1)], [to!]);
      await until("it to come", () => server.heard > heard && (!server.talks || answers > before));
    };
    return { server, clock, socket, to: to!, send };
  }

  test("keeps its port when it settles, and as long as the server is heard in time", async () => {
    const { server, clock, socket, to, send } = await dialled();
    await send();
    socket.settle(to, 1000);
    for (let i = 0; i < 20; i++) {
      clock.nowMs += 900;
      await send();
    }
    assertEquals(server.ports.size, 1);
    assertEquals(socket.port, [...server.ports][0]!);
  });

  test("opens another if the server is not heard in time, and only if it may", async () => {
    for (const [patienceMs, ports] of [
      [1000, 3],
      [Infinity, 1],
    ] as const) {
      const { server, clock, socket, to, send } = await dialled();
      await send();
      socket.settle(to, patienceMs);
      await send();
      server.talks = false;
      for (let round = 0; round < 2; round++) {
        await send();
        clock.nowMs += 1001;
        // This one opens the other socket, the next one takes it.
        await send();
        await send();
      }
      assertEquals(server.ports.size, ports);
    }
  });
});
