/** Dialling real servers by whatever people type: addresses by value, names, wildcards. */
import { afterEach, describe, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { isLinkLocal } from "../../base/ip_address.ts";
import { connect, ConnectRefused, listen, LspError, readableAddress } from "../../lsp/mod.ts";
import type { Wire } from "../../lsp/types.ts";
import { HAS_IPV6 } from "../support/ipv6.ts";
import { within } from "../support/waiting.ts";

const params = { epochMillis: 100, epochLimit: 10 };
let ending = new AbortController();
afterEach(() => {
  ending.abort();
  ending = new AbortController();
});

/** An echo server, and the addresses of those who came. */
async function echo(host: string): Promise<{ port: number; host: string; from: string[] }> {
  const from: string[] = [];
  const { signal } = ending;
  const server = await listen({
    host,
    port: 0,
    params,
    signal,
    onNotice: (notice) => void (notice.kind === "connected" && from.push(notice.from)),
    onLost: () => {},
  });
  void (async () => {
    for await (const { connId, payload } of server) server.write(connId, payload);
  })();
  return { port: server.port, host: server.host, from };
}

/** Sends a message there and back. */
async function call(host: string, port: number, wire: Wire): Promise<void> {
  const { signal } = ending;
  const client = await connect({ host, port, wire, params, signal });
  client.write(Uint8Array.of(1, 2, 3));
  assertEquals([...(await within(`an echo from ${host}`, client.read()))], [1, 2, 3]);
}

describe.each(["cbor", "json"] as Wire[])("dialling (%s)", (wire) => {
  test("a server by the wildcard that it prints, and by every loopback address", async () => {
    const four = await echo("0.0.0.0");
    const more = process.platform === "linux" ? ["127.0.0.2", "127.0.1.1"] : [];
    for (const host of ["0.0.0.0", "127.0.0.1", ...more, "localhost"]) {
      await call(host, four.port, wire);
    }
    if (!HAS_IPV6) return;
    const both = await echo("::");
    for (const host of ["[::]", "::0", "0::1", "::FFFF:7f00:1", ...more, "localhost"]) {
      await call(host, both.port, wire);
    }
  });

  test("localhost, where only one of its two addresses is served", async () => {
    for (const host of HAS_IPV6 ? ["::1", "127.0.0.1"] : ["127.0.0.1"])
      await call("localhost", (await echo(host)).port, wire);
  });

  test("link-local addresses, with their zone by name and by number", async () => {
    const links = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).flatMap(({ address, family, ...rest }) =>
        family === "IPv6" && isLinkLocal(address) && "scopeid" in rest
          ? [{ name, address, index: rest.scopeid }]
          : [],
      ),
    );
    for (const { name, address, index } of links) {
      for (const served of ["::", `[${address}%${name}]`]) {
        const { port, host, from } = await echo(served);
        assertEquals(host, served === "::" ? "::" : `${address}%${name}`);
        await call(`[${address}%${index}]`, port, wire);
        await call(`[${address}%${name}]`, port, wire);
        for (const peer of from) assert(readableAddress(peer).includes(`%${name}]:`), peer);
      }
    }
  });
});

test("errors have IPv6 addresses in brackets", async () => {
  if (HAS_IPV6) {
    const refused = await assertRejects(
      () => connect({ host: "::1", port: 9, params: { epochMillis: 10, epochLimit: 2 } }),
      ConnectRefused,
    );
    assert(refused.message.includes("no answer from [::1]:9 in"), refused.message);
  }
  const bound = await assertRejects(() => listen({ host: "2001:db8::77", port: 9 }), LspError);
  assert(bound.message.includes("cannot listen on [2001:db8::77]:9: "), bound.message);
  const nowhere = await assertRejects(
    () => connect({ host: "fe80::1%no-such", port: 9 }),
    LspError,
  );
  assert(nowhere.message.includes("[fe80::1%no-such]:9"), nowhere.message);
});
