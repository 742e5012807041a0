/**
 * What idle connections cost a server: processor time a second, and heap a connection.
 *
 *   bun run bench/idle.ts [--connections 5000] [--epoch 2000] [--seconds 10]
 *
 * The clients live in another process, on one socket each; only the server is measured.
 *
 * @module
 */
import { heapStats } from "bun:jsc";
import { parseArgs } from "node:util";
import { connect, listen, type LspClient } from "../lsp/mod.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "5000" },
    epoch: { type: "string", default: "2000" },
    seconds: { type: "string", default: "10" },
    port: { type: "string" },
  },
});
const count = Number(values.connections);
const params = { epochMillis: Number(values.epoch), epochLimit: 10 };

/** The other process: connects, says so, and stays. */
async function clients(port: number): Promise<void> {
  const all: LspClient[] = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(50, count - all.length) }, () =>
      connect({ host: "127.0.0.1", port, params }),
    );
    all.push(...(await Promise.all(some)));
  }
  console.log("connected");
}

function heapBytes(): number {
  Bun.gc(true);
  Bun.gc(true);
  return heapStats().heapSize;
}

function cpuMillis(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function measure(): Promise<void> {
  let ends = 0;
  const server = await listen({ port: 0, params, onLost: () => ends++ });
  void (async () => {
    for await (const _ of server);
  })();
  const before = heapBytes();
  const other = Bun.spawn(
    [process.execPath, "run", import.meta.path, ...process.argv.slice(2)].concat(
      "--port",
      String(server.port),
    ),
    { stdout: "pipe", stderr: "inherit" },
  );
  const first = await other.stdout.getReader().read();
  if (first.done) throw new Error("the clients did not connect");
  // A few epochs, so that only idling is measured.
  await Bun.sleep(2 * params.epochMillis);
  const heapEach = (heapBytes() - before) / count;
  const cpu = cpuMillis();
  const sent = server.stats().sentDatagrams;
  const seconds = Number(values.seconds);
  await Bun.sleep(seconds * 1000);
  const stats = server.stats();
  console.log({
    connections: stats.connections,
    ends,
    "CPU ms a second": ((cpuMillis() - cpu) / seconds).toFixed(1),
    "heap bytes each": Math.round(heapEach),
    "datagrams sent a second": Math.round((stats.sentDatagrams - sent) / seconds),
  });
  other.kill();
  process.exit(0);
}

if (values.port === undefined) await measure();
else await clients(Number(values.port));
