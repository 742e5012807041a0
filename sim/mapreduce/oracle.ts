/**
 * What must hold in every run: no reduce before its maps, every partition once and as its map made
 * it, no task handed out again without a reason, and outputs as the plainest program gives them.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { sha256 } from "../../base/sha256.ts";
import type { MapReduceJob } from "../../mapreduce/fleet_job.ts";
import { BACKUP_MS, RETURN_MS, SILENT_MS } from "../../mapreduce/limits.ts";
import type { PlannedTask } from "../../mapreduce/plan.ts";
import type { RunOrder } from "../../mapreduce/worker_types.ts";
import type { RowGroups } from "../../server/mod.ts";
import type { MrAdopt, MrMap, MrReduce } from "../../work/mapreduce_messages.ts";
import type { Message } from "../../work/messages.ts";
import type { Loop } from "../engine/loop.ts";
import { demand } from "../engine/trace.ts";
import { answerOf, splitName } from "./answer.ts";
import type { ClientMachine } from "./client.ts";
import type { ClientPlan, WorkerPlan } from "./plan.ts";
import { modelMap } from "./task_model.ts";

/** A task that was handed out and has not ended. */
interface Outstanding {
  readonly connId: number;
  readonly key: string;
  readonly sinceMs: Millis;
  startedMs: Millis | undefined;
  heardMs: Millis;
  isStopped: boolean;
  /** Its worker stalled before. */
  readonly isSuspect: boolean;
}

const encoder = new TextEncoder();

/** See the module. */
export class Oracle {
  /** Tasks that were handed out. */
  assigned = 0;
  /** Of these, tasks that had been handed out before. */
  again = 0;
  /** Results that workers came back with, and tasks that went on, although the server was away. */
  found = 0;
  adopted = 0;
  /** Tasks that were taken back, before they ran or just when they began. */
  revoked = 0;
  readonly #loop: Loop;
  readonly #clients = new Map<number, ClientPlan>();
  readonly #jobs = new Map<number, ClientPlan>();
  readonly #outstanding = new Map<string, Outstanding>();
  /** By job, kind and index: why it may be handed out once more. */
  readonly #excuses = new Map<string, number>();
  /** Where results are, by job, kind and index. */
  readonly #held = new Map<string, number>();
  /** Of these, results of which a server knows that began after they were made. */
  readonly #awaited = new Set<string>();
  /** Since when the server leads. */
  #leadMs: Millis = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** A client has that connection. */
  client(connId: number, plan: ClientPlan): void {
    this.#clients.set(connId, plan);
  }

  /** A job came to life at the server. */
  job({ origin }: MapReduceJob): void {
    // One that an earlier server had is known.
    const plan = this.#clients.get(origin.connId) ?? this.#jobs.get(origin.id);
    demand(plan !== undefined, () => `nobody asked for the job ${origin.id}`);
    this.#jobs.set(origin.id, plan);
  }

