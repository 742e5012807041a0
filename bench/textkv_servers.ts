/**
 * What bench/textkv.ts and bench/textkv_hostile.ts share: servers on one core, their clients on
 * another, and one measurement.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load, LoadReport, Mode, Peer } from "./textkv_load.ts";

const TICKS_PER_SECOND = 100;
const ECHO = `Bun.listen({ hostname: "127.0.0.1", port: Number(process.argv.at(-1)),
  socket: { data: (socket, bytes) => void socket.write(bytes) } });`;

/** A server that runs. */
export interface Server {
  readonly peer: Peer;
  readonly port: number;
  readonly pid: number;
}

/** One run of one case. */
export interface Run extends LoadReport {
  readonly rate: number;
  /** Processor time of the server a request. */
  readonly cpuMicros: number;
}

type Child = Bun.Subprocess<"pipe", "pipe", "inherit">;
const children: Child[] = [];

/** Starts a command on one core, where that can be asked for. */
export function pinned(core: number, command: readonly string[]): Child {
  const taskset = Bun.which("taskset");
  const pin = taskset === null ? [] : [taskset, "-c", String(core)];
  const child = Bun.spawn([...pin, ...command], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  children.push(child);
  return child;
}

/** Ends everything that was started. */
export function endAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop();
  return listener.port;
}

/** Starts a server and waits until it listens; undefined if there is none on this machine. */
export async function startServer(peer: Peer): Promise<Server | undefined> {
  const port = freePort();
  const source = join(import.meta.dir, "../textkv.ts");
  const redis = Bun.which("redis-server");
  if (peer === "redis" && redis === null) return undefined;
  const options = `--port ${port} --bind 127.0.0.1 --appendonly no --dir ${tmpdir()}`.split(" ");
  const command = {
    textkv: [process.execPath, "run", source, String(port), "--quiet"],
    redis: [redis!, ...options, "--save", "", "--loglevel", "warning"],
    echo: [process.execPath, "-e", ECHO, String(port)],
  }[peer];
  const { pid } = pinned(0, command);
  for (;;) {
    const isUp = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => (socket.end(), true),
      () => false,
    );
    if (isUp) return { peer, port, pid };
    await Bun.sleep(20);
  }
}

/** Processor time of a process so far, in seconds; NaN where /proc is not. */
function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, never> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  throw new Error("the clients ended");
}

/** The process of the clients. */
export class Loader {
  readonly #ms: number;
  readonly #child = pinned(1, [process.execPath, join(import.meta.dir, "textkv_load.ts")]);
  readonly #reports = linesOf(this.#child.stdout);

  /** Each measurement takes `ms`. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  async measure(server: Server, mode: Mode, clients: number, ms: number = this.#ms): Promise<Run> {
    const { peer, port, pid } = server;
    const load: Load = { peer, port, mode, clients, ms };
    this.#child.stdin.write(`${JSON.stringify(load)}\n`);
    await this.#child.stdin.flush();
    const before = cpuSeconds(pid);
    const report = JSON.parse((await this.#reports.next()).value) as LoadReport;
    const cpu = cpuSeconds(pid) - before;
    const { requests, seconds } = report;
    return { ...report, rate: requests / seconds, cpuMicros: (cpu * 1e6) / requests };
  }
}
