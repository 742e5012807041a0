/**
 * What bench/textkv.ts and bench/textkv_hostile.ts share: servers on one core, their clients on
 * another, and one measurement.
 *
 * @module
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, LoadProcess, pinned } from "./processes.ts";
import type { Load, LoadReport, Mode, Peer } from "./textkv_load.ts";

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

/** The process of the clients. */
export class Loader {
  /** How long a measurement takes, unless told otherwise. */
  readonly ms: number;
  readonly #process = new LoadProcess<Load, LoadReport>(join(import.meta.dir, "textkv_load.ts"));

  /** Each measurement takes `ms`. */
  constructor(ms: number) {
    this.ms = ms;
  }

  async measure(server: Server, mode: Mode, clients: number, ms: number = this.ms): Promise<Run> {
    const { peer, port, pid } = server;
    const { report, cpu } = await this.#process.run({ peer, port, mode, clients, ms }, pid);
    const { requests, seconds } = report;
    return { ...report, rate: requests / seconds, cpuMicros: (cpu * 1e6) / requests };
  }
}
