/**
 * The server without sockets: a plain state machine that is told what connections say and that they
 * are gone, and asks for messages to be written, connections to be closed and lines to be logged.
 *
 * This file is the gate: it finds out who a peer is (its first message tells), rejects and counts
 * what makes no sense, keeps the limits, and passes the rest on to the fleet.
 *
 * What it expects of its adapter: effects carried out in order; after a `close` effect, at last a
 * `gone` for that connection.
 *
 * @module
 */
import { earlier, invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import type { Wire } from "../lsp/mod.ts";
import { classicRequest, decodeClassicMessage, encodeClassicMessage } from "../work/classic.ts";
import { Fleet, type FleetPort } from "../work/fleet.ts";
import type { Interval } from "../work/interval_set.ts";
import type { Message, Resume } from "../work/messages.ts";
import type { Worker } from "../work/roster.ts";
import { hashOf, type Subject } from "../work/subject.ts";
import type { Task } from "../work/task.ts";
import { decodeMessage, headOf } from "../work/wire.ts";
import { askerOf, FIRST_WORDS, nameOf } from "./askers.ts";
import { called } from "./called.ts";
import { Clients } from "./clients.ts";
import { type KindFactory, type KindPort, Kinds } from "./kind.ts";
import { Ledger } from "./ledger.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { Miners } from "./miners.ts";
import { Outlet } from "./outlet.ts";
import { Searches } from "./search.ts";
import { type Chunk, SearchJob } from "./search_job.ts";
import { Reports } from "./reports.ts";
import { Shares } from "./shares.ts";
import { type ServerSnapshot, snapshotOf } from "./snapshot.ts";
import { TableMachine } from "./table_machine.ts";
import type { ServerEffect, ServerInput } from "./types.ts";

/** A range that was accepted as searched just now, for the first time; both ends included. */
export interface Accepted {
  /** Connection and number of the client's job. */
  readonly client: number;
  readonly job: number;
  readonly subject: Subject;
  readonly lower: bigint;
  readonly upper: bigint;
  /** Connection of the miner; undefined: the server searched it itself. */
  readonly miner: number | undefined;
}

type Miner = Worker<Task>;

/** How a server core is made. */
export interface ServerCoreOptions {
  /** Hash of a nonce; `hashOf` unless a simulation has a cheaper one. */
  readonly hash?: (subject: Subject, nonce: bigint) => bigint;
  readonly limits?: Partial<ServerLimits>;
  /** Where a connection comes from, as `HOST:PORT`, as far as that is known. */
  readonly addressOf?: (connId: number) => string | undefined;
  /** Kinds of work beside nonce search. */
  readonly kinds?: readonly KindFactory[];
  /**
   * The table, if it is to outlive this core: then it changes by `propose` effects alone, which
   * others apply to it, and the core serves nobody before it is told to `lead`.
   */
  readonly table?: TableMachine;
  /** Unix time in milliseconds at `nowMs`; `nowMs` itself if left out. */
  readonly unixMs?: (nowMs: Millis) => number;
  /** Told of every accepted range, for tests and simulations. */
  readonly onAccept?: (accepted: Accepted) => void;
}

/** The server as a state machine; see the module. */
export class ServerCore implements Machine<ServerInput, ServerEffect> {
  readonly limits: ServerLimits;
  readonly #ledger: Ledger;
  readonly #fleet: Fleet;
  readonly #searches: Searches;
  readonly #clients: Clients;
  readonly #miners: Miners;
  readonly #kinds: Kinds;
  readonly #shares = new Shares();
  readonly #reports: Reports;
  readonly #outlet: Outlet;
  #nowMs: Millis = 0;
  #tickMs: Millis | undefined;
  readonly #onAccept: ServerCoreOptions["onAccept"];

  constructor(options: ServerCoreOptions = {}) {
    this.limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    this.#onAccept = options.onAccept;
    this.#outlet = new Outlet(this.limits, options.addressOf ?? (() => undefined));
    const outlet = this.#outlet;
    this.#reports = new Reports(this.limits);
    this.#fleet = new Fleet(this.limits, this.#fleetPort());
    this.#searches = new Searches(this.#fleet, {
      hash: options.hash ?? hashOf,
      ageMs: (record) => this.#ledger.ageMs(record, this.#nowMs),
      accepted: (job, piece, miner) => this.#accepted(job, piece, miner),
      suspected: (job, reason, miner) => {
        outlet.tell("warn", `miner ${miner.connId}: ${reason} in job ${nameOf(job)}`, "doubt");
      },
    });
    const propose = (id: number, command: Uint8Array): void =>
      outlet.effects.push({ kind: "propose", id, command });
    this.#ledger = new Ledger(options.table ?? new TableMachine(), {
      propose: options.table === undefined ? undefined : propose,
      unixMs: options.unixMs ?? ((nowMs) => nowMs),
    });
    const searchLast = (job: SearchJob): void => this.#searches.searchLast(job);
    this.#clients = new Clients(
      this.limits,
      this.#ledger,
      this.#fleet,
      this.#shares,
      outlet,
      searchLast,
    );
    const port: KindPort = {
      write: (connId, message) => outlet.write(connId, message),
      tell: (level, text) => outlet.tell(level, text),
      addressOf: (connId) => outlet.addressOf(connId),
      reject: (reason) => outlet.reject(reason),
      rows: this.#ledger,
    };
    this.#kinds = new Kinds(options.kinds ?? [], this.#fleet, port);
    this.#miners = new Miners(this.limits, this.#fleet, this.#shares, outlet, (connId, why) => {
      this.#reports.forget(connId);
      this.#kinds.gone(connId, why, this.#nowMs);
    });
  }

  handle(input: ServerInput | Wake, nowMs: Millis): void {
    this.#nowMs = this.#outlet.nowMs = nowMs;
    if (input.kind === "payload") this.#handlePayload(input.connId, input.wire, input.payload);
    else if (input.kind === "gone") this.#handleGone(input.connId, input.why);
    else if (input.kind === "decided") this.#ledger.decided(input, nowMs);
    else if (input.kind === "lead") {
      this.#ledger.retry(nowMs);
      this.#clients.lead(nowMs);
      this.#kinds.lead(nowMs);
    } else if (input.kind === "leave") this.#ledger.flush(0, nowMs);
    else this.#handleWake();
    this.#ledger.expire(nowMs);
    this.#schedule();
  }

  poll(): ServerEffect | undefined {
    return this.#outlet.effects.poll();
  }

  wakeAtMs(): Millis | undefined {
    return earlier(this.#tickMs, this.#ledger.wakeAtMs);
  }

  /** The state of everything, as plain data. */
  snapshot(): ServerSnapshot {
    const [reports, closing] = [this.#reports.buckets, this.#outlet.closing.size];
    const tables = { ...this.#clients.tableSizes(), reports, closing };
    return snapshotOf(this.#fleet, tables, this.#outlet.rejected);
  }

  /** Why what is proposed cannot be kept just now; "" when it can. */
  get trouble(): string {
    return this.#ledger.trouble;
  }

  // ---- inputs

  #handlePayload(connId: number, wire: Wire, payload: Uint8Array): void {
    if (this.#outlet.closing.has(connId)) return;
    const miner = this.#fleet.roster.workers.get(connId);
    if (wire === "json") return this.#handleClassic(connId, miner, payload);
    const message = decodeMessage(payload);
    const isClient = this.#clients.clientAt(connId) !== undefined;
    if (typeof message === "string") {
      this.#outlet.reject(message);
      const head = headOf(payload);
      const isRequest = head === undefined || head.kind === "submit" || !isClient;
      if (miner !== undefined || !isRequest) return;
      return this.#refuseUnread(connId, wire, message, head?.kind === "submit" ? head.number : 0);
    }
    if (this.#kinds.handle(connId, miner, message, this.#nowMs)) return;
    if (miner !== undefined) return this.#handleReport(miner, message);
    if (isClient || FIRST_WORDS.has(message.kind)) {
      return this.#clients.handle(connId, message, this.#nowMs);
    }
    if (message.kind !== "join") return this.#outlet.reject(`${message.kind} from a stranger`);
    this.#miners.join(connId, "cbor", message, this.#nowMs);
  }

  #handleReport(miner: Miner, message: Message): void {
    const searches = this.#searches;
    const { connId } = miner;
    if (message.kind === "progress" && !this.#reports.admit(connId, message, this.#nowMs)) return;
    if (message.kind === "result" || message.kind === "stopped") {
      this.#reports.supersede(connId, message.chunk);
    }
    switch (message.kind) {
      case "resume":
        return this.#resume(miner, message);
      case "hashing":
        return this.#miners.learn(miner, message);
      case "progress":
        return this.#miners.judge(searches.progress(miner, message, this.#nowMs), this.#nowMs);
      case "result":
        return this.#miners.judge(searches.result(miner, message, this.#nowMs), this.#nowMs);
      case "shrunk":
        return this.#miners.judge(searches.shrunk(miner, message, this.#nowMs), this.#nowMs);
      case "stopped":
        return this.#miners.judge(searches.stopped(miner, message, this.#nowMs), this.#nowMs);
      default:
        return this.#outlet.reject(`${message.kind} from a miner`);
    }
  }

  /** A miner says what it has in hand of an earlier connection. */
  #resume(miner: Miner, { held }: Resume): void {
    if (miner.hasResumed) return this.#outlet.reject("resume for the second time");
    miner.hasResumed = true;
    const chunks = held.map((each) => {
      const name = this.#ledger.table.nameOf(each.job);
      const job = name && this.#clients.jobOf(name);
      if (job === undefined || job.isDone) return 0;
      const taken = this.#searches.resume(miner, job, each, this.#nowMs);
      if (typeof taken === "number") return taken;
      this.#outlet.reject(taken);
      return 0;
    });
    this.#outlet.write(miner.connId, { kind: "resumed", chunks });
  }

  #handleClassic(connId: number, miner: Miner | undefined, payload: Uint8Array): void {
    const message = decodeClassicMessage(payload);
    if (typeof message === "string") {
      this.#outlet.reject(message);
      return miner === undefined ? this.#refuseUnread(connId, "json", message, 0) : undefined;
    }
    const isClient = this.#clients.clientAt(connId) !== undefined;
    if (message.type === 1 && miner === undefined) {
      return this.#clients.handleRequest(connId, message, this.#nowMs);
    }
    if (message.type === 2 && miner !== undefined) {
      return this.#miners.judge(
        this.#searches.classicResult(miner, message, this.#nowMs),
        this.#nowMs,
      );
    }
    if (message.type === 0 && miner === undefined && !isClient) {
      return this.#miners.join(
        connId,
        "json",
        { threads: 0, rate: 0, label: "classic", name: "" },
        this.#nowMs,
      );
    }
    const who = miner !== undefined ? "a miner" : isClient ? "a client" : "a stranger";
    this.#outlet.reject(`classic ${["Join", "Request", "Result"][message.type]} from ${who}`);
  }

  /**
   * Says no to a request that cannot be read: to that of job `job`, or, where it is not known which
   * one it is (0), to the peer. The json wire has no words for it but to hang up.
   */
  #refuseUnread(connId: number, wire: Wire, why: string, job: number): void {
    const reason = `the request cannot be read: ${why}`;
    if (this.#clients.clientAt(connId)?.asker.jobs.has(job) === true) return;
    this.#outlet.tell("warn", `connection ${connId} refused: ${reason}`, "stranger");
    if (wire === "cbor") this.#outlet.write(connId, { kind: "refused", job, reason });
    if (job === 0) this.#outlet.close(connId);
  }

  #handleGone(connId: number, why = "its connection ended"): void {
    this.#outlet.closing.delete(connId);
    const miner = this.#fleet.roster.workers.get(connId);
    if (miner !== undefined) this.#miners.part(miner, why, this.#nowMs);
    else {
      this.#kinds.gone(connId, why, this.#nowMs);
      this.#clients.leave(connId, why, this.#nowMs);
    }
  }

  #handleWake(): void {
    this.#ledger.wake(this.#nowMs);
    if (this.#tickMs === undefined || this.#nowMs < this.#tickMs) return;
    this.#tickMs = undefined;
    for (const [connId, report] of this.#reports.takeAll()) {
      const miner = this.#fleet.roster.workers.get(connId);
      if (miner !== undefined)
        this.#miners.judge(this.#searches.progress(miner, report, this.#nowMs), this.#nowMs);
    }
    this.#fleet.tick(this.#nowMs);
    this.#clients.tellStatus(this.#nowMs);
    this.#kinds.tick(this.#nowMs);
    this.#clients.dropOrphans(this.#nowMs);
    this.#ledger.flush(this.limits.batchMs, this.#nowMs);
  }

  // ---- effects

  #fleetPort(): FleetPort {
    return {
      assign: (task) => void (this.#kinds.assign(task) || this.#assign(task as Chunk)),
      shrink: (task) => {
        const upper = (task as Chunk).askedEnd - 1n;
        this.#outlet.write(task.worker.connId, { kind: "shrink", chunk: task.id, upper });
      },
      stop: (task) => this.#outlet.write(task.worker.connId, { kind: "stop", chunk: task.id }),
      done: (job) => {
        if (job instanceof SearchJob) this.#clients.answer(job, this.#nowMs);
        else this.#kinds.done(job, this.#nowMs);
      },
      hopeless: (job, reason) => {
        if (job instanceof SearchJob) this.#clients.giveUp(job, reason, this.#nowMs);
        else this.#kinds.hopeless(job, reason, this.#nowMs);
      },
      stalled: (miner) => {
        const works = miner.standing === "proven";
        const text = works ? "works again" : "has stalled: its work goes to others";
        this.#outlet.tell(works ? "info" : "warn", `${called(miner)} ${text}`, "standing");
      },
      letGo: (miner, reason) => this.#miners.dismiss(miner, `let go: ${reason}`, this.#nowMs),
    };
  }

  #assign(chunk: Chunk): void {
    const { connId, steerable } = chunk.worker;
    const { spec, id } = chunk.search!.record;
    const { subject, target } = spec;
    const [lower, upper] = [chunk.lower, chunk.end - 1n];
    if (steerable) {
      const work = { subject, lower, upper, ...(target !== undefined && { target }) };
      return this.#outlet.write(connId, {
        kind: "assign",
        chunk: chunk.id,
        work,
        ...(id !== 0 && { job: id }),
      });
    }
    invariant(typeof subject === "string", "a classic miner gets messages only");
    this.#outlet.writeRaw(connId, encodeClassicMessage(classicRequest(subject, lower, upper)));
  }

  #accepted(job: SearchJob, piece: Interval, miner: Miner | undefined): void {
    this.#ledger.note(job);
    this.#onAccept?.({
      client: askerOf(job).connId,
      job: job.record.name.number,
      subject: job.record.spec.subject,
      lower: piece.lower,
      upper: piece.end - 1n,
      miner: miner?.connId,
    });
  }

  /** The clocks run while a job lives or a miner owes an answer. */
  #schedule(): void {
    const { jobs, roster } = this.#fleet;
    const needed = jobs.size > 0 || roster.isOwed || this.#reports.size > 0 || this.#kinds.isBusy;
    if (!needed) this.#tickMs = undefined;
    else this.#tickMs ??= this.#nowMs + this.limits.tickMs;
  }
}
