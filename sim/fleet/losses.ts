/**
 * What may be hashed for nobody: a nonce a second time, or one of a job that is over. Every loss
 * excuses so much of it, and no more: a miner that is gone, or that the server has good reason to
 * take for late, what it held; the end of a job what miners held of it. And what a miner holds at a
 * time is bounded by what it does in a few seconds. So a loss costs seconds of one miner, whatever
 * the network does meanwhile.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { DEFAULT_FLEET_LIMITS } from "../../work/limits.ts";
import type { Held, Message } from "../../work/messages.ts";
import type { Loop } from "../engine/loop.ts";
import { demand } from "../engine/trace.ts";
import { messageOf } from "./cheap_hash.ts";
import type { FleetOracle } from "./oracle.ts";
import type { Task } from "./rogues.ts";

/** Without news for so long a miner may be raced; clocks differ by a hundredth. */
const LATE_MS: Millis =
  0.98 * Math.min(DEFAULT_FLEET_LIMITS.lateMs, DEFAULT_FLEET_LIMITS.confirmMs);
/** A chunk is a probe, or a second's work; a first measurement may be that far off the mark. */
const PROBE_UNITS = Number(DEFAULT_FLEET_LIMITS.probeUnits);
const CHUNK_S_MAX = DEFAULT_FLEET_LIMITS.taskSeconds * DEFAULT_FLEET_LIMITS.oversizedTasks;
/**
 * What a miner that is gone held is hashed once more by others, and by itself, out of the server's
 * sight, perhaps after the job's end.
 */
const GONE_TIMES = 2;

interface Chunk extends Task {
  /** Up to where its miner has reported it. */
  next: bigint;
  /** When an order to shrink or stop it went out that is not confirmed. */
  orderedAtMs: Millis | undefined;
  isExcused: boolean;
}

/** A cbor miner that does as it is told. */
interface Steered {
  readonly chunks: Map<number, Chunk>;
  /** When it last showed progress, or its work began. */
  advancedAtMs: Millis;
  /** It was late, and has shown no progress since. */
  isSuspect: boolean;
  /** What it said that it brings back. */
  held: readonly Held[];
}

/** The losses in one life of a server. */
export class Losses {
  readonly #loop: Loop;
  readonly #oracle: FleetOracle;
  readonly #steered = new Map<number, Steered>();
  /** The message of a job by the id that miners are told. */
  readonly #jobs = new Map<number, string>();

  constructor(loop: Loop, oracle: FleetOracle) {
    this.#loop = loop;
    this.#oracle = oracle;
  }

  /** A cbor miner has joined that does as it is told. */
  joined(connId: number): void {
    const advancedAtMs = this.#loop.nowMs;
    const steered = { chunks: new Map<number, Chunk>(), advancedAtMs, isSuspect: false, held: [] };
    if (!this.#steered.has(connId)) this.#steered.set(connId, steered);
  }

  /** A miner that cannot be steered, or does not do as it is told, was given a task. */
  assignedBlindly(task: Task): void {
    this.#oracle.excuse(task.message, sizeOf(task));
  }

  /** What the server sends to a cbor miner that does `rate` nonces a second. */
  outgoing(connId: number, message: Message, rate: number | undefined): void {
    const steered = this.#steered.get(connId);
    if (message.kind === "assign") {
      const { chunk, work, job } = message;
      const { lower, upper } = work;
      const task = { message: messageOf(work.subject), lower, upper };
      if (job !== undefined) this.#jobs.set(job, task.message);
      if (steered === undefined) return this.assignedBlindly(task);
      demandSmall(connId, task, rate);
      this.#begin(steered, chunk, task, lower);
    } else if (steered === undefined) return;
    else if (message.kind === "resumed") this.#resumed(steered, message.chunks);
    else if (message.kind === "shrink" || message.kind === "stop") {
      const chunk = steered.chunks.get(message.chunk);
      if (chunk !== undefined) chunk.orderedAtMs ??= this.#loop.nowMs;
    }
  }

  /** What a cbor miner says. */
  incoming(connId: number, message: Message): void {
    const steered = this.#steered.get(connId);
    if (steered === undefined) return;
    const { kind } = message;
    if (kind === "resume") steered.held = message.held;
    else if (kind === "progress") this.#advanced(steered, message.chunk, message.next);
    else if (kind === "shrunk") {
      const chunk = steered.chunks.get(message.chunk);
      if (chunk !== undefined) chunk.orderedAtMs = undefined;
    } else if (kind === "result" || kind === "stopped") {
      // What it says when it was told to stop proves nothing of a suspect.
      if (kind === "result") this.#advanced(steered, message.chunk, undefined);
      steered.chunks.delete(message.chunk);
      steered.advancedAtMs = this.#loop.nowMs;
    }
  }

  /** The connection has ended. */
  gone(connId: number): void {
    for (const chunk of this.#steered.get(connId)?.chunks.values() ?? []) {
      this.#oracle.excuse(chunk.message, GONE_TIMES * sizeOf(chunk));
    }
    this.#steered.delete(connId);
  }

  /** The job is over, or forgotten. */
  over(message: string): void {
    for (const { chunks } of this.#steered.values()) {
      for (const chunk of chunks.values()) {
        if (chunk.message === message) this.#oracle.excuse(message, GONE_TIMES * sizeOf(chunk));
      }
    }
  }

  /** After every event. */
  check(): void {
    const beforeMs = this.#loop.nowMs - LATE_MS;
    for (const steered of this.#steered.values()) {
      if (steered.chunks.size === 0) continue;
      if (steered.advancedAtMs <= beforeMs) steered.isSuspect = true;
      for (const chunk of steered.chunks.values()) {
        const { orderedAtMs = Infinity, isExcused } = chunk;
        if (!isExcused && (steered.isSuspect || orderedAtMs <= beforeMs)) this.#excuse(chunk);
      }
    }
  }

  #begin(steered: Steered, number: number, task: Task, next: bigint): void {
    if (steered.chunks.size === 0) steered.advancedAtMs = this.#loop.nowMs;
    const chunk = { ...task, next, orderedAtMs: undefined, isExcused: false };
    steered.chunks.set(number, chunk);
    // Others do what a suspect is given.
    if (steered.isSuspect) this.#excuse(chunk);
  }

  #resumed(steered: Steered, chunks: readonly number[]): void {
    for (const [i, { job, lower, upper, next }] of steered.held.entries()) {
      const message = this.#jobs.get(job);
      const number = chunks[i] ?? 0;
      if (number === 0 || message === undefined) continue;
      this.#begin(steered, number, { message, lower, upper }, next);
    }
  }

  #advanced(steered: Steered, number: number, next: bigint | undefined): void {
    const chunk = steered.chunks.get(number);
    if (chunk === undefined || (next !== undefined && next <= chunk.next)) return;
    if (next !== undefined) chunk.next = next;
    steered.advancedAtMs = this.#loop.nowMs;
    steered.isSuspect = false;
  }

  #excuse(chunk: Chunk): void {
    chunk.isExcused = true;
    this.#oracle.excuse(chunk.message, sizeOf(chunk));
  }
}

function sizeOf({ lower, upper }: Task): number {
  return Number(upper - lower) + 1;
}

/** No chunk keeps a miner busy for long, unless it is a probe. */
function demandSmall(connId: number, task: Task, rate = Infinity): void {
  const units = sizeOf(task);
  demand(
    units <= Math.max(PROBE_UNITS, CHUNK_S_MAX * rate),
    () => `miner ${connId} gets ${units} nonces, ${(units / rate).toFixed(1)} s of its work`,
  );
}
