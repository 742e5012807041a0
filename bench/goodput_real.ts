/**
 * The goodput runs over real UDP: a listener, the relay and each sender in a process of its own.
 * Started by bench/goodput.ts.
 *
 * @module
 */
import { connect, listen } from "../lsp/mod.ts";
import { type Goodput, jainIndex, MESSAGE_BYTES, PATH } from "./virtual_runs.ts";

const WARM_UP_MS = 2000;
const [self, relay] = ["goodput_real.ts", "relay.ts"].map(
  (name) => new URL(name, import.meta.url).pathname,
) as [string, string];

/** Runs a script; answers with its process, the first line that it prints, and a way to the rest. */
async function start(script: string, args: readonly string[]) {
  const child = Bun.spawn([process.execPath, "run", script, ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const reader = child.stdout.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${script} ended early: ${await child.stderr.text()}`);
    text += new TextDecoder().decode(value);
  }
  const rest = async (): Promise<string> => {
    let after = text.slice(text.indexOf("\n") + 1);
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return after;
      after += new TextDecoder().decode(value);
    }
  };
  return { child, line: text.split("\n")[0]!, rest };
}

/** Messages read while it was measured, by connection. */
type Counts = Record<string, number>;

/** Lets `flows` senders share the path of {@link PATH} for real. */
export async function runReal(loss: number, flows: number, measuredMs: number): Promise<Goodput> {
  const server = await start(self, ["server", String(measuredMs)]);
  const path = ["--rtt", PATH.rttMs, "--mbit", PATH.bitsPerSecond / 1e6, "--loss", loss];
  const queue = ["--queue", PATH.queueBytes];
  const link = await start(relay, [server.line, ...path, ...queue].map(String));
  const port = link.line.split(" ").at(-1)!;
  const clients = await Promise.all(
    Array.from({ length: flows }, () => start(self, ["client", port])),
  );
  const counts = JSON.parse(await server.rest()) as Counts;
  link.child.kill("SIGTERM");
  for (const { child } of clients) child.kill("SIGTERM");
  const relayed = JSON.parse(/\{.*\}/.exec(await link.child.stderr.text())![0]);
  await Promise.all([...clients, link, server].map(({ child }) => child.exited));
  const mbits = Object.values(counts).map((n) => (n * MESSAGE_BYTES * 8) / (measuredMs * 1000));
  const total = mbits.reduce((a, b) => a + b, 0);
  return {
    mbits,
    ratio: (total * 1e6) / (PATH.bitsPerSecond * (1 - loss)),
    jain: jainIndex(mbits),
    overflow: relayed.up.overflowed / relayed.up.taken,
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
    if (now > markMs + measuredMs) break;
    if (now > markMs) counts[connId] = (counts[connId] ?? 0) + 1;
  }
  process.stdout.write(JSON.stringify(counts));
  process.exit(0);
}

/** Writes as fast as it may until it is killed. */
async function send(port: number): Promise<void> {
  const client = await connect({ host: "127.0.0.1", port });
  const payload = new Uint8Array(MESSAGE_BYTES);
  console.log("connected");
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
