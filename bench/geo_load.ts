/**
 * The clients of bench/geo.ts, in a process of their own: as many as asked for, each with one
 * request under way. Reads orders from stdin, a JSON object a line, and answers each with a line.
 * With the argument `echo` it is a server instead, which does nothing but echo LSP's messages.
 *
 * @module
 */
import { openGeo } from "../geo/mod.ts";
import { connect, listen } from "../lsp/mod.ts";
import { quantile } from "./median.ts";
import { linesOf } from "./processes.ts";

/** Who is spoken to, and what is asked; an echo of LSP answers whatever was asked. */
export type GeoPeer = "geo" | "redis" | "lsp";
export type GeoVerb = "get" | "put";

/** An order. */
export interface GeoLoad {
  readonly peer: GeoPeer;
  readonly verb: GeoVerb;
  readonly port: number;
  readonly clients: number;
  readonly ms: number;
}

/** What came of it. */
export interface GeoReport {
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  /** Processor time of all clients together a request. */
  readonly clientMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

const KEYS = 1000;
const VALUE = "v".repeat(64);

/** A client: does one request, and closes. */
interface Client {
  ask(verb: GeoVerb, key: string): Promise<void>;
  close(): Promise<void>;
}

function geoClient(port: number): Client {
  const store = openGeo({ servers: [`127.0.0.1:${port}`] });
  return {
    ask: async (verb, key) => {
      if (verb === "put") return await store.put(key, VALUE);
      if ((await store.get(key))?.value?.length !== VALUE.length) throw new Error("a wrong value");
    },
    close: () => store.close(),
  };
}

async function redisClient(port: number): Promise<Client> {
  let answered = Promise.withResolvers<void>();
  let left = 0;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => {
        left -= bytes.length;
        if (left === 0) answered.resolve();
        if (left < 0) answered.reject(new Error(`got ${bytes.toString()}`));
      },
      error: (_, error) => answered.reject(error),
    },
  });
  socket.setNoDelay(true);
  const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  return {
    ask: (verb, key) => {
      answered = Promise.withResolvers<void>();
      left = verb === "put" ? "+OK\r\n".length : bulk(VALUE).length;
      const words = verb === "put" ? ["SET", key, VALUE] : ["GET", key];
      socket.write(`*${words.length}\r\n${words.map(bulk).join("")}`);
      return answered.promise;
    },
    close: async () => void socket.end(),
  };
}

/** What is left when a server does nothing, and a client neither: the ceiling. */
async function lspClient(port: number): Promise<Client> {
  const client = await connect({ host: "127.0.0.1", port });
  const message = new Uint8Array(VALUE.length + 16);
  return {
    ask: async () => {
      client.write(message);
      if ((await client.read()).length !== message.length) throw new Error("a wrong echo");
    },
    close: async () => void (await client.close()),
  };
}

/** Ports of servers that have all keys. */
const filled = new Set<number>();
const CLIENTS = { geo: geoClient, redis: redisClient, lsp: lspClient } as const;

async function run({ peer, verb, port, clients, ms }: GeoLoad): Promise<GeoReport> {
  const all = await Promise.all(Array.from({ length: clients }, () => CLIENTS[peer](port)));
  const [first] = all;
  for (let i = 0; i < KEYS && !filled.has(port); i++) await first!.ask("put", `key${i}`);
  filled.add(port);
  for (const client of all) await client.ask("get", "key0");
  const micros: number[] = [];
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const untilMs = startMs + ms;
  await Promise.all(
    all.map(async (client, number) => {
      for (let i = number; performance.now() < untilMs; i++) {
        const sentMs = performance.now();
        await client.ask(verb, `key${i % KEYS}`);
        micros.push((performance.now() - sentMs) * 1000);
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const requests = micros.length;
  const clientMicros = (user + system) / requests;
  await Promise.all(all.map((client) => client.close()));
  micros.sort((a, b) => a - b);
  const [p50Micros, p99Micros] = [quantile(micros, 0.5), quantile(micros, 0.99)];
  return { requests, rate: requests / seconds, clientMicros, p50Micros, p99Micros };
}

async function serveEcho(): Promise<void> {
  const server = await listen({ port: 0, classic: false });
  console.log(`listening on ${server.port}`);
  // A client that is gone ends nothing.
  for await (const { connId, payload } of server) server.write(connId, payload);
}

if (import.meta.main && process.argv[2] === "echo") await serveEcho();
else if (import.meta.main) {
  for await (const line of linesOf(Bun.stdin.stream())) {
    console.log(JSON.stringify(await run(JSON.parse(line) as GeoLoad)));
  }
}
