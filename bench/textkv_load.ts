/**
 * The clients of bench/textkv.ts, in a process of their own: as many as asked for, each with one
 * key, in a cycle of requests whose answers are known to the byte. Reads orders from stdin, a JSON
 * object a line, and answers each with a line.
 *
 * @module
 */
import { quantile } from "./median.ts";

/** Who is spoken to. */
export type Peer = "textkv" | "redis" | "echo";
/** What each client does: one answer under way at a time, reads only, or many at once. */
export type Mode = "mix" | "get" | "pipelined mix";

/** An order. */
export interface Load {
  readonly peer: Peer;
  readonly mode: Mode;
  readonly port: number;
  readonly clients: number;
  readonly ms: number;
}

/** What came of it. */
export interface LoadReport {
  /** Requests that were answered, or whose effect an answer showed. */
  readonly requests: number;
  readonly seconds: number;
  /** From a write to the end of its answer; half of them, and 99 of 100, took at most so long. */
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Cycles of a client in one write, pipelined. */
const DEPTH = 16;
const VALUE_BYTES = 32;
const value = (i: number): string => String(i).padEnd(VALUE_BYTES, "v");

/** A write, how many requests it holds, and what comes back. */
interface Step {
  readonly sent: Buffer;
  readonly requests: number;
  readonly back: Buffer;
}

const lines = (key: string, ...values: string[]): string =>
  values.map((one) => `${key}:${one}\n`).join("");
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const command = (...words: string[]): string => `*${words.length}\r\n${words.map(bulk).join("")}`;

/** A cycle of four mutations and three reads: what is sent, and what comes back. */
function cycle(peer: Peer, key: string): readonly [string, string, number][] {
  const [a, b, c] = [value(1), value(2), value(3)] as const;
  const text: [string, string, number][] = [
    [`Delete:${key}\nPut:${key}:${a}\nGet:${key}\n`, lines(key, a), 3],
    [`Put:${key}:${b}\nGet:${key}\n`, lines(key, a, b), 2],
    [`Update:${key}:${a}:${c}\nGet:${key}\n`, lines(key, b, c), 2],
  ];
  if (peer === "textkv") return text;
  if (peer === "echo") return text.map(([sent, , requests]) => [sent, sent, requests]);
  const range = command("LRANGE", key, "0", "-1");
  const push = (one: string): string => command("RPUSH", key, one);
  const reply = (...values: string[]): string =>
    `*${values.length}\r\n${values.map(bulk).join("")}`;
  return [
    [command("DEL", key) + push(a) + range, `:1\r\n:1\r\n${reply(a)}`, 3],
    [push(b) + range, `:2\r\n${reply(a, b)}`, 2],
    [command("LREM", key, "1", a) + push(c) + range, `:1\r\n:2\r\n${reply(b, c)}`, 2],
  ];
}

/** What a client of `mode` does over and over. */
function stepsOf({ peer, mode }: Load, key: string): Step[] {
  const one = cycle(peer, key);
  const step = ([sent, back, requests]: readonly [string, string, number]): Step => {
    return { sent: Buffer.from(sent), back: Buffer.from(back), requests };
  };
  if (mode === "mix") return one.map(step);
  if (mode === "pipelined mix") {
    const all = Array.from({ length: DEPTH }, () => one).flat();
    const join = (at: 0 | 1): string => all.map((each) => each[at]).join("");
    return [step([join(0), join(1), all.reduce((sum, each) => sum + each[2], 0)])];
  }
  // The list as the cycle leaves it.
  const [read, , back] = {
    textkv: [`Get:${key}\n`, "", lines(key, value(2), value(3))],
    redis: [command("LRANGE", key, "0", "-1"), "", `*2\r\n${bulk(value(2))}${bulk(value(3))}`],
    echo: [`Get:${key}\n`, "", `Get:${key}\n`],
  }[peer] as [string, string, string];
  return [step([read, back, 1])];
}

/** One client: writes a step, waits for its answer, byte for byte, writes the next. */
class LoadClient {
  requests = 0;
  readonly micros: number[] = [];
  #socket!: Bun.Socket;
  #steps: readonly Step[];
  #at = 0;
  #got = 0;
  #sentAtMs = 0;
  #isChecked = false;
  #isOver = false;
  /** Called when a cycle is through; the first one is the one that was compared. */
  #onCycle: () => void = () => (this.#isChecked = true);
  readonly #end = Promise.withResolvers<void>();
  #unsent: Buffer | undefined;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  async connect(port: number): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, bytes) => this.#take(bytes),
        drain: () => void (this.#unsent !== undefined && this.#write(this.#unsent)),
        error: (_, error) => this.#end.reject(error),
        close: () => this.#end.reject(new Error("the server closed the connection")),
      },
    });
    this.#socket.setNoDelay(true);
  }

  /** Does `steps` once, with nothing counted. */
  async once(steps: readonly Step[]): Promise<void> {
    const [mine, idle] = [this.#steps, Promise.withResolvers<void>()];
    this.#steps = steps;
    this.#onCycle = () => {
      this.#isOver = true;
      idle.resolve();
    };
    this.start();
    await Promise.race([idle.promise, this.failed]);
    this.#steps = mine;
    this.#onCycle = () => (this.#isChecked = true);
    this.#isOver = this.#isChecked = false;
    this.requests = this.micros.length = 0;
  }

  start(): void {
    this.#send();
  }

  /** The answer under way is the last. */
  stop(): void {
    this.#isOver = true;
  }

  async close(): Promise<void> {
    this.#end.promise.catch(() => {});
    this.#socket.end();
  }

  get failed(): Promise<void> {
    return this.#end.promise;
  }

  #send(): void {
    this.#sentAtMs = performance.now();
    this.#write(this.#steps[this.#at]!.sent);
  }

  #write(bytes: Buffer): void {
    const taken = Math.max(0, this.#socket.write(bytes));
    this.#unsent = taken < bytes.length ? bytes.subarray(taken) : undefined;
  }

  #take(bytes: Buffer): void {
    const { back, requests } = this.#steps[this.#at]!;
    // The first cycle is compared; what comes later is counted, so that the peer is measured.
    if (!this.#isChecked && !back.subarray(this.#got, this.#got + bytes.length).equals(bytes)) {
      this.#end.reject(new Error(`got ${bytes.toString()}, expected ${back.toString()}`));
      return;
    }
    this.#got += bytes.length;
    if (this.#got < back.length) return;
    if (this.#got > back.length) this.#end.reject(new Error("got more than was asked for"));
    this.micros.push((performance.now() - this.#sentAtMs) * 1000);
    this.requests += requests;
    this.#got = this.#sentAtMs = 0;
    this.#at = (this.#at + 1) % this.#steps.length;
    if (this.#at === 0) this.#onCycle();
    if (!this.#isOver) this.#send();
  }
}

/** Empties Redis. */
async function flush(port: number): Promise<void> {
  const sent = Buffer.from(command("FLUSHALL"));
  const client = new LoadClient([]);
  await client.connect(port);
  await client.once([{ sent, back: Buffer.from("+OK\r\n"), requests: 1 }]);
  await client.close();
}

async function run(load: Load): Promise<LoadReport> {
  const key = (i: number): string => `key-of-client-${i}`;
  if (load.peer === "redis") await flush(load.port);
  const clients = Array.from({ length: load.clients }, (_, i) => {
    return new LoadClient(stepsOf(load, key(i)));
  });
  for (const [i, client] of clients.entries()) {
    await client.connect(load.port);
    // Redis says 1 to the deletion of what is there: so it is made to be there.
    const seed = { sent: Buffer.from(command("RPUSH", key(i), "x")), back: Buffer.from(":1\r\n") };
    if (load.peer === "redis") await client.once([{ ...seed, requests: 1 }]);
    await client.once(stepsOf({ ...load, mode: "mix" }, key(i)));
  }
  const failed = Promise.race(clients.map((client) => client.failed));
  const startMs = performance.now();
  for (const client of clients) client.start();
  await Promise.race([Bun.sleep(load.ms), failed]);
  const seconds = (performance.now() - startMs) / 1000;
  const requests = clients.reduce((sum, client) => sum + client.requests, 0);
  for (const client of clients) client.stop();
  await Promise.all(clients.map((client) => client.close()));
  const micros = clients.flatMap((client) => client.micros).toSorted((a, b) => a - b);
  const [p50Micros, p99Micros] = [quantile(micros, 0.5), quantile(micros, 0.99)];
  return { requests, seconds, p50Micros, p99Micros };
}

if (import.meta.main) {
  for await (const line of console) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Load))}\n`);
  }
}
