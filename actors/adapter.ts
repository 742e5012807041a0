/**
 * A system of actors on Bun: `openSystem` and what it gives.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { isWildcard } from "../base/ip_address.ts";
import { checkText, OptionError } from "../base/options.ts";
import { atPort } from "../base/text.ts";
import { listen, type LspServer, type Params } from "../lsp/mod.ts";
import { type ConnectionOptions, Connections, incomingConn } from "../peer/connections_adapter.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { atMost } from "../run/patience.ts";
import { SystemCore } from "./core.ts";
import { fullSystemLimits, lspQueueBytes } from "./limits.ts";
import { Mailbox, type MailboxOwner, throwLater } from "./mailbox_adapter.ts";
import {
  type ActorRef,
  type GoneReason,
  type MakeActor,
  type Message,
  MESSAGE_BYTES_MAX,
  type SystemEffect,
  type SystemInput,
  type SystemLimits,
  type SystemStats,
} from "./types.ts";
import { ACTORS_VERSION, isActorGreeting } from "./wire.ts";

/** How long the end of the connections is waited for, when a system is closed. */
const GOODBYE_MS = 1000;

/** What others may write at once: one message, and what stands before it. */
const maxMessageBytes = MESSAGE_BYTES_MAX + 64;

/** What `openSystem` takes. */
export interface OpenSystemOptions {
  /** Name or address to bind; default 127.0.0.1. */
  readonly host?: string;
  /** 0..65535; default 0, which takes a free one. */
  readonly port?: number;
  /** `HOST:PORT` that others reach it by; needed where a wildcard is bound. */
  readonly advertise?: string;
  /** A listener that others share; then hand on what it reads, by `takes` and `lost`. */
  readonly listener?: LspServer;
  /** Version of the messages of a shared listener, which those who dial it must have. */
  readonly appVersion?: number;
  /** LSP's parameters, of the connections that it dials, and of its own listener. */
  readonly params?: Params;
  readonly limits?: Partial<SystemLimits>;
  /** Told what actors throw; by default one line goes to stderr. */
  readonly onError?: (error: unknown, ref: ActorRef) => void;
}

/** A reply that is waited for. */
export interface Reply {
  /** Tell this; the first message is the reply, and the only one. */
  readonly ref: ActorRef;
  /** The reply. Rejects when it is cancelled, or the system is closed. */
  readonly promise: Promise<Message>;
  cancel(): void;
}

/** A system of actors. */
export interface ActorSystem extends AsyncDisposable {
  /** `HOST:PORT`, as its references have it. */
  readonly address: string;
  /** This life of it. */
  readonly incarnation: number;
  /** Starts an actor. Throws what `make` throws, and an Error once the system is closed. */
  startActor(make: MakeActor): ActorRef;
  /** Sends a copy; never waits. Throws MessageError on what cannot be encoded. */
  tell(to: ActorRef, message: Message): void;
  /** The same, `ms` milliseconds (0 or more) from now; the copy is made now. */
  tellAfter(to: ActorRef, message: Message, ms: Millis): void;
  /**
   * Opens a mailbox, to be read by what is no actor. With `onMessage` that is called with each
   * message as it comes, in order, and there is nothing to `pop`.
   */
  openMailbox(onMessage?: (message: Message) => void): Mailbox;
  /** A reference for one reply, and its promise. */
  openReply(): Reply;
  /** Resolves when that actor or its machine is gone, and says why; "stopped" after `close`. */
  gone(ref: ActorRef): Promise<GoneReason>;
  /** Ends an actor of this system; what waits for it is dropped. */
  stop(ref: ActorRef): void;
  stats(): SystemStats;
  /** With a shared listener: whether the message is of a system, and was taken. */
  takes(connId: number, payload: Uint8Array): boolean;
  /** With a shared listener: a connection of it ended. */
  lost(connId: number): void;
  /** Ends all actors; resolves when what was told before is sent, or cannot be. */
  close(): Promise<void>;
}