  /** A job is over: one that comes under its number begins anew. */
  over(uid: number): void {
    const isOf = (key: string): boolean => key.startsWith(`${uid}/`);
    for (const [name, { key }] of this.#outstanding) if (isOf(key)) this.#outstanding.delete(name);
    for (const keys of [this.#held, this.#excuses, this.#awaited]) {
      for (const key of keys.keys()) if (isOf(key)) keys.delete(key);
    }
  }

  /** The server hands a task out; nobody waits for a suspect, which may do it as well. */
  assigns(
    connId: number,
    message: MrMap | MrReduce,
    job: MapReduceJob,
    isSuspect: boolean,
    isThere: (holder: number) => boolean,
  ): void {
    const kind = message.kind === "mr-map" ? "map" : "reduce";
    const key = `${message.uid}/${kind}/${message.index}`;
    if (kind === "reduce") {
      demand(job.plan.areMapsDone, () => `${key} is handed out before all maps are done`);
      const ghost = job.plan.maps.find(({ holder }) => !isThere(holder!));
      demand(ghost === undefined, () => `${key} is handed out, and nobody has map ${ghost?.index}`);
    }
    this.assigned++;
    const nowMs = this.#loop.nowMs;
    for (const other of this.#outstanding.values()) {
      if (other.key !== key || other.isStopped) continue;
      const ranMs = other.startedMs === undefined ? 0 : nowMs - other.startedMs;
      const silentMs = nowMs - other.heardMs;
      demand(
        other.isSuspect || ranMs >= BACKUP_MS || silentMs >= SILENT_MS,
        () =>
          `${key} is handed out again after ${ranMs.toFixed(0)} ms, heard of ${silentMs} ms ago`,
      );
      this.#excuse(key);
    }
    const isLate = nowMs >= this.#leadMs + RETURN_MS;
    if (this.#awaited.has(key) && isLate) this.#forget(key);
    const excuses = this.#excuses.get(key);
    if (excuses !== undefined) {
      demand(excuses > 0, () => `${key} is handed out again for no reason`);
      this.again++;
    }
    this.#excuses.set(key, (excuses ?? 1) - 1);
    this.#outstanding.set(`${connId}/${message.task}`, {
      connId,
      key,
      sinceMs: nowMs,
      startedMs: undefined,
      heardMs: nowMs,
      isStopped: false,
      isSuspect,
    });
  }

  /** The server knows that a worker still does the task. */
  adopts(connId: number, { task, uid, isMap, index }: MrAdopt): void {
    const key = `${uid}/${isMap ? "map" : "reduce"}/${index}`;
    const nowMs = this.#loop.nowMs;
    this.adopted++;
    this.#spend(key);
    const times = { sinceMs: nowMs, startedMs: nowMs, heardMs: nowMs };
    const known = { connId, key, ...times, isStopped: false, isSuspect: false };
    this.#outstanding.set(`${connId}/${task}`, known);
  }

  /** A worker came back with a result that the server believes again. */
  returned(connId: number, { kind, index }: PlannedTask, uid: number): void {
    const key = `${uid}/${kind}/${index}`;
    if (this.#held.get(key) === connId) return;
    this.found++;
    if (!this.#held.has(key)) this.#spend(key);
    this.#held.set(key, connId);
    this.#awaited.delete(key);
  }

  /** The server is gone; `rows` are what it kept, undefined: nothing. */
  crashes(rows: RowGroups | undefined): void {
    for (const { connId } of this.#outstanding.values()) this.#drop(connId);
    this.#outstanding.clear();
    this.#awaited.clear();
    for (const key of this.#held.keys()) {
      const [uid, kind, index] = key.split("/");
      const isKept = rows?.get(`mr/${uid}`)?.has(`${kind === "map" ? "m" : "r"}/${index}`);
      if (isKept === true) this.#awaited.add(key);
      else this.#forget(key);
    }
  }

  /** The server is back. */
  leads(): void {
    this.#leadMs = this.#loop.nowMs;
  }

  stops(connId: number, task: number): void {
    const known = this.#outstanding.get(`${connId}/${task}`);
    if (known === undefined) return;
    known.isStopped = true;
    this.#excuse(known.key);
  }

  /** A worker says something to the server. */
  hears(connId: number, message: Message): void {
    if (!("task" in message)) return;
    const name = `${connId}/${message.task}`;
    const known = this.#outstanding.get(name);
    if (known === undefined) return;
    known.heardMs = this.#loop.nowMs;
    if (message.kind === "mr-progress" && message.runs) known.startedMs ??= this.#loop.nowMs;
    if (message.kind === "mr-progress") return;
    this.#outstanding.delete(name);
    if (message.kind === "mr-ended" && message.why === "stopped") this.revoked++;
    if (message.kind !== "mr-ended") {
      if (!this.#held.has(known.key)) this.#held.set(known.key, connId);
      return;
    }
    if (!known.isStopped) this.#excuse(known.key);
    const [uid] = known.key.split("/");
    if (message.why === "missing") this.#forget(`${uid}/map/${message.map}`);
  }

  /** A client could not get an output. */
  misses(uid: number, reduce: number): void {
    this.#forget(`${uid}/reduce/${reduce}`);
  }

  /** A worker is gone, with all that it had. */
  loses(connId: number): void {
    this.#drop(connId);
    for (const [key, holder] of this.#held) if (holder === connId) this.#forget(key);
  }

  /** A worker reduces these inputs. */
  reduces(worker: WorkerPlan, order: RunOrder & { kind: "reduce" }, inputs: Uint8Array[]): void {
    const plan = this.#jobs.get(order.uid);
    demand(plan !== undefined, () => `${worker.name} reduces for a job that there is not`);
    const { splits, application, reducers } = plan;
    demand(inputs.length === splits.length, () => `a reduce of ${inputs.length} partitions`);
    const made = splits.map((text, i) => {
      const split = { name: splitName(plan.name, i), firstLine: 1 };
      return modelMap(application, split, encoder.encode(text), reducers);
    });
    // Which reduce it is follows from the partitions: they must all be those of one.
    const hashes = inputs.map((bytes) => sha256(bytes).toHex());
    const isOf = (r: number): boolean => made.every(({ parts }, m) => parts[r]!.hash === hashes[m]);
    demand(
      Array.from({ length: reducers }, (_, r) => r).some(isOf),
      () => `${worker.name} reduces partitions that no maps made`,
    );
  }

  /** A client says that its job is done. */
  done(client: ClientMachine): void {
    const expected = answerOf(client.plan);
    for (const [r, output] of client.outputs.entries()) {
      demand(output === expected[r], () => {
        const { name } = client.plan;
        return `output ${r} of ${name} is ${JSON.stringify(output)}, not ${JSON.stringify(expected[r])}`;
      });
    }
  }

  /** What the connection was told to do, nobody does any more. */
  #drop(connId: number): void {
    for (const [name, { connId: of, key, isStopped }] of this.#outstanding) {
      if (of !== connId) continue;
      this.#outstanding.delete(name);
      if (!isStopped) this.#excuse(key);
    }
  }

  /** A reason to hand the task out again is gone. */
  #spend(key: string): void {
    const excuses = this.#excuses.get(key) ?? 0;
    if (excuses > 0) this.#excuses.set(key, excuses - 1);
  }

  #forget(key: string): void {
    this.#awaited.delete(key);
    if (this.#held.delete(key)) this.#excuse(key);
  }

  #excuse(key: string): void {
    this.#excuses.set(key, (this.#excuses.get(key) ?? 0) + 1);
  }
}
