/**
 * What benchmarks on several processes share: servers and clients on cores of their own, what they
 * print, free ports, and processor time.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { AddressInUse, listen } from "../lsp/mod.ts";

/** The unit of times in /proc on Linux. */
const TICKS_PER_SECOND = 100;

/** A process that `pinned` has started. */
export type Child = Bun.Subprocess<"pipe", "pipe", "inherit" | "ignore">;
const children: Child[] = [];

/**
 * A command that ends when the process that starts it has ended, however that was, where the system
 * can be asked for that: a benchmark that is killed leaves nothing behind that goes on for ever.
 */
export function withUs(command: readonly string[]): string[] {
  const setpriv = Bun.which("setpriv");
  return setpriv === null ? [...command] : [setpriv, "--pdeathsig", "KILL", ...command];
}

/** Starts a command on one core, where that can be asked for; `undefined`: on any. */
export function pinned(
  core: number | undefined,
  command: readonly string[],
  stderr: "inherit" | "ignore" = "inherit",
): Child {
  const taskset = Bun.which("taskset");
  const pin = taskset === null || core === undefined ? [] : [taskset, "-c", String(core)];
  const all = withUs([...pin, ...command]);
  const child = Bun.spawn(all, { stdin: "pipe", stdout: "pipe", stderr });
  children.push(child);
  return child;
}

/** Ends everything that `pinned` has started. */
export async function endAll(): Promise<void> {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map(({ exited }) => exited));
}

/** A TCP port that was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop();
  return listener.port;
}

/** Free ports are sought from here on, and below those that the system gives to sockets itself. */
const PORT_MIN = 15_000;
/** Where those begin, unless the system says otherwise: Linux's own default. */
const EPHEMERAL_PORT_MIN = 32_768;

function ephemeralPortMin(): number {
  try {
    const least = parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"));
    return least > PORT_MIN + 1000 ? least : EPHEMERAL_PORT_MIN;
  } catch {
    return EPHEMERAL_PORT_MIN;
  }
}

/**
 * So many UDP ports that were free a moment ago, for LSP. They stay free while a server is down
 * that is to come back: the system gives none of them to a socket that does not ask for it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  const span = ephemeralPortMin() - PORT_MIN;
  while (ports.size < count) {
    const port = PORT_MIN + Math.floor(Math.random() * span);
    if (ports.has(port)) continue;
    try {
      await (await listen({ port })).close();
      ports.add(port);
    } catch (error) {
      if (!(error instanceof AddressInUse)) throw error;
    }
  }
  return [...ports];
}

/** Processor time of a process so far, in seconds; NaN where /proc is not. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}

/** The whole lines of what a process prints, as they come. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** The next line; throws when the process has ended. */
export async function nextLine(lines: AsyncGenerator<string, void>): Promise<string> {
  const { value } = await lines.next();
  if (typeof value !== "string") throw new Error("the process ended");
  return value;
}

/** A process that makes the load that it is told, and reports: a line of JSON each. */
export class LoadProcess<Load, Report> {
  readonly #child: Child;
  readonly #lines: AsyncGenerator<string, void>;

  /** Starts the program at `path` on the core beside the server's. */
  constructor(path: string, stderr: "inherit" | "ignore" = "inherit") {
    this.#child = pinned(1, [process.execPath, path], stderr);
    this.#lines = linesOf(this.#child.stdout);
  }

  /** Its report, and the processor time that the server `pid` took meanwhile, in seconds. */
  async run(load: Load, pid: number): Promise<{ report: Report; cpu: number }> {
    const before = cpuSeconds(pid);
    this.#child.stdin.write(`${JSON.stringify(load)}\n`);
    await this.#child.stdin.flush();
    const report = JSON.parse(await nextLine(this.#lines)) as Report;
    return { report, cpu: cpuSeconds(pid) - before };
  }
}
