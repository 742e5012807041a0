/**
 * What must become of honest miners and of liars: the honest are never struck nor sent away, and
 * a liar that was caught three times, by what others have searched since, is gone at once.
 *
 * @module
 */
import type { ServerSnapshot } from "../../server/snapshot.ts";
import type { Candidate } from "../../work/candidate.ts";
import { demand } from "../engine/trace.ts";
import { cheapHash } from "./cheap_hash.ts";
import type { FleetOracle } from "./oracle.ts";
import { type Conduct, isLiar, type Task } from "./rogues.ts";

/** Falsehoods that are its own fault after which a miner is not trusted (docs/scheduling.md). */
const STRIKES_MAX = 3;

/** A task, and how often the server had forgotten its job before. */
interface Assigned extends Task {
  readonly drops: number;
}

/** A miner's connection. */
interface Known {
  readonly name: string;
  readonly conduct: Conduct;
  /** Chunks that it was given, by number; the json wire's one is number 0. */
  readonly tasks: Map<number, Assigned>;
  /** What it lied about and nobody had searched by then. */
  lies: Assigned[];
  /** Lies that turned out to be its own fault. */
  settled: number;
}

/** The miners of one life of a server. */
export class Standings {
  readonly #oracle: FleetOracle;
  readonly #byConnId = new Map<number, Known>();

  constructor(oracle: FleetOracle) {
    this.#oracle = oracle;
  }

  /** A connection turned out to be the miner `name`'s. */
  joined(connId: number, name: string, conduct: Conduct): void {
    if (this.#byConnId.has(connId)) return;
    this.#byConnId.set(connId, { name, conduct, tasks: new Map(), lies: [], settled: 0 });
  }

  /** Whether the connection is a miner's. */
  has(connId: number): boolean {
    return this.#byConnId.has(connId);
  }

  gone(connId: number): void {
    this.#byConnId.delete(connId);
  }

  assigned(connId: number, chunk: number, task: Task): void {
    const drops = this.#oracle.jobs.get(task.message)?.drops ?? 0;
    this.#byConnId.get(connId)?.tasks.set(chunk, { ...task, drops });
  }

  task(connId: number, chunk: number): Task | undefined {
    return this.#byConnId.get(connId)?.tasks.get(chunk);
  }

  /** The miner reports a candidate of a chunk; the server does not know it yet. */
  reported(connId: number, chunk: number, best: Candidate): void {
    const known = this.#byConnId.get(connId);
    const task = known?.tasks.get(chunk);
    if (known === undefined || task === undefined) return;
    const { message, lower, upper } = task;
    const isInside = best.nonce >= lower && best.nonce <= upper;
    if (isInside && cheapHash(message, best.nonce) === best.hash) return;
    demand(isLiar(known.conduct), () => `${known.name}: lies about ${message}, though honest`);
    const record = this.#oracle.jobs.get(message);
    const isOver = record === undefined || record.isOver || record.drops !== task.drops;
    if (isOver || this.#isSearched(task)) return;
    // More about one job, before anything of it is known, adds nothing.
    const before = known.lies.filter((lie) => lie.message === message);
    if (before.length < STRIKES_MAX) known.lies.push(task);
  }

  /** The server sends the miner away. */
  refused(connId: number, reason: string): void {
    const known = this.#byConnId.get(connId);
    if (known === undefined) return;
    const { name, conduct } = known;
    demand(conduct !== "honest" && conduct !== "overdeclares", () => `${name}: ${reason}`);
    const isFalse = reason.startsWith("not trusted");
    demand(!isFalse || isLiar(conduct), () => `${name} told no lie: ${reason}`);
  }

  /** After every event. */
  check({ miners }: ServerSnapshot): void {
    for (const { connId, strikes } of miners) {
      const known = this.#byConnId.get(connId);
      if (known === undefined) continue;
      const { name, conduct } = known;
      demand(
        strikes === 0 || isLiar(conduct),
        () => `${name} has ${strikes} strikes, and its conduct is ${conduct}`,
      );
      if (known.lies.length > 0) this.#settle(known);
      demand(
        known.settled < STRIKES_MAX,
        () => `${name} told ${known.settled} lies that were found out, and is still trusted`,
      );
    }
  }

  #settle(known: Known): void {
    // What was said about a job that is forgotten is forgotten, too.
    const { jobs } = this.#oracle;
    const told = known.lies.filter(({ message, drops }) => jobs.get(message)?.drops === drops);
    const open = told.filter((lie) => !this.#isSearched(lie));
    known.settled += told.length - open.length;
    known.lies = open.filter(({ message }) => jobs.get(message)?.isOver === false);
  }

  #isSearched({ message, lower, upper }: Task): boolean {
    return this.#oracle.jobs.get(message)?.accepted.covers(lower, upper) ?? false;
  }
}
