/**
 * The processes that bench/transport.ts compares: servers and clients over raw UDP, TCP and LSP. A
 * server prints `listening on PORT`, and on SIGTERM one JSON line; a client prints one JSON line.
 *
 *   bun run bench/transport_roles.ts ROLE [PORT]
 *
 * Roles are KIND-server and KIND-client; env BENCH_MS is how long a client measures.
 *
 * @module
 */
import { connect, listen, type LspClient } from "../lsp/mod.ts";
import { enlargeReceiveBuffer } from "../lsp/socket_buffer_native.ts";

/** Bytes of one message. */
export const MESSAGE_BYTES = 200;
/** Messages that an echo client keeps under way. */
export const OUTSTANDING = 256;
/** Datagrams that a raw sender hands to the kernel by one call. */
const RAW_BATCH = 32;
/**
 * A process is measured once it runs as it will go on: in the first two seconds the engine's own
 * compiler took 0.2 to 0.6 us of processor time a message (LSP, one frame a datagram).
 */
const WARM_UP_MS = 2000;
const SAMPLE_MS = 50;
/** Messages from one look at the clock to the next. */
const MESSAGES_PER_LOOK = 256;
const MEASURE_MS = Number(process.env["BENCH_MS"] ?? 2000);
/** The row "one frame a datagram" turns packing off. */
const packing = process.env["LSP_PACKING"] !== "off";

const message = new Uint8Array(MESSAGE_BYTES).fill(0x61);

/** What a process measured, after the warm-up. */
export interface Report {
  /** Messages a second. */
  readonly rate: number;
  /** Processor time a message, user and system, in microseconds. */
  readonly cpuMicros: number;
  /** Median round trip in microseconds; ping-pong clients only. */
  readonly p50Micros?: number;
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

interface Sample {
  readonly ms: number;
  readonly count: number;
  readonly cpu: number;
}

/**
 * Counts messages; samples count, clock and processor time from the first message on. It looks at
 * the clock as it counts: a timer would starve in a flood, as Bun empties a socket first.
 */
class Meter {
  #count = 0;
  #lookAt = MESSAGES_PER_LOOK;
  #nextMs = 0;
  #first: Sample | undefined;
  #last: Sample | undefined;
  readonly #roundTrips: number[] = [];

  add(n: number): void {
    if (this.#count === 0) this.#nextMs = performance.now() + WARM_UP_MS;
    this.#count += n;
    if (this.#count >= this.#lookAt) this.#look();
  }

  addRoundTrip(ms: number): void {
    this.add(1);
    this.#roundTrips.push(ms);
  }

  /** Prints what was measured when `MEASURE_MS` are over, and ends the process. */
  endByClock(): void {
    setTimeout(() => this.#end(), WARM_UP_MS + MEASURE_MS + 2 * SAMPLE_MS);
  }

  /** Prints what was measured on SIGTERM, and ends the process. */
  endBySignal(): void {
    process.on("SIGTERM", () => this.#end());
  }

  #look(): void {
    this.#lookAt = this.#count + MESSAGES_PER_LOOK;
    const ms = performance.now();
    if (ms < this.#nextMs) return;
    this.#nextMs = ms + SAMPLE_MS;
    this.#last = { ms, count: this.#count, cpu: cpuMicros() };
    this.#first ??= this.#last;
  }

  #end(): void {
    const first = this.#first;
    const last = this.#last;
    if (first === undefined || last === undefined || first === last) {
      throw new Error(`nothing to measure: ${this.#count} messages`);
    }
    const count = last.count - first.count;
    const report: Report = {
      rate: (count * 1000) / (last.ms - first.ms),
      cpuMicros: (last.cpu - first.cpu) / count,
    };
    const roundTrips = this.#roundTrips;
    const half = roundTrips.slice(roundTrips.length >> 1).toSorted((a, b) => a - b);
    const p50Micros = (half[half.length >> 1] ?? 0) * 1000;
    console.log(JSON.stringify(half.length === 0 ? report : { ...report, p50Micros }));
    process.exit(0);
  }
}

/** What this process counts. */
export const meter: Meter = new Meter();

// ---- raw UDP

type RawSocket = Bun.udp.ConnectedSocket<"uint8array">;

/** Collects datagrams of one loop turn and sends them with as few calls as can be. */
class Batch {
  readonly #socket: RawSocket;
  #pending = 0;
  #scheduled = false;
  readonly #full: Uint8Array[] = Array<Uint8Array>(RAW_BATCH).fill(message);

  constructor(socket: RawSocket) {
    this.#socket = socket;
  }

  send(n: number): void {
    this.#pending += n;
    if (this.#pending >= RAW_BATCH) return this.#flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#pending > 0) {
      const n = Math.min(RAW_BATCH, this.#pending);
      const sent = this.#socket.sendMany(n === RAW_BATCH ? this.#full : this.#full.slice(0, n));
      this.#pending -= n;
      if (sent < n) break;
    }
  }
}

type OnRaw = (socket: Bun.udp.Socket<"uint8array">, b: Uint8Array, p: number, a: string) => void;

async function rawServer(data: OnRaw): Promise<void> {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    binaryType: "uint8array",
    socket: { data, error() {} },
  });
  enlarge(socket);
  meter.endBySignal();
  console.log(`listening on ${socket.port}`);
}

async function rawClient(port: number, data: (socket: RawSocket) => void): Promise<RawSocket> {
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    binaryType: "uint8array",
    socket: { data: (s) => data(s as RawSocket), error() {} },
  });
  enlarge(socket);
  meter.endByClock();
  return socket as RawSocket;
}

/** Raw UDP gets the receive buffer that LSP asks for, too: without it a burst is lost. */
function enlarge(socket: object): void {
  enlargeReceiveBuffer((socket as { fd?: number }).fd ?? -1);
}

function rawEchoServer(): Promise<void> {
  let queue: (Uint8Array | number | string)[] = [];
  return rawServer((socket, bytes, port, address) => {
    meter.add(1);
    const flush = (): void => {
      if (queue.length > 0) socket.sendMany(queue);
      queue = [];
    };
    if (queue.length === 0) setImmediate(flush);
    queue.push(bytes, port, address);
    if (queue.length === 3 * RAW_BATCH) flush();
  });
}

async function rawEchoClient(port: number): Promise<void> {
  let heard = true;
  const socket = await rawClient(port, () => {
    meter.add(1);
    batch.send(1);
    heard = true;
  });
  const batch = new Batch(socket);
  batch.send(OUTSTANDING);
  // What was lost is made up for when nothing is left under way.
  setInterval(() => {
    if (!heard) batch.send(OUTSTANDING);
    heard = false;
  }, 100);
}

async function rawSinkClient(port: number): Promise<void> {
  const batch = new Batch(await rawClient(port, () => {}));
  flood(() => {
    meter.add(RAW_BATCH);
    batch.send(RAW_BATCH);
  });
}

function flood(some: () => void): void {
  some();
  setImmediate(() => flood(some));
}

async function rawPingClient(port: number): Promise<void> {
  let sentMs = 0;
  const ping = (socket: RawSocket): void => {
    sentMs = performance.now();
    socket.send(message);
  };
  const socket = await rawClient(port, (s) => {
    meter.addRoundTrip(performance.now() - sentMs);
    ping(s);
  });
  ping(socket);
}

// ---- TCP

function tcpServer(coalesce: boolean): void {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        meter.add(bytes.length / MESSAGE_BYTES);
        if (coalesce) socket.write(bytes);
        else {
          for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
            socket.write(bytes.subarray(at, at + MESSAGE_BYTES));
          }
        }
      },
    },
  });
  meter.endBySignal();
  console.log(`listening on ${server.port}`);
}

