/**
 * Sees every message that goes into one life of a server and comes out of it, and tells the oracle:
 * whose connection it is, which job a name stands for, and what each miner was given.
 *
 * @module
 */
import type { Wire } from "../../lsp/mod.ts";
import type { ServerSnapshot } from "../../server/snapshot.ts";
import {
  classicResult,
  type ClassicMessage,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import type { Message } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import type { Address } from "../engine/network.ts";
import { demand } from "../engine/trace.ts";
import { describeMessage } from "../lsp/describe.ts";
import { cheapHash, messageOf } from "./cheap_hash.ts";
import { Losses } from "./losses.ts";
import { Newcomers } from "./newcomers.ts";
import { Standings } from "./standings.ts";
import type { FleetWorld } from "./world.ts";

/** Messages of the jobs of a session, by number; of a classic one, by the order of asking. */
interface Asker {
  /** The connection that it used last. */
  connId: number;
  readonly messages: Map<number, string>;
  /** Numbers of the jobs that it was told the answer of. */
  readonly answered: Set<number>;
}

/** Number of the assign that a planted fault takes. */
const FAULTY_ASSIGN = 3;
/** Number of the Join that a planted fault takes. */
const FAULTY_JOIN = 2;

/** Has the server told something that no miner said: a planted fault. */
type Pretend = (connId: number, wire: Wire, payload: Uint8Array) => void;

/** See the module. */
export class Witness {
  readonly #world: FleetWorld;
  readonly #pretend: Pretend;
  readonly #snapshot: () => ServerSnapshot;
  readonly #standings: Standings;
  readonly #losses: Losses;
  readonly #newcomers: Newcomers;
  readonly #places = new Map<number, string>();
  readonly #sessions = new Map<bigint, Asker>();
  readonly #askers = new Map<number, Asker>();
  #assigns = 0;
  #joins = 0;
  /** The miner whose reports a planted fault takes. */
  #unheard: number | undefined;

  constructor(world: FleetWorld, pretend: Pretend, snapshot: () => ServerSnapshot) {
    this.#world = world;
    this.#pretend = pretend;
    this.#snapshot = snapshot;
    this.#standings = new Standings(world.oracle);
    this.#losses = new Losses(world.loop, world.oracle);
    this.#newcomers = new Newcomers(world.loop);
  }

  connected(connId: number, from: Address): void {
    const place = this.#world.network.placeOf(from);
    if (place !== undefined) this.#places.set(connId, place);
  }

  /** The connection has ended; the server forgets its client's jobs, but for those with answers. */
  gone(connId: number): void {
    this.#standings.gone(connId);
    this.#losses.gone(connId);
    this.#newcomers.settled(connId);
    const asker = this.#askers.get(connId);
    this.#askers.delete(connId);
    if (asker?.connId !== connId) return;
    for (const [number, message] of asker.messages) {
      if (asker.answered.has(number)) continue;
      this.#dropped(message);
      asker.messages.delete(number);
    }
  }

  /** The server has crashed, and forgets everything. */
  crashed(): void {
    for (const asker of new Set([...this.#sessions.values(), ...this.#askers.values()])) {
      this.#drop(asker);
    }
  }

  /** The message of a job by the name that the server gives it. */
  messageOf(client: number, job: number): string {
    const message = this.#askers.get(client)?.messages.get(job);
    demand(message !== undefined, () => `the server works on an unknown job ${client}/${job}`);
    return message;
  }

  /** A payload that the server is about to read. True when it must not: a planted fault. */
  incoming(connId: number, wire: Wire, payload: Uint8Array): boolean {
    const message = wire === "json" ? decodeClassicMessage(payload) : decodeMessage(payload);
    const place = this.#places.get(connId);
    if (place !== undefined && this.#world.isMeddler(place)) {
      const described = typeof message === "string" ? message : describeMessage(message);
      this.#world.trace?.(() => `server <- ${connId} (meddler) ${described}`);
      return false;
    }
    demand(typeof message !== "string", () => `${connId} sent what nobody understands: ${message}`);
    this.#world.trace?.(() => `server <- ${connId} ${describeMessage(message)}`);
    if ("kind" in message) {
      this.#incomingNative(connId, place, message);
      return this.#isTaken(connId, message);
    }
    this.#incomingClassic(connId, place, message);
    return false;
  }

  /** A payload that the server sends. True when it must not go out: a planted fault. */
  outgoing(connId: number, payload: Uint8Array): boolean {
    const isClassic = payload[0] === 0x7b;
    const message = isClassic ? decodeClassicMessage(payload) : decodeMessage(payload);
    demand(typeof message !== "string", () => `server said what nobody understands: ${message}`);
    this.#world.trace?.(() => `server -> ${connId} ${describeMessage(message)}`);
    const place = this.#places.get(connId);
    if (place !== undefined && this.#world.isMeddler(place)) return false;
    if ("kind" in message) return this.#outgoingNative(connId, message);
    return this.#outgoingClassic(connId, message);
  }

  /** After every event. */
  check(snapshot: ServerSnapshot): void {
    this.#standings.check(snapshot);
    this.#losses.check();
    this.#newcomers.check(snapshot);
  }

  /** Which computer the connection is from. */
  placeOf(connId: number): string | undefined {
    return this.#places.get(connId);
  }

  /** Whether the miner is what it seems; undefined if the connection is no miner's. */
  isHonest(connId: number): boolean | undefined {
    const place = this.#places.get(connId);
    return place === undefined ? undefined : this.#world.conductOf(place) === "honest";
  }

  #drop(asker: Asker): void {
    for (const message of asker.messages.values()) this.#dropped(message);
    asker.messages.clear();
  }

  #dropped(message: string): void {
    this.#losses.over(message);
    this.#world.oracle.dropped(message);
  }

  /** Whether a planted fault takes the message away. */
  #isTaken(connId: number, { kind }: Message): boolean {
    const { plant } = this.#world;
    if (this.isHonest(connId) !== true) return false;
    if (plant === "lost-join") return kind === "join" && ++this.#joins === FAULTY_JOIN;
    if (plant !== "deaf-ear" || (kind !== "progress" && kind !== "result")) return false;
    this.#unheard ??= connId;
    return connId === this.#unheard;
  }

  #incomingNative(connId: number, place: string | undefined, message: Message): void {
    const { kind } = message;
    this.#losses.incoming(connId, message);
    if (kind === "join") {
      this.#noteMiner(connId, place);
      if (this.isHonest(connId) !== true) return;
      this.#losses.joined(connId);
      this.#newcomers.joined(connId);
    } else if (kind === "cancel") this.#cancel(this.#askers.get(connId), message.job);
    else if (kind === "submit") {
      const asker = this.#askerOf(connId, message.session);
      if (connId < asker.connId) return;
      const subject = messageOf(message.work.subject);
      const isKnown = asker.messages.get(message.job) === subject;
      if (isKnown) this.#world.oracle.jobs.get(subject)!.resumes++;
      else this.#world.oracle.begins(subject);
      asker.messages.set(message.job, subject);
    } else if (kind === "result" || kind === "progress" || kind === "stopped") {
      const task = this.#standings.task(connId, message.chunk);
      this.#world.overhear("cbor", encodeMessage(message));
      // A candidate that comes with no news is of no account.
      const isNews = kind !== "stopped" || (task !== undefined && message.next > task.lower);
      if (message.best === undefined || !isNews) return;
      this.#standings.reported(connId, message.chunk, message.best);
    }
  }

  /** The server forgets the job, or its answer: should it be submitted again, it begins anew. */
  #cancel(asker: Asker | undefined, job: number): void {
    const message = asker?.messages.get(job);
    if (message === undefined) return;
    this.#dropped(message);
    asker!.messages.delete(job);
    asker!.answered.delete(job);
  }

  #incomingClassic(connId: number, place: string | undefined, message: ClassicMessage): void {
    if (message.type === 0) this.#noteMiner(connId, place);
    else if (message.type === 2) {
      this.#world.overhear("json", encodeClassicMessage(message));
      this.#standings.reported(connId, 0, message);
    } else {
      const asker = this.#askerOf(connId, undefined);
      asker.messages.set(asker.messages.size + 1, message.data);
    }
  }

  #rateOf(connId: number): number | undefined {
    const place = this.#places.get(connId);
    return place === undefined ? undefined : this.#world.rateOf(place);
  }

  #noteMiner(connId: number, place: string | undefined): void {
    const conduct = place === undefined ? undefined : this.#world.conductOf(place);
    if (conduct !== undefined) this.#standings.joined(connId, place!, conduct);
  }

  #askerOf(connId: number, session: bigint | undefined): Asker {
    const known = session === undefined ? this.#askers.get(connId) : this.#sessions.get(session);
    const asker: Asker = known ?? { connId, messages: new Map(), answered: new Set() };
    // A connection that its client has given up for a newer one speaks for it no more.
    asker.connId = Math.max(asker.connId, connId);
    this.#askers.set(connId, asker);
    if (session !== undefined) this.#sessions.set(session, asker);
    return asker;
  }

  #outgoingNative(connId: number, message: Message): boolean {
    const { oracle, plant } = this.#world;
    this.#losses.outgoing(connId, message, this.#rateOf(connId));
    if (message.kind === "answer") {
      const name = this.messageOf(connId, message.job);
      this.#losses.over(name);
      oracle.serverAnswers(name, message);
      this.#askers.get(connId)!.answered.add(message.job);
    } else if (message.kind === "status") {
      oracle.serverTells(this.messageOf(connId, message.job), message.done);
    } else if (message.kind === "refused") this.#refused(connId, message.reason);
    else if (message.kind === "assign") {
      const { chunk, work } = message;
      const { subject, lower, upper } = work;
      const task = { message: messageOf(subject), lower, upper };
      this.#newcomers.settled(connId);
      this.#standings.assigned(connId, chunk, task);
      oracle.handedOut(task.message, Number(upper - lower) + 1);
      if (plant !== "lose-chunk" || ++this.#assigns !== FAULTY_ASSIGN) return false;
      const best = { hash: cheapHash(task.message, lower), nonce: lower };
      this.#pretend(connId, "cbor", encodeMessage({ kind: "result", chunk, best }));
      return true;
    }
    return false;
  }

  #outgoingClassic(connId: number, message: ClassicMessage): boolean {
    const { oracle, plant } = this.#world;
    const { data, lower, upper, hash, nonce } = message;
    if (message.type === 2) {
      const asker = this.#askers.get(connId);
      demand(asker, () => `the server answers ${connId}, which asked for nothing`);
      const verdict = { best: { hash, nonce }, met: true };
      asker.answered.add(asker.answered.size + 1);
      const name = this.messageOf(connId, asker.answered.size);
      this.#losses.over(name);
      oracle.serverAnswers(name, verdict);
      return false;
    }
    const task = { message: data, lower, upper };
    this.#standings.assigned(connId, 0, task);
    this.#losses.assignedBlindly(task);
    oracle.handedOut(data, Number(upper - lower) + 1);
    if (plant !== "lose-chunk" || ++this.#assigns !== FAULTY_ASSIGN) return false;
    const result = classicResult({ hash: cheapHash(data, lower), nonce: lower });
    this.#pretend(connId, "json", encodeClassicMessage(result));
    return true;
  }

  /** Miners may be sent away, clients only where no honest miner is left to do their job. */
  #refused(connId: number, reason: string): void {
    if (this.#standings.has(connId)) {
      this.#world.oracle.minersSentAway++;
      return this.#standings.refused(connId, reason);
    }
    demand(reason.includes("none is left to try"), () => `the server refused: ${reason}`);
    for (const { connId: miner, standing } of this.#snapshot().miners) {
      const isLeft = standing !== "suspect" && this.isHonest(miner) === true;
      demand(!isLeft, () => `the server refused, and miner ${miner} is left to try: ${reason}`);
    }
  }
}
