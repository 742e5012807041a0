/**
 * What a server says to the client of a job.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { clipped } from "../base/text.ts";
import type { KindPort } from "../server/mod.ts";
import { TROUBLE_BYTES_MAX } from "../work/mapreduce_messages.ts";
import type { Addresses } from "./addresses.ts";
import type { MapReduceJob, MapReduceTask } from "./fleet_job.ts";

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
    const { plan, origin } = job;
    let bytesDone = 0;
    for (const map of plan.maps) if (map.isDone) bytesDone += map.bytes;
    for (const task of job.tasks as Set<MapReduceTask>) {
      if (task.planned.kind === "map" && !task.planned.isDone) bytesDone += Number(task.done);
    }
    this.#port.write(origin.connId, {
      kind: "mr-status",
      job: origin.number,
      mapsDone: plan.mapsDone,
      reducesDone: plan.reducesDone,
      bytesDone,
      failures: plan.failures,
      workers,
    });
  }

  /** An output can be fetched. */
  output({ origin, plan }: MapReduceJob, reduce: number): void {
    const { holder, parts } = plan.reduces[reduce]!;
    const { connId, number } = origin;
    const source = { holder: holder!, ...parts[0]! };
    const at = this.#addresses.of(holder!, connId);
    this.#port.write(connId, { kind: "mr-output", job: number, reduce, source, at });
  }

  note({ origin: { connId, number } }: MapReduceJob, text: string): void {
    const some = clipped(text, TROUBLE_BYTES_MAX);
    this.#port.write(connId, { kind: "mr-note", job: number, text: some });
  }

  done({ origin: { connId, number } }: MapReduceJob): void {
    this.#port.write(connId, { kind: "mr-done", job: number });
  }

  failed({ origin: { connId, number } }: MapReduceJob, failure: string): void {
    const reason = clipped(failure, TROUBLE_BYTES_MAX);
    this.#port.write(connId, { kind: "mr-failed", job: number, reason });
  }
}