/** Opens a system. Rejects with OptionError, or an LspError if it cannot listen. */
export async function openSystem(options: OpenSystemOptions = {}): Promise<ActorSystem> {
  const { host = "127.0.0.1", port = 0, advertise, params, appVersion = ACTORS_VERSION } = options;
  checkText("advertise", advertise);
  fullSystemLimits(options.limits);
  if (advertise === undefined && isWildcard(options.listener?.host ?? host)) {
    throw new OptionError(
      "host",
      `${host} is no address to reach it by: give advertise, HOST:PORT`,
    );
  }
  const given = { host, port, appVersion, classic: false, limits: { maxMessageBytes } };
  const own = params === undefined ? given : { ...given, params };
  const ending = new AbortController();
  const listener = options.listener ?? (await listen({ ...own, signal: ending.signal }));
  return new RunningSystem(options, listener, ending);
}

class RunningSystem implements ActorSystem {
  readonly address: string;
  readonly incarnation: number;
  readonly #options: OpenSystemOptions;
  readonly #listener: LspServer;
  /** Cuts off the listener, if it is its own. */
  readonly #ending: AbortController;
  readonly #connections: Connections;
  readonly #dialing: ConnectionOptions;
  readonly #core: SystemCore;
  readonly #drive: Drive<SystemInput, SystemEffect>;
  readonly #mailboxes = new Map<number, Mailbox>();
  readonly #replies = new Map<number, (message: Message) => void>();
  readonly #cancels = new Map<number, (why: string) => void>();
  readonly #closed = Promise.withResolvers<void>();
  #isStirred = false;
  #closing: Promise<void> | undefined;

