/**
 * What hostile clients cost the others of a text server: the rate of ten good clients beside each
 * kind of them, and without any before and after; and what the server takes in memory meanwhile.
 *
 *   bun run bench/textkv_hostile.ts [--rounds 5] [--ms 600] [--json]
 *
 * The server has a core of its own, and so have the good clients, and the hostile where there is a
 * third one. Where not, they share that of the good clients, and step back for them. They are one
 * process that does its worst as fast as it can.
 *
 * "others' rate" is their rate beside the hostile, of that without. What the hostile take from the
 * good clients' own core is not the server's affair: so "elsewhere" is the same while the hostile
 * do the same to another listener, which reads and drops what it gets, in a process on the core of
 * the hostile. "of that" is the one by the other: what the server loses. "by CPU" compares the
 * processor time that the server takes for a good request, with the hostile and without, and "of
 * its core" is what part of its processor the server spends on the hostile when nobody else is
 * there. Other work on the machine disturbs these two less than the rates.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import {
  type Child,
  cpuSeconds,
  endAll,
  freePort,
  linesOf,
  nextLine,
  pinned,
} from "./processes.ts";
import { Loader, type Run, type Server, startServer } from "./textkv_servers.ts";

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
/** The hostile process, with all its threads, runs when nobody else on its core would. */
const LAST = Bun.which("chrt") === null ? ["nice", "-n", "19"] : ["chrt", "--idle", "0"];

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
  console.log("hostile");
}

/** The listener that is not ours: it takes connections, reads, and closes when its client does. */
function beElsewhere(port: number): void {
  Bun.listen({
    hostname: "127.0.0.1",
    port,
    allowHalfOpen: true,
    socket: { data() {}, end: (self) => void self.end(), error() {} },
  });
  console.log("elsewhere");
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

/** Starts this program in another role on the core of the hostile, and waits until it is in it. */
async function start(port: number, ...role: string[]): Promise<Child> {
  const command = [...LAST, process.execPath, import.meta.path, ...role, "--port", `${port}`];
  const child = pinned(HOSTILE_CORE, command);
  await nextLine(linesOf(child.stdout));
  return child;
}

/** One kind in one round. */
interface Sample {
  readonly before: Run;
  readonly beside: Run;
  readonly elsewhere: Run;
  readonly after: Run;
  readonly core: number;
  readonly mib: number;
}

async function sample(
  kind: Kind,
  server: Server,
  elsewherePort: number,
  loader: Loader,
): Promise<Sample> {
  const good = (): Promise<Run> => loader.measure(server, "mix", GOOD_CLIENTS);
  const besideHostile = async (port: number, more: () => Promise<void>): Promise<Run> => {
    const hostile = await start(port, "--hostile", kind);
    const run = await good();
    await more();
    hostile.kill("SIGKILL");
    await hostile.exited;
    return run;
  };
  let [core, mib] = [NaN, NaN];
  const before = await good();
  const beside = await besideHostile(server.port, async () => {
    core = await coreOf(server, loader.ms);
    mib = memoryMib(server);
  });
  const elsewhere = await besideHostile(elsewherePort, async () => {});
  return { before, beside, elsewhere, after: await good(), core, mib };
}

async function measureAll(kinds: readonly Kind[], rounds: number, ms: number): Promise<object[]> {
  const server = (await startServer("textkv"))!;
  const elsewherePort = freePort();
  await start(elsewherePort, "--elsewhere");
  const loader = new Loader(ms);
  await loader.measure(server, "mix", GOOD_CLIENTS, WARM_UP_MS);
  const samples = new Map<Kind, Sample[]>(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      samples.get(kind)!.push(await sample(kind, server, elsewherePort, loader));
    }
  }
  await endAll();
  return kinds.map((kind) => {
    const of = (figure: (one: Sample) => number): number => median(samples.get(kind)!.map(figure));
    const without = ({ before, after }: Sample, field: "rate" | "cpuMicros"): number =>
      (before[field] + after[field]) / 2;
    return {
      "beside clients that are": kind,
      "others' rate": of((one) => one.beside.rate / without(one, "rate")).toFixed(2),
      elsewhere: of((one) => one.elsewhere.rate / without(one, "rate")).toFixed(2),
      "of that": of((one) => one.beside.rate / one.elsewhere.rate).toFixed(2),
      "by CPU": of((one) => without(one, "cpuMicros") / one.beside.cpuMicros).toFixed(2),
      bar: `>= ${BAR}`,
      "of its core": of((one) => one.core).toFixed(2),
      "server MiB": Math.max(...samples.get(kind)!.map((one) => one.mib)).toFixed(0),
    };
  });
}

const options = benchOptions(import.meta.path, {
  rounds: count(5, "rounds, each with all kinds"),
  ms: count(600, "milliseconds a measurement"),
  only: { value: "TEXT", help: "only kinds with TEXT in their name" },
  json: { help: "all figures as JSON" },
  hostile: { value: "KIND", help: "be the hostile process" },
  elsewhere: { help: "be the other listener" },
  port: { value: "N", help: "and connect to this port, or listen on it" },
});
const hostile = options.text("hostile");
if (hostile !== undefined) await beHostile(hostile as Kind, options.number("port"));
else if (options.has("elsewhere")) beElsewhere(options.number("port"));
else {
  const kinds = KINDS.filter((kind) => kind.includes(options.text("only") ?? ""));
  const rows = await measureAll(kinds, options.number("rounds"), options.number("ms"));
  console.log(
    options.has("json") ? JSON.stringify(rows) : Bun.inspect.table(rows, { colors: false }),
  );
  process.exit(0);
}
