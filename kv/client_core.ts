/**
 * A client of the store: sends calls to the leader until they are answered, under one session,
 * so that each is done once; and knows of each that is not answered whether it may have been done.
 *
 * @module
 */
import { earlier, invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Random } from "../base/random.ts";
import { type Entry, entryOf, FINAL, isCertain, isIncomplete, requestOf } from "./client_entry.ts";
import { ClientCauses, type Reason } from "./client_causes.ts";
import { ClientIdle } from "./client_idle.ts";
import { ClientLink } from "./client_link.ts";
import { ClientRun } from "./client_run.ts";
import { ClientSession } from "./client_session.ts";
import type {
  Call,
  CallFailure,
  CallOutcome,
  ClientEffect,
  ClientInput,
  NewCall,
} from "./client_types.ts";
import { ClientWatches } from "./client_watches.ts";
import { ClientWindow } from "./client_window.ts";
import { encodeCommand } from "./commands.ts";
import { TouchIndex } from "./footprint.ts";
import {
  type AnswerReply,
  decodeReply,
  type Denial,
  encodeRequest,
  type Reply,
  type Request,
} from "./messages.ts";

/** Calls under way of one client, answered or given up; the library waits above. */
export const CALLS_MAX = 10_000;
/** A command that changes nothing: takes the place of one that was given up in time. */
const NOTHING: Uint8Array = encodeCommand({ kind: "expire", leases: [0] });

/** What a core is made of. */
export interface ClientOptions {
  /** Addresses of some servers, one at least. */
  readonly servers: readonly string[];
  readonly random: Random;
}

