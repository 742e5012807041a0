/**
 * The geo store as a library: `openGeo` and what it gives.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import type { Millis } from "../base/machine.ts";
import { checkInteger, OptionError } from "../base/options.ts";
import type { Params } from "../lsp/mod.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { hostAndPort } from "../run/flags.ts";
import { atMost } from "../run/patience.ts";
import { GEO_PORT } from "./adapter.ts";
import { ClientCore, type ClientEffect, type ClientInput } from "./client_core.ts";
import { GeoError, refusalError } from "./errors.ts";
import {
  checkedKey,
  checkedPrefix,
  failureError,
  type GeoChange,
  type GeoItem,
  itemOf,
  notUnderstood,
} from "./items.ts";
import { CELL_SUM_MAX, PAGE_KEYS_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import type { Shown } from "./replica.ts";
import { type Answer, APP_VERSION, bytesOfText, type Operation } from "./requests.ts";
import { roundRobin, type Router, type Target } from "./routers.ts";

/** How long an operation may take, unless somebody wants otherwise. */
const TIMEOUT_MS: Millis = 10_000;
/** Operations of one store under way at a time. */
const CALLS_MAX = 100_000;
/** Keys whose changes wait to be taken from a watch; the oldest news of a key is enough. */
const CHANGES_MAX = 100_000;
const GOODBYE_MS = 300;

/** How a store is opened. */
export interface OpenGeoOptions {
  /** Addresses (`HOST[:PORT]`) of servers, at least one. */
  readonly servers: readonly string[];
  /** Where each operation goes; all actors of all servers in turn if left out. */
  readonly router?: Router;
  /** An operation whose server does not answer goes to the next; false if left out. */
  readonly retry?: boolean;
  /** When an operation that says nothing else is given up; after 10 s if left out. */
  readonly timeoutMs?: Millis;
  /** Of LSP. */
  readonly params?: Params;
}

/** What one operation may say. */
export interface GeoCallOptions {
  readonly timeoutMs?: Millis;
  readonly signal?: AbortSignal | undefined;
  /** The server that it is for; picked by the router if left out. */
  readonly server?: string;
}

/** How to watch. */
export interface GeoWatchOptions extends GeoCallOptions {
  /** The watch is taken: changes from now on are told. */
  readonly onReady?: () => void;
  /** With `retry`: it goes on at another server; what changed meanwhile was not told. */
  readonly onResume?: () => void;
}

/** What a watch is told. */
interface WatchEvents {
  readonly onEvents: (changes: readonly Shown[]) => void;
  readonly onResume: (() => void) | undefined;
  readonly onEnd: (error: GeoError) => void;
}

/** A call that is waited for. */
interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: GeoError) => void;
  /** Lets go of the caller's signal. */
  readonly release: (() => void) | undefined;
  readonly watch: WatchEvents | undefined;
}

/** Opens a store: nothing is dialled before it is needed. Throws an OptionError. */
export function openGeo(options: OpenGeoOptions): GeoStore {
  return new GeoStore(options);
}

/** Servers that are talked to. See {@link openGeo}. */
export class GeoStore implements AsyncDisposable {
  readonly #options: OpenGeoOptions;
  readonly #core: ClientCore;
  readonly #drive: Drive<ClientInput, ClientEffect>;
  readonly #uplinks = new Map<string, Uplink>();
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;
  #closing: Promise<void> | undefined;

  constructor(options: OpenGeoOptions) {
    const { servers, router = roundRobin(), retry = false, timeoutMs } = options;
    checkInteger("timeoutMs", timeoutMs, 1, 2 ** 31 - 1);
    if (servers.length === 0) throw new OptionError("servers", "got none, expected HOST:PORT");
    for (const server of servers) hostAndPort(server, GEO_PORT);
    this.#options = options;
    this.#core = new ClientCore({ servers, router, retries: retry });
    this.#drive = new Drive(this.#core, (effect) => this.#carryOut(effect));
  }

  /** What the router is shown. */
  get targets(): readonly Target[] {
    return this.#core.targets;
  }

  /** The value of a key, and its counter; undefined: it has neither. Rejects with a GeoError. */
  async get(key: string | Uint8Array, options: GeoCallOptions = {}): Promise<GeoItem | undefined> {
    const answer = await this.#ask({ kind: "get", key: checkedKey(key) }, options);
    if (answer.kind !== "shown") throw notUnderstood();
    const { value, count } = answer.shown;
    return value === undefined && count === undefined ? undefined : itemOf(answer.shown);
  }