  constructor(options: OpenSystemOptions, listener: LspServer, ending: AbortController) {
    const { advertise, limits, params, appVersion = ACTORS_VERSION } = options;
    this.#options = options;
    this.#listener = listener;
    this.#ending = ending;
    this.address = advertise ?? atPort(listener.host, listener.port);
    this.#core = new SystemCore({ address: this.address, random: freshRandom(), limits });
    this.incarnation = this.#core.incarnation;
    const maxQueuedBytes = lspQueueBytes(this.#core.limits);
    const dialing = { appVersion, limits: { maxQueuedBytes } };
    this.#dialing = params === undefined ? dialing : { ...dialing, params };
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
    this.#connections = new Connections(listener, {
      opened: (conn) => this.#tell({ kind: "opened", conn }),
      received: (payloads) => {
        this.#tell({ kind: "payloads", payloads });
      },
      gone: (conn, isFlushed) => this.#tell({ kind: "gone", conn, isFlushed }),
    });
    if (options.listener === undefined) void this.#connections.serve();
  }

  startActor(make: MakeActor): ActorRef {
    const ref = this.#core.startActor(make, performance.now());
    this.#stir();
    return ref;
  }

  tell(to: ActorRef, message: Message): void {
    this.#core.tell(to, message, performance.now());
    this.#stir();
  }

  tellAfter(to: ActorRef, message: Message, ms: Millis): void {
    this.#core.tellAfter(to, message, ms, performance.now());
    this.#stir();
  }

  openMailbox(onMessage?: (message: Message) => void): Mailbox {
    const ref = this.#core.openMailbox();
    const owner: MailboxOwner = {
      take: (counter) => this.#core.take(counter),
      push: (to, message) => this.tell(to, message),
      close: (to) => {
        this.#mailboxes.delete(to.counter);
        this.stop(to);
      },
    };
    const mailbox = new Mailbox(ref, owner, onMessage);
    this.#mailboxes.set(ref.counter, mailbox);
    return mailbox;
  }

  openReply(): Reply {
    const ref = this.#core.openReply();
    const { counter } = ref;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    // Who does not look at it any more is not to be ended by it.
    promise.catch(() => {});
    this.#replies.set(counter, resolve);
    this.#cancels.set(counter, (why) => {
      if (!this.#replies.delete(counter)) return;
      this.#cancels.delete(counter);
      this.stop(ref);
      reject(new Error(`no reply: ${why}`));
    });
    return { ref, promise, cancel: () => this.#cancels.get(counter)?.("it was cancelled") };
  }

  gone(ref: ActorRef): Promise<GoneReason> {
    const { promise, resolve } = Promise.withResolvers<GoneReason>();
    const watcher = this.#core.openReply();
    this.#replies.set(watcher.counter, (why) => {
      this.stop(watcher);
      resolve(why as GoneReason);
    });
    this.#cancels.set(watcher.counter, () => resolve("stopped"));
    this.#core.watch(ref, watcher, performance.now());
    this.#stir();
    return promise;
  }

  stop(ref: ActorRef): void {
    this.#core.stop(ref, performance.now());
    this.#stir();
  }

  stats(): SystemStats {
    return this.#core.stats();
  }

  takes(connId: number, payload: Uint8Array): boolean {
    const conn = incomingConn(connId);
    if (!this.#core.has(conn) && !isActorGreeting(payload)) return false;
    this.#tell({ kind: "payload", conn, payload });
    return true;
  }

  lost(connId: number): void {
    this.#tell({ kind: "gone", conn: incomingConn(connId) });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#core.close(performance.now());
    this.#tell({ kind: "wake" });
    await this.#closed.promise;
    this.#drive.stop();
    // A peer that is gone does not say goodbye, and is not waited for until that is certain.
    await atMost(GOODBYE_MS, this.#connections.closed());
    this.#connections.abandon();
    if (this.#options.listener !== undefined) return;
    await atMost(GOODBYE_MS, this.#listener.close());
    this.#ending.abort();
  }

  /** What was called for is done when the job that runs is over. */
  #stir(): void {
    if (this.#isStirred) return;
    this.#isStirred = true;
    queueMicrotask(() => {
      this.#isStirred = false;
      this.#tell({ kind: "wake" });
    });
  }

  #tell(input: SystemInput | { readonly kind: "wake" }): void {
    this.#drive.tell(input);
    if (!this.#core.isRunnable || this.#isStirred) return;
    // Actors with more to do go on when the sockets have had their turn.
    this.#isStirred = true;
    setImmediate(() => {
      this.#isStirred = false;
      this.#tell({ kind: "wake" });
    });
  }

  #carryOut(effect: SystemEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#connections.dial(effect.conn, effect.address, this.#dialing);
      case "write":
        return this.#connections.write(effect.conn, effect.payload);
      case "drop":
        return this.#connections.drop(effect.conn, effect.isFlushed);
      case "awaitRoom":
        return void this.#awaitRoom(effect.conn, effect.bytes);
      case "mail":
        return this.#mailboxes.get(effect.counter)?.serve();
      case "reply":
        return this.#answer(effect.counter, effect.message);
      case "goneMail":
        return this.#answer(effect.counter, effect.why);
      case "failed":
        return this.#failed(effect.error, effect.ref);
      case "closed":
        return this.#end();
    }
  }

  #answer(counter: number, message: Message): void {
    const answer = this.#replies.get(counter);
    this.#replies.delete(counter);
    this.#cancels.delete(counter);
    answer?.(message);
  }

  async #awaitRoom(conn: number, bytes: number): Promise<void> {
    await this.#connections.settled(conn, bytes);
    this.#tell({ kind: "room", conn, queuedBytes: this.#connections.queuedBytes(conn) });
  }

  #failed(error: unknown, ref: ActorRef): void {
    const { onError = report } = this.#options;
    try {
      onError(error, ref);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  #end(): void {
    for (const mailbox of this.#mailboxes.values()) mailbox.end();
    for (const cancel of this.#cancels.values()) cancel("the system of actors was closed");
    this.#mailboxes.clear();
    this.#closed.resolve();
  }
}

function report(error: unknown, ref: ActorRef): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  process.stderr.write(`actor ${ref.counter} of ${ref.address} threw ${text}\n`);
}
