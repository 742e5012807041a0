/**
 * A miner and a client as a student of the classic course would write them, with none of our code
 * but the clock: their own JSON, one thing at a time, on the independent classic endpoint.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import type { Candidate } from "../../work/candidate.ts";
import { UINT64_MAX } from "../../work/hash.ts";
import type { Computer } from "../engine/computer.ts";
import { demand } from "../engine/trace.ts";
import type { Host, Program } from "../lsp/host.ts";
import { cheapHash } from "./cheap_hash.ts";
import type { JobRecord } from "./oracle.ts";
import { type FleetClientPlan, type MinerPlan, workOf } from "./plan.ts";
import { PoolModel } from "./pool_model.ts";
import { madeUp, tampered, type Task } from "./rogues.ts";
import { readText, type StrangerText, writeText } from "./stranger_text.ts";
import type { FleetWorld } from "./world.ts";

const RETRY_MS = 500;
const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** What both have in common: a connection that is dialed again whenever it is gone. */
abstract class StrangerProgram implements Program {
  host: Host | undefined;
  connId: number | undefined;
  protected readonly world: FleetWorld;
  protected alive = true;
  life = 0;
  readonly #plan: MinerPlan | FleetClientPlan;
  readonly #computer: Computer;

  constructor(world: FleetWorld, plan: MinerPlan | FleetClientPlan) {
    this.world = world;
    this.#plan = plan;
    this.#computer = world.computer(plan.name, plan.quirks);
  }

  protected abstract onConnected(): void;
  protected abstract onMessage(message: StrangerText): void;
  protected abstract onGone(): void;

  get connected(): boolean {
    return this.connId !== undefined;
  }

  crash(): void {
    this.world.trace?.(() => `${this.#plan.name} crashes`);
    this.alive = false;
    this.#computer.crash();
  }

  sleep(forMs: Millis): void {
    this.#computer.sleep(forMs);
  }

  onNotice(notice: LspNotice): void {
    this.world.trace?.(() => `${this.#plan.name} ${JSON.stringify(notice)}`);
    if (notice.kind === "refused") return this.#retry();
    if (notice.kind !== "connected") return;
    this.connId = notice.connId;
    this.onConnected();
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    if (event.kind === "data") return this.onMessage(readText(text.decode(event.payload)));
    this.world.trace?.(() => `${this.#plan.name}: ${event.kind}`);
    this.connId = undefined;
    this.host?.kill();
    this.onGone();
    this.#retry();
  }

  protected dial(): void {
    if (!this.alive) return;
    const { name, kind } = this.#plan;
    this.host = this.world.dial(`${name}/${++this.life}`, kind, this.#computer, this);
  }

  protected send(message: Partial<StrangerText>): void {
    const { connId } = this;
    if (connId === undefined) return;
    this.host?.act((endpoint, nowMs) => {
      if (connId === this.connId) endpoint.write(connId, utf8.encode(writeText(message)), nowMs);
    });
  }

  #retry(): void {
    this.world.loop.after(RETRY_MS, () => this.dial());
  }
}

/** Joins, hashes one request at a time, answers. */
export class StrangerMiner extends StrangerProgram {
  readonly plan: MinerPlan;
  readonly pool: PoolModel;
  readonly #random: Random;
  #searches = 0;
  #task: Task | undefined;

  constructor(world: FleetWorld, plan: MinerPlan) {
    super(world, plan);
    this.plan = plan;
    this.#random = world.newRandom();
    world.setMiner(plan.name, plan.conduct, plan.noncesPerSecond);
    this.pool = new PoolModel(
      world.loop,
      plan.noncesPerSecond,
      (event) => {
        if (event.kind === "finished" && event.id === this.#searches) this.#report(event.best);
      },
      (message, lower, upper, sinceMs) => world.oracle.hashed(message, lower, upper, sinceMs),
    );
    if (plan.conduct === "frozen") world.loop.after(plan.frozenAfterMs, () => this.heal());
    this.dial();
  }

  override crash(): void {
    super.crash();
    this.pool.crash();
  }

  stand(forMs: Millis): void {
    this.pool.standing = true;
    this.world.loop.after(forMs, () => this.heal());
  }

  override sleep(forMs: Millis): void {
    super.sleep(forMs);
    this.stand(forMs);
  }

  heal(): void {
    this.pool.standing = this.plan.conduct === "frozen";
  }

  protected override onConnected(): void {
    this.send({ type: 0 });
  }

  protected override onMessage({ type, data, lower, upper }: StrangerText): void {
    demand(type === 1, () => `${this.plan.name}: got a classic message of type ${type}`);
    demand(this.pool.idle, () => `${this.plan.name}: got a request while one is under way`);
    this.#task = { message: data, lower, upper };
    // A loop that counts up to its range's end in 64 bits does not end there.
    if (upper === UINT64_MAX && !this.world.isClassicServed) return;
    if (this.plan.conduct === "boasts") return this.send({ type: 2, ...madeUp(this.#task) });
    const search = { id: ++this.#searches, subject: data, lower, upper };
    this.pool.handle({ kind: "start", search });
  }

  #report(best: Candidate): void {
    const { conduct } = this.plan;
    if (conduct === "mute") return;
    this.send({ type: 2, ...tampered(conduct, this.#random, this.#task!, best) });
  }

  protected override onGone(): void {
    this.pool.handle({ kind: "stop", id: this.#searches });
  }
}

/** Asks for one job after the other; after a loss it begins anew with what is not answered. */
export class StrangerClient extends StrangerProgram {
  readonly plan: FleetClientPlan;
  #next = 0;
  #record: JobRecord | undefined;

  constructor(world: FleetWorld, plan: FleetClientPlan, life: number) {
    super(world, plan);
    this.plan = plan;
    this.life = life;
    this.dial();
  }

  get satisfied(): boolean {
    return !this.alive || this.#next >= this.plan.jobs.length;
  }

  override crash(): void {
    super.crash();
    this.onGone();
  }

  /** Gives its connection up without a word, and comes back after `afterMs`. */
  redial(afterMs: Millis): void {
    if (this.connId === undefined || !this.alive) return;
    this.connId = undefined;
    this.host?.kill();
    this.onGone();
    this.world.loop.after(afterMs, () => this.dial());
  }

  protected override onConnected(): void {
    this.#ask();
  }

  protected override onMessage({ type, hash, nonce }: StrangerText): void {
    const { name } = this.plan;
    demand(type === 2, () => `${name}: got a classic message of type ${type}`);
    demand(this.#record !== undefined, () => `${name}: got a Result without a Request`);
    const { work } = this.#record;
    demand(cheapHash(work.message, nonce) === hash, () => `${name}: the hash is not of the nonce`);
    this.world.oracle.clientAnswered(this.#record, { best: { hash, nonce }, met: true });
    this.#record = undefined;
    this.#next++;
    this.#ask();
  }

  protected override onGone(): void {
    if (this.#record !== undefined) this.world.oracle.ended(this.#record, "gone");
    this.#record = undefined;
  }

  #ask(): void {
    const job = this.plan.jobs[this.#next];
    const { life } = this;
    if (job === undefined) return;
    this.world.loop.at(job.atMs, () => {
      if (life !== this.life || !this.alive || this.connId === undefined || this.#record) return;
      const work = workOf(job, `${this.plan.name} job ${this.#next} life ${life}`);
      this.#record = this.world.oracle.submitted(work);
      this.send({ type: 1, data: work.message, lower: work.lower, upper: work.upper });
    });
  }
}