/** See the module. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  readonly #out = new Outbox<ClientEffect>();
  readonly #link: ClientLink;
  readonly #watches: ClientWatches;
  readonly #causes: ClientCauses;
  /** By call, in the order in which they were made. */
  readonly #calls = new Map<number, Entry>();
  readonly #touched = new TouchIndex<Entry>();
  /** What is to be sent. */
  readonly #idle = new ClientIdle();
  /** By the message under way. */
  readonly #sent = new Map<number, Entry>();
  readonly #session = new ClientSession();
  readonly #window = new ClientWindow();
  /** Writes that are about to be sent. */
  readonly #run = new ClientRun();
  #messageIds = 0;
  /** The message that opens a session; 0: none is under way. */
  #opening = 0;
  /** Whom to go to when everything under way is answered: a server that does not lead said so. */
  #goTo: string | undefined;
  #deadlineMs = Infinity;
  #isClosed = false;

  constructor({ servers, random }: ClientOptions) {
    invariant(servers.length > 0, "a client knows a server");
    this.#link = new ClientLink(servers, random, (effect) => this.#out.push(effect));
    this.#causes = new ClientCauses(servers);
    this.#watches = new ClientWatches(
      (request) => this.#send(request),
      (effect) => this.#out.push(effect),
    );
  }

  /** The server that it talks to, for people. */
  get server(): string {
    return this.#link.server;
  }

  /** Why a server did not do what it was last asked, for people; "" when it did. */
  get trouble(): string {
    return this.#causes.trouble || this.#link.trouble;
  }

  /** Calls that are not answered. */
  get open(): number {
    return this.#calls.size;
  }

  handle(input: ClientInput | Wake, nowMs: Millis): void {
    if (this.#isClosed) return;
    switch (input.kind) {
      case "calls":
        for (const call of input.calls) this.#add(call);
        break;
      case "abort":
        this.#giveUp(this.#calls.get(input.id), { failure: "aborted" });
        break;
      case "watch":
        this.#watches.add(input.id, input.prefix, input.after, input.isLasting === true);
        break;
      case "taken":
        this.#watches.taken(input.id, this.#link.isUp);
        break;
      case "unwatch":
        this.#watches.remove(input.id, this.#link.isUp);
        break;
      case "connected":
        this.#causes.connected(this.#link.server);
        this.#link.connected(nowMs);
        break;
      case "payload":
        this.#payload(input.bytes, nowMs);
        break;
      case "gone":
        this.#endAll(this.#causes.gone(this.#link.server, input, this.#isOwed));
        this.#link.gone(nowMs);
        break;
      case "close":
        this.#close();
        return;
      case "wake":
        break;
    }
    this.#expire(nowMs);
    this.#goOn(nowMs);
  }

  poll(): ClientEffect | undefined {
    return this.#out.poll();
  }

  wakeAtMs(): Millis | undefined {
    if (this.#isClosed || !this.#hasWork) return undefined;
    const deadlineMs = this.#deadlineMs === Infinity ? undefined : this.#deadlineMs;
    return earlier(this.#link.wakeAtMs(), deadlineMs);
  }

  get #hasWork(): boolean {
    return this.#calls.size > 0 || this.#watches.size > 0;
  }

  // ---- calls

  #add({ id, call, deadlineMs }: NewCall): void {
    const entry = entryOf(id, call, deadlineMs);
    this.#touched.enter(entry);
    this.#calls.set(id, entry);
    this.#idle.add(entry);
    if (deadlineMs !== undefined) this.#deadlineMs = Math.min(this.#deadlineMs, deadlineMs);
  }

  #finish(entry: Entry, outcome: CallOutcome): void {
    if (!entry.isGhost) this.#out.push({ kind: "done", id: entry.id, outcome });
    this.#remove(entry);
  }

  #remove(entry: Entry): void {
    const isIdle = entry.messageId === 0;
    this.#calls.delete(entry.id);
    this.#unsend(entry);
    this.#session.end(entry);
    if (isIdle) this.#idle.delete(entry);
    this.#touched.leave(entry);
  }

  /** Nobody waits for a call any more. */
  #giveUp(entry: Entry | undefined, why: Failed): void {
    if (entry === undefined || entry.isGhost) return;
    const outcome: Failed = isCertain(entry) ? why : { ...why, failure: "unknown" };
    if (entry.call.kind !== "write" || entry.number === 0) return this.#finish(entry, outcome);
    // The requests behind it wait for its number.
    this.#out.push({ kind: "done", id: entry.id, outcome });
    entry.isGhost = true;
    if (isCertain(entry)) entry.command = NOTHING;
    this.#touched.leave(entry);
  }

  #expire(nowMs: Millis): void {
    if (nowMs < this.#deadlineMs) return;
    this.#deadlineMs = Infinity;
    for (const entry of this.#calls.values()) {
      const { deadlineMs } = entry;
      if (deadlineMs === undefined || entry.isGhost) continue;
      if (deadlineMs <= nowMs) this.#giveUp(entry, { failure: "timed out" });
      else this.#deadlineMs = Math.min(this.#deadlineMs, deadlineMs);
    }
  }

  /** Nothing that was asked for will be done, for a reason; if there is one. */
  #endAll(reason: Reason | undefined): void {
    if (reason === undefined) return;
    for (const entry of this.#calls.values()) this.#giveUp(entry, reason);
    this.#watches.end(reason.failure, reason.about);
  }

  #close(): void {
    this.#isClosed = true;
    for (const entry of this.#calls.values()) {
      if (entry.isGhost) continue;
      const outcome: CallOutcome = { failure: isCertain(entry) ? "closed" : "unknown" };
      this.#out.push({ kind: "done", id: entry.id, outcome });
    }
    this.#watches.end("closed");
    const isIdle = this.#session.isIdle && this.#link.isUp;
    if (isIdle) this.#send({ kind: "close", session: this.#session.name });
    this.#out.push({ kind: "hangUp" });
  }

  /** Whether the server has something to answer. */
  get #isOwed(): boolean {
    return this.#sent.size > 0 || this.#opening > 0;
  }

  // ---- sending

  #goOn(nowMs: Millis): void {
    if (!this.#hasWork) return;
    this.#link.need(this.#isOwed || this.#watches.size > 0, nowMs);
    if (!this.#link.isUp) return this.#lost();
    if (this.#goTo !== undefined) {
      if (this.#isOwed) return;
      this.#link.misled(this.#goTo, nowMs);
      this.#lost();
      return this.#link.need(true, nowMs);
    }
    if (!this.#link.canSend(nowMs)) return;
    this.#watches.begin();
    this.#idle.sendBy(this.#trySend, this.#sendRun);
  }

  /** The connection is gone: what was under way is to be sent again, and may have been done. */
  #lost(): void {
    this.#opening = 0;
    this.#goTo = undefined;
    this.#watches.lost();
    if (this.#sent.size === 0) return;
    const lost = [...this.#sent.values()];
    for (const entry of lost) {
      this.#unsend(entry);
      entry.isDoubtful = true;
    }
    this.#idle.putBack(lost);
  }

  readonly #trySend = (entry: Entry): boolean => {
    if (entry.blockers > 0 || !this.#window.hasRoomFor(entry.command)) return false;
    const { call } = entry;
    const isOfSession = call.kind === "write" && !call.isBare;
    if (isOfSession && !this.#isNumbered(entry)) return false;
    const isOfRun = isOfSession && ClientRun.takes(entry);
    if (!isOfRun || !this.#run.hasRoomFor(entry)) this.#sendRun();
    entry.messageId = ++this.#messageIds;
    this.#sent.set(entry.messageId, entry);
    this.#window.sent(entry.command);
    if (isOfRun) this.#run.add(entry);
    else this.#send(requestOf(entry, isOfSession ? this.#session.lowest : 0));
    return true;
  };

  readonly #sendRun = (): void => {
    if (!this.#run.isEmpty) this.#send(this.#run.taken(this.#session.lowest));
  };

  /** Gives a write its number, if it has none and may be sent. */
  #isNumbered(entry: Entry): boolean {
    if (entry.number > 0 || this.#session.name !== 0) return this.#session.number(entry);
    if (this.#opening === 0) {
      this.#opening = ++this.#messageIds;
      this.#send({ kind: "open", id: this.#opening });
    }
    return false;
  }

  /** It is not under way any more. */
  #unsend(entry: Entry): void {
    if (!this.#sent.delete(entry.messageId)) return;
    entry.messageId = 0;
    this.#window.ended(entry.command);
  }

  #send(request: Request): void {
    this.#out.push({ kind: "send", bytes: encodeRequest(request) });
  }

  // ---- replies

  #payload(bytes: Uint8Array, nowMs: Millis): void {
    // What a server that was left still says is about messages that are not under way.
    if (!this.#link.isUp) return;
    const reply = decodeReply(bytes);
    if (reply === undefined) {
      this.#endAll(this.#causes.misread(this.#link.server, "answers what makes no sense here"));
      return this.#link.leave(nowMs);
    }
    this.#link.heard(nowMs);
    if (reply.kind === "opened") {
      if (reply.id !== this.#opening) return;
      this.#opening = 0;
      this.#session.begin(reply.session);
      return this.#wentWell();
    }
    if (reply.kind === "events") {
      this.#wentWell();
      return this.#watches.events(reply);
    }
    if (reply.kind === "denied") return this.#denied(reply, nowMs);
    if (reply.kind === "answers") {
      for (const [i, answer] of reply.answers.entries()) {
        const id = reply.id + i;
        this.#answered({ kind: "answer", id, answer }, bytes.length);
      }
    } else this.#answered(reply, bytes.length);
  }

  #answered(reply: AnswerReply, bytes: number): void {
    const entry = this.#sent.get(reply.id);
    if (entry === undefined) return;
    if (isOfOneServer(entry.call)) this.#link.wentWell();
    else this.#wentWell();
    if (entry.command === undefined) this.#window.answered(bytes);
    if (isIncomplete(reply) && !entry.isGhost) return this.#beginAgain(entry);
    this.#finish(entry, { reply, isDoubtful: entry.isDoubtful });
  }

  #wentWell(): void {
    this.#causes.wentWell();
    this.#link.wentWell();
  }

  /** Parts of a large command did not come into the log: it goes as one that was never sent. */
  #beginAgain(entry: Entry): void {
    this.#unsend(entry);
    this.#session.unnumber(entry);
    this.#idle.putBack([entry]);
  }

  #denied({ id, why, leader, about = "" }: Denied, nowMs: Millis): void {
    const isElsewhere = why === "not leader" || why === "no leader" || why === "no space";
    const isWatch = this.#watches.has(id);
    const isOpening = id === this.#opening && id !== 0;
    const entry = this.#sent.get(id);
    if (entry === undefined && !isOpening && !isWatch) return;
    this.#link.denied(why);
    const reason = this.#reasonOf(why, about, nowMs);
    if (isWatch && !isElsewhere) return this.#watches.denied(id, why);
    if (isOpening) {
      this.#opening = 0;
      for (const one of reason ? this.#idle.unnumbered : []) this.#finish(one, reason!);
    }
    if (entry !== undefined) {
      this.#unsend(entry);
      if (why === "unsure") entry.isDoubtful = true;
      this.#idle.putBack([entry]);
      if (reason !== undefined) this.#giveUp(entry, reason);
    }
    if (why === "unknown session") return this.#sessionLost(entry?.session ?? 0);
    // What the others under way come to is known before it goes.
    if (isElsewhere) this.#goTo ??= leader;
    else if (reason === undefined || isOpening) this.#link.hold(nowMs);
  }

  /** What a denial means for a call that is not to be made again. */
  #reasonOf(why: Denial, about: string, nowMs: Millis): Failed | undefined {
    if (why === "no space") return this.#causes.noSpace(this.#link.server, about, nowMs);
    const failure = FINAL[why];
    return failure && { failure };
  }

  /** A session has ended: what was certainly not done goes into the next, all else is unknown. */
  #sessionLost(session: number): void {
    this.#session.lost(session);
    for (const entry of this.#idle.ofSession(session)) {
      if (entry.isGhost) this.#remove(entry);
      else if (entry.isDoubtful) this.#finish(entry, { failure: "unknown" });
      else this.#session.unnumber(entry);
    }
  }
}

type Denied = Reply & { readonly kind: "denied" };
type Failed = CallOutcome & { readonly failure: CallFailure };

/** Whether what one server says of itself answers it, whatever becomes of the others. */
function isOfOneServer(call: Call): boolean {
  return call.kind === "status" || ("isStale" in call && call.isStale);
}