async function tcpClient(port: number, coalesce: boolean): Promise<void> {
  let rest = 0;
  const many = new Uint8Array(MESSAGE_BYTES * OUTSTANDING).fill(0x61);
  const write = (socket: Bun.Socket, n: number): void => {
    if (coalesce) socket.write(many.subarray(0, n * MESSAGE_BYTES));
    else for (let i = 0; i < n; i++) socket.write(message);
  };
  const data = (socket: Bun.Socket, bytes: Uint8Array): void => {
    rest += bytes.length;
    const whole = Math.floor(rest / MESSAGE_BYTES);
    rest -= whole * MESSAGE_BYTES;
    meter.add(whole);
    write(socket, whole);
  };
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data } });
  socket.setNoDelay(true);
  meter.endByClock();
  write(socket, OUTSTANDING);
}

// ---- LSP

async function lspServer(echo: boolean): Promise<void> {
  const server = await listen({ port: 0, packing });
  meter.endBySignal();
  console.log(`listening on ${server.port}`);
  for (;;) {
    let received = await server.read();
    for (let next: typeof received | undefined = received; next; next = server.tryRead()) {
      received = next;
      meter.add(1);
      if (echo) server.write(received.connId, received.payload);
    }
  }
}

async function lspConnect(port: number): Promise<LspClient> {
  const client = await connect({ host: "127.0.0.1", port, packing });
  meter.endByClock();
  return client;
}

async function lspEchoClient(port: number): Promise<void> {
  const client = await lspConnect(port);
  for (let i = 0; i < OUTSTANDING; i++) client.write(message);
  for (;;) {
    let payload: Uint8Array | undefined = await client.read();
    for (; payload !== undefined; payload = client.tryRead()) {
      meter.add(1);
      client.write(payload);
    }
  }
}

async function lspSinkClient(port: number): Promise<void> {
  const client = await lspConnect(port);
  for (;;) {
    for (let i = 0; i < 64; i++) client.write(message);
    meter.add(64);
    await client.writable();
  }
}

async function lspPingClient(port: number): Promise<void> {
  const client = await lspConnect(port);
  for (;;) {
    const sentMs = performance.now();
    client.write(message);
    await client.read();
    meter.addRoundTrip(performance.now() - sentMs);
  }
}

const ROLES: Record<string, (port: number) => void | Promise<void>> = {
  "raw-echo-server": rawEchoServer,
  "raw-echo-client": rawEchoClient,
  "raw-sink-server": () => rawServer(() => meter.add(1)),
  "raw-sink-client": rawSinkClient,
  "raw-ping-server": () => {
    return rawServer((socket, bytes, port, address) => {
      meter.add(1);
      socket.send(bytes, port, address);
    });
  },
  "raw-ping-client": rawPingClient,
  "tcp-echo-server": () => tcpServer(false),
  "tcp-echo-client": (port) => tcpClient(port, false),
  "tcp-coalesced-server": () => tcpServer(true),
  "tcp-coalesced-client": (port) => tcpClient(port, true),
  "lsp-echo-server": () => lspServer(true),
  "lsp-echo-client": lspEchoClient,
  "lsp-sink-server": () => lspServer(false),
  "lsp-sink-client": lspSinkClient,
  "lsp-ping-server": () => lspServer(true),
  "lsp-ping-client": lspPingClient,
};

if (import.meta.main) await ROLES[process.argv[2] ?? ""]?.(Number(process.argv[3]));
