/**
 * A client's core on real connections: one call, one promise.
 *
 * @module
 */
import { ConnectionClosed, ConnectRefused, type Params } from "../lsp/mod.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { hostAndPort } from "../run/flags.ts";
import type { Event } from "./change_log.ts";
import { CALLS_MAX, ClientCore } from "./client_core.ts";
import type { Call, ClientEffect, ClientInput, Gone, NewCall } from "./client_types.ts";
import { endOfWatch, errorOf } from "./client_errors.ts";
import { StoreError } from "./errors.ts";
import { type AnswerReply, APP_VERSION } from "./messages.ts";

/** Port of a server of the store unless told otherwise. */
export const KV_PORT = 6070;

/** When a call is given up. */
export interface CallOptions {
  /** Milliseconds from now; for ever if left out. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer; `isDoubtful`: an earlier sending of a write without a session may have been done. */
export interface Answered {
  readonly reply: AnswerReply;
  readonly isDoubtful: boolean;
}

/** What a watch is told. */
export interface WatchEvents {
  readonly onEvents: (events: readonly Event[], upTo: number) => void;
  readonly onEnd: (error: StoreError) => void;
}

interface Waiting {
  readonly isWrite: boolean;
  /** May throw: why it is no good answer. */
  readonly resolve: (answered: Answered) => void;
  readonly reject: (error: StoreError) => void;
  readonly release: (() => void) | undefined;
}

/** See the module. */
export class StoreClient {
  readonly #core: ClientCore;
  readonly #drive: Drive<ClientInput, ClientEffect>;
  readonly #params: Params | undefined;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watches = new Map<number, WatchEvents>();
  #uplink: Uplink | undefined;
  #ids = 0;
  /** Calls of this job of the event loop, which go out together. */
  #made: NewCall[] = [];
  /** How many there were at the last look. */
  #seen = 0;
  #goodbyes: Promise<void>[] = [];
  /** Why there is no connection, if there is none; for people. */
  trouble: string;

  /** Throws UsageError on a server that is no HOST:PORT. */
  constructor(servers: readonly string[], params?: Params) {
    for (const server of servers) hostAndPort(server, KV_PORT);
    this.#params = params;
    this.trouble = `no answer from ${servers.join(", ")}`;
    this.#core = new ClientCore({ servers, random: freshRandom() });
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
  }

  /** The server that it talks to, or last did. */
  get server(): string {
    return this.#core.server;
  }

  /** Why nothing is answered, as far as it is known; for people. */
  get why(): string {
    return this.#core.trouble === "" ? this.trouble : this.#core.trouble;
  }

  /** Asks for something. Rejects with a {@link StoreError}. */
  call(call: Call, options: CallOptions = {}): Promise<Answered> {
    return this.ask(call, options, (answered) => answered);
  }

  /** The same; `read` makes of the answer what the caller wants, or throws why it is no good. */
  ask<T>(
    call: Call,
    { timeoutMs, signal }: CallOptions,
    read: (answered: Answered) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#drive.isStopped) return reject(errorOf("closed"));
      if (signal?.aborted) return reject(errorOf("aborted"));
      if (this.#waiting.size >= CALLS_MAX) {
        return reject(new StoreError("INVALID", `more than ${CALLS_MAX} calls are under way`));
      }
      const id = ++this.#ids;
      const release = signal && this.#abortBy(signal, id);
      const isWrite = call.kind === "write" || call.kind === "manage";
      this.#waiting.set(id, {
        isWrite,
        resolve: (answered) => resolve(read(answered)),
        reject,
        release,
      });
      const deadlineMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
      if (this.#made.push({ id, call, deadlineMs }) === 1) queueMicrotask(this.#gather);
    });
  }

  /** Callers that go on after the same answers call one after the other: until none does. */
  readonly #gather = (): void => {
    const { length } = this.#made;
    if (length === this.#seen) return this.#flush();
    this.#seen = length;
    queueMicrotask(this.#gather);
  };

  /** Makes the calls that were gathered. */
  #flush(): void {
    const calls = this.#made;
    this.#seen = 0;
    if (calls.length === 0) return;
    this.#made = [];
    this.#drive.tell({ kind: "calls", calls });
  }

  #tell(input: ClientInput): void {
    this.#flush();
    this.#drive.tell(input);
  }

  /** Begins a watch; its number. After each `onEvents`, `taken` lets more come. */
  watch(
    prefix: string,
    after: number | undefined,
    isLasting: boolean,
    events: WatchEvents,
  ): number {
    const id = ++this.#ids;
    this.#watches.set(id, events);
    this.#tell({ kind: "watch", id, prefix, after, isLasting });
    return id;
  }

  taken(id: number): void {
    this.#tell({ kind: "taken", id });
  }

  unwatch(id: number): void {
    if (this.#watches.delete(id)) this.#tell({ kind: "unwatch", id });
  }

  /** Gives up everything that is under way; resolves when the goodbye is out. */
  async close(): Promise<void> {
    this.#tell({ kind: "close" });
    this.#drive.stop();
    await Promise.all(this.#goodbyes);
  }

  /** Has a call given up by a signal; what ends that. */
  #abortBy(signal: AbortSignal, id: number): () => void {
    const abort = (): void => this.#tell({ kind: "abort", id });
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#dial(effect.server);
      case "hangUp":
        return this.#hangUp();
      case "send":
        return this.#uplink?.write(effect.bytes);
      case "events":
        return this.#watches.get(effect.id)?.onEvents(effect.events, effect.upTo);
      case "watchEnded": {
        const watch = this.#watches.get(effect.id);
        this.#watches.delete(effect.id);
        return watch?.onEnd(endOfWatch(effect.why, effect.about));
      }
      case "done": {
        const { id, outcome } = effect;
        const waiting = this.#waiting.get(id)!;
        this.#waiting.delete(id);
        waiting.release?.();
        if ("failure" in outcome) {
          const { failure, about = this.why } = outcome;
          return waiting.reject(errorOf(failure, about, waiting.isWrite));
        }
        try {
          return waiting.resolve(outcome as Answered);
        } catch (error) {
          return waiting.reject(error as StoreError);
        }
      }
    }
  }

  #dial(server: string): void {
    this.#hangUp();
    const { host, port } = hostAndPort(server, KV_PORT);
    const params = this.#params;
    const uplink = new Uplink(
      { host, port, params, appVersion: APP_VERSION },
      {
        onConnected: () => {
          this.trouble = "";
          this.#tell({ kind: "connected" });
        },
        onPayload: (bytes) => this.#tell({ kind: "payload", bytes }),
        onGone: (about, error) => {
          this.trouble = about;
          this.#tell({ kind: "gone", why: whyGone(error), about });
        },
      },
    );
    this.#uplink = uplink;
    uplink.dial();
  }

  #hangUp(): void {
    const uplink = this.#uplink;
    if (uplink === undefined) return;
    this.#uplink = undefined;
    const goodbye = uplink.close().catch(() => {});
    this.#goodbyes.push(goodbye);
    void goodbye.then(() => {
      this.#goodbyes = this.#goodbyes.filter((one) => one !== goodbye);
    });
  }
}

/** How a connection ended, by the error that says so. */
function whyGone(error: unknown): Gone["why"] {
  if (error instanceof ConnectRefused && error.refusal === "version") return "other version";
  // Not a server that shuts down: one that has hung up on this client alone.
  return error instanceof ConnectionClosed && error.closure === "done" ? "closed" : "lost";
}
