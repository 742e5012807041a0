/**
 * Miners and clients of the coordinator's simulation: the real cores, on connections that end when
 * the server does.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { ClientCore } from "../../client/core.ts";
import type { ClientEffect, ClientInput } from "../../client/types.ts";
import type { Wire } from "../../lsp/mod.ts";
import { MinerCore } from "../../miner/core.ts";
import type { MinerEffect, MinerInput, PoolCommand } from "../../miner/types.ts";
import { decodeClassicMessage } from "../../work/classic.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { Computer } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import { demand } from "../engine/trace.ts";
import { cheapHash, messageOf } from "../fleet/cheap_hash.ts";
import { PoolModel } from "../fleet/pool_model.ts";
import type { Errand } from "./oracle.ts";
import type { JobPlan } from "./plan.ts";
import { ClassicStay } from "./classic.ts";
import { SimUplink } from "./uplink.ts";
import type { CoordinatorWorld } from "./world.ts";

/** A planted fault keeps a miner so long from hashing when it is connected again. */
const SLOW_MS = 3_000;

/** A miner's process, until it crashes. */
export class MinerPeer {
  readonly #world: CoordinatorWorld;
  readonly #process: Process<MinerInput, MinerEffect>;
  readonly #pool: PoolModel;
  readonly #computer: Computer;
  readonly #link: SimUplink;
  readonly name: string;
  readonly #isClassic: boolean;
  #stay: ClassicStay | undefined;
  #server = "";
  #connections = 0;
  /** What the pool is told is held back until then. */
  #heldUntilMs: Millis = 0;

  constructor(
    world: CoordinatorWorld,
    name: string,
    { rate, isClassic }: { readonly rate: number; readonly isClassic: boolean },
    stream: number,
  ) {
    this.#world = world;
    this.#isClassic = isClassic;
    this.name = name;
    world.disturb();
    this.#link = new SimUplink(world.lines, name, this, (line, hear) => world.listenOn(line, hear));
    this.#computer = new Computer({ name, loop: world.loop });
    this.#process = new Process({
      computer: this.#computer,
      core: new MinerCore({
        random: seededRandom(world.seed, stream),
        name,
        servers: rotated(world.addresses, stream).slice(0, isClassic ? 1 : undefined),
      }),
      carryOut: (effect) => this.#carryOut(effect),
    });
    const hashed = (message: string, lower: bigint, upper: bigint): void =>
      world.oracle.hashed(message, lower, upper);
    this.#pool = new PoolModel(world.loop, rate, (event) => this.#process.tell(event), hashed);
    world.miners.set(name, this);
    this.#process.tell({ kind: "wake" });
    this.#process.tell({ kind: "pool", threads: 1, rate, label: name });
  }

  get isClassic(): boolean {
    return this.#isClassic;
  }

  /** A classic one whose server is gone has to wait for that. */
  get isIdle(): boolean {
    return this.#pool.idle && (!this.#isClassic || this.#stay !== undefined);
  }

  crash(): void {
    this.#world.miners.delete(this.name);
    this.#world.disturb();
    this.#pool.crash();
    this.#computer.crash();
    this.#link.leave();
    if (this.#stay !== undefined) this.#world.classics.delete(this.#stay);
  }

  connected(): void {
    const { plant, loop } = this.#world;
    const isBack = this.#connections++ > 0;
    if (isBack && plant === "slow-return") this.#heldUntilMs = loop.nowMs + SLOW_MS;
    if (this.#isClassic) this.#stay = new ClassicStay(this.#world, this.name, this.#server);
    this.#process.tell({ kind: "connected", wire: this.#wire });
  }

  received(payload: Uint8Array): void {
    this.#process.tell({ kind: "payload", payload });
  }

  gone(): void {
    this.#stay?.end();
    this.#stay = undefined;
    this.#process.tell({ kind: "gone", reason: "the server fell silent" });
  }

  get #wire(): Wire {
    return this.#isClassic ? "json" : "cbor";
  }

  #carryOut(effect: MinerEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#server = effect.server!;
        return this.#link.dial(this.#server, this.#wire);
      case "write":
        return this.#link.write(effect.payload);
      case "start":
      case "shrink":
      case "stop":
        return this.#command(effect);
      default:
    }
  }

  #command(command: PoolCommand): void {
    const { loop } = this.#world;
    if (loop.nowMs >= this.#heldUntilMs) return this.#pool.handle(command);
    loop.at(this.#heldUntilMs, () => this.#pool.handle(command));
  }
}

/** A client with one job, which waits for it, or leaves and comes back for the answer. */
export class ClientPeer {
  readonly errand: Errand;
  readonly #world: CoordinatorWorld;
  readonly #computer: Computer;
  readonly #plan: JobPlan;
  readonly #stream: number;
  readonly #link: SimUplink;
  #process: Process<ClientInput, ClientEffect> | undefined;
  #stay: ClassicStay | undefined;
  #submits = 0;
  #lives = 0;
  #hasLeft = false;

