/**
 * `mud.ts` as a process that is typed to.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { scriptEnvironment } from "../support/processes.ts";
import { eventually, until, within } from "../support/waiting.ts";

/** The program. */
export const MUD_SCRIPT: string = fileURLToPath(new URL("../../mud.ts", import.meta.url));

const running = new Set<Typed>();

/** Ends all that still run. */
export async function killTyped(): Promise<void> {
  for (const one of running) await one.kill();
}

/** See the module. */
export class Typed {
  output = "";
  errors = "";
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #read: Promise<unknown>;

  constructor(...args: readonly string[]) {
    this.#process = Bun.spawn([process.execPath, MUD_SCRIPT, ...args], {
      env: scriptEnvironment(),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const collect = async (
      stream: ReadableStream<Uint8Array>,
      add: (text: string) => void,
    ): Promise<void> => {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      for await (const bytes of stream) add(decoder.decode(bytes, { stream: true }));
    };
    const { stdout, stderr } = this.#process;
    this.#read = Promise.all([
      collect(stdout, (text) => (this.output += text)),
      collect(stderr, (text) => (this.errors += text)),
    ]);
    running.add(this);
  }

  type(...lines: readonly string[]): void {
    for (const line of lines) this.#process.stdin.write(`${line}\n`);
    this.#process.stdin.flush();
  }

  /** Waits for something on stdout. */
  async shows(pattern: RegExp): Promise<void> {
    try {
      await until(String(pattern), () => pattern.test(this.output));
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.output}\n${this.errors}`, {
        cause: error,
      });
    }
  }

  /** Ends the input, and waits for the exit code. */
  async end(): Promise<number> {
    this.#process.stdin.end();
    const code = await within("the end of mud.ts", this.#process.exited, () => this.output);
    await this.#read;
    running.delete(this);
    return code;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    running.delete(this);
  }
}

/** The same at a terminal of its own. */
export class TypedAtTerminal {
  output = "";
  readonly #process: Bun.Subprocess;

  constructor(...args: readonly string[]) {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    this.#process = Bun.spawn([process.execPath, MUD_SCRIPT, ...args], {
      env: { ...scriptEnvironment(), TERM: "xterm" },
      terminal: {
        cols: 80,
        rows: 24,
        data: (_, bytes) => void (this.output += decoder.decode(bytes, { stream: true })),
      },
    });
  }

  /** What was written, without what steers the terminal. */
  get plain(): string {
    // oxlint-disable-next-line no-control-regex -- that is what is looked for
    return this.output.replace(/\u001b\[[\d;?]*[a-zA-Z]|\r/g, "");
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#process.terminal!.write(keys);
  }

  async shows(pattern: RegExp): Promise<void> {
    await eventually(
      String(pattern),
      () => pattern.test(this.plain),
      () => this.plain,
    );
  }

  exit(): Promise<number> {
    return within("the end of mud.ts", this.#process.exited, () => this.output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    this.#process.terminal!.close();
  }
}
