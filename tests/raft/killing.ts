/**
 * Three nodes as processes, on disks, that are killed at random under load; and the clients that
 * hold what they were told against what every node has in the end.
 *
 * @module
 */
import { assert } from "@std/assert";
import { integerBetween, type Random } from "../../base/mod.ts";
import { freePorts } from "../../bench/processes.ts";
import { NodeLine } from "../../bench/raft_cluster.ts";
import { NodeRequest, type Reply } from "../../bench/raft_node.ts";
import { ledgerCommand, ledgerKey, placeIn } from "../../sim/raft/ledger.ts";
import { Account } from "../../sim/raft/whole_clients.ts";
import { Script } from "../support/processes.ts";
import { eventually, within } from "../support/waiting.ts";

const CLIENTS = 6;

/** A client's connection with one node, made anew when it is gone. */
class Line {
  readonly #port: number;
  #line: NodeLine | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Asks a node; nothing when it cannot be reached, or is gone before it answers. */
  async ask(kind: number, ...rest: (number | Uint8Array)[]): Promise<Reply | undefined> {
    try {
      if (this.#line?.isGone !== false) this.#line = await NodeLine.open(this.#port);
    } catch {
      return undefined;
    }
    return await this.#line.ask(kind, ...rest);
  }

  async close(): Promise<void> {
    await this.#line?.close();
  }
}

/** See the module. */
export class Killing {
  readonly account: Account = new Account();
  kills = 0;
  readonly #directory: string;
  readonly #random: Random;
  readonly #ports: number[];
  readonly #nodes: (Script | undefined)[] = [];
  #isOver = false;
  #hint = 0;

  private constructor(directory: string, random: Random, ports: number[]) {
    this.#directory = directory;
    this.#random = random;
    this.#ports = ports;
  }

  /** Three nodes that run, on directories in `directory`. */
  static async start(directory: string, random: Random): Promise<Killing> {
    const killing = new Killing(directory, random, await freePorts(3));
    await killing.#startAll();
    return killing;
  }

  /** Kills and restarts while clients ask, until `isOver`; then checks everything. */
  async run(isOver: () => boolean): Promise<void> {
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => this.#client(i + 1)));
    while (!isOver()) {
      const { size } = this.account.told;
      const more = integerBetween(this.#random, 30, 200);
      // A client that was told what cannot be ends the run at once.
      const answers = eventually("answers", () => this.account.told.size > size + more);
      await Promise.race([answers, clients]);
      await this.#kill();
    }
    this.#isOver = true;
    await within("the clients", clients);
    await this.#check();
  }

  /** Ends the nodes in good order. */
  async end(): Promise<void> {
    for (const node of this.#nodes) node?.kill("SIGTERM");
    await Promise.all(this.#nodes.map((node) => node?.exit()));
  }

  async #startAll(): Promise<void> {
    const members = this.#ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(",");
    const started: Promise<unknown>[] = [];
    for (const i of this.#ports.keys()) {
      if (this.#nodes[i] !== undefined) continue;
      const args = [`${i + 1}`, members, `${this.#directory}/${i + 1}`];
      const node = new Script("tests/raft/node_child.ts", args);
      this.#nodes[i] = node;
      started.push(node.said(/^ready /m, "stdout"));
    }
    await Promise.all(started);
  }

  /** Kills one, two or all, and starts them again. */
  async #kill(): Promise<void> {
    const count = integerBetween(this.#random, 1, 3);
    const victims = [0, 1, 2].toSorted(() => integerBetween(this.#random, 0, 1) - 0.5);
    for (const i of victims.slice(0, count)) {
      this.#nodes[i]!.kill("SIGKILL");
      await this.#nodes[i]!.exit();
      this.#nodes[i] = undefined;
      this.kills++;
    }
    await this.#startAll();
  }

  /** One client: two in three go through a session, the others send everything once. */
  async #client(number: number): Promise<void> {
    const lines = this.#ports.map((port) => new Line(port));
    const ask = async (
      kind: number,
      ...rest: (number | Uint8Array)[]
    ): Promise<Reply | undefined> => {
      const reply = await lines[this.#hint]!.ask(kind, ...rest);
      if (reply?.isOk) return reply;
      const leader = reply?.leader ?? 0;
      this.#hint = leader > 0 ? leader - 1 : integerBetween(this.#random, 0, 2);
      return reply;
    };
    let session: number | undefined;
    for (let request = 1; !this.#isOver; request++) {
      const key = ledgerKey(number, request);
      const command = ledgerCommand(number, request, 100);
      if (number % 3 === 0) {
        const reply = await ask(NodeRequest.submit, command);
        if (reply?.isOk) this.account.done(key, placeIn(reply.value as Uint8Array));
        else if (reply?.value === "lost") this.account.lost.add(key);
        continue;
      }
      for (let isDone = false; !isDone;) {
        if (session === undefined) {
          const value = (await ask(NodeRequest.open))?.value;
          if (typeof value === "number") session = value;
          continue;
        }
        const reply = await ask(NodeRequest.request, session, request, request, command);
        if (!reply?.isOk) {
          const isRefused = String(reply?.value).startsWith("session:");
          assert(!isRefused, `${key}: ${String(reply?.value)}`);
          continue;
        }
        this.account.done(key, placeIn(reply.value as Uint8Array));
        isDone = true;
      }
    }
    await Promise.all(lines.map((line) => line.close()));
  }

  /** All nodes have the same, and all that was told is there, once. */
  async #check(): Promise<void> {
    const histories: string[] = [];
    for (const port of this.#ports) {
      const line = new Line(port);
      let reply: Reply | undefined;
      while (!reply?.isOk) reply = await within("a node's state", line.ask(NodeRequest.dump));
      histories.push(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(reply.value as Uint8Array),
      );
      await line.close();
    }
    const [first, ...others] = histories.map((history) => history.split(","));
    for (const other of others) assert(other.join() === first!.join(), "all nodes have the same");
    this.account.check(first!);
  }
}
