/** Nodes of a cluster on loopback, with directories that go when the tests are over. */
import { afterAll } from "bun:test";
import { assert } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { StateMachine } from "../../base/mod.ts";
import { freePorts } from "../../bench/processes.ts";
import {
  type NodeId,
  openReplica,
  type OpenReplicaOptions,
  type Replica,
  ReplicaError,
} from "../../raft/mod.ts";
import { eventually } from "../support/waiting.ts";

/** Adds up the first bytes of its commands, and answers with the sum. */
export class Counter implements StateMachine {
  sum = 0;
  /** Bytes that a snapshot has beside the sum. */
  padding = 0;

  apply(command: Uint8Array): Uint8Array {
    this.sum += command[0] ?? 0;
    return new Uint8Array(Float64Array.of(this.sum).buffer);
  }

  snapshot(): Uint8Array {
    const bytes = new Uint8Array(8 + this.padding);
    new DataView(bytes.buffer).setFloat64(0, this.sum);
    return bytes;
  }

  restore(bytes: Uint8Array): void {
    this.sum = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
    this.padding = bytes.length - 8;
  }
}

/** The sum in an answer. */
export function sumIn(answer: Uint8Array): number {
  return new Float64Array(answer.slice().buffer)[0]!;
}

const open = new Set<Replica>();
const directories: string[] = [];

afterAll(async () => {
  await Promise.all([...open].map((replica) => replica.close()));
  open.clear();
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A directory that goes when the tests of a file are over. */
export function scratch(): string {
  const path = mkdtempSync(`${tmpdir()}/motherlode-raft-`);
  directories.push(path);
  return path;
}

/** A node with its state machine, and what it logged. */
export interface Opened {
  readonly replica: Replica;
  readonly counter: Counter;
  readonly log: string[];
}

/** Nodes that know each other by number; those that are left at its end are closed then. */
export class Cluster implements AsyncDisposable {
  readonly directory: string | undefined;
  readonly members: Map<NodeId, string> = new Map();
  readonly nodes: Map<NodeId, Opened> = new Map();

  private constructor(directory: string | undefined) {
    this.directory = directory;
  }

  /** `count` nodes, not open yet. In memory unless `isDurable`. */
  static async of(count: number, isDurable: boolean): Promise<Cluster> {
    const cluster = new Cluster(isDurable ? scratch() : undefined);
    const ports = await freePorts(count);
    for (const [i, port] of ports.entries()) cluster.members.set(i + 1, `127.0.0.1:${port}`);
    return cluster;
  }

  /** Opens a node of the members, or another one. */
  async open(node: NodeId, options: Partial<OpenReplicaOptions> = {}): Promise<Opened> {
    const counter = new Counter();
    const log: string[] = [];
    const address = this.members.get(node);
    const replica = await openReplica({
      group: "counter",
      node,
      machine: counter,
      members: options.join === undefined ? this.members : undefined,
      directory: this.directory && `${this.directory}/${node}`,
      port: address === undefined ? 0 : Number(address.split(":")[1]),
      log: (text) => log.push(text),
      ...options,
    });
    open.add(replica);
    const opened = { replica, counter, log };
    this.nodes.set(node, opened);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.keys()].map((node) => this.close(node)));
  }

  openAll(options: Partial<OpenReplicaOptions> = {}): Promise<Opened[]> {
    return Promise.all([...this.members.keys()].map((node) => this.open(node, options)));
  }

  async close(node: NodeId): Promise<void> {
    const { replica } = this.at(node);
    this.nodes.delete(node);
    open.delete(replica);
    await replica.close();
  }

  at(node: NodeId): Opened {
    const opened = this.nodes.get(node);
    assert(opened, `node ${node} is not open`);
    return opened;
  }

  /** The node that leads, as soon as one does and all that are open follow it. */
  async leader(): Promise<Opened> {
    let found: Opened | undefined;
    await eventually("a leader", () => {
      const all = [...this.nodes.values()];
      found = all.find(({ replica }) => replica.status().role === "leader");
      const { node, term } = found?.replica.status() ?? {};
      return all.every(({ replica }) => {
        const status = replica.status();
        return status.leader === node && status.term === term;
      });
    });
    return found!;
  }

  /** Adds to the sum, wherever the leader is; gives the sum. */
  async add(value: number): Promise<number> {
    const { replica } = await this.leader();
    return sumIn(await replica.submit(Uint8Array.of(value)));
  }

  /** Makes these the voters, as soon as what else is under way is through. */
  async change(voters: readonly NodeId[]): Promise<void> {
    for (;;) {
      const { replica } = await this.leader();
      try {
        return await replica.change(voters);
      } catch (error) {
        const isRetried = error instanceof ReplicaError && error.code === "changing";
        if (!isRetried) throw error;
        const { commit } = replica.status();
        await eventually("the other change", () => replica.status().commit > commit);
      }
    }
  }

  /** Waits until a log has a line with `text`. */
  async logged(node: NodeId, text: string): Promise<void> {
    const { log } = this.at(node);
    await eventually(`"${text}" in ${log.join("\n")}`, () =>
      log.some((line) => line.includes(text)),
    );
  }
}
