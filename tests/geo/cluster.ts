/**
 * Three servers of the geo store as processes with disks, each behind a relay that delays, which
 * are killed while clients write; and what must be there in the end.
 *
 * @module
 */
import { assert } from "@std/assert";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../bench/processes.ts";
import { GeoError, type GeoStore, openGeo } from "../../geo/mod.ts";
import { leftovers } from "../support/leftovers.ts";
import { Script } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

const SERVERS = [0, 1, 2];
const LISTENING = /^listening on .*?(\d+)\n/;

/** See the module. */
export class GeoCluster {
  /** Where clients reach each server, past its relay. */
  readonly addresses: readonly string[];
  readonly #directory = mkdtempSync(join(tmpdir(), "motherlode-geo-cluster-"));
  readonly #relays: readonly string[];
  readonly #servers = new Map<number, Script>();

  /** Starts relays and servers; a message takes `rttMs` from one to another and back. */
  static async start(rttMs: number): Promise<GeoCluster> {
    const ports = await freePorts(SERVERS.length);
    const relays = await Promise.all(
      ports.map(async (port) => {
        const given = [String(port), "--rtt", String(rttMs), "--loss", "0.01", "--mbit", "1000"];
        const relay = new Script("bench/relay.ts", [...given, "--queue", "10000000"]);
        const [, at] = await relay.said(LISTENING, "stdout");
        return `127.0.0.1:${at}`;
      }),
    );
    const cluster = new GeoCluster(ports, relays);
    await Promise.all(SERVERS.map((server) => cluster.#start(server)));
    return cluster;
  }

  private constructor(ports: readonly number[], relays: readonly string[]) {
    leftovers.add(this.#directory);
    this.addresses = ports.map((port) => `127.0.0.1:${port}`);
    this.#relays = relays;
  }

  /** Kills a server, and starts it again. */
  async restart(server: number): Promise<void> {
    this.#servers.get(server)!.kill("SIGKILL");
    await this.#servers.get(server)!.exit();
    await this.#start(server);
  }

  /** A client of one server. */
  open(server: number): GeoStore {
    const params = { epochMillis: 200, epochLimit: 5 };
    return openGeo({ servers: [this.addresses[server]!], params });
  }

  /** Waits until all servers know each other and have the same state. */
  async settled(): Promise<void> {
    const stores = SERVERS.map((server) => this.open(server));
    let isSame = false;
    let isOver = false;
    const looking = (async () => {
      while (!isSame && !isOver) {
        const all = await Promise.all(stores.map((store) => statusOf(store)));
        const hashes = new Set(all.map((one) => one?.store.hash));
        const know = all.every((one) => one?.servers.length === SERVERS.length - 1);
        isSame = know && hashes.size === 1;
      }
    })();
    try {
      await until("the same state at all servers", () => isSame);
    } finally {
      isOver = true;
      await looking;
      await Promise.all(stores.map((store) => store.close()));
    }
  }

  async #start(server: number): Promise<void> {
    const port = this.addresses[server]!.split(":")[1]!;
    const data = join(this.#directory, String(server));
    const given = ["serve", port, "--data", data, "--advertise", this.#relays[server]!];
    const script = new Script("geo.ts", [...given, "--join", this.#relays.join(","), "--quiet"]);
    this.#servers.set(server, script);
    await script.said(LISTENING, "stdout");
  }
}

interface Status {
  readonly store: { readonly hash: string };
  readonly servers: readonly unknown[];
}

async function statusOf(store: GeoStore): Promise<Status | undefined> {
  try {
    return (await store.status()) as unknown as Status;
  } catch (error) {
    if (error instanceof GeoError) return undefined;
    throw error;
  }
}

/** A client that adds to a counter of its own, and to one of all, and puts, until it is told. */
export class Writer {
  /** Adds that were acknowledged, and those of which nobody knows. */
  added = 0;
  unknown = 0;
  /** The last put that was acknowledged. */
  put = 0;
  readonly name: string;
  readonly #store: GeoStore;
  readonly #work: Promise<void>;
  #isOver = false;

  constructor(store: GeoStore, name: string) {
    this.#store = store;
    this.name = name;
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
    await this.#store.close();
  }

  /** Checks what became of its work, as `store` has it. */
  async check(store: GeoStore): Promise<void> {
    const count = await store.count(`count/${this.name}`);
    const { added, unknown } = this;
    const range = `${added} to ${added + unknown}`;
    assert(count >= added && count <= added + unknown, `${this.name}: ${count}, not ${range}`);
    const value = Number((await store.get(`put/${this.name}`))?.text ?? 0);
    assert(value >= this.put, `${this.name}: put ${value}, acknowledged was ${this.put}`);
  }

  async #run(): Promise<void> {
    for (let i = 1; !this.#isOver; i++) {
      try {
        await this.#store.put(`put/${this.name}`, String(i));
        this.put = i;
        await this.#store.put(`shared/${i % 50}`, `${this.name} ${i}`);
        if (i % 7 === 0) await this.#store.delete(`shared/${(i * 3) % 50}`);
        await this.#add();
      } catch (error) {
        if (!(error instanceof GeoError)) throw error;
      }
    }
  }

  async #add(): Promise<void> {
    try {
      await this.#store.add(`count/${this.name}`, 1);
      this.added++;
    } catch (error) {
      if (error instanceof GeoError && error.code === "UNKNOWN") this.unknown++;
      throw error;
    }
  }
}
