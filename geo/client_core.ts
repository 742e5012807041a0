/**
 * A client of the geo store: sends each operation, in one request, to the actor that its router
 * picks. Operations never wait for each other.
 *
 * @module
 */
import type { Machine, Millis, Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Shown } from "./replica.ts";
import { ANY_ACTOR, type Answer, decodeReply, encodeRequest, type Operation } from "./requests.ts";
import type { Router, Target } from "./routers.ts";

/** A server that did not answer is passed over for this long, where others are to be had. */
const DOWN_MS: Millis = 10_000;
/** With retry, a server that is not connected after this long is tried beside the next one. */
const TRY_MS: Millis = 1500;
/** Times to a server are measured anew this often. */
const MEASURE_MS: Millis = 10_000;

/** Why an operation failed. */
export type CallFailure = "unreachable" | "unknown" | "timed out" | "not understood";

export type ClientInput =
  | {
      readonly kind: "call";
      /** 1 or more, used once. */
      readonly id: number;
      readonly operation: Operation;
      /** The server that it is for; picked by the router if left out. */
      readonly server?: string | undefined;
      readonly deadlineMs: Millis | undefined;
    }
  /** Nobody waits for it any more. */
  | { readonly kind: "forget"; readonly id: number }
  | { readonly kind: "connected"; readonly server: string }
  | { readonly kind: "payload"; readonly server: string; readonly bytes: Uint8Array }
  | { readonly kind: "gone"; readonly server: string; readonly reason: string };

export type ClientEffect =
  /** Connect; answered by `connected` or `gone`. */
  | { readonly kind: "dial"; readonly server: string }
  | { readonly kind: "send"; readonly server: string; readonly bytes: Uint8Array }
  | { readonly kind: "answered"; readonly id: number; readonly answer: Answer }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly failure: CallFailure;
      readonly reason: string;
    }
  /** To a watch. */
  | { readonly kind: "events"; readonly id: number; readonly changes: readonly Shown[] }
  /** A watch goes on at another server: what changed meanwhile was not told. */
  | { readonly kind: "resumed"; readonly id: number };

/** What a client is made of. */
export interface ClientCoreOptions {
  /** `HOST:PORT` of each server, at least one. */
  readonly servers: readonly string[];
  readonly router: Router;
  /** Whether an operation goes to the next server when one does not answer. */
  readonly retries: boolean;
}

/** A call that is not answered yet. */
interface Call {
  readonly id: number;
  readonly operation: Operation;
  /** The server that it is for, if it may go to no other. */
  readonly server: string | undefined;
  readonly deadlineMs: Millis | undefined;
  /** Addresses of servers. */
  readonly tried: string[];
  /** Where it is, and for which actor there. */
  at: Server | undefined;
  actor: number;
  /** When it came there. */
  placedMs: Millis;
  /** When it was sent; undefined: it waits for the connection. */
  sentMs: Millis | undefined;
  /** A watch that was taken. */
  isWatching: boolean;
}

class Server {
  readonly address: string;
  isConnected = false;
  isDialing = false;
  actors = 0;
  roundTripMs: Millis | undefined;
  downMs: Millis = -Infinity;
  reason = "";
  /** The measurement under way, and when the last began. */
  helloId = 0;
  helloMs: Millis = -Infinity;

  constructor(address: string) {
    this.address = address;
  }
}

/** See the module. */
export class ClientCore implements Machine<ClientInput, ClientEffect> {
  readonly #options: ClientCoreOptions;
  readonly #servers: Map<string, Server>;
  readonly #calls = new Map<number, Call>();
  readonly #out = new Outbox<ClientEffect>();
  #nowMs: Millis = 0;
  /** No call is to be given up or moved sooner: looked at then, and not at every step. */
  #checkAtMs: Millis = Infinity;
  /** What a router is shown, until something changes, or a server counts as up again. */
  #targets: Target[] | undefined;
  #targetsUntilMs: Millis = 0;

  constructor(options: ClientCoreOptions) {
    this.#options = options;
    this.#servers = new Map(options.servers.map((server) => [server, new Server(server)]));
  }

