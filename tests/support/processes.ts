/**
 * Scripts as subprocesses, for tests: start one, wait for a line of its output, for its end.
 *
 * @module
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../bench/processes.ts";
import { chooseKernel } from "../../miner/kernel_choice_adapter.ts";
import { CACHE_VARIABLE } from "../../miner/kernels/record_store_adapter.ts";
import { leftovers } from "./leftovers.ts";
import { within } from "./waiting.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const running = new Set<Script>();

/** No test writes to the home directory: what programs keep goes here while the tests run. */
export const CACHE_DIRECTORY: string = mkdtempSync(join(tmpdir(), "motherlode-cache-"));
leftovers.add(CACHE_DIRECTORY);

/**
 * Finds out which kernel is fastest, for all miners that tests start: each that finds no records
 * takes more than two seconds of processor time to find out itself.
 */
export async function knowKernels(): Promise<void> {
  await chooseKernel({ cacheDirectory: CACHE_DIRECTORY });
}

/** The environment of a program that a test starts. */
export function scriptEnvironment(
  cacheDirectory: string = CACHE_DIRECTORY,
): Record<string, string | undefined> {
  return { ...process.env, [CACHE_VARIABLE]: cacheDirectory, XDG_STATE_HOME: cacheDirectory };
}

/** A script that runs, or ran. */
export class Script {
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  stdout = "";
  stderr = "";
  /** Called at every piece of output and at the end. */
  readonly #watchers = new Set<() => unknown>();
  readonly #drained: Promise<unknown>;

  /** Starts `name` (a path from the project's root, or absolute) with `args`. */
  constructor(name: string, args: readonly string[], directory: string = ROOT) {
    const command = [process.execPath, name, ...args];
    this.process = Bun.spawn(command, {
      cwd: directory,
      env: scriptEnvironment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const out = this.#collect(this.process.stdout, (text) => (this.stdout += text));
    const err = this.#collect(this.process.stderr, (text) => (this.stderr += text));
    this.#drained = Promise.all([out, err]);
    running.add(this);
  }

  /** The exit code, once all output is there. */
  async exit(): Promise<number> {
    const code = await this.#within("its end", this.process.exited);
    await this.#drained;
    running.delete(this);
    return code;
  }

  /** The first match in what goes, or went, to stderr (or stdout); rejects if it ends without. */
  async said(pattern: RegExp, stream: "stdout" | "stderr" = "stderr"): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): boolean => {
      const match = pattern.exec(this[stream]);
      if (match !== null) resolve(match);
      return match !== null;
    };
    this.#watchers.add(look);
    look();
    void this.#drained.then(() => {
      if (!look()) reject(new Error(`ended without ${pattern} on ${stream}\n${this.#told()}`));
    });
    try {
      return await this.#within(`${pattern} on ${stream}`, promise);
    } finally {
      this.#watchers.delete(look);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Kills it if it still runs: an idle miner, too, takes a processor's time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.exit();
  }

  async #collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      add(decoder.decode(part, { stream: true }));
      for (const look of this.#watchers) look();
    }
  }

  #within<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(what, promise, () => this.#told());
  }

  #told(): string {
    return `stdout: ${this.stdout}\nstderr: ${this.stderr}`;
  }
}

/** What a script came to that ran to its end. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script to its end. */
export async function runScriptToEnd(name: string, args: readonly string[]): Promise<Ended> {
  const script = new Script(name, args);
  const code = await script.exit();
  return { code, stdout: script.stdout, stderr: script.stderr };
}

/** Starts a server on a free port; the script and where it listens. */
export function startServer(...args: string[]): Promise<{ server: Script; at: string }> {
  return startServerAt(0, ...args);
}

/** Starts one on a port that stays free when it ends, so that another one can take its place. */
export async function startLastingServer(
  ...args: string[]
): Promise<{ server: Script; at: string }> {
  const [port] = await freePorts(1);
  return startServerAt(port!, ...args);
}

async function startServerAt(
  port: number,
  ...args: string[]
): Promise<{ server: Script; at: string }> {
  const server = new Script("server.ts", [`${port}`, ...args]);
  const [, at] = await server.said(/^listening on (\S+)\n/, "stdout");
  return { server, at: at! };
}

/**
 * Starts a miner of one thread for the server at `at`. That thread does not step back for other
 * programs: on a busy machine, one that does may get no time at all, and a test would wait for it.
 * Its kernel, unless `args` name another, is the one that is ready at once: with `auto`, a miner
 * that has nothing to do makes code for what may come.
 */
export function startMiner(at: string, ...args: string[]): Script {
  const kernel = args.includes("--kernel") ? [] : ["--kernel", "bun"];
  const own = ["--threads", "1", "--niceness", "normal", ...kernel];
  return new Script("miner.ts", [at, ...own, ...args]);
}

/** Ends whatever a test left behind. */
export async function killAll(): Promise<void> {
  const left = [...running];
  for (const script of left) script.kill("SIGKILL");
  await Promise.all(left.map((script) => script.exit()));
}
