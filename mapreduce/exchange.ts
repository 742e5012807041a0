/**
 * How data finds its way at the server: it is told directly where it lies, as far as that is known,
 * and else goes through here. Only those who work on a job, or asked for it, get its data, from
 * those who have it.
 *
 * @module
 */
import type { KindPort } from "../server/mod.ts";
import {
  type MrGet,
  type MrPiece,
  PEERS_ROWS_MAX,
  SOURCES_ROWS_MAX,
  type WirePeer,
} from "../work/mapreduce_messages.ts";
import type { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { Addresses } from "./addresses.ts";
import type { MapReduceJob, MapReduceTask } from "./fleet_job.ts";
import { Relay } from "./relay.ts";

/** What is needed of the coordinator. */
export interface ExchangePort {
  /** The job of a client by the client's number, and of a worker by the server's. */
  jobOfClient(connId: number, number: number): MapReduceJob | undefined;
  jobOf(uid: number): MapReduceJob | undefined;
  /** Whether the connection is a worker that maps and reduces. */
  isWorker(connId: number): boolean;
}

/** See the module. */
export class Exchange {
  readonly relay: Relay;
  readonly addresses: Addresses;
  readonly #port: KindPort;
  readonly #owner: ExchangePort;

  constructor(port: KindPort, owner: ExchangePort) {
    this.#port = port;
    this.#owner = owner;
    this.relay = new Relay({ write: (connId, message) => port.write(connId, message) });
    this.addresses = new Addresses((connId) => port.addressOf(connId));
  }

  gone(connId: number): void {
    this.relay.gone(connId);
    this.addresses.gone(connId);
  }

  /** Has the task's worker do it, with all that it must know of where its inputs are. */
  assign(task: MapReduceTask): void {
    const { origin, plan } = task.owner!;
    const { id: uid, terms, key } = origin;
    const { supplier: holder } = task;
    const { connId } = task.worker;
    const { kind, index, bytes } = task.planned;
    const at = this.addresses.of(holder, connId);
    const common = { task: task.id, uid, terms, index, holder, at, key };
    if (kind === "map") return this.#port.write(connId, { kind: "mr-map", ...common, bytes });
    this.#port.write(connId, { kind: "mr-reduce", ...common, maps: plan.maps.length });
    this.#tellPeers(task, connId);
    for (let first = 0; first < plan.maps.length; first += SOURCES_ROWS_MAX) {
      const sources = plan.maps.slice(first, first + SOURCES_ROWS_MAX).map((map) => ({
        holder: map.holder!,
        ...map.parts[index]!,
      }));
      this.#port.write(connId, { kind: "mr-sources", task: task.id, first, sources });
    }
  }

  #tellPeers(task: MapReduceTask, connId: number): void {
    const holders = new Set(task.owner!.plan.maps.map(({ holder }) => holder!));
    const peers: WirePeer[] = [];
    for (const holder of holders) {
      const at = holder === connId ? "" : this.addresses.of(holder, connId);
      if (at !== "") peers.push({ holder, at });
    }
    for (let first = 0; first < peers.length; first += PEERS_ROWS_MAX) {
      const some = peers.slice(first, first + PEERS_ROWS_MAX);
      this.#port.write(connId, { kind: "mr-peers", task: task.id, peers: some });
    }
  }

  get(connId: number, worker: Worker<Task> | undefined, get: MrGet): void {
    const { id, holder, item, offset, length } = get;
    const job =
      worker === undefined ? this.#owner.jobOfClient(connId, get.job) : this.#owner.jobOf(get.job);
    const request = { asker: connId, id, holder, item, offset, length };
    const isWorking = worker?.tasks.some((task) => task.job === job) ?? true;
    if (job === undefined || !isWorking) return this.relay.refuse(request);
    const { origin } = job;
    const isClients = item.kind === "about" || item.kind === "split" || item.kind === "code";
    const isSupplier = holder === job.supplier && holder !== 0;
    const has = isClients ? isSupplier : this.#owner.isWorker(holder);
    if (!has) return this.relay.refuse(request);
    const number = isClients ? job.followers.get(holder)! : origin.id;
    if (!this.relay.ask({ ...request, job: number })) {
      this.#port.reject("too many pieces asked for");
      this.relay.refuse(request);
    }
  }

  piece(connId: number, piece: MrPiece): void {
    if (!this.relay.answer(connId, piece)) this.#port.reject("a piece that nobody asked for");
  }
}
