/**
 * The goodput runs over real UDP: a listener, the relay and each sender in a process of its own.
 * Started by bench/goodput.ts.
 *
 * @module
 */
import { join } from "node:path";
import { connect, listen } from "../lsp/mod.ts";
import { linesOf, withUs } from "./processes.ts";
import { type Goodput, jainIndex, MESSAGE_BYTES, PATH } from "./virtual_runs.ts";

const WARM_UP_MS = 2000;
const [self, relay] = ["goodput_real.ts", "relay.ts"].map((name) =>
  join(import.meta.dirname, name),
) as [string, string];

/** Runs a script; answers with its process and what it prints, line by line. */
function start(script: string, args: readonly string[]) {
  const child = Bun.spawn(withUs([process.execPath, "run", script, ...args]), {
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines = linesOf(child.stdout);
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ended early: ${await child.stderr.text()}`);
    return value;
  };
  return { child, next };
}

/** Messages read while it was measured, by connection. */
type Counts = Record<string, number>;

/** Lets `flows` senders share the path of {@link PATH} for real. */
export async function runReal(loss: number, flows: number, measuredMs: number): Promise<Goodput> {
  const server = start(self, ["server", String(measuredMs)]);
  const path = ["--rtt", PATH.rttMs, "--mbit", PATH.bitsPerSecond / 1e6, "--loss", loss];
  const queue = ["--queue", PATH.queueBytes];
  const link = start(relay, [await server.next(), ...path, ...queue].map(String));
  const port = (await link.next()).split(" ").at(-1)!;
  const clients = Array.from({ length: flows }, () => start(self, ["client", port]));
  const counts = JSON.parse(await server.next()) as Counts;
  for (const { child } of [link, ...clients, server]) {
    child.kill("SIGTERM");
    await child.exited;
  }
  const relayed = JSON.parse(await link.child.stderr.text());
  const mbits = Object.values(counts).map((n) => (n * MESSAGE_BYTES * 8) / (measuredMs * 1000));
  const total = mbits.reduce((a, b) => a + b, 0);
  return {
    mbits,
    ratio: (total * 1e6) / (PATH.bitsPerSecond * (1 - loss)),
    jain: jainIndex(mbits),
    overflow: relayed.up.overflowed / relayed.up.datagrams,
    duplicates: NaN,
  };
}

/** Prints its port and, in the end, what it read after the warm-up, by connection. */
async function serve(measuredMs: number): Promise<void> {
  const server = await listen({ port: 0 });
  console.log(server.port);
  const counts: Counts = {};
  let markMs = Infinity;
  for (;;) {
    const { connId } = await server.read();
    const now = performance.now();
    if (markMs === Infinity) markMs = now + WARM_UP_MS;
    if (now > markMs) counts[connId] = (counts[connId] ?? 0) + 1;
    if (now <= markMs + measuredMs) continue;
    // It goes on reading until it is killed, so that the relay has somebody to send to.
    console.log(JSON.stringify(counts));
    markMs = Number.MAX_VALUE;
  }
}

/** Writes as fast as it may until it is killed. */
async function send(port: number): Promise<void> {
  const client = await connect({ host: "127.0.0.1", port });
  const payload = new Uint8Array(MESSAGE_BYTES);
  for (;;) {
    for (let i = 0; i < 16; i++) client.write(payload);
    await client.writable();
  }
}

if (import.meta.main) {
  const [role, argument] = process.argv.slice(2);
  if (role === "server") await serve(Number(argument));
  else await send(Number(argument));
}