  /** Sets a key. The same value again is a new put. Rejects with a GeoError. */
  async put(
    key: string | Uint8Array,
    value: string | Uint8Array,
    options: GeoCallOptions = {},
  ): Promise<void> {
    const bytes = typeof value === "string" ? bytesOfText(value) : value;
    if (bytes.length > VALUE_BYTES_MAX) {
      const text = `a value has ${bytes.length} bytes, expected at most ${VALUE_BYTES_MAX}`;
      throw new GeoError("INVALID", text);
    }
    await this.#ask({ kind: "put", key: checkedKey(key), value: bytes }, options);
  }

  /** Deletes a key's value, if it has one; its counter stays. Rejects with a GeoError. */
  async delete(key: string | Uint8Array, options: GeoCallOptions = {}): Promise<void> {
    await this.#ask({ kind: "delete", key: checkedKey(key) }, options);
  }

  /**
   * Adds a whole number, below 0 perhaps, to the counter of a key; what it comes to at that actor.
   * No update is ever lost or done twice. Rejects with a GeoError.
   */
  async add(
    key: string | Uint8Array,
    delta: number,
    options: GeoCallOptions = {},
  ): Promise<number> {
    if (!Number.isSafeInteger(delta) || Math.abs(delta) > CELL_SUM_MAX) {
      const text = `the number to add is ${delta}, expected a whole one of at most 48 bits`;
      throw new GeoError("INVALID", text);
    }
    const answer = await this.#ask({ kind: "add", key: checkedKey(key), delta }, options);
    if (answer.kind !== "added") throw notUnderstood();
    return answer.count;
  }

  /** What the counter of a key comes to; 0 if nobody added to it. Rejects with a GeoError. */
  async count(key: string | Uint8Array, options: GeoCallOptions = {}): Promise<number> {
    return (await this.get(key, options))?.count ?? 0;
  }

  /** Keys that begin with `prefix`, in the order of their bytes, page by page of one server. */
  async *list(
    prefix: string | Uint8Array,
    options: GeoCallOptions & { readonly after?: string | Uint8Array } = {},
  ): AsyncGenerator<GeoItem, void, void> {
    const from = checkedPrefix(prefix);
    let after: ByteString = options.after === undefined ? "" : checkedPrefix(options.after);
    for (;;) {
      const page = { kind: "list", prefix: from, after, keysMax: PAGE_KEYS_MAX } as const;
      const answer = await this.#ask(page, options);
      if (answer.kind !== "listed") throw notUnderstood();
      for (const shown of answer.all) yield itemOf(shown);
      if (!answer.hasMore || answer.all.length === 0) return;
      after = answer.all.at(-1)!.key;
    }
  }

