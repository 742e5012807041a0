/**
 * Servers of the geo store as processes of this machine, with delays between them as between
 * continents, which can be killed and started again.
 *
 * @module
 */
import { join } from "node:path";
import type { Millis } from "../base/machine.ts";
import { Failure } from "../run/errors.ts";
import { isCompiled } from "../run/invocation.ts";
import { WITH_PARENT } from "../run/signals.ts";
import { UdpRelay } from "../run/udp_relay.ts";

/** A server that is not ready within this is broken. */
const READY_MS = 60_000;

/** How a server is made. */
export interface DemoServerOptions {
  readonly name: string;
  /** Where its data directory is made, by its name. */
  readonly directory: string;
  /** How long a datagram takes from another server, or back. */
  readonly delayMs: Millis;
  /** Far addresses of others, at each start. */
  readonly joins: () => readonly string[];
  /** What `serve` is appended to: this program if left out. */
  readonly command?: readonly string[];
}

/** How this program was started. */
function thisProgram(): readonly string[] {
  return isCompiled(Bun.main) ? [process.execPath] : [process.execPath, Bun.main];
}

/** A port as far away as its datagrams take, either way. */
function openFar(delayMs: Millis): Promise<UdpRelay> {
  return UdpRelay.open((bytes, _way, deliver) => void setTimeout(() => deliver(bytes), delayMs));
}

/** A server that is started, killed and started again. */
export class DemoServer implements AsyncDisposable {
  readonly #options: DemoServerOptions;
  readonly #far: UdpRelay;
  #port = 0;
  #child: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;

  /** Starts one; resolves when it is ready. */
  static async start(options: DemoServerOptions): Promise<DemoServer> {
    const server = new DemoServer(options, await openFar(options.delayMs));
    await server.start();
    return server;
  }

  private constructor(options: DemoServerOptions, far: UdpRelay) {
    this.#options = options;
    this.#far = far;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Where clients that are near find it. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Where the other servers find it, slowly. */
  get farAddress(): string {
    return `127.0.0.1:${this.#far.port}`;
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it, on the port that it had; resolves when it is ready. */
  async start(): Promise<void> {
    const { name, directory, command = thisProgram() } = this.#options;
    const joins = this.#options.joins();
    const args = ["serve", `${this.#port}`, "--quiet", "--json"];
    args.push("--data", join(directory, name), "--advertise", this.farAddress);
    if (joins.length > 0) args.push("--join", joins.join(","));
    const child = Bun.spawn([...command, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, [WITH_PARENT]: "1" },
    });
    this.#child = child;
    this.#port = await readyPort(child, name);
    this.#far.target = this.#port;
  }

  /** SIGKILL: no goodbye. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#far.target = undefined;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#far[Symbol.asyncDispose]();
  }
}

/** The port in the ready line of a server. */
async function readyPort(
  child: Bun.Subprocess<"ignore", "pipe", "inherit">,
  name: string,
): Promise<number> {
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
  try {
    let text = "";
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes, { stream: true });
      if (!text.includes("\n")) continue;
      const { port } = JSON.parse(text.slice(0, text.indexOf("\n"))) as { readonly port: number };
      return port;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Failure(`the server ${name} ended before it was ready`);
}
