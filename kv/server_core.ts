/**
 * A server of the store: takes its clients' requests, has commands replicated and reads confirmed,
 * and answers. Nothing is answered before it is applied here; nothing is read before the state is
 * known to be recent.
 *
 * @module
 */
import { earlier, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Random } from "../base/random.ts";
import { clipped } from "../base/text.ts";
import type { SessionAnswer } from "../raft/mod.ts";
import { type Command, encodeCommand, grantedLease, isOfClients } from "./commands.ts";
import { denialOf, denialOfSession } from "./denials.ts";
import { tellRun } from "./run_answers.ts";
import { Keeper } from "./keeper.ts";
import { HINT_BYTES_MAX, LOOK_MS, PART_BYTES, REQUESTS_MAX } from "./limits.ts";
import {
  type Denial,
  decodeRequest,
  encodeAnswerReply,
  encodeReply,
  idOfUnread,
  type Reply,
  type Request,
} from "./messages.ts";
import type { Store } from "./store.ts";
import type { ClientId, LogEntry, ServerEffect, ServerInput } from "./types.ts";
import { Watches } from "./watches.ts";

/** What a core is made of. */
export interface ServerOptions {
  /** The state, to which somebody else applies the log. */
  readonly store: Store;
  /** Draws names that no other server draws. */
  readonly random: Random;
  /** What a server says of itself: JSON. */
  readonly status: () => string;
  /** Looks after leases while this node leads; only tests have another. */
  readonly keeper?: Keeper;
  /** Larger commands go into the log in parts; {@link PART_BYTES} if left out. */
  readonly partBytes?: number;
}

/** What a client has under way. */
interface Load {
  count: number;
}

type NamedRequest = Request & { readonly id: number };

/** A request that is under way. */
interface ClientsRequest {
  readonly client: ClientId;
  readonly request: NamedRequest;
  readonly load: Load;
}

/** As how many requests it counts. */
const countOf = (request: Request): number => (request.kind === "writes" ? request.count : 1);

/** What waits for the log: a client's request, or something of the server's own. */
type Waiting = ClientsRequest | "own" | "keeper" | "start" | "beat";

/** A server that could not confirm so many beats sends its watches elsewhere. */
const BEATS_LOST_MAX = 2;

/** See the module. */
export class ServerCore implements Machine<ServerInput, ServerEffect> {
  readonly #store: Store;
  readonly #random: Random;
  readonly #partBytes: number;
  readonly #status: () => string;
  readonly #out = new Outbox<ServerEffect>();
  readonly #keeper: Keeper;
  readonly #watches: Watches;
  readonly #waiting = new Map<number, Waiting>();
  /** Requests under way, by client. */
  readonly #loads = new Map<ClientId, Load>();
  #tickets = 0;
  #isLeader = false;
  #leader = "";
  /** Why the disk takes nothing, while it is full; "": it does. */
  diskTrouble = "";
  /** When it is asked again whether this new leader's state has all that there was before. */
  #startAtMs: Millis | undefined;
  /** Beats for watches, one after the other, that could not be confirmed. */
  #beatsLost = 0;
  /** Messages that made no sense. */
  malformed = 0;

  constructor({ store, random, status, keeper, partBytes = PART_BYTES }: ServerOptions) {
    this.#partBytes = partBytes;
    this.#store = store;
    this.#random = random;
    this.#status = status;
    this.#keeper = keeper ?? new Keeper(store);
    this.#watches = new Watches(store, (client, reply) => this.#send(client, reply));
  }

  /** Watches of all clients. */
  get watches(): number {
    return this.#watches.size;
  }

  handle(input: ServerInput | Wake, nowMs: Millis): void {
    switch (input.kind) {
      case "message":
        this.#message(input.client, input.bytes);
        break;
      case "gone":
        this.#watches.removeAll(input.client);
        this.#loads.delete(input.client);
        break;
      case "applied":
        for (const { ticket, answer } of input.applied) this.#applied(ticket, answer, nowMs);
        break;
      case "rejected":
        this.#failed(input.ticket, denialOf(input.why), input.leader, nowMs);
        break;
      case "unsure":
        this.#failed(input.ticket, "unsure", "", nowMs);
        break;
      case "unreadable":
        this.#failed(input.ticket, "no leader", input.leader, nowMs);
        break;
      case "readable":
        for (const ticket of input.tickets) this.#readable(ticket, nowMs);
        break;
      case "managed":
        this.#managed(input.ticket, input.error);
        break;
      case "role":
        this.#role(input.isLeader, input.leader);
        break;
      case "disk":
        this.diskTrouble = clipped(input.trouble, HINT_BYTES_MAX);
        break;
      case "advanced":
        this.#watches.advanced();
        break;
      case "wake":
        break;
    }
    this.#keep(nowMs);
  }

