/**
 * The callers of bench/kv.ts, in a process of their own. Reads orders from stdin, a JSON object a
 * line, and answers each with a line.
 *
 * @module
 */
import http2 from "node:http2";
import { integerBetween, seededRandom, unitReal } from "../base/random.ts";
import { openStore } from "../kv/mod.ts";
import { quantile } from "./median.ts";

/** Who is spoken to. */
export type Peer = "kv" | "etcd";
/** What each caller does: writes, reads, or a mix of YCSB (Cooper et al. 2010). */
export type Mode = "put" | "get" | "A" | "B" | "C" | "F" | "load" | "fill";

/** An order. */
export interface Load {
  readonly peer: Peer;
  readonly mode: Mode;
  readonly port: number;
  readonly callers: number;
  readonly ms: number;
  /** For `fill`, which writes many at a time: how many records, and the bytes of each. */
  readonly records?: number;
  readonly bytes?: number;
}

/** What came of it. */
export interface LoadReport {
  readonly operations: number;
  readonly seconds: number;
  /** From a call to its answer; half of them, and 99 of 100, took at most so long. */
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly worstMicros: number;
}

/** Records written at a time by `fill`: what both servers take in one transaction. */
const FILL_RECORDS = 32;
/** Records of the mixes, and bytes of each. */
const RECORDS = 10_000;
const RECORD_BYTES = 1000;
const VALUE_BYTES = 100;
const SKEW = 0.99;
/** Callers share connections, as programs do. */
const CONNECTIONS_MAX = 8;
const UPDATES: Readonly<Record<Mode, number>> = {
  put: 1,
  get: 0,
  A: 0.5,
  B: 0.05,
  C: 0,
  F: 0.5,
  load: 1,
  fill: 1,
};

/** One connection to a store. */
interface Client {
  get(key: string): Promise<unknown>;
  put(key: string, value: Uint8Array): Promise<unknown>;
  putAll(keys: readonly string[], value: Uint8Array): Promise<unknown>;
  close(): Promise<void>;
}

function openKv(port: number): Client {
  const store = openStore({ servers: [`127.0.0.1:${port}`] });
  return {
    get: (key) => store.get(key),
    put: (key, value) => store.put(key, value),
    putAll: (keys, value) => store.compareAndSet(keys.map((key) => ({ key, value }))),
    close: () => store.close(),
  };
}

/** gRPC over HTTP/2, written by hand: a message is its fields, behind five bytes. */
function openEtcd(port: number): Client {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const call = (path: string, message: Uint8Array): Promise<Buffer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const parts: Buffer[] = [];
    let status = "0";
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("trailers", (headers) => (status = String(headers["grpc-status"] ?? "0")));
    stream.on("end", () => {
      if (status === "0") resolve(Buffer.concat(parts));
      else reject(new Error(`etcd answers with the status ${status}`));
    });
    stream.on("error", reject);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([head, message]));
    return promise;
  };
  return {
    get: (key) => call("/etcdserverpb.KV/Range", fieldOf(1, Buffer.from(key))),
    put: (key, value) => call("/etcdserverpb.KV/Put", putOf(key, value)),
    // A transaction without conditions: its second field is what is done then, a put the second.
    putAll: (keys, value) => {
      const puts = keys.map((key) => fieldOf(2, fieldOf(2, putOf(key, value))));
      return call("/etcdserverpb.KV/Txn", Buffer.concat(puts));
    },
    close: async () => session.close(),
  };
}

function putOf(key: string, value: Uint8Array): Buffer {
  return Buffer.concat([fieldOf(1, Buffer.from(key)), fieldOf(2, value)]);
}

function fieldOf(number: number, bytes: Uint8Array): Buffer {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

/** Draws 0..n-1, small numbers most often (Gray et al. 1994, as YCSB does it). */
function zipfian(n: number, random: () => number): () => number {
  let zeta = 0;
  for (let i = 1; i <= n; i++) zeta += 1 / i ** SKEW;
  const alpha = 1 / (1 - SKEW);
  const zeta2 = 1 + 0.5 ** SKEW;
  const eta = (1 - (2 / n) ** (1 - SKEW)) / (1 - zeta2 / zeta);
  return () => {
    const u = unitReal(random);
    const uz = u * zeta;
    if (uz < 1) return 0;
    if (uz < zeta2) return 1;
    return Math.floor(n * (eta * u - eta + 1) ** alpha);
  };
}

const keyOf = (record: number): string => `user${String(record).padStart(8, "0")}`;

async function run(load: Load): Promise<LoadReport> {
  const { peer, mode, port, callers, ms, records = RECORDS } = load;
  const open = peer === "kv" ? openKv : openEtcd;
  const clients = Array.from({ length: Math.min(callers, CONNECTIONS_MAX) }, () => open(port));
  const isMix = mode !== "put" && mode !== "get";
  const value = Buffer.alloc(load.bytes ?? (isMix ? RECORD_BYTES : VALUE_BYTES), "v");
  const micros: number[] = [];
  let loaded = 0;
  // Connections are made before the clock runs.
  await Promise.all(clients.map((client) => client.get(keyOf(0))));
  const from = Bun.nanoseconds();
  const until = from + ms * 1e6;
  const work = async (caller: number): Promise<void> => {
    const random = seededRandom(7, caller);
    const draw = isMix ? zipfian(RECORDS, random) : () => integerBetween(random, 0, RECORDS - 1);
    const client = clients[caller % clients.length]!;
    for (let from = loaded; mode === "fill" && from < records; from = loaded) {
      loaded += FILL_RECORDS;
      const keys = Array.from({ length: FILL_RECORDS }, (_, i) => keyOf(from + i));
      await client.putAll(keys, value);
      micros.push(0);
    }
    while (
      mode === "fill" ? false : mode === "load" ? loaded < RECORDS : Bun.nanoseconds() < until
    ) {
      const key = keyOf(mode === "load" ? loaded++ : draw());
      const isWrite = unitReal(random) < UPDATES[mode];
      const began = Bun.nanoseconds();
      if (!isWrite || mode === "F") await client.get(key);
      if (isWrite) await client.put(key, value);
      micros.push((Bun.nanoseconds() - began) / 1000);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, i) => work(i)));
  const seconds = (Bun.nanoseconds() - from) / 1e9;
  await Promise.all(clients.map((client) => client.close()));
  micros.sort((a, b) => a - b);
  const at = (q: number): number => quantile(micros, q);
  const [p50Micros, p99Micros, worstMicros] = [at(0.5), at(0.99), at(1)];
  return { operations: micros.length, seconds, p50Micros, p99Micros, worstMicros };
}

if (import.meta.main) {
  for await (const line of console) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Load))}\n`);
  }
}
