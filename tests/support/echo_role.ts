/**
 * One end of an echo, as a process: for tests in which the two ends are on machines of their own.
 *
 *   bun tests/support/echo_role.ts serve HOST PORT
 *   bun tests/support/echo_role.ts call HOST PORT WIRE SECONDS BYTES
 *
 * A caller prints `echoes N`, or the error that ended it.
 */
import { connect, listen } from "../../lsp/mod.ts";
import type { Wire } from "../../lsp/types.ts";

const [role, host = "", port, wire, seconds, bytes] = process.argv.slice(2);

async function serve(): Promise<void> {
  const server = await listen({ host, port: Number(port), onLost: () => {} });
  for await (const { connId, payload } of server) server.write(connId, payload);
}

async function call(): Promise<void> {
  const client = await connect({ host, port: Number(port), wire: wire as Wire });
  const payload = new Uint8Array(Number(bytes));
  const endMs = performance.now() + Number(seconds) * 1000;
  let echoes = 0;
  for (; performance.now() < endMs; echoes++) {
    client.write(payload);
    const { length } = await client.read();
    if (length !== payload.length) throw new Error(`an echo of ${length} bytes`);
    await Bun.sleep(10);
  }
  await client.close();
  console.log(`echoes ${echoes}`);
}

try {
  await (role === "serve" ? serve() : call());
} catch (error) {
  console.log(`${error}`);
}
