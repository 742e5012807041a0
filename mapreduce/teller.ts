/**
 * What a server says to those who follow a job.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { clipped, readablePlural as count } from "../base/text.ts";
import type { KindPort } from "../server/mod.ts";
import { type MapReduceMessage, TROUBLE_BYTES_MAX } from "../work/mapreduce_messages.ts";
import type { Addresses } from "./addresses.ts";
import { isCode } from "./code_name.ts";
import type { MapReduceJob, MapReduceTask } from "./fleet_job.ts";

/** What the job waits for; nothing while it can go on. */
function waitsFor({ origin, plan, supplier }: MapReduceJob, workers: number): string {
  if (plan.tasksLeft === 0) return "";
  const back = plan.awaited.size;
  if (back > 0) return `waits for miners to come back with what they did: ${count(back, "task")}`;
  if (workers === 0) {
    const why = isCode(origin.terms.application) ? "runs code of users (--allow-code)" : "maps";
    return `no miner of this server ${why}: the job waits for one`;
  }
  const maps = plan.areMapsDone ? 0 : plan.ready.size;
  if (supplier !== 0 || maps === 0) return "";
  return `waits for its client, who has the input of ${count(maps, "map")}`;
}

/** See the module. */
export class Teller {
  readonly #port: KindPort;
  readonly #addresses: Addresses;

  constructor(port: KindPort, addresses: Addresses) {
    this.#port = port;
    this.#addresses = addresses;
  }

  /** `workers`: how many could do a task of it. */
  status(job: MapReduceJob, workers: number, nowMs: Millis): void {
    job.statusMs = nowMs;
    const { plan } = job;
    const waits = waitsFor(job, workers);
    if (waits !== "" && waits !== job.waits) this.note(job, waits);
    job.waits = waits;
    let bytesDone = 0;
    for (const map of plan.maps) if (map.isDone) bytesDone += map.bytes;
    for (const task of job.tasks as Set<MapReduceTask>) {
      if (task.planned.kind === "map" && !task.planned.isDone) bytesDone += Number(task.done);
    }
    this.#tell(job, (number) => ({
      kind: "mr-status",
      job: number,
      mapsDone: plan.mapsDone,
      reducesDone: plan.reducesDone,
      bytesDone,
      failures: plan.failures,
      workers,
    }));
  }

  /** The connection follows the job: what it is, and what there is of it. */
  attached(job: MapReduceJob, connId: number, number: number): void {
    const { id, terms } = job.origin;
    const { application, reducers, keep } = terms;
    this.#port.write(connId, {
      kind: "mr-attached",
      job: number,
      id,
      application,
      maps: job.plan.maps.length,
      reducers,
      keep,
      isSupplied: job.supplier !== 0,
    });
  }

  /** All outputs that can be fetched. */
  outputs(job: MapReduceJob, connId: number, number: number): void {
    for (const { holder, isFinal, index } of job.plan.reduces) {
      if (holder !== undefined && !isFinal) this.#output(job, index, connId, number);
    }
  }

  /** An output can be fetched. */
  output(job: MapReduceJob, reduce: number): void {
    for (const [connId, number] of job.followers) this.#output(job, reduce, connId, number);
  }

  note(job: MapReduceJob, text: string): void {
    const some = clipped(text, TROUBLE_BYTES_MAX);
    this.#tell(job, (number) => ({ kind: "mr-note", job: number, text: some }));
  }

  done(job: MapReduceJob): void {
    this.#tell(job, (number) => ({ kind: "mr-done", job: number }));
  }

  failed(job: MapReduceJob, failure: string): void {
    const reason = clipped(failure, TROUBLE_BYTES_MAX);
    this.#tell(job, (number) => ({ kind: "mr-failed", job: number, reason }));
  }

  #output({ plan }: MapReduceJob, reduce: number, connId: number, number: number): void {
    const { holder, parts } = plan.reduces[reduce]!;
    const source = { holder: holder!, ...parts[0]! };
    const at = this.#addresses.of(holder!, connId);
    this.#port.write(connId, { kind: "mr-output", job: number, reduce, source, at });
  }

  #tell({ followers }: MapReduceJob, message: (number: number) => MapReduceMessage): void {
    for (const [connId, number] of followers) this.#port.write(connId, message(number));
  }
}
