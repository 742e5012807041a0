/**
 * Three servers of the store as processes, which are killed and stopped while clients work; and the
 * history of that.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../bench/processes.ts";
import { integerBetween, type Random, seededRandom } from "../../base/random.ts";
import {
  checkHistory,
  KV_MODEL,
  type KvOp,
  type KvStore,
  type Operation,
  openStore,
  UnknownOutcome,
  violationText,
} from "../../kv/mod.ts";
import { leftovers } from "../support/leftovers.ts";
import { Script } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const NODES = [1, 2, 3];

/** See the module. */
export class Cluster {
  readonly #directory = mkdtempSync(join(tmpdir(), "motherlode-kv-cluster-"));
  readonly #servers = new Map<number, Script>();
  readonly addresses: readonly string[];

  static async start(): Promise<Cluster> {
    const ports = await freePorts(NODES.length);
    const cluster = new Cluster(ports.map((port) => `127.0.0.1:${port}`));
    for (const node of NODES) cluster.startNode(node);
    return cluster;
  }

  private constructor(addresses: readonly string[]) {
    leftovers.add(this.#directory);
    this.addresses = addresses;
  }

  startNode(node: number): void {
    const cluster = this.addresses.map((address, i) => `${i + 1}=${address}`).join(",");
    const port = this.addresses[node - 1]!.split(":")[1]!;
    const data = join(this.#directory, String(node));
    const args = ["serve", port, "--node", String(node), "--cluster", cluster, "--data", data];
    this.#servers.set(node, new Script("kv.ts", args));
  }

  signal(node: number, signal: NodeJS.Signals): void {
    this.#servers.get(node)!.kill(signal);
  }

  /** Kills a node, and starts it again. */
  async restart(node: number): Promise<void> {
    this.signal(node, "SIGKILL");
    await this.#servers.get(node)!.exit();
    this.startNode(node);
  }

  readonly open = (): KvStore => openImpatient(this.addresses);
}

/** A client that soon notices that a server is gone. */
export function openImpatient(servers: readonly string[]): KvStore {
  return openStore({ servers, params: { epochMillis: 100, epochLimit: 6 } });
}

/** Clients that work one call after the other until they are told to stop. */
export class Crowd {
  readonly history: Operation<KvOp>[] = [];
  unknown = 0;
  readonly #over = new AbortController();
  readonly #work: Promise<void>[];
  readonly #now: () => number;

  /** The clients are numbered from `first` on, if there are others. */
  constructor(
    { open }: { readonly open: () => KvStore },
    clients: number,
    seed: number,
    nowMs: () => number,
    first = 0,
  ) {
    this.#now = nowMs;
    this.#work = Array.from({ length: clients }, (_, i) => {
      return this.#run(open(), first + i, seededRandom(seed, i));
    });
  }

  /** Calls that were answered so far. */
  get answered(): number {
    return this.history.length - this.unknown;
  }

  /** Waits until so many more calls are answered, or some. */
  async more(what: string, answers = 100): Promise<void> {
    const before = this.answered;
    await until(`answers ${what}`, () => this.answered >= before + answers);
  }

  /** No more calls; resolves when those under way are over. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#work);
  }

  async #run(store: KvStore, client: number, random: Random): Promise<void> {
    await using _ = store;
    for (let i = 0; !this.#over.signal.aborted; i++) {
      const key = `key ${integerBetween(random, 0, 7)}`;
      const callMs = this.#now();
      const op = await this.#call(store, key, `${client}.${i};`, random);
      const isUnknown = op.kind !== "get" && op.kind !== "list" && op.ok === undefined;
      const returnMs = isUnknown ? Infinity : this.#now();
      if (isUnknown) this.unknown++;
      this.history.push({ client, op, callMs, returnMs });
    }
  }

  async #call(store: KvStore, key: string, value: string, random: Random): Promise<KvOp> {
    const kind = (["get", "get", "put", "append", "delete"] as const)[
      integerBetween(random, 0, 4)
    ]!;
    if (kind === "get") {
      const found = await store.get(key);
      return { kind, key, value: found?.text ?? null, version: found?.version ?? 0 };
    }
    const asked = { kind, key, value: kind === "delete" ? null : value };
    // Some are given up, so that there are unknown ones.
    const isHurried = integerBetween(random, 0, 9) === 0;
    const options = isHurried ? { timeoutMs: integerBetween(random, 1, 20) } : {};
    try {
      const { isDone, version } =
        kind === "delete"
          ? await store.delete(key, options)
          : await store[kind](key, value, options);
      return { ...asked, ok: isDone, version };
    } catch (error) {
      if (error instanceof UnknownOutcome) return { ...asked, ok: undefined };
      assertEquals((error as { code: string }).code, "TIMED_OUT");
      // It was certainly not done: as if it had never been asked.
      return await this.#call(store, key, value, random);
    }
  }
}

/** Checks a whole history; unknown is a failure. */
export function assertLinearizable(history: readonly Operation<KvOp>[]): void {
  const { verdict, violation } = checkHistory(history);
  const text = violation === undefined ? "" : violationText(violation, KV_MODEL.describe);
  assert(verdict === "linearizable", `the history is ${verdict}\n${text}`);
}
