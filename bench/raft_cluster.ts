/**
 * What bench/raft.ts measures on: nodes as processes, a client, and etcd beside them.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type LspClient } from "../lsp/mod.ts";
import { quantile } from "./median.ts";
import { cpuSeconds, freePorts, linesOf, withUs } from "./processes.ts";
import { decodeReply, encodeRequest, NodeRequest, type Reply } from "./raft_node.ts";

/** A connection to a node is given up when it is silent for so long: it was killed. */
const LOST = { epochMillis: 100, epochLimit: 6 };
const NODE = join(import.meta.dir, "raft_node.ts");
const LOADER = join(import.meta.dir, "etcd_load.go");

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;
const children = new Set<Child>();

/** Ends everything that was started. */
export function endAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

function spawn(command: string[], env: Record<string, string> = {}): Child {
  const child = Bun.spawn(withUs(command), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  children.add(child);
  return child;
}

/** A node as a process. */
export class NodeProcess {
  readonly child: Child;
  readonly port: number;
  /** Lines about its role, in order. */
  readonly roles: string[] = [];
  readonly ready: Promise<void>;

  constructor(args: string[], port: number, env: Record<string, string>) {
    this.port = port;
    this.child = spawn([process.execPath, "run", NODE, ...args], env);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    void this.#watch(this.child.stdout, (line) => line.startsWith("ready") && resolve());
    void this.#watch(this.child.stderr, (line) => {
      if (line.startsWith("role ")) this.roles.push(line);
      else if (/error/i.test(line)) console.error(line);
    });
  }

  /** Processor seconds so far, and resident megabytes; Linux alone tells. */
  usage(): { cpuSeconds: number; megabytes: number } {
    const { pid } = this.child;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)![1]);
    return { cpuSeconds: cpuSeconds(pid), megabytes: kilobytes / 1024 };
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    children.delete(this.child);
  }

  async #watch(stream: ReadableStream<Uint8Array>, tell: (line: string) => void): Promise<void> {
    for await (const line of linesOf(stream)) tell(line);
  }
}

/** Nodes 1..n as processes. */
export class ProcessCluster {
  readonly nodes: NodeProcess[] = [];
  readonly directory: string;
  readonly #ports: number[];
  readonly #env: Record<string, string>;

  private constructor(directory: string, ports: number[], env: Record<string, string>) {
    this.directory = directory;
    this.#ports = ports;
    this.#env = env;
  }

  static async start(
    directory: string,
    count: number,
    env: Record<string, string> = {},
  ): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(directory, await freePorts(count), env);
    for (let node = 1; node <= count; node++) cluster.startNode(node);
    await Promise.all(cluster.nodes.map(({ ready }) => ready));
    return cluster;
  }

  startNode(node: number): NodeProcess {
    const members = this.#ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(",");
    const path = join(this.directory, String(node));
    const started = new NodeProcess([`${node}`, members, path], this.#ports[node - 1]!, this.#env);
    this.nodes[node - 1] = started;
    return started;
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }
}

/** A client's connection with one node. */
export class NodeLine {
  readonly #client: LspClient;
  readonly #waiting = new Map<number, (reply: Reply | undefined) => void>();
  #lastId = 0;
  isGone = false;

  private constructor(client: LspClient) {
    this.#client = client;
    void this.#read();
  }

  static async open(port: number): Promise<NodeLine> {
    return new NodeLine(await connect({ host: "127.0.0.1", port, params: LOST }));
  }

  /** Asks, and waits for the answer; undefined when the node is gone. */
  ask(kind: number, ...rest: (number | Uint8Array)[]): Promise<Reply | undefined> {
    const id = (this.#lastId = (this.#lastId + 1) >>> 0);
    const { promise, resolve } = Promise.withResolvers<Reply | undefined>();
    if (this.isGone) return Promise.resolve(undefined);
    this.#waiting.set(id, resolve);
    try {
      this.#client.write(encodeRequest(kind, id, rest));
    } catch {
      this.#end();
    }
    return promise;
  }

  async close(): Promise<void> {
    this.#end();
    await this.#client.close();
  }

  async #read(): Promise<void> {
    try {
      for (let payload = await this.#client.read(); ;) {
        const reply = decodeReply(payload);
        const resolve = this.#waiting.get(reply.id);
        this.#waiting.delete(reply.id);
        resolve?.(reply);
        payload = this.#client.tryRead() ?? (await this.#client.read());
      }
    } catch {
      this.#end();
    }
  }

  #end(): void {
    this.isGone = true;
    for (const resolve of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
  }
}

