/**
 * A simulated worker: the real core, files in memory, and runs that take their time, die, throw,
 * and are damaged on the disk, as the plan has it.
 *
 * @module
 */
import { chance, type Random, unitReal } from "../../base/random.ts";
import { sha256 } from "../../base/sha256.ts";
import { WorkerCore } from "../../mapreduce/worker_core.ts";
import type { TaskEnd } from "../../mapreduce/task_end.ts";
import type {
  JobFile,
  JobFilePart,
  RunOrder,
  SharedPart,
  WorkerEffect,
  WorkerInput,
} from "../../mapreduce/worker_types.ts";
import { encodeMessage } from "../../work/wire.ts";
import { Computer } from "../engine/computer.ts";
import type { Line } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import { demand, type TraceLine } from "../engine/trace.ts";
import type { PeerInput } from "../../mapreduce/peer_types.ts";
import { withRoom } from "../../mapreduce/piece_frame.ts";
import type { PeerNet } from "./peer_net.ts";
import type { Oracle } from "./oracle.ts";
import type { WorkerPlan } from "./plan.ts";
import type { MapReducePlant } from "./plants.ts";
import { type Made, modelMap, modelReduce } from "./task_model.ts";

/** What a worker needs of its world. */
export interface WorkerWorld {
  readonly loop: Loop;
  readonly random: Random;
  readonly oracle: Oracle;
  readonly trace: TraceLine | undefined;
  readonly plant: MapReducePlant | undefined;
  readonly net: PeerNet;
  /** A split in the shared directory. */
  shared(path: string): Uint8Array | undefined;
  /** Whether faults may still happen. */
  isHealed(): boolean;
}

/** Between two reports of a run. */
const PROGRESS_MS = 250;
/** A slow run takes this much longer. */
const SLOW_FACTOR = 40;
const SLOW_MS = 25_000;
/** A thread takes so long to hash a partition. */
const HASH_MS = 20;
/** Every run takes so long at least. */
const RUN_MS = 5;

const fileName = ({ uid, kind, number }: JobFile): string => `${uid}/${kind}-${number}`;

/** One life of a worker. */
export class WorkerMachine {
  readonly plan: WorkerPlan;
  readonly computer: Computer;
  readonly #world: WorkerWorld;
  readonly #process: Process<WorkerInput, WorkerEffect>;
  readonly #core: WorkerCore;
  readonly #files = new Map<string, Uint8Array>();
  #line: Line | undefined;
  /** Called when its connection is gone. */
  onGone: () => void = () => {};
  readonly #runs = new Set<number>();

