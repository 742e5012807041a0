/**
 * A simulated client of the store: a client's core on a clock of its own, and a record of what it
 * asked and was answered.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { byteString } from "../../base/byte_fields.ts";
import type { Event } from "../../kv/change_log.ts";
import { ClientCore } from "../../kv/client_core.ts";
import type {
  Call,
  CallOutcome,
  ClientEffect,
  ClientInput,
  NewCall,
} from "../../kv/client_types.ts";
import type { Change, Command } from "../../kv/commands.ts";
import type { HistoryChange, KvOp } from "../../kv/kv_model.ts";
import type { Reply } from "../../kv/messages.ts";
import type { NodeId } from "../../raft/mod.ts";
import { Computer } from "../engine/computer.ts";
import type { Line, Lines } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import { demand, type TraceLine } from "../engine/trace.ts";
import type { KvOracle } from "./oracle.ts";
import { placeOfClient, placeOfNode } from "./paths.ts";

/** What a client is made of. */
export interface SimClientOptions {
  readonly id: number;
  readonly seed: number;
  readonly loop: Loop;
  readonly paths: Lines<undefined>;
  readonly oracle: KvOracle;
  readonly servers: readonly NodeId[];
  readonly trace: TraceLine | undefined;
}

/** A watch, as its owner knows it. */
export interface SimWatch {
  readonly prefix: string;
  /** Everything up to here was seen; undefined: it has not begun. */
  upTo: number | undefined;
  ended: string | undefined;
  events: number;
}

/** Calls made within this time go out together, as those of one turn of the event loop do. */
const TURN_MS: Millis = 2;

/** See the module. */
export class SimClient {
  readonly id: number;
  readonly #options: SimClientOptions;
  readonly #core: ClientCore;
  readonly #process: Process<ClientInput, ClientEffect>;
  readonly #calls = new Map<number, (outcome: CallOutcome) => void>();
  readonly watches: Map<number, SimWatch> = new Map();
  #ids = 0;
  #dials = 0;
  #line: Line | undefined;
  /** Calls that go out together. */
  #made: NewCall[] = [];
  answered = 0;
  unknown = 0;
  /** Bare writes that met a newer version when they were sent again. */
  maybes = 0;
  /** Calls that are not over. */
  open = 0;

  constructor(options: SimClientOptions) {
    this.#options = options;
    this.id = options.id;
    const { loop, seed, servers, id } = options;
    const computer = new Computer({ name: `client ${id}`, loop });
    this.#core = new ClientCore({
      servers: servers.map(String),
      random: seededRandom(seed, 200_000 + id),
    });
    this.#process = new Process({
      computer,
      core: this.#core,
      carryOut: (effect) => this.#carryOut(effect),
    });
  }

  get server(): string {
    return this.#core.server;
  }

  /** Asks for something, and has it in the history if it is about keys. */
  call(call: Call, done: (outcome: CallOutcome) => void = () => {}, forMs?: Millis): void {
    const { loop, oracle, trace } = this.#options;
    const id = ++this.#ids;
    const callMs = loop.nowMs;
    this.open++;
    this.#calls.set(id, (outcome) => {
      this.open--;
      const op = answeredOp(call, outcome);
      const isUnknown = "failure" in outcome && outcome.failure === "unknown";
      const isMaybe = call.kind === "write" && call.isBare && isMaybeOutcome(outcome);
      if (isMaybe) this.maybes++;
      if (isUnknown || isMaybe) this.unknown++;
      else this.answered++;
      const returnMs = isUnknown || isMaybe ? Infinity : loop.nowMs;
      trace?.(() => `client ${this.id}: ${JSON.stringify(op)} ${JSON.stringify(outcome)}`);
      if (op !== undefined) oracle.history.push({ client: this.id, op, callMs, returnMs });
      done(outcome);
    });
    const deadlineMs = forMs === undefined ? undefined : callMs + forMs;
    this.#made.push({ id, call, deadlineMs });
    if (this.#made.length === 1) loop.after(TURN_MS, () => this.#flush());
  }

  #flush(): void {
    const calls = this.#made;
    if (calls.length === 0) return;
    this.#made = [];
    this.#process.tell({ kind: "calls", calls });
  }

  /** Writes what is left open into the history: it may have been done. */
  endHistory(): void {
    // A call that is still open was asked before, and has no answer.
    demand(this.open === 0, () => `client ${this.id} has ${this.open} calls that are not over`);
  }

  watch(prefix: string, after?: number): SimWatch {
    const id = ++this.#ids;
    const watch: SimWatch = { prefix, upTo: after, ended: undefined, events: 0 };
    this.watches.set(id, watch);
    this.#process.tell({ kind: "watch", id, prefix, after });
    return watch;
  }

  close(): void {
    this.#flush();
    this.#process.tell({ kind: "close" });
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#dial(Number(effect.server));
      case "hangUp":
        this.#dials++;
        this.#line?.hangUp();
        this.#line = undefined;
        return;
      case "send":
        return this.#line?.say(effect.bytes);
      case "done": {
        const done = this.#calls.get(effect.id);
        demand(done !== undefined, () => `call ${effect.id} was answered twice`);
        this.#calls.delete(effect.id);
        // What it does next must not run inside of the core.
        this.#options.loop.after(0, () => done(effect.outcome));
        return;
      }
      case "events":
        return this.#events(effect.id, effect.events, effect.upTo);
      case "watchEnded": {
        const watch = this.watches.get(effect.id);
        if (watch !== undefined) watch.ended = effect.why;
      }
    }
  }

  #dial(server: NodeId): void {
    const dial = ++this.#dials;
    const isCurrent = (): boolean => dial === this.#dials;
    this.#options.paths.dial(placeOfClient(this.id), placeOfNode(server), undefined, {
      connected: (line) => {
        if (!isCurrent()) return line.hangUp();
        this.#line = line;
        this.#process.tell({ kind: "connected" });
      },
      received: (bytes) => {
        if (isCurrent()) this.#process.tell({ kind: "payload", bytes });
      },
      gone: () => {
        if (!isCurrent()) return;
        this.#line = undefined;
        this.#process.tell({ kind: "gone", why: "lost", about: "" });
      },
    });
  }

  #events(id: number, events: readonly Event[], upTo: number): void {
    const watch = this.watches.get(id)!;
    const { prefix } = watch;
    const who = `a watch of client ${this.id}`;
    if (watch.upTo !== undefined) {
      this.#options.oracle.watched(who, prefix, watch.upTo, events, upTo);
    }
    watch.upTo = upTo;
    watch.events += events.length;
    this.#options.loop.after(0, () => this.#process.tell({ kind: "taken", id }));
  }
}