/** A line to the node that leads. */
export async function lineToLeader(cluster: ProcessCluster): Promise<[NodeLine, number]> {
  for (let at = 0; ; at = (at + 1) % cluster.nodes.length) {
    const line = await NodeLine.open(cluster.nodes[at]!.port).catch(() => undefined);
    const reply = await line?.ask(NodeRequest.submit, new Uint8Array(1));
    if (reply?.isOk) return [line!, at + 1];
    await line?.close();
    await Bun.sleep(20);
  }
}

/** How long something took, of many. */
export interface Times {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Statistics of `times` (ms), which took `seconds` in all. */
function timesOf(times: number[], seconds: number): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const [p50Ms, p99Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
  return { perSecond: times.length / seconds, p50Ms, p99Ms };
}

/**
 * So many callers make one call after the other for `seconds`; or until `isOver`. A call that comes
 * to false is not counted, one that comes to undefined ends its caller.
 */
export async function closedLoop(
  callers: number,
  seconds: number,
  call: (caller: number, n: number) => Promise<boolean | undefined>,
  isOver: () => boolean = () => false,
): Promise<Times> {
  const times: number[] = [];
  const beganMs = performance.now();
  const endMs = beganMs + seconds * 1000;
  const caller = async (_: unknown, i: number): Promise<void> => {
    for (let n = 0, nowMs = beganMs; nowMs < endMs && !isOver(); n++) {
      const isCounted = await call(i, n);
      const doneMs = performance.now();
      if (isCounted === undefined) return;
      if (isCounted) times.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return timesOf(times, (performance.now() - beganMs) / 1000);
}

/** So many clients submit one command after the other for `seconds`; or until `isOver`. */
export function load(
  line: NodeLine,
  clients: number,
  seconds: number,
  bytes: number,
  isOver?: () => boolean,
): Promise<Times> {
  const command = new Uint8Array(bytes);
  const submit = async (): Promise<boolean | undefined> =>
    (await line.ask(NodeRequest.submit, command))?.isOk;
  return closedLoop(clients, seconds, submit, isOver);
}

/** Three etcd nodes as processes, loaded by its Go client. */
export class Etcd {
  readonly #endpoints: string;
  readonly #loader: string;

  private constructor(endpoints: string, loader: string) {
    this.#endpoints = endpoints;
    this.#loader = loader;
  }

  /** Undefined, with a line that says why, where etcd or what builds its client is missing. */
  static async start(directory: string): Promise<Etcd | undefined> {
    const [etcd, go] = [Bun.which("etcd"), Bun.which("go")];
    if (etcd === null || go === null) {
      console.log("etcd is left out: install etcd-server, golang-go and golang-etcd-server-dev");
      return undefined;
    }
    const loader = join(directory, "etcd_load");
    mkdirSync(directory, { recursive: true });
    const env = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: join(directory, "go") };
    const build = spawn([go, "build", "-o", loader, LOADER], { ...env, HOME: directory });
    if ((await build.exited) !== 0 || !existsSync(loader)) {
      console.log(`etcd is left out: ${(await build.stderr.text()).split("\n")[0]}`);
      return undefined;
    }
    const ports = await freePorts(6);
    const peers = [0, 1, 2].map((i) => `e${i}=http://127.0.0.1:${ports[i]}`).join(",");
    const urls = [0, 1, 2].map((i) => `http://127.0.0.1:${ports[3 + i]}`);
    for (const i of [0, 1, 2]) {
      const own = `http://127.0.0.1:${ports[i]}`;
      const flags = [
        `--name e${i} --data-dir ${join(directory, `e${i}`)} --log-level error`,
        `--listen-peer-urls ${own} --initial-advertise-peer-urls ${own}`,
        `--listen-client-urls ${urls[i]} --advertise-client-urls ${urls[i]}`,
        `--initial-cluster ${peers} --initial-cluster-state new`,
      ];
      spawn([etcd, ...flags.join(" ").split(" ")]);
    }
    const running = new Etcd(urls.join(","), loader);
    // The first put waits until there is a leader.
    await running.load(1, 3, 16);
    return running;
  }

  async load(clients: number, seconds: number, bytes: number): Promise<Times> {
    const args = [this.#endpoints, `${clients}`, `${Math.ceil(seconds)}`, `${bytes}`];
    const child = spawn([this.#loader, ...args]);
    const [count = 0, p50 = 0, p99 = 0] = (await child.stdout.text()).split(" ").map(Number);
    children.delete(child);
    return { perSecond: count / Math.ceil(seconds), p50Ms: p50 / 1000, p99Ms: p99 / 1000 };
  }
}
