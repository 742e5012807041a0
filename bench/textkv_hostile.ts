/**
 * What hostile clients cost the others of a text server: the rate of ten good clients beside each
 * kind of them, and without any before and after; and what the server takes in memory meanwhile.
 *
 *   bun run bench/textkv_hostile.ts [--rounds 5] [--ms 1000] [--json]
 *
 * The server has a core of its own, and so have the good clients, and the hostile where there is a
 * third one. Where not, they share that of the good clients, and step back for them: what they cost
 * there is not the server's affair. They are one process that does its worst as fast as it can.
 *
 * "of its core" is what part of its processor the server spends on the hostile when nobody else is
 * there: they take no more than that from the good. Other work on the machine disturbs this figure
 * less than it does the rates.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { cpuSeconds, endAll, pinned } from "./processes.ts";
import { Loader, type Server, startServer } from "./textkv_servers.ts";

const KINDS = [
  "lines without end",
  "NUL bytes and line breaks",
  "half-closed connections",
  "10,000 connections that do nothing",
  "connections that come and go",
  "Gets of one line that are never read",
  "Gets of 1,000 lines that are never read",
] as const;
type Kind = (typeof KINDS)[number];
const GOOD_CLIENTS = 10;
/** The bar of issue 13. */
const BAR = 0.9;
const WARM_UP_MS = 2000;
/** The core of the hostile. */
const HOSTILE_CORE = availableParallelism() > 2 ? 2 : 1;
/** The hostile process steps back for the good clients, once it is at work. */
const NICENESS = 19;

// ---- the hostile process

const connect = (port: number, hello: string): Promise<Bun.Socket> => {
  const bytes = Buffer.from(hello);
  const write = (socket: Bun.Socket): void => {
    // The same again and again, from wherever the socket stopped taking it.
    for (let turn = 0; turn < 64; turn++) if (socket.write(bytes) < bytes.length) return;
    setImmediate(() => write(socket));
  };
  return Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => {
        socket.pause();
        if (hello !== "") write(socket);
      },
      data() {},
      drain: write,
      close: () => void (hello !== "" && connect(port, hello).catch(() => {})),
      error() {},
    },
  });
};

/** Connects, says something, goes half or whole, and does it again. */
async function comeAndGo(port: number, isHalf: boolean): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: { data() {}, close: () => resolve(), end: (self) => void self.end(), error() {} },
    });
    socket.write("Put:h:1\nGet:h\nDelete:h\nGe");
    if (isHalf) socket.shutdown();
    else socket.terminate();
    await promise;
  }
}

async function beHostile(kind: Kind, port: number): Promise<void> {
  const many = (count: number, hello: string): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, () => connect(port, hello)));
  if (kind === "lines without end") await many(4, "x".repeat(1 << 16));
  else if (kind === "NUL bytes and line breaks") await many(4, "\0\n\n\0\0\n".repeat(10_000));
  else if (kind === "half-closed connections") {
    for (let i = 0; i < 4; i++) void comeAndGo(port, true);
  } else if (kind === "connections that come and go") {
    for (let i = 0; i < 4; i++) void comeAndGo(port, false);
  } else if (kind === "10,000 connections that do nothing") {
    for (let i = 0; i < 100; i++) await many(100, "");
  } else if (kind === "Gets of one line that are never read") {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.write(`Delete:one\nPut:one:${"v".repeat(1000)}\n`);
    await many(4, "Get:one\n".repeat(5000));
  } else {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.write("Delete:many\n");
    for (let i = 0; i < 1000; i++) socket.write(`Put:many:${i}${"v".repeat(20)}\n`);
    await many(4, "Get:many\n".repeat(5000));
  }
  setPriority(NICENESS);
  console.log("hostile");
}

// ---- the measurement

const memoryMib = ({ pid }: Server): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** What part of a core the server is busy. */
async function coreOf({ pid }: Server, ms: number): Promise<number> {
  const [cpu, atMs] = [cpuSeconds(pid), performance.now()];
  await Bun.sleep(ms);
  return ((cpuSeconds(pid) - cpu) * 1000) / (performance.now() - atMs);
}

async function measureAll(rounds: number, ms: number): Promise<object[]> {
  const server = (await startServer("textkv"))!;
  const loader = new Loader(ms);
  await loader.measure(server, "mix", GOOD_CLIENTS, WARM_UP_MS);
  const shares = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const cores = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  const memory = new Map<Kind, number>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of KINDS) {
      const before = await loader.measure(server, "mix", GOOD_CLIENTS);
      const command = [process.execPath, import.meta.path, "--hostile", kind];
      const hostile = pinned(HOSTILE_CORE, [...command, "--port", String(server.port)]);
      await hostile.stdout.getReader().read();
      const beside = await loader.measure(server, "mix", GOOD_CLIENTS);
      cores.get(kind)!.push(await coreOf(server, ms));
      memory.set(kind, Math.max(memory.get(kind) ?? 0, memoryMib(server)));
      hostile.kill("SIGKILL");
      await hostile.exited;
      const after = await loader.measure(server, "mix", GOOD_CLIENTS);
      shares.get(kind)!.push((2 * beside.rate) / (before.rate + after.rate));
    }
  }
  await endAll();
  return KINDS.map((kind) => ({
    "beside clients that are": kind,
    "others' rate": median(shares.get(kind)!).toFixed(2),
    bar: `>= ${BAR}`,
    "of its core": median(cores.get(kind)!).toFixed(2),
    "server MiB": memory.get(kind)!.toFixed(0),
  }));
}

const options = benchOptions(import.meta.path, {
  rounds: count(5, "rounds, each with all kinds"),
  ms: count(1000, "milliseconds a kind"),
  json: { help: "all figures as JSON" },
  hostile: { value: "KIND", help: "be the hostile process" },
  port: { value: "N", help: "and connect to this port" },
});
const hostile = options.text("hostile");
if (hostile !== undefined) await beHostile(hostile as Kind, options.number("port"));
else {
  const rows = await measureAll(options.number("rounds"), options.number("ms"));
  console.log(
    options.has("json") ? JSON.stringify(rows) : Bun.inspect.table(rows, { colors: false }),
  );
  process.exit(0);
}