  constructor(world: CoordinatorWorld, name: string, plan: JobPlan, stream: number) {
    this.#world = world;
    this.#plan = plan;
    this.#stream = stream;
    this.#link = new SimUplink(world.lines, name, this, (line, hear) => world.listenOn(line, hear));
    this.#computer = new Computer({ name, loop: world.loop });
    const { lower, upper, backAfterMs } = plan;
    const isKept = backAfterMs !== undefined && !plan.isClassic;
    this.errand = world.oracle.add(name, lower, upper, isKept);
    world.loop.at(plan.atMs, () => this.#begin());
  }

  get isClassic(): boolean {
    return this.#plan.isClassic;
  }

  connected(): void {
    const { isClassic } = this.#plan;
    const wire = isClassic ? "json" : "cbor";
    const { message } = this.errand;
    if (isClassic) this.#stay = new ClassicStay(this.#world, message, this.#first);
    this.#process?.tell({ kind: "connected", wire });
  }

  received(payload: Uint8Array): void {
    this.#process?.tell({ kind: "payload", payload });
  }

  gone(): void {
    this.#stay?.end();
    this.#stay = undefined;
    this.#process?.tell({ kind: "gone", reason: "the server fell silent" });
  }

  /** The server that it dials first; a classic one knows no other. */
  get #first(): string {
    return rotated(this.#world.addresses, this.#stream)[0]!;
  }

  overheard(payload: Uint8Array): void {
    if (this.#plan.isClassic) {
      const result = decodeClassicMessage(payload);
      demand(typeof result !== "string", () => `a server said what nobody understands`);
      return this.#world.oracle.answered(this.errand, result, false);
    }
    const message = decodeMessage(payload);
    demand(typeof message !== "string", () => `a server said what nobody understands`);
    if (message.kind === "answer") this.#world.oracle.answered(this.errand, message.best, true);
    else if (message.kind === "accepted") this.#world.oracle.told(this.errand, message.id);
  }

  /** A process of its own, with a session of its own: the first submits, one after it attaches. */
  #begin(): void {
    const { world, errand } = { world: this.#world, errand: this.errand };
    const random = seededRandom(world.seed, this.#stream + this.#lives++);
    const session = (BigInt(random()) << 32n) | BigInt(random());
    const hash: typeof cheapHashOf = cheapHashOf;
    const servers = this.#plan.isClassic ? undefined : rotated(world.addresses, this.#stream);
    this.#process = new Process({
      computer: this.#computer,
      core: new ClientCore({ session, random, hash, ...(servers && { servers }) }),
      carryOut: (effect) => this.#carryOut(effect),
    });
    const { lower, upper, message: subject } = errand;
    const detached = errand.isKept;
    if (this.#hasLeft) this.#process.tell({ kind: "attach", job: 1, id: errand.id });
    else {
      const work = { subject, lower, upper };
      this.#process.tell({ kind: "submit", job: 1, work, detached });
    }
    this.#dial(this.#first);
  }

  #dial(server: string): void {
    this.#link.dial(server, this.#plan.isClassic ? "json" : "cbor");
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#dial(effect.server!);
      case "write":
        return this.#write(effect.payload);
      case "accepted":
        if (this.errand.isKept && !this.#hasLeft) this.#leave();
        return;
      case "answer":
        this.errand.isOver = true;
        if (this.#stay !== undefined) this.#world.classics.delete(this.#stay);
        return;
      case "refused":
        return this.#refused(effect.reason);
      case "disconnected":
        // It never had a connection: somebody starts it again.
        this.#world.loop.after(200, () => this.#begin());
        return;
      default:
    }
  }

  #write(payload: Uint8Array): void {
    const message = this.#plan.isClassic ? "" : decodeMessage(payload);
    if (typeof message !== "string" && message.kind === "submit") {
      const isAgain = this.#submits++ > 0;
      if (isAgain && this.#world.plant === "second-run") {
        const job = message.job + this.#submits;
        return this.#link.write(encodeMessage({ ...message, job }));
      }
    }
    this.#link.write(payload);
  }

  /** Its process ends, without a word; another one comes later. */
  #leave(): void {
    this.#hasLeft = true;
    this.#process?.crash();
    this.#process = undefined;
    this.#link.leave();
    this.#world.loop.after(this.#plan.backAfterMs ?? 0, () => this.#begin());
  }

  /** A full disk takes no new jobs: it asks again. Nothing else is refused. */
  #refused(reason: string): void {
    demand(reason.includes("cannot keep new jobs now"), () => `${this.errand.message}: ${reason}`);
    const againMs: Millis = 500;
    this.#world.loop.after(againMs, () => {
      this.#link.leave();
      this.#begin();
    });
  }
}

/** The same servers, another one first. */
function rotated(servers: readonly string[], by: number): string[] {
  const first = by % servers.length;
  return [...servers.slice(first), ...servers.slice(0, first)];
}

const cheapHashOf = (subject: string | Uint8Array, nonce: bigint): bigint =>
  cheapHash(messageOf(subject), nonce);