  poll(): ServerEffect | undefined {
    return this.#out.poll();
  }

  wakeAtMs(): Millis | undefined {
    const ownAtMs = earlier(this.#keeper.wakeAtMs(), this.#startAtMs);
    return earlier(ownAtMs, this.#watches.beatAtMs());
  }

  // ---- requests

  #message(client: ClientId, bytes: Uint8Array): void {
    const request = decodeRequest(bytes);
    if (request === undefined) {
      this.malformed++;
      const id = idOfUnread(bytes);
      if (id !== undefined) return this.#deny(client, id, "malformed");
      const reason = "a message of another version, or none";
      this.#out.push({ kind: "close", client, reason });
      return;
    }
    switch (request.kind) {
      case "seen":
        return this.#watches.seen(client, request.id);
      case "unwatch":
        return this.#watches.remove(client, request.id);
      case "close":
        if (!this.#isLeader || request.session === 0) return;
        return this.#submit("own", { kind: "end", sessions: [request.session] });
      case "status":
        return this.#send(client, { kind: "status", id: request.id, text: this.#status() });
      case "watch": {
        if (!this.#watches.add(client, request)) this.#deny(client, request.id, "too many watches");
        return;
      }
      default:
    }
    const load = this.#loads.get(client) ?? { count: 0 };
    if (load.count === 0) this.#loads.set(client, load);
    if (load.count + countOf(request) > REQUESTS_MAX) {
      return this.#denyAll(client, request, "overloaded");
    }
    const waiting = { client, request, load };
    switch (request.kind) {
      case "open":
        return this.#submitFor(waiting, { kind: "open" });
      case "write":
        return this.#write(waiting, request);
      case "writes": {
        const { session, number, lowest, commands } = request;
        return this.#submitFor(waiting, { kind: "run", session, number, lowest, commands });
      }
      case "manage": {
        if (!this.#isLeader) return this.#deny(client, request.id, "not leader");
        const { deed, node } = request;
        const ticket = this.#wait(waiting);
        this.#out.push({ kind: "manage", ticket, deed, node });
        return;
      }
      case "renew":
        if (!this.#isLeader) return this.#deny(client, request.id, "not leader");
        return this.#read(waiting);
      default:
        if (request.isStale) return this.#answerRead(client, request);
        return this.#read(waiting);
    }
  }

  #write(waiting: ClientsRequest, request: Request & { readonly kind: "write" }): void {
    const { client } = waiting;
    const { id, session, number, lowest } = request;
    if (!isOfClients(request.command)) return this.#deny(client, id, "malformed");
    const command = this.#isLeader ? this.#inParts(request.command) : request.command;
    const isPlain = session === 0;
    const inSession = { kind: "request", session, number, lowest, command } as const;
    this.#submitFor(waiting, isPlain ? { kind: "plain", command } : inSession);
  }

  /** The log takes no large entries: a large command goes ahead in parts. */
  #inParts(command: Uint8Array): Uint8Array {
    if (command.length <= this.#partBytes) return command;
    const upload = this.#random() * 2 ** 20 + (this.#random() >>> 12) + 1;
    const size = command.length;
    for (let offset = 0; offset < size; offset += this.#partBytes) {
      const bytes = command.subarray(offset, offset + this.#partBytes);
      this.#submit("own", plain({ kind: "part", upload, size, offset, bytes }));
    }
    return encodeCommand({ kind: "whole", upload });
  }

  #submitFor(waiting: ClientsRequest, entry: LogEntry): void {
    // A node that does not lead says so at once; the log would say the same.
    if (!this.#isLeader) return this.#denyAll(waiting.client, waiting.request, "not leader");
    this.#submit(waiting, entry);
  }

  #submit(waiting: Waiting, entry: LogEntry): void {
    this.#out.push({ kind: "submit", ticket: this.#wait(waiting), entry });
  }

  #read(waiting: Waiting): void {
    this.#out.push({ kind: "read", ticket: this.#wait(waiting) });
  }

  #wait(waiting: Waiting): number {
    const ticket = ++this.#tickets;
    this.#waiting.set(ticket, waiting);
    if (typeof waiting === "object") waiting.load.count += countOf(waiting.request);
    return ticket;
  }

  #take(ticket: number): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (typeof waiting === "object") waiting.load.count -= countOf(waiting.request);
    return waiting;
  }

  // ---- answers

  #applied(ticket: number, answer: SessionAnswer, nowMs: Millis): void {
    const waiting = this.#take(ticket);
    if (typeof waiting !== "object") return;
    const { client, request } = waiting;
    const { id } = request;
    switch (answer.kind) {
      case "opened":
        return this.#send(client, { kind: "opened", id, session: answer.session });
      case "refused":
        return this.#denyAll(client, request, denialOfSession(answer.why));
      case "ran":
        return tellRun(id, answer.answers, {
          done: (bytes) => this.#out.push({ kind: "send", client, bytes }),
          refused: (each, why) => this.#deny(client, each, why),
        });
      case "done": {
        const { answer: bytes } = answer;
        const lease = grantedLease(bytes);
        if (lease !== undefined) this.#keeper.granted(lease, nowMs);
        return this.#out.push({ kind: "send", client, bytes: encodeAnswerReply(id, bytes) });
      }
      case "ended":
    }
  }

