/**
 * How fast a worker gets a partition of another one, beside what LSP alone carries one way in
 * messages of the same size: two processes, on loopback.
 *
 * A worker maps a file several times with `sort`, so that each partition is about as large; then a
 * second one is told to reduce them. What is measured is from that order until the reduce begins to
 * run: the partitions are fetched directly, one after the other over one connection, put on the
 * disk, and their SHA-256s are right. The first round of each is not counted: it compiles.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { connect, listen } from "../lsp/mod.ts";
import { encodeAbout } from "../mapreduce/about.ts";
import { mapReduceGuest } from "../mapreduce/worker_adapter.ts";
import {
  DIRECT_PIECE_BYTES_MAX,
  type JobTerms,
  type MapReduceMessage,
  type MrGet,
  type WirePart,
} from "../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";

/** Partitions that a reduce fetches. */
const MAPS = 3;
const WORKER = "shuffle-worker";
const SINK = "lsp-sink";
const SOURCE = "lsp-source";
const TERMS: JobTerms = {
  application: "sort",
  reducers: 1,
  skipBad: false,
  asRecords: false,
  sortMib: 64,
  timeoutMs: 600_000,
  memoryMib: 512,
  share: "",
  out: "",
  keep: false,
};
const limits = { maxMessageBytes: 2 * DIRECT_PIECE_BYTES_MAX };

type Kind = MapReduceMessage["kind"];
type Of<K extends Kind> = Extract<MapReduceMessage, { kind: K }>;

/** A worker in a process of its own, to which this one is the server. */
class RemoteWorker {
  readonly process: Bun.Subprocess;
  readonly #waiting: { readonly is: (message: MapReduceMessage) => boolean; take: () => void }[] =
    [];
  readonly #heard: MapReduceMessage[] = [];
  readonly #give: (get: MrGet) => Uint8Array;

  /** `give` gives what a task asks the client for. */
  constructor(give: (get: MrGet) => Uint8Array) {
    this.#give = give;
    this.process = Bun.spawn([process.execPath, import.meta.path, WORKER], {
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "advanced",
      ipc: (payload) => this.#hear(payload as Uint8Array),
    });
  }

  say(message: MapReduceMessage): void {
    this.process.send(encodeMessage(message));
  }

  /** The first message of that kind that is right, and was not taken yet. */
  async heard<K extends Kind>(kind: K, isRight: (message: Of<K>) => boolean): Promise<Of<K>> {
    const is = (message: MapReduceMessage): boolean =>
      message.kind === kind && isRight(message as Of<K>);
    for (;;) {
      const at = this.#heard.findIndex(is);
      if (at >= 0) return this.#heard.splice(at, 1)[0] as Of<K>;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push({ is, take: resolve });
      await promise;
    }
  }

  #hear(payload: Uint8Array): void {
    const message = decodeMessage(payload) as MapReduceMessage;
    if (message.kind === "mr-get") {
      const bytes = this.#give(message);
      return this.say({ kind: "mr-piece", id: message.id, found: true, bytes });
    }
    this.#heard.push(message);
    for (const [i, { is, take }] of this.#waiting.entries()) {
      if (!is(message)) continue;
      this.#waiting.splice(i, 1);
      return take();
    }
  }
}

/** MB/s of a shuffle, and of LSP one way, in turns. */
export interface ShuffleRates {
  readonly shuffle: number[];
  readonly lsp: number[];
}