  handle(input: ClientInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    switch (input.kind) {
      case "call":
        this.#begin(input);
        break;
      case "forget":
        this.#forget(input.id);
        break;
      case "connected":
        this.#connected(this.#servers.get(input.server)!);
        break;
      case "payload":
        this.#payload(this.#servers.get(input.server)!, input.bytes);
        break;
      case "gone":
        this.#gone(this.#servers.get(input.server)!, input.reason);
        break;
      case "wake":
        break;
    }
    if (nowMs >= this.#checkAtMs) this.#expire();
  }

  poll(): ClientEffect | undefined {
    return this.#out.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.#checkAtMs === Infinity ? undefined : this.#checkAtMs;
  }

  /** What a router is shown now. */
  get targets(): readonly Target[] {
    const nowMs = this.#nowMs;
    if (this.#targets !== undefined && nowMs < this.#targetsUntilMs) return this.#targets;
    this.#targetsUntilMs = Infinity;
    this.#targets = [...this.#servers.values()].flatMap((server): Target[] => {
      const { address, actors, roundTripMs, downMs } = server;
      const isDown = nowMs < downMs + DOWN_MS;
      if (isDown) this.#targetsUntilMs = Math.min(this.#targetsUntilMs, downMs + DOWN_MS);
      const one = { server: address, roundTripMs, isDown };
      if (actors === 0) return [{ ...one, actor: undefined }];
      return Array.from({ length: actors }, (_, actor) => ({ ...one, actor }));
    });
    return this.#targets;
  }

  // ---- calls

