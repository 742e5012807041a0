/**
 * Three servers as real processes, a directory each, of which one or another is killed in the
 * middle of jobs and started again on what its disk kept.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { askServer } from "../../client/asking_adapter.ts";
import { resultLine } from "../support/least.ts";
import { Script, startMiner, startServer } from "../support/processes.ts";
import { within } from "../support/waiting.ts";

/** What a server says of itself, as far as it is looked at here. */
interface Report {
  readonly leads: boolean;
  readonly cluster: { readonly members: { readonly voters: readonly number[] } };
}

/** See the module. */
export class Trio {
  readonly servers: Script[] = [];
  /** Where they listen. */
  readonly at: string[] = [];
  /** Servers that were killed, and not started again. */
  readonly #dead = new Set<number>();
  readonly #root = mkdtempSync(join(tmpdir(), "motherlode-cluster-"));

  /** As it is typed. */
  get all(): string {
    return this.at.join(",");
  }

  /** Founds the cluster with one server, which the two others join. */
  async start(): Promise<void> {
    for (const node of [1, 2, 3]) {
      const joins = node === 1 ? [] : ["--node", `${node}`, "--join", this.at[0]!];
      const { server, at } = await startServer("--data", this.#directory(node), ...joins);
      this.servers.push(server);
      this.at.push(at);
    }
    await this.#find("three voters", (reports) =>
      reports.findIndex((one) => one?.cluster.members.voters.length === 3),
    );
  }

  /** The index of the server that leads. */
  leader(): Promise<number> {
    return this.#find("a leader", (reports) => reports.findIndex((one) => one?.leads === true));
  }

  kill(index: number): Promise<number> {
    this.#dead.add(index);
    this.servers[index]!.kill("SIGKILL");
    return this.servers[index]!.exit();
  }

  /** Starts a server that was killed, where it was. */
  async restart(index: number): Promise<void> {
    const port = this.at[index]!.split(":")[1]!;
    const args = [port, "--node", `${index + 1}`, "--data", this.#directory(index + 1)];
    this.servers[index] = new Script("server.ts", args);
    await this.servers[index].said(/^listening on /, "stdout");
    this.#dead.delete(index);
  }

  async end(): Promise<void> {
    for (const server of this.servers) server.kill("SIGKILL");
    await Promise.all(this.servers.map((server) => server.exit()));
    rmSync(this.#root, { recursive: true, force: true });
  }

  #directory(node: number): string {
    return join(this.#root, `${node}`);
  }

  /** Asks all servers until `look` finds one by what they say. */
  #find(what: string, look: (reports: (Report | undefined)[]) => number): Promise<number> {
    let isOver = false;
    const asking = (async () => {
      for (;;) {
        const asked = this.at.map((server, i) =>
          this.#dead.has(i) ? undefined : reportOf(server),
        );
        const found = look(await Promise.all(asked));
        if (found >= 0 || isOver) return found;
      }
    })();
    return within(what, asking).finally(() => (isOver = true));
  }
}

async function reportOf(server: string): Promise<Report | undefined> {
  try {
    const question = { kind: "inspect", job: 1 } as const;
    return await askServer(server, { epochMillis: 500, epochLimit: 20 }, (ask) =>
      ask(question, (answer) =>
        answer.kind === "report" ? (JSON.parse(answer.text) as Report) : undefined,
      ),
    );
  } catch {
    return undefined;
  }
}

/** The leader is killed in the middle of jobs: every client gets the right answer. */
export async function loseTheLeader(upper: bigint): Promise<void> {
  const trio = new Trio();
  try {
    await trio.start();
    const miner = startMiner(trio.all, "--kernel", "plain");
    const left = new Script("client.ts", [trio.all, "walks", `${upper}`, "--detach"]);
    assertEquals(await left.exit(), 0);
    const id = left.stdout.trim();
    const client = new Script("client.ts", [trio.all, "waits", `${upper}`]);
    await client.said(/ %  ETA /);
    const victim = await trio.leader();
    // A classic peer has one address, and hears of no leader: it does not notice either.
    const other = (victim + 1) % 3;
    const classic = new Script("client.ts", [trio.at[other]!, "old", `${upper}`, "--wire", "json"]);
    await classic.said(/^connected to /m);
    await trio.kill(victim);
    // It was slow so that there is a middle: for the rest there is another one.
    const fast = startMiner(trio.all, "--kernel", "auto");
    assertEquals([await client.exit(), client.stdout], [0, resultLine("waits", upper)]);
    assertEquals([await classic.exit(), classic.stdout], [0, resultLine("old", upper)]);
    const leader = await trio.leader();
    const back = new Script("client.ts", ["wait", trio.all, id]);
    assertEquals([await back.exit(), back.stdout], [0, resultLine("walks", upper)]);
    trio.servers[leader]!.kill("SIGTERM");
    assertEquals(await trio.servers[leader]!.exit(), 143);
    for (const one of [miner, fast]) one.kill("SIGTERM");
    await Promise.all([miner.exit(), fast.exit()]);
  } finally {
    await trio.end();
  }
}
