/**
 * Servers of the geo store as processes of this machine, with delays between them as between
 * continents, which can be killed and started again.
 *
 * @module
 */
import { join } from "node:path";
import { Failure } from "../run/errors.ts";
import { isCompiled } from "../run/invocation.ts";
import { WITH_PARENT } from "../run/signals.ts";
import { DelayedPort } from "./delay_adapter.ts";

/** A server that is not ready within this is broken. */
const READY_MS = 60_000;

/** A server that is started, killed and started again. */
export class DemoServer implements AsyncDisposable {
  readonly name: string;
  readonly #directory: string;
  readonly #joins: () => readonly string[];
  readonly #far: DelayedPort;
  #port = 0;
  #child: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;

  /** `joins` gives the far addresses of others. */
  static async start(
    name: string,
    directory: string,
    delayMs: number,
    joins: () => readonly string[],
  ): Promise<DemoServer> {
    const server = new DemoServer(name, directory, await DelayedPort.open(delayMs), joins);
    await server.start();
    return server;
  }

  private constructor(
    name: string,
    directory: string,
    far: DelayedPort,
    joins: () => readonly string[],
  ) {
    this.name = name;
    this.#directory = directory;
    this.#far = far;
    this.#joins = joins;
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
    const joins = this.#joins();
    const script = isCompiled(Bun.main) ? [] : [Bun.main];
    const args = ["serve", `${this.#port}`, "--quiet", "--json"];
    args.push("--data", join(this.#directory, this.name), "--advertise", this.farAddress);
    if (joins.length > 0) args.push("--join", joins.join(","));
    const child = Bun.spawn([process.execPath, ...script, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, [WITH_PARENT]: "1" },
    });
    this.#child = child;
    this.#port = await readyPort(child, this.name);
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