  #begin({ id, operation, server, deadlineMs }: ClientInput & { readonly kind: "call" }): void {
    const call: Call = {
      id,
      operation,
      server,
      deadlineMs,
      tried: [],
      at: undefined,
      actor: ANY_ACTOR,
      placedMs: this.#nowMs,
      sentMs: undefined,
      isWatching: false,
    };
    this.#calls.set(id, call);
    this.#send(call);
  }

  #send(call: Call): void {
    const target = this.#pick(call);
    const server = this.#servers.get(target.server)!;
    call.at = server;
    // Only the first actor of a server knows the other servers.
    call.actor = call.operation.kind === "forget" ? 0 : (target.actor ?? ANY_ACTOR);
    call.tried.push(server.address);
    call.sentMs = undefined;
    call.placedMs = this.#nowMs;
    if (server.isConnected) {
      this.#write(server, call);
      this.#measure(server);
    } else if (!server.isDialing) {
      server.isDialing = true;
      this.#out.push({ kind: "dial", server: server.address });
    }
    this.#checkAtMs = Math.min(this.#checkAtMs, this.#dueMs(call));
  }

  /** When a call is to be given up, or moved. */
  #dueMs(call: Call): Millis {
    if (call.isWatching) return Infinity;
    const { deadlineMs = Infinity } = call;
    return this.#mayMove(call) ? Math.min(deadlineMs, call.placedMs + TRY_MS) : deadlineMs;
  }

  #pick({ server, tried }: Call): Target {
    const { router, retries } = this.#options;
    const all = this.targets;
    const asked = all.find((target) => target.server === server);
    if (asked !== undefined) return asked;
    if (!retries) return router(all);
    const untried = all.filter((target) => !tried.includes(target.server));
    const up = untried.filter(({ isDown }) => !isDown);
    return router(up.length > 0 ? up : untried);
  }

  #write(server: Server, call: Call): void {
    call.sentMs = this.#nowMs;
    const { id, operation, actor } = call;
    const bytes = encodeRequest({ id, actor, operation });
    this.#out.push({ kind: "send", server: server.address, bytes });
  }

  #forget(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    if (call.operation.kind !== "watch" || call.sentMs === undefined) return;
    const operation: Operation = { kind: "unwatch", watch: id };
    const bytes = encodeRequest({ id: 0, actor: call.actor, operation });
    this.#out.push({ kind: "send", server: call.at!.address, bytes });
  }

  /** Whether a call that waits for a connection may wait for another instead. */
  #mayMove({ sentMs, server, tried }: Call): boolean {
    if (sentMs !== undefined || server !== undefined) return false;
    return this.#options.retries && tried.length < this.#servers.size;
  }

  /** Moves calls and gives them up whose time has come. */
  #expire(): void {
    this.#checkAtMs = Infinity;
    for (const call of this.#calls.values()) {
      if (this.#mayMove(call) && this.#nowMs >= call.placedMs + TRY_MS) {
        this.#isDown(call.at!);
        this.#send(call);
      }
      const { id, deadlineMs = Infinity, sentMs, operation, isWatching } = call;
      if (isWatching || this.#nowMs < deadlineMs) {
        this.#checkAtMs = Math.min(this.#checkAtMs, this.#dueMs(call));
        continue;
      }
      this.#calls.delete(id);
      const isUnknown = sentMs !== undefined && isWrite(operation);
      const reason = `no answer from ${call.at!.address} in time`;
      this.#fail(id, isUnknown ? "unknown" : "timed out", reason);
    }
  }

  #isDown(server: Server): void {
    server.downMs = this.#nowMs;
    this.#targets = undefined;
  }

  #fail(id: number, failure: CallFailure, reason: string): void {
    this.#out.push({ kind: "failed", id, failure, reason });
  }

  // ---- connections

  #connected(server: Server): void {
    server.isConnected = true;
    server.isDialing = false;
    server.downMs = -Infinity;
    server.helloMs = -Infinity;
    server.helloId = 0;
    this.#targets = undefined;
    this.#measure(server);
    for (const call of this.#calls.values()) if (call.at === server) this.#write(server, call);
  }

  /** Asks how many actors there are, and how long an answer takes. */
  #measure(server: Server): void {
    if (server.helloId !== 0 || this.#nowMs < server.helloMs + MEASURE_MS) return;
    server.helloId = 1;
    server.helloMs = this.#nowMs;
    const bytes = encodeRequest({ id: 0, actor: ANY_ACTOR, operation: { kind: "hello" } });
    this.#out.push({ kind: "send", server: server.address, bytes });
  }

  #payload(server: Server, bytes: Uint8Array): void {
    const reply = decodeReply(bytes);
    if (reply === undefined) return this.#gone(server, `${server.address} sent what is no answer`);
    const { id, answer } = reply;
    if (answer.kind === "hello" && id === 0) {
      const tookMs = this.#nowMs - server.helloMs;
      const before = server.roundTripMs;
      server.roundTripMs = before === undefined ? tookMs : 0.7 * before + 0.3 * tookMs;
      server.actors = answer.actors;
      server.helloId = 0;
      this.#targets = undefined;
      return;
    }
    const call = this.#calls.get(id);
    if (call?.at !== server) return;
    if (call.operation.kind === "watch" && answer.kind === "events") {
      const { changes } = answer;
      if (changes.length > 0) return this.#out.push({ kind: "events", id, changes });
      if (call.isWatching) return this.#out.push({ kind: "resumed", id });
      call.isWatching = true;
      return this.#out.push({ kind: "answered", id, answer });
    }
    this.#calls.delete(id);
    this.#out.push({ kind: "answered", id, answer });
  }

  #gone(server: Server, reason: string): void {
    server.isConnected = false;
    server.isDialing = false;
    server.reason = reason;
    this.#isDown(server);
    const lost = [...this.#calls.values()].filter(({ at }) => at === server);
    for (const call of lost) {
      const { id, operation, sentMs, tried } = call;
      const isUnknown = sentMs !== undefined && isWrite(operation);
      // An add that may have been done is not done again.
      const mayGoOn = this.#options.retries && !(isUnknown && operation.kind === "add");
      if (call.isWatching && mayGoOn) {
        // A watch lives as long as there are servers to try: round and round.
        if (tried.length >= this.#servers.size) tried.length = 0;
      }
      const isLeft = call.server === undefined && tried.length < this.#servers.size;
      if (mayGoOn && isLeft) this.#send(call);
      else {
        this.#calls.delete(id);
        const all = tried.join(", ");
        const none = tried.length > 1 ? `no answer from any of ${all} (are they running?)` : reason;
        this.#fail(id, isUnknown ? "unknown" : "unreachable", isUnknown ? reason : none);
      }
    }
  }
}

function isWrite({ kind }: Operation): boolean {
  return kind === "put" || kind === "delete" || kind === "add" || kind === "forget";
}
