/**
 * A simulated client: the real core on a real endpoint. When its connection is gone it comes back
 * and asks again for what was not answered.
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
  /** Settled for good: answered or cancelled. */
  over: boolean;
  /** The submission of this life, and its number. */
  record: JobRecord | undefined;
  done: bigint;
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

  constructor(world: FleetWorld, plan: FleetClientPlan, life = 0) {
    this.#world = world;
    this.plan = plan;
    this.#computer = world.computer(plan.name, plan.quirks);
    this.#life = life;
    this.#errands = plan.jobs.map((job) => {
      return { plan: job, over: false, record: undefined, done: 0n };
    });
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

  sleep(forMs: Millis): void {
    this.#computer.sleep(forMs);
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `${this.plan.name} ${JSON.stringify(notice)}`);
    if (notice.kind === "connected") {
      this.#connId = notice.connId;
      this.#process?.tell({ kind: "connected", wire: notice.wire });
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
    const random = this.#world.newRandom();
    const session = (BigInt(random()) << 32n) | BigInt(random());
    this.#process = new Process({
      computer: this.#computer,
      core: new ClientCore({
        hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
        session,
      }),
      carryOut: (effect) => this.#carryOut(effect),
    });
    this.#connId = undefined;
    this.#world.trace?.(() => `${name} dials (${kind}), life ${life}`);
    this.host = this.#world.dial(`${name}/${life}`, kind, this.#computer, this);
    for (const [index, errand] of this.#errands.entries()) {
      if (errand.over) continue;
      const { atMs, cancelAfterMs } = errand.plan;
      this.#world.loop.at(atMs, () => this.#submit(life, index, errand));
      if (cancelAfterMs === Infinity) continue;
      const cancelAtMs = Math.max(atMs, this.#world.loop.nowMs) + cancelAfterMs;
      this.#world.loop.at(cancelAtMs, () => this.#cancel(life, index, errand));
    }
  }

  #submit(life: number, index: number, errand: Errand): void {
    if (life !== this.#life || errand.over || !this.#alive || this.#down) return;
    const work = workOf(errand.plan, `${this.plan.name} job ${index} life ${life}`);
    errand.record = this.#world.oracle.submitted(work);
    errand.done = 0n;
    const { message: subject, ...range } = work;
    this.#process?.tell({ kind: "submit", job: index + 1, work: { subject, ...range } });
  }

  #cancel(life: number, index: number, errand: Errand): void {
    if (life !== this.#life || errand.over || !this.#alive) return;
    errand.over = true;
    if (this.#down || errand.record === undefined) return;
    errand.record.state = "cancelled";
    this.#process?.tell({ kind: "cancel", job: index + 1 });
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
        return demand(false, () => `${this.plan.name}: refused: ${effect.reason}`);
      case "disconnected":
        this.#world.trace?.(() => `${this.plan.name} disconnected: ${effect.reason}`);
        this.#down = true;
        this.#forsake();
        this.host?.kill();
        this.#process?.crash();
        this.#world.loop.after(RETRY_MS, () => this.#begin());
    }
  }

  #progress(job: number, done: bigint): void {
    const errand = this.#errands[job - 1]!;
    const { lower, upper } = errand.plan;
    const size = upper - lower + 1n;
    const where = () => `${this.plan.name} job ${job}`;
    demand(done <= size, () => `${where()}: ${done} of ${size} nonces are done`);
    demand(done >= errand.done, () => `${where()}: progress goes back to ${done}`);
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
    for (const { record } of this.#errands) {
      if (record?.state === "open") record.state = "gone";
    }
  }
}