/** Measures both; `file` is what is mapped. */
export async function shuffleRates(file: string, rounds: number): Promise<ShuffleRates> {
  const { size } = Bun.file(file);
  const fd = openSync(file, "r");
  const give = ({ item, offset, length }: MrGet): Uint8Array => {
    if (item.kind === "about") return encodeAbout({ name: "text", firstLine: 0 });
    const bytes = new Uint8Array(Math.min(length, size - offset));
    readSync(fd, bytes, 0, bytes.length, offset);
    return bytes;
  };
  const [one, two] = [new RemoteWorker(give), new RemoteWorker(give)];
  const rates: ShuffleRates = { shuffle: [], lsp: [] };
  try {
    const common = { terms: TERMS, uid: 1, holder: 0, at: "", key: "" };
    const { port } = await one.heard("mr-offer", ({ port: at }) => at > 0);
    const parts: WirePart[] = [];
    for (let index = 0; index < MAPS; index++) {
      one.say({ kind: "mr-map", ...common, task: index, index, bytes: size });
      const mapped = await one.heard("mr-mapped", ({ task }) => task === index);
      parts.push(...mapped.parts);
    }
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    await shuffled(two, 1, port, parts);
    for (let round = 1; round <= rounds; round++) {
      rates.shuffle.push(bytes / 1e6 / (await shuffled(two, 1 + round, port, parts)));
      rates.lsp.push(await lspRate(bytes));
    }
  } finally {
    for (const { process: child } of [one, two]) child.kill();
    closeSync(fd);
  }
  return rates;
}

/** The second worker reduces the partitions of the first; seconds until it has them. */
async function shuffled(
  worker: RemoteWorker,
  round: number,
  port: number,
  parts: readonly WirePart[],
): Promise<number> {
  const common = { terms: TERMS, uid: 1, holder: 0, at: "", key: "" };
  const startMs = performance.now();
  worker.say({ kind: "mr-reduce", ...common, task: round, index: 0, maps: parts.length });
  const peers = [{ holder: 1, at: `127.0.0.1:${port}` }];
  worker.say({ kind: "mr-peers", task: round, peers });
  const sources = parts.map((part) => ({ holder: 1, ...part }));
  worker.say({ kind: "mr-sources", task: round, first: 0, sources });
  await worker.heard("mr-progress", ({ task, runs }) => task === round && runs);
  const seconds = (performance.now() - startMs) / 1000;
  worker.say({ kind: "mr-forget", uid: 1 });
  return seconds;
}

/** MB/s of LSP one way. */
async function lspRate(bytes: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = Bun.spawn([process.execPath, import.meta.path, SINK, String(bytes)], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (value) => resolve(value as number),
  });
  try {
    return await promise;
  } finally {
    child.kill();
  }
}

/** Listens, has another process send twice as much, and says how fast the second half came. */
async function sink(bytes: number): Promise<void> {
  const server = await listen({ port: 0, appVersion: 1, limits });
  const child = Bun.spawn([
    process.execPath,
    import.meta.path,
    SOURCE,
    `${server.port}`,
    `${bytes}`,
  ]);
  let [got, from, startMs] = [0, 0, 0];
  while (got < 2 * bytes) {
    const { payload } = await server.read();
    got += payload.length;
    if (startMs > 0 || got < bytes) continue;
    [from, startMs] = [got, performance.now()];
  }
  process.send!((got - from) / 1e3 / (performance.now() - startMs));
  child.kill();
}

async function source(port: number, bytes: number): Promise<void> {
  const client = await connect({ host: "127.0.0.1", port, appVersion: 1, limits });
  const piece = new Uint8Array(DIRECT_PIECE_BYTES_MAX);
  for (let sent = 0; sent < 2 * bytes;) {
    try {
      client.write(piece);
      sent += piece.length;
    } catch (error) {
      if ((error as { code?: string }).code !== "QUEUE_FULL") throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await client.close();
}

function worker(): void {
  const guest = mapReduceGuest({ host: "127.0.0.1" });
  process.on("message", (payload: Uint8Array) => void guest.payload(payload));
  guest.joined((payload) => void process.send!(payload));
  process.on("SIGTERM", () => void guest.close().then(() => process.exit(0)));
}

if (import.meta.main && Bun.isMainThread) {
  const [role, first, second] = process.argv.slice(2);
  if (role === WORKER) worker();
  else if (role === SINK) await sink(Number(first));
  else if (role === SOURCE) await source(Number(first), Number(second));
}
