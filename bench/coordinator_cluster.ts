/**
 * Three servers for bench/coordinator.ts, of which the leader is killed again and again.
 *
 * @module
 */
import { join } from "node:path";
import { askServer } from "../client/asking_adapter.ts";
import { submit } from "../client/mod.ts";
import { type Child, freePorts, linesOf, nextLine, pinned } from "./processes.ts";

const NODES = 3;
const QUESTION = 1;
/** Between two looks at who leads. */
const LOOK_MS = 20;

/** How a server stands, as far as it matters here. */
interface Report {
  readonly leads: boolean;
  readonly cluster?: { readonly leader: number; readonly applied: number };
}

/** See the module. */
export class Trio {
  readonly #root: string;
  readonly #ports: readonly number[];
  readonly #children: Child[] = [];

  private constructor(root: string, ports: readonly number[]) {
    this.#root = root;
    this.#ports = ports;
  }

  /** Starts three servers that keep their jobs in `root`, and waits until they are a cluster. */
  static async start(root: string): Promise<Trio> {
    const trio = new Trio(root, await freePorts(NODES));
    await Promise.all(trio.#ports.map((_, i) => trio.#start(i)));
    await trio.#leader();
    return trio;
  }

  /** Kills the leader; milliseconds until a client that begins then has a job accepted. */
  async failover(): Promise<number> {
    const leader = await this.#leader();
    const child = this.#children[leader]!;
    child.kill("SIGKILL");
    const beganMs = performance.now();
    const message = "motherlode bench";
    const job = submit({ servers: this.#servers, message, lower: 0n, upper: 1n << 40n });
    await job.id;
    const tookMs = performance.now() - beganMs;
    await job.cancel();
    await child.exited;
    await this.#start(leader);
    return tookMs;
  }

  get #servers(): string[] {
    return this.#ports.map((port) => `127.0.0.1:${port}`);
  }

  async #start(i: number): Promise<void> {
    const source = join(import.meta.dir, "../server.ts");
    const cluster = this.#servers.map((server, k) => `${k + 1}=${server}`).join();
    const where = ["--data", join(this.#root, `node-${i + 1}`)];
    const who = ["--node", String(i + 1), "--cluster", cluster, "--quiet"];
    const command = [process.execPath, "run", source, ...who, ...where];
    const child = pinned(i % 2, command, "ignore");
    this.#children[i] = child;
    await nextLine(linesOf(child.stdout));
  }

  /** The place of the leader, once all three know it. */
  async #leader(): Promise<number> {
    for (;;) {
      const reports = await Promise.all(this.#servers.map(reportOf));
      const leader = reports.findIndex((report) => report?.leads);
      const known = reports.filter((report) => report?.cluster?.leader === leader + 1);
      const applied = new Set(reports.map((report) => report?.cluster?.applied));
      if (leader >= 0 && known.length === NODES && applied.size === 1) return leader;
      await Bun.sleep(LOOK_MS);
    }
  }
}

async function reportOf(server: string): Promise<Report | undefined> {
  try {
    return await askServer(server, undefined, async (ask) => {
      const text = await ask({ kind: "inspect", job: QUESTION }, (answer) =>
        answer.kind === "report" ? answer.text : undefined,
      );
      return JSON.parse(text) as Report;
    });
  } catch {
    return undefined;
  }
}
