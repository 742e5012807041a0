/**
 * A simulated client: the real core on a real endpoint. When its connection is gone it comes back
 * and asks again for what was not answered: on the cbor wire with its session and its numbers, so
 * that a server that still has the job goes on with it.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { ClientCore } from "../../client/core.ts";
import type { ClientEffect, ClientInput } from "../../client/types.ts";
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import type { Computer } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import { demand } from "../engine/trace.ts";
import type { Host, Program } from "../lsp/host.ts";
import { cheapHash, messageOf } from "./cheap_hash.ts";
import type { JobRecord } from "./oracle.ts";
import { type FleetClientPlan, type JobPlan, workOf } from "./plan.ts";
import type { FleetWorld } from "./world.ts";

const RETRY_MS = 500;

/** A job of this client, over all its submissions. */
interface Errand {
  readonly plan: JobPlan;
  /** Its number, on every connection. */
  readonly job: number;
  /** Settled for good: answered or cancelled. */
  over: boolean;
  /** What was submitted. */
  record: JobRecord | undefined;
  /** Records so far. */
  tries: number;
  /** It was cancelled while there was no connection to say so. */
  owesCancel: boolean;
  /** The progress last told, over this connection. */
  done: bigint;
  /** The record's drops when this connection began. */
  drops: number;
  /** The same of the connection before. */
  doneBefore: bigint;
  dropsBefore: number;
}

/** A client's process over all its connections, until it crashes. */
export class ClientMachine implements Program {
  readonly plan: FleetClientPlan;
  host: Host | undefined;
  readonly #world: FleetWorld;
  readonly #computer: Computer;
  readonly #errands: Errand[];
  /** The core of this life, and the endpoint's number for its connection. */
  #process: Process<ClientInput, ClientEffect> | undefined;
  #connId: number | undefined;
  #life = 0;
  #alive = true;
  /** Between the end of one connection and the next dial. */
  #down = false;
  readonly #session: bigint;
  #retryMs: Millis = RETRY_MS;