  /**
   * Keys that begin with `prefix` whenever they change at the actor that is asked, from now on,
   * until the signal is aborted or the loop is left. A key that changes faster than it is taken is
   * given as it is then. Rejects with a GeoError when the server is gone, unless there is `retry`.
   */
  async *watch(
    prefix: string | Uint8Array,
    options: GeoWatchOptions = {},
  ): AsyncGenerator<GeoChange, void, void> {
    const changed = new Map<ByteString, Shown>();
    let wake = (): void => {};
    let end: GeoError | undefined;
    const onEvents = (changes: readonly Shown[]): void => {
      for (const shown of changes) changed.set(shown.key, shown);
      if (changed.size > CHANGES_MAX) end = new GeoError("TOO_MANY", "a watch is read too slowly");
      wake();
    };
    const events = { onEvents, onResume: options.onResume };
    const { id, promise } = this.#call({ kind: "watch", prefix: checkedPrefix(prefix) }, options, {
      ...events,
      onEnd: (error) => {
        end = error;
        wake();
      },
    });
    // One who waits for the changes need not look at this.
    promise.catch(() => {});
    try {
      await promise;
      options.onReady?.();
      for (;;) {
        const [first] = changed.values();
        if (first !== undefined) {
          changed.delete(first.key);
          yield itemOf(first);
        } else if (end !== undefined) {
          if (end.code === "ABORTED") return;
          throw end;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } catch (error) {
      if (!(error instanceof GeoError) || error.code !== "ABORTED") throw error;
    } finally {
      this.#forget(id);
    }
  }

  /**
   * Has all servers forget the one at `address` (`HOST:PORT`), which is gone for good, so that they
   * call it no more; what was put there stays. Rejects with a GeoError: `NO_SERVER`, none of that
   * address is known; `STILL_THERE`, it answered in the last seconds.
   */
  async forget(address: string, options: GeoCallOptions = {}): Promise<void> {
    await this.#ask({ kind: "forget", server: checkedKey(address) }, options);
  }

  /** What an actor of a server says of itself. Rejects with a GeoError. */
  async status(options: GeoCallOptions = {}): Promise<Record<string, unknown>> {
    const answer = await this.#ask({ kind: "status" }, options);
    if (answer.kind !== "status") throw notUnderstood();
    return JSON.parse(answer.json) as Record<string, unknown>;
  }

  /** Gives up all that is under way, and says goodbye to the servers. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#drive.stop();
    for (const id of this.#waiting.keys()) {
      this.#reject(id, new GeoError("CLOSED", "the store was closed"));
    }
    const closed = Promise.all([...this.#uplinks.values()].map((uplink) => uplink.close()));
    // A server that is gone does not say goodbye.
    await atMost(GOODBYE_MS, closed);
  }

  #ask(operation: Operation, options: GeoCallOptions): Promise<Answer> {
    return this.#call(operation, options).promise;
  }

  #call(
    operation: Operation,
    { timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS, signal, server }: GeoCallOptions,
    watch?: WatchEvents,
  ): { readonly id: number; readonly promise: Promise<Answer> } {
    const id = ++this.#ids;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const release = signal === undefined ? undefined : this.#endBy(signal, id);
    this.#waiting.set(id, { resolve, reject, release, watch });
    if (this.#closing !== undefined) {
      this.#reject(id, new GeoError("CLOSED", "the store was closed"));
    } else if (signal?.aborted === true) this.#abort(id);
    else if (this.#waiting.size > CALLS_MAX) {
      this.#reject(id, new GeoError("TOO_MANY", `more than ${CALLS_MAX} operations are under way`));
    } else {
      const deadlineMs = performance.now() + timeoutMs;
      this.#drive.tell({ kind: "call", id, operation, deadlineMs, server });
    }
    return { id, promise };
  }

  /** Has a signal end a call; how to let go of the signal. */
  #endBy(signal: AbortSignal, id: number): () => void {
    const abort = (): void => this.#abort(id);
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #abort(id: number): void {
    this.#reject(id, new GeoError("ABORTED", "the operation was aborted"));
    this.#drive.tell({ kind: "forget", id });
  }

  #forget(id: number): void {
    if (!this.#waiting.has(id)) return;
    this.#waiting.get(id)?.release?.();
    this.#waiting.delete(id);
    this.#drive.tell({ kind: "forget", id });
  }

  #reject(id: number, error: GeoError): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.release?.();
    waiting?.watch?.onEnd(error);
    waiting?.reject(error);
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#uplinkOf(effect.server).dial();
      case "send":
        return this.#uplinkOf(effect.server).write(effect.bytes);
      case "answered":
        return this.#answered(effect.id, effect.answer);
      case "failed":
        return this.#reject(effect.id, failureError(effect.failure, effect.reason));
      case "events":
        return this.#waiting.get(effect.id)?.watch?.onEvents(effect.changes);
      case "resumed":
        return this.#waiting.get(effect.id)?.watch?.onResume?.();
    }
  }

  #answered(id: number, answer: Answer): void {
    const waiting = this.#waiting.get(id);
    if (answer.kind === "refused") return this.#reject(id, refusalError(answer.why));
    if (waiting === undefined) return;
    if (waiting.watch === undefined) {
      this.#waiting.delete(id);
      waiting.release?.();
    }
    waiting.resolve(answer);
  }

  #uplinkOf(server: string): Uplink {
    const known = this.#uplinks.get(server);
    if (known !== undefined) return known;
    const { host, port } = hostAndPort(server, GEO_PORT);
    const { params } = this.#options;
    const uplink = new Uplink(
      { host, port, params, appVersion: APP_VERSION },
      {
        onConnected: () => this.#drive.tell({ kind: "connected", server }),
        onPayload: (bytes) => this.#drive.tell({ kind: "payload", server, bytes }),
        onGone: (reason) => this.#drive.tell({ kind: "gone", server, reason }),
      },
    );
    this.#uplinks.set(server, uplink);
    return uplink;
  }
}