  constructor(plan: WorkerPlan, world: WorkerWorld) {
    this.plan = plan;
    this.#world = world;
    this.computer = new Computer({ name: plan.name, loop: world.loop });
    this.#core = new WorkerCore({ allowCode: false, tasks: plan.tasks });
    this.#process = new Process({
      computer: this.computer,
      core: this.#core,
      carryOut: (effect) => this.#do(effect),
    });
  }

  /** Files that it keeps. */
  get files(): number {
    return this.#files.size;
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** Is connected: says what it is. */
  connect(line: Line): void {
    this.#line = line;
    const join = {
      kind: "join",
      threads: 1,
      rate: 0,
      label: "model",
      name: this.plan.name,
    } as const;
    line.say(encodeMessage(join));
    this.#process.tell({ kind: "listening", port: this.plan.port });
    this.#process.tell({ kind: "joined" });
  }

  payload(payload: Uint8Array): void {
    this.#process.whenAwake(() => this.#process.tell({ kind: "payload", payload }));
  }

  /** Something from peer to peer. */
  peer(input: PeerInput): void {
    this.#process.whenAwake(() => this.#process.tell(input));
  }

  gone(): void {
    this.#line = undefined;
    this.#process.whenAwake(() => {
      this.#process.tell({ kind: "gone" });
      this.onGone();
    });
  }

  crash(): void {
    this.computer.crash();
    this.#world.net.crash(this);
    this.#line?.drop();
    this.#line = undefined;
    this.#files.clear();
  }

  #do(effect: WorkerEffect): void {
    const { plant } = this.#world;
    switch (effect.kind) {
      case "dial":
      case "peer-write":
      case "hang-up":
      case "answer":
        return this.#world.net.carryOut(this, effect);
      case "open": {
        const { id, part } = effect;
        const file = this.plan.isShared ? this.#world.shared(part.shared.path) : undefined;
        return this.#process.tell({ kind: "opened", id, good: file?.length === part.bytes });
      }
      case "write":
        return this.#line?.say(effect.payload);
      case "put":
        return this.#put(effect.file, effect.offset, effect.bytes);
      case "read": {
        const { id, file, offset, length, room } = effect;
        const known = this.#files.get(fileName(file));
        const bytes = known && withRoom(known.subarray(offset, offset + length), room);
        return this.#process.tell({ kind: "read", id, bytes });
      }
      case "verify":
        // Large ones are hashed by a thread: others happen before that has answered.
        if (effect.id % 2 === 0) return this.#verify(effect);
        return this.#later(HASH_MS, () => this.#verify(effect));
      case "run":
        return this.#start(effect.run, effect.order);
      case "kill":
        return this.#kill(effect.run);
      case "remove":
        return void this.#files.delete(fileName(effect.file));
      case "wipe":
        if (plant === "keeps-files") return;
        for (const name of this.#files.keys()) {
          if (effect.uid === undefined || name.startsWith(`${effect.uid}/`))
            this.#files.delete(name);
        }
        return;
      case "log":
        return this.#world.trace?.(() => `${this.plan.name}: ${effect.text}`);
    }
  }

  #verify({ id, part, hash }: Extract<WorkerEffect, { kind: "verify" }>): void {
    const bytes = this.#bytesOf(part);
    const isSame = bytes !== undefined && sha256(bytes).toHex() === hash;
    const good = this.#world.plant === "no-check" ? bytes !== undefined : isSame;
    this.#process.tell({ kind: "verified", id, good });
  }

  #put(file: JobFile, offset: number, bytes: Uint8Array): void {
    const name = fileName(file);
    const known = this.#files.get(name) ?? new Uint8Array();
    const size = Math.max(known.length, offset + bytes.length);
    const larger = new Uint8Array(size);
    larger.set(known);
    larger.set(bytes, offset);
    this.#files.set(name, larger);
  }

  #bytesOf(part: JobFilePart | SharedPart): Uint8Array | undefined {
    if ("shared" in part) return this.#world.shared(part.shared.path);
    const { file, from, to } = part;
    if (from === to) return new Uint8Array();
    const bytes = this.#files.get(fileName(file))?.subarray(from, to);
    return bytes?.length === to - from ? bytes : undefined;
  }

  #kill(run: number): void {
    if (!this.#runs.delete(run)) return;
    // The process takes a moment to die.
    this.#later(1, () => this.#process.tell({ kind: "ended", run, end: { kind: "stopped" } }));
  }

  #later(delayMs: number, act: () => void): void {
    this.#world.loop.after(delayMs, () => this.#process.whenAwake(act));
  }

  #start(run: number, order: RunOrder): void {
    this.#runs.add(run);
    demand(this.#runs.size <= this.plan.tasks, () => `${this.plan.name} runs too many tasks`);
    const { random, trace } = this.#world;
    const isFaulty = !this.#world.isHealed();
    const { speed, slowShare, deathShare, throwShare, name } = this.plan;
    trace?.(() => `${name} runs ${order.kind} ${run} of job ${order.uid}`);
    const inputs = order.kind === "map" ? [order.input] : order.inputs;
    const bytes = inputs.reduce((sum, input) => {
      return sum + ("shared" in input ? input.bytes : input.to - input.from);
    }, 0);
    let lastsMs = RUN_MS + bytes / speed;
    if (isFaulty && chance(random, slowShare)) lastsMs = SLOW_MS + lastsMs * SLOW_FACTOR;
    const fails = isFaulty ? unitReal(random) : 1;
    let end: TaskEnd | undefined;
    if (fails < deathShare) end = { kind: "died", text: "the model's process ended" };
    else if (fails < deathShare + throwShare)
      end = { kind: "threw", text: "Error: the model throws" };
    if (end !== undefined) lastsMs *= unitReal(random);
    this.#report(run, bytes, lastsMs, 0);
    this.#later(lastsMs, () => {
      if (!this.#runs.delete(run)) return;
      this.#process.tell({ kind: "ended", run, end: end ?? this.#carryOut(order) });
    });
  }

  #report(run: number, bytes: number, lastsMs: number, sinceMs: number): void {
    if (lastsMs <= PROGRESS_MS) return;
    const atMs = sinceMs + PROGRESS_MS;
    if (atMs >= lastsMs) return;
    this.#later(PROGRESS_MS, () => {
      if (!this.#runs.has(run)) return;
      this.#process.tell({ kind: "progress", run, bytes: Math.floor((bytes * atMs) / lastsMs) });
      this.#report(run, bytes, lastsMs, atMs);
    });
  }

  /** The run comes to its end: the real work. */
  #carryOut(order: RunOrder): TaskEnd {
    const { application, reducers } = order.terms;
    const none = { bad: 0, skipped: [] };
    let made: Made;
    if (order.kind === "map") {
      const input = this.#bytesOf(order.input);
      if (input === undefined) return { kind: "damaged", text: "the input is gone" };
      made = modelMap(application, order, input, reducers);
      this.#files.set(fileName(order.output), this.#damaged(made.bytes));
      return { kind: "mapped", parts: made.parts, records: 0, invalid: 0, ...none };
    }
    const inputs = order.inputs.map((part) => this.#bytesOf(part));
    if (inputs.includes(undefined)) return { kind: "damaged", text: "an input is gone" };
    this.#world.oracle.reduces(this.plan, order, inputs as Uint8Array[]);
    const read = [...(inputs as Uint8Array[])];
    if (this.#world.plant === "skip-partition") read.pop();
    if (this.#world.plant === "twice-mapped" && read.length > 0) read.push(read[0]!);
    made = modelReduce(application, read);
    this.#files.set(fileName(order.output), made.bytes);
    return { kind: "reduced", output: made.parts[0]!, lines: 0, ...none };
  }

  /** What the disk makes of a map's output. */
  #damaged(bytes: Uint8Array): Uint8Array {
    const { random } = this.#world;
    if (this.#world.isHealed() || !chance(random, this.plan.damageShare)) return bytes;
    const damaged = bytes.slice();
    for (let i = 0; i < damaged.length; i += 7)
      damaged[i]! ^= 1 + Math.floor(unitReal(random) * 255);
    return damaged;
  }
}