  #failed(ticket: number, why: Denial, leader: string, nowMs: Millis): void {
    const waiting = this.#take(ticket);
    if (leader !== "") this.#leader = leader;
    if (waiting === "beat" && ++this.#beatsLost >= BEATS_LOST_MAX) {
      // It may be cut off, or belong to the cluster no more: others can serve them.
      this.#watches.turnAway((client, id) => this.#deny(client, id, "no leader"));
    }
    if (waiting === "keeper") this.#keeper.retry(nowMs);
    if (waiting === "start" && this.#isLeader) this.#startAtMs = nowMs + LOOK_MS;
    if (typeof waiting === "object") this.#denyAll(waiting.client, waiting.request, why);
  }

  #readable(ticket: number, nowMs: Millis): void {
    const waiting = this.#take(ticket);
    if (waiting === "beat") {
      this.#beatsLost = 0;
      return this.#watches.beat();
    }
    if (waiting === "start") {
      if (this.#isLeader) this.#keeper.start(nowMs);
      return;
    }
    if (typeof waiting !== "object") return;
    const { client, request } = waiting;
    if (request.kind === "renew") return this.#renew(client, request, nowMs);
    if (request.kind === "get" || request.kind === "list") this.#answerRead(client, request);
  }

  #managed(ticket: number, error: string): void {
    const waiting = this.#take(ticket);
    if (typeof waiting !== "object") return;
    const { client, request } = waiting;
    this.#send(client, { kind: "managed", id: request.id, error: clipped(error, HINT_BYTES_MAX) });
  }

  #answerRead(client: ClientId, request: Request & { readonly kind: "get" | "list" }): void {
    const store = this.#store;
    const { id } = request;
    const { revision } = store;
    if (request.kind === "get") {
      const item = store.get(request.key);
      const version = item?.version ?? 0;
      return this.#send(client, { kind: "value", id, revision, version, value: item?.value });
    }
    const { prefix, after, keysMax, isLasting } = request;
    const { items, hasMore } = store.list(prefix, after, keysMax, isLasting);
    this.#send(client, { kind: "page", id, revision, items, hasMore });
  }

  /** That this node leads was confirmed after the client had asked. */
  #renew(client: ClientId, { id, lease }: Request & { kind: "renew" }, nowMs: Millis): void {
    if (!this.#isLeader || !this.#keeper.isOn) return this.#deny(client, id, "no leader");
    const ttlMs = this.#keeper.renew(lease, nowMs);
    if (ttlMs === undefined) return this.#deny(client, id, "no lease");
    this.#send(client, { kind: "renewed", id, ttlMs });
  }

  #denyAll(client: ClientId, request: NamedRequest, why: Denial): void {
    const count = countOf(request);
    for (let i = 0; i < count; i++) this.#deny(client, request.id + i, why);
  }

  #deny(client: ClientId, id: number, why: Denial): void {
    const leader = this.#isLeader ? "" : this.#leader;
    const isLost = why === "no leader" || (why === "not leader" && leader === "");
    const about = this.diskTrouble;
    if (why === "no space" || (isLost && leader === "" && about !== "")) {
      this.#send(client, { kind: "denied", id, why: "no space", leader, about });
    } else this.#send(client, { kind: "denied", id, why: isLost ? "no leader" : why, leader });
  }

  #send(client: ClientId, reply: Reply): void {
    this.#out.push({ kind: "send", client, bytes: encodeReply(reply) });
  }

  // ---- the leader's own

  #role(isLeader: boolean, leader: string): void {
    this.#leader = leader;
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    this.#keeper.stop();
    // Its state may lack what earlier leaders committed.
    this.#startAtMs = isLeader ? -Infinity : undefined;
  }

  #keep(nowMs: Millis): void {
    if (this.#startAtMs !== undefined && nowMs >= this.#startAtMs) {
      this.#startAtMs = undefined;
      this.#read("start");
    }
    for (const command of this.#keeper.due(nowMs)) {
      this.#submit("keeper", plain(command));
    }
    const beatAtMs = this.#watches.beatAtMs();
    if (beatAtMs === undefined || nowMs < beatAtMs) return;
    this.#watches.beginBeat(nowMs);
    this.#read("beat");
  }
}

const plain = (command: Command): LogEntry => {
  return { kind: "plain", command: encodeCommand(command) };
};
