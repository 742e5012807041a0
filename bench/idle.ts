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
import { connect, listen, type LspClient } from "../lsp/mod.ts";
import { benchOptions, count } from "./options.ts";
import { withUs } from "./processes.ts";

const options = benchOptions(import.meta.path, {
  connections: count(5000, "connections that do nothing"),
  epoch: count(2000, "milliseconds between two heartbeats"),
  seconds: count(10, "how long they are watched"),
  port: { value: "N", help: "be the process of the clients, and connect to this port" },
});
const wanted = options.number("connections");
const params = { epochMillis: options.number("epoch"), epochLimit: 10 };

/** The other process: connects, says so, and stays. */
async function clients(port: number): Promise<void> {
  const all: LspClient[] = [];
  while (all.length < wanted) {
    const some = Array.from({ length: Math.min(50, wanted - all.length) }, () =>
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
    withUs([
      process.execPath,
      "run",
      import.meta.path,
      ...process.argv.slice(2),
      "--port",
      String(server.port),
    ]),
    { stdout: "pipe", stderr: "inherit" },
  );
  const first = await other.stdout.getReader().read();
  if (first.done) throw new Error("the clients did not connect");
  // A few epochs, so that only idling is measured.
  await Bun.sleep(2 * params.epochMillis);
  const heapEach = (heapBytes() - before) / wanted;
  const cpu = cpuMillis();
  const sent = server.stats().sentDatagrams;
  const seconds = options.number("seconds");
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

if (options.text("port") === undefined) await measure();
else await clients(options.number("port"));
