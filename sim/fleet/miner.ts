/**
 * A simulated miner: the real core between a real endpoint and a model of the hashing threads.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import { MinerCore, REFUSED_MS_MAX, RETRY_MS_MAX } from "../../miner/core.ts";
import type { MinerEffect, MinerInput, PoolEvent } from "../../miner/types.ts";
import type { Message } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import type { Computer } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import { demand } from "../engine/trace.ts";
import type { Host, Program } from "../lsp/host.ts";
import { cheapHash, messageOf } from "./cheap_hash.ts";
import type { MinerPlan } from "./plan.ts";
import { PoolModel } from "./pool_model.ts";
import { Tamperer } from "./rogues.ts";
import type { FleetWorld } from "./world.ts";

/** When a miner has measured its kernels. */
const MEASURED_MS = 1000;
/** A message between a hashing thread and the socket's thread takes this long. */
const THREAD_MS = 0.1;

/** One life of a miner's process. */
export class MinerMachine implements Program {
  readonly plan: MinerPlan;
  readonly core: MinerCore;
  readonly pool: PoolModel;
  /** The connection of now, if there is one. */
  host: Host | undefined;
  connId: number | undefined;
  connectedAtMs: Millis = Infinity;
  /** Since when the pool has had nothing to do; `undefined` while it has. */
  idleSinceMs: Millis | undefined;
  readonly #world: FleetWorld;
  readonly #computer: Computer;
  readonly #process: Process<MinerInput, MinerEffect>;
  readonly #searches = new Map<number, { message: string; upper: bigint }>();
  #dials = 0;
  /** Of a rogue, from one connection to the next. */
  #tamperer: Tamperer | undefined;
  /** Connections in a row that the server ended by a refusal, and when it did so last. */
  #refusals = 0;
  #refusedAtMs: Millis = -Infinity;

