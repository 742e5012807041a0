/** A server that is killed and started again at once: its peers are back at once, too. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { connect, ConnectionClosed, listen, type LspServer } from "../../lsp/mod.ts";
import { isServerThere } from "../../peer/endings.ts";
import { Uplink } from "../../peer/uplink_adapter.ts";
import { until, within } from "../support/waiting.ts";

const params = { epochMillis: 100, epochLimit: 600 };
const utf8 = new TextEncoder();

const open: LspServer[] = [];
afterEach(() => Promise.all(open.splice(0).map((server) => server.close())));

/** A server that reads and forgets. */
async function start(port = 0): Promise<LspServer> {
  const server = await listen({ port, params, appVersion: 1, onLost: () => {} });
  open.push(server);
  void (async () => {
    for await (const _ of server);
  })();
  return server;
}

/** As by SIGKILL: the socket is gone before the server could say a word. */
function kill(server: LspServer): void {
  open.splice(open.indexOf(server), 1);
  (server as unknown as { udp: { release(): void } }).udp.release();
}

describe("after a server was killed and started again at its port,", () => {
  test("a connection ends as forgotten, long before it would be lost; another can be had", async () => {
    const first = await start();
    const { port } = first;
    const client = await connect({ host: "127.0.0.1", port, params, appVersion: 1 });
    client.write(utf8.encode("to the first"));
    kill(first);
    const second = await start(port);
    // 60 s of silence would make it lost.
    const end = await within(
      "the end",
      client.read().catch((error: unknown) => error),
    );
    assert(end instanceof ConnectionClosed && end.closure === "forgotten", `${end}`);
    assert(isServerThere(end));
    const again = await connect({ host: "127.0.0.1", port, params, appVersion: 1 });
    assertEquals(second.stats().connections, 1);
    await again.close();
  });

  test("an uplink says so, and its owner can dial at once", async () => {
    const first = await start();
    const { port } = first;
    const log: string[] = [];
    const link = new Uplink(
      { port, appVersion: 1, params },
      {
        onConnected: () => log.push("connected"),
        onPayload: () => {},
        onGone: (reason, error) => {
          log.push(`${reason}, ${isServerThere(error)}`);
          link.dial();
        },
      },
    );
    link.dial();
    await until("a connection", () => log.length === 1);
    kill(first);
    await start(port);
    await until("another", () => log.length === 3);
    const gone = `the server at 127.0.0.1:${port} was restarted, true`;
    assertEquals(log, ["connected", gone, "connected"]);
    await link.close();
  });
});