/** Whether a write without a session was refused, and may be refused because it was done before. */
function isMaybeOutcome(outcome: CallOutcome): boolean {
  if ("failure" in outcome || !outcome.isDoubtful || outcome.reply.kind !== "answer") return false;
  const { answer } = outcome.reply;
  return answer.kind === "refused" || (answer.kind === "multi" && !answer.isDone);
}

/** The operation of the history that a call was; undefined when it certainly was none. */
function answeredOp(call: Call, outcome: CallOutcome): KvOp | undefined {
  const reply = "reply" in outcome ? outcome.reply : undefined;
  if (call.kind === "write") {
    if ("failure" in outcome && outcome.failure !== "unknown") return undefined;
    if (call.isBare && isMaybeOutcome(outcome)) return writeOp(call.command, undefined);
    return writeOp(call.command, reply);
  }
  if (call.kind === "get" && !call.isStale && reply?.kind === "value") {
    const value = reply.value === undefined ? null : byteString(reply.value);
    return { kind: "get", key: call.key, value, version: reply.version };
  }
  if (call.kind === "list" && !call.isStale && reply?.kind === "page" && !reply.hasMore) {
    const entries = reply.items.map(({ key, value, version }) => {
      return { key, value: byteString(value), version };
    });
    return { kind: "list", prefix: call.prefix, entries };
  }
  return undefined;
}

function writeOp(command: Command, reply: Reply | undefined): KvOp | undefined {
  const answer = reply?.kind === "answer" ? reply.answer : undefined;
  if (answer?.kind === "failed") return undefined;
  const one = answer?.kind === "done" || answer?.kind === "refused" ? answer : undefined;
  const ok = one && one.kind === "done";
  const version = one?.version;
  switch (command.kind) {
    case "put":
    case "delete": {
      const { key, at, value } = command.change;
      const text = value === undefined ? null : byteString(value);
      return { kind: command.kind, key, at, value: text, ok, version };
    }
    case "append": {
      const { key, at, value } = command;
      return { kind: "append", key, at, value: byteString(value), ok, version };
    }
    case "multi": {
      const changes = command.changes.map(historyChange);
      return { kind: "multi", changes, ok: answer?.kind === "multi" ? answer.isDone : undefined };
    }
    default:
      return undefined;
  }
}

function historyChange({ key, at, value }: Change): HistoryChange {
  const text = value === undefined ? null : byteString(value);
  return { key, value: text, ...(at !== undefined && { at }) };
}