  constructor(world: FleetWorld, plan: FleetClientPlan, life = 0) {
    this.#world = world;
    this.plan = plan;
    this.#computer = world.computer(plan.name, plan.quirks);
    this.#life = life;
    const random = world.newRandom();
    this.#session = (BigInt(random()) << 32n) | BigInt(random());
    this.#errands = plan.jobs.map((job, index) => {
      const books = {
        record: undefined,
        tries: 0,
        owesCancel: false,
        done: 0n,
        drops: 0,
        doneBefore: 0n,
        dropsBefore: 0,
      };
      return { plan: job, job: index + 1, over: false, ...books };
    });
    for (const errand of this.#errands) {
      const { atMs, cancelAfterMs } = errand.plan;
      if (cancelAfterMs === Infinity) continue;
      const cancelAtMs = Math.max(atMs, this.#world.loop.nowMs) + cancelAfterMs;
      this.#world.loop.at(cancelAtMs, () => this.#cancel(errand));
    }
    this.#begin();
  }

  /** Every job of this client is answered or cancelled. */
  get satisfied(): boolean {
    return !this.#alive || this.#errands.every((errand) => errand.over);
  }

  /** Lives so far, a process that comes back after a crash counts on. */
  get life(): number {
    return this.#life;
  }

  crash(): void {
    this.#world.trace?.(() => `${this.plan.name} crashes`);
    this.#alive = false;
    this.#computer.crash();
    this.#forsake();
  }

  /** Gives its connection up without a word, and comes back after `afterMs`. */
  redial(afterMs: Millis): void {
    if (this.#down || !this.#alive) return;
    this.#retryMs = afterMs;
    this.#process?.tell({ kind: "gone", reason: "the client dials anew" });
  }

  sleep(forMs: Millis): void {
    this.#computer.sleep(forMs);
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `${this.plan.name} ${JSON.stringify(notice)}`);
    if (notice.kind === "connected") {
      this.#connId = notice.connId;
      this.#process?.tell({ kind: "connected", wire: notice.wire });
      for (const errand of this.#errands) if (errand.owesCancel) this.#cancelAtLast(errand);
    } else if (notice.kind === "refused") {
      demand(notice.code !== "version", () => `${this.plan.name}: ${notice.reason}`);
      this.#process?.tell({ kind: "gone", reason: notice.reason });
    }
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    if (event.kind === "data")
      return this.#process?.tell({ kind: "payload", payload: event.payload });
    this.#process?.tell({ kind: "gone", reason: event.kind });
  }

  #begin(): void {
    if (!this.#alive) return;
    const life = ++this.#life;
    this.#down = false;
    const { name, kind } = this.plan;
    this.#process = new Process({
      computer: this.#computer,
      core: new ClientCore({
        hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
        session: this.#session,
      }),
      carryOut: (effect) => this.#carryOut(effect),
    });
    this.#connId = undefined;
    this.#world.trace?.(() => `${name} dials (${kind}), life ${life}`);
    this.host = this.#world.dial(`${name}/${life}`, kind, this.#computer, this);
    for (const errand of this.#errands) {
      if (!errand.over) this.#world.loop.at(errand.plan.atMs, () => this.#submit(life, errand));
    }
  }

  #submit(life: number, errand: Errand): void {
    if (life !== this.#life || errand.over || !this.#alive || this.#down) return;
    if (errand.record === undefined) {
      const { job, plan } = errand;
      const name = `${this.plan.name} job ${job} life ${life}.${++errand.tries}`;
      const work = workOf(plan, name);
      errand.record = this.#world.oracle.submitted(work);
      errand.done = 0n;
      errand.drops = 0;
    }
    errand.doneBefore = errand.done;
    errand.dropsBefore = errand.drops;
    errand.drops = errand.record.drops;
    errand.done = 0n;
    this.#tellSubmit(errand);
  }

  #tellSubmit({ job, record }: Errand): void {
    const { message: subject, ...range } = record!.work;
    this.#process?.tell({ kind: "submit", job, work: { subject, ...range } });
  }

  #cancel(errand: Errand): void {
    if (errand.over || !this.#alive) return;
    errand.over = true;
    if (errand.record === undefined) return;
    this.#world.oracle.ended(errand.record, "cancelled");
    errand.owesCancel = this.plan.kind === "native" && this.#connId === undefined;
    this.#process?.tell({ kind: "cancel", job: errand.job });
  }

  /** The server may still have the job: it is named once more, to be cancelled. */
  #cancelAtLast(errand: Errand): void {
    errand.owesCancel = false;
    this.#tellSubmit(errand);
    this.#process?.tell({ kind: "cancel", job: errand.job });
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.kind) {
      case "write":
        return this.#write(effect.payload);
      case "progress":
        return this.#progress(effect.job, effect.status.done);
      case "answer": {
        const errand = this.#errands[effect.job - 1]!;
        errand.over = true;
        return this.#world.oracle.clientAnswered(errand.record!, effect);
      }
      case "refused":
        return this.#refused(this.#errands[effect.job - 1]!, effect.reason);
      case "disconnected":
        this.#world.trace?.(() => `${this.plan.name} disconnected: ${effect.reason}`);
        this.#down = true;
        this.#connId = undefined;
        if (this.plan.kind !== "native") this.#forsake();
        for (const errand of this.#errands) {
          // Whether the server has heard of it is not known.
          errand.owesCancel ||= errand.record?.state === "cancelled";
        }
        this.host?.kill();
        this.#process?.crash();
        this.#world.loop.after(this.#retryMs, () => this.#begin());
        this.#retryMs = RETRY_MS;
    }
  }

  /** Only liars were there to do the job: it is submitted anew. */
  #refused(errand: Errand, reason: string): void {
    const { name } = this.plan;
    demand(reason.includes("none is left to try"), () => `${name}: refused: ${reason}`);
    if (errand.record !== undefined) this.#world.oracle.ended(errand.record, "gone");
    errand.record = undefined;
    const life = this.#life;
    this.#world.loop.after(RETRY_MS, () => this.#submit(life, errand));
  }

  #progress(job: number, done: bigint): void {
    const errand = this.#errands[job - 1]!;
    const { lower, upper } = errand.plan;
    const size = upper - lower + 1n;
    const where = () => `${this.plan.name} job ${job}`;
    demand(done <= size, () => `${where()}: ${done} of ${size} nonces are done`);
    // Where the server still had the job, it goes on with it.
    const before = errand.record?.drops === errand.dropsBefore ? errand.doneBefore : 0n;
    const least = before > errand.done ? before : errand.done;
    demand(done >= least, () => `${where()}: progress goes back from ${least} to ${done}`);
    errand.done = done;
  }

  #write(payload: Uint8Array): void {
    const { host } = this;
    const connId = this.#connId;
    if (host === undefined || connId === undefined) return;
    host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, payload, nowMs);
      } catch (error) {
        this.#world.trace?.(() => `${this.plan.name} cannot write: ${(error as Error).message}`);
      }
    });
  }

  /** Nobody waits for these submissions any more. */
  #forsake(): void {
    for (const errand of this.#errands) {
      if (errand.record !== undefined) this.#world.oracle.ended(errand.record, "gone");
      errand.record = undefined;
    }
  }
}