  constructor(world: FleetWorld, plan: MinerPlan) {
    this.#world = world;
    this.plan = plan;
    world.setMiner(plan.name, plan.conduct, plan.noncesPerSecond);
    this.#computer = world.computer(plan.name, plan.quirks);
    this.core = new MinerCore({ random: world.newRandom() });
    this.#process = new Process({
      computer: this.#computer,
      core: this.core,
      carryOut: (effect) => this.#carryOut(effect),
    });
    this.idleSinceMs = world.loop.nowMs;
    const isSteered = plan.conduct === "honest" && plan.kind === "native";
    this.pool = new PoolModel(
      world.loop,
      plan.noncesPerSecond,
      (event) => this.#tellLater(event),
      (message, lower, upper, sinceMs) =>
        world.oracle.hashed(message, lower, upper, sinceMs, { name: plan.name, stops: isSteered }),
    );
    const rate = plan.knowsRate ? plan.declaredRate : 0;
    this.#process.tell({ kind: "pool", threads: 2, rate, label: plan.name });
    this.#process.tell({ kind: "wake" });
    if (plan.conduct === "frozen") world.loop.after(plan.frozenAfterMs, () => this.heal());
    // A miner that knows its rate at first finds out better later.
    if (plan.knowsRate) world.loop.after(MEASURED_MS, () => this.#tellKernel());
  }

  #tellKernel(): void {
    const { name, declaredRate } = this.plan;
    const rate = declaredRate / 2;
    this.#process.tell({ kind: "kernel", name: `${name}, measured`, rate, reason: "simulated" });
  }

  /** Connected, and knows it. */
  get connected(): boolean {
    return this.connId !== undefined;
  }

  /** The process is gone at once. */
  crash(): void {
    this.#world.trace?.(() => `${this.plan.name} crashes`);
    this.#computer.crash();
    this.pool.crash();
  }

  /** The hashing threads stand still for a while; the socket's thread goes on. */
  stand(forMs: Millis): void {
    this.#world.trace?.(() => `${this.plan.name} hashes nothing for ${forMs.toFixed(0)} ms`);
    this.pool.standing = true;
    this.#world.loop.after(forMs, () => this.heal());
  }

  /** The whole computer sleeps. */
  sleep(forMs: Millis): void {
    this.stand(forMs);
    this.#computer.sleep(forMs);
  }

  /** Ends every mishap of the threads. */
  heal(): void {
    this.pool.standing = this.plan.conduct === "frozen";
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `${this.plan.name} ${JSON.stringify(notice)}`);
    if (notice.kind === "connected") {
      this.connId = notice.connId;
      this.connectedAtMs = this.#world.loop.nowMs;
      const { conduct } = this.plan;
      const isRogue = conduct !== "honest" && notice.wire === "cbor";
      this.#tamperer = isRogue ? new Tamperer(conduct, this.#world.newRandom()) : undefined;
      this.#process.tell({ kind: "connected", wire: notice.wire });
    } else if (notice.kind === "refused") {
      demand(notice.code !== "version", () => `${this.plan.name}: ${notice.reason}`);
      this.#gone(notice.reason);
    }
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    if (event.kind === "data") return this.#read(event.payload);
    if (this.#refusedAtMs === -Infinity) this.#refusals = 0;
    this.#world.trace?.(() => `${this.plan.name}: connection ${event.connId} ${event.kind}`);
    this.#gone(event.kind);
  }

  #read(payload: Uint8Array): void {
    const message = decodeMessage(payload);
    if (typeof message !== "string" && message.kind === "refused") {
      this.#refusals++;
      this.#refusedAtMs = this.#world.loop.nowMs;
    }
    if (this.#tamperer !== undefined && typeof message !== "string" && message.kind === "assign") {
      const { subject, lower, upper } = message.work;
      const task = { message: messageOf(subject), lower, upper };
      const answer = this.#tamperer.assigned(message.chunk, task);
      if (answer !== undefined) return this.#send(encodeMessage(answer));
    }
    this.#process.tell({ kind: "payload", payload });
  }

  #gone(reason: string): void {
    this.connId = undefined;
    this.host?.kill();
    this.#process.tell({ kind: "gone", reason });
  }

  #carryOut(effect: MinerEffect): void {
    switch (effect.kind) {
      case "start": {
        const { id, subject, upper } = effect.search;
        this.#searches.set(id, { message: messageOf(subject), upper });
        this.idleSinceMs = undefined;
        return this.pool.handle(effect);
      }
      case "shrink":
      case "stop":
        return this.pool.handle(effect);
      case "dial":
        return this.#dial();
      case "write":
        return this.#write(effect.payload);
      case "exit":
        return demand(false, () => `${this.plan.name} exits: ${effect.reason}`);
      case "log":
        this.#world.trace?.(() => `${this.plan.name} log: ${effect.text}`);
    }
  }

  #dial(): void {
    this.#demandWait();
    this.host?.kill();
    this.connId = undefined;
    const { kind, name } = this.plan;
    this.#world.trace?.(() => `${name} dials (${kind})`);
    this.host = this.#world.dial(`${name}/${++this.#dials}`, kind, this.#computer, this);
  }

  /** One that is sent away comes back, and waits longer each time. */
  #demandWait(): void {
    if (this.#refusals === 0 || this.#refusedAtMs === -Infinity) return;
    const spanMs = Math.min(REFUSED_MS_MAX, RETRY_MS_MAX * 2 ** (this.#refusals - 1));
    const leastMs = spanMs / 2 / this.plan.quirks.clockRate - 1;
    const waitedMs = this.#world.loop.nowMs - this.#refusedAtMs;
    this.#refusedAtMs = -Infinity;
    demand(
      waitedMs >= leastMs,
      () => `${this.plan.name}: refused ${this.#refusals} times, and waits only ${waitedMs} ms`,
    );
  }

  #write(payload: Uint8Array): void {
    const message = this.#tamperer === undefined ? undefined : decodeMessage(payload);
    if (message === undefined || typeof message === "string") return this.#send(payload);
    const altered: Message | undefined = this.#tamperer!.altered(message);
    if (altered !== undefined) this.#send(encodeMessage(altered));
  }

  #send(payload: Uint8Array): void {
    const { host, connId } = this;
    if (host === undefined || connId === undefined) return;
    host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, payload, nowMs);
      } catch (error) {
        this.#world.trace?.(() => `${this.plan.name} cannot write: ${(error as Error).message}`);
      }
    });
  }

  #tellLater(event: PoolEvent): void {
    this.#world.loop.after(THREAD_MS, () => this.#process.whenAwake(() => this.#tell(event)));
  }

  #tell(event: PoolEvent): void {
    this.#process.tell(this.#world.plant === "last-hash" ? this.#lastHash(event) : event);
    if (this.pool.idle) this.idleSinceMs ??= this.#world.loop.nowMs;
  }

  /** The planted fault: the hash of a chunk's last nonce instead of its least. */
  #lastHash(event: PoolEvent): PoolEvent {
    if (event.kind !== "finished") return event;
    const { message, upper } = this.#searches.get(event.id)!;
    return { ...event, best: { hash: cheapHash(message, upper), nonce: upper } };
  }
}
