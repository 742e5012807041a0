/** Servers on a wildcard address: every address of the machine answers for itself. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { isWildcard } from "../../base/ip_address.ts";
import { AddressInUse, hostOf, listen, type LspServer } from "../../lsp/mod.ts";
import { HAS_IPV6 } from "../support/ipv6.ts";
import { askClassic } from "./ask_classic.ts";

/** Ends servers without waiting for clients that have left without a word. */
let ending = new AbortController();
function endAll(): void {
  ending.abort();
  ending = new AbortController();
}
afterEach(endAll);

/** A server that echoes. */
async function echo(host: string, port = 0): Promise<LspServer & { readonly from: string[] }> {
  const from: string[] = [];
  const server = await listen({
    host,
    port,
    onNotice: (notice) => void (notice.kind === "connected" && from.push(notice.from)),
    onLost: () => {},
    signal: ending.signal,
  });
  void (async () => {
    for await (const { connId, payload } of server) server.write(connId, payload);
  })();
  return Object.assign(server, { from });
}

describe.if(process.platform === "linux").each(["0.0.0.0", "::"])("a server on %s", (host) => {
  test("answers classic clients from whichever address they dialled", async () => {
    const server = await echo(host);
    assert(server.answersFromAsked);
    const dialled = ["127.0.0.1", "127.0.0.2", "127.0.1.1", "127.77.0.1", "127.0.0.2"];
    if (host === "::" && HAS_IPV6) dialled.push("::1");
    for (const address of dialled) {
      const answers = await askClassic(address, server.port);
      assert(answers.includes("2 7") && answers.includes("2 8"), `${address}: ${answers}`);
      assert(answers.includes("1 8 aGk="), `${address}: ${answers}`);
    }
    const clients = server.from.map(hostOf);
    assertEquals(clients.length, dialled.length);
    assert(
      clients.every((client) => client === "127.0.0.1" || client === "::1"),
      `${clients}`,
    );
  });

  test("keeps its port to itself, and gives it back", async () => {
    const server = await echo(host);
    const { port } = server;
    assert(isWildcard(server.host));
    await askClassic("127.0.0.3", port);
    for (const other of [host, "127.0.0.1", "127.0.0.3", "127.0.0.4"]) {
      await assertRejects(() => listen({ host: other, port }), AddressInUse, `${port}`);
      // As a program that is ready to share would try.
      const flags = { flags: 16 } as object;
      await assertRejects(async () => {
        const taken = await Bun.udpSocket({ hostname: other, port, ...flags });
        taken.close();
      }, Error);
    }
    endAll();
    await server.close();
    await echo(host, port);
  });

  test("serves more addresses than it has sockets", async () => {
    const server = await echo(host);
    const all = Array.from({ length: 300 }, (_, i) => `127.1.${i >> 8}.${i & 255}`);
    // Not many at a time: a process may be allowed no more than 256 files.
    const parts = [0, 50, 100, 150, 200, 250].map((from) => all.slice(from, from + 50));
    for (const addresses of [...parts, all.slice(0, 9)]) {
      const answers = await Promise.all(addresses.map((to) => askClassic(to, server.port)));
      assert(answers.every((lines) => lines.includes("1 8 aGk=")));
    }
  });
});
