/**
 * A lease that its owner keeps alive.
 *
 * @module
 */
import type { StoreClient } from "./client_adapter.ts";
import { StoreError } from "./errors.ts";

/** Renewed so often in its time. */
const RENEWALS = 3;

/** See the module. */
export class Lease implements AsyncDisposable {
  /** Names it in the store. */
  readonly name: number;
  readonly ttlMs: number;
  readonly #client: StoreClient;
  readonly #lost = new AbortController();
  /** Until when it certainly lives: its time, from the moment at which it was asked for. */
  #goodUntilMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #isReleased = false;

  constructor(client: StoreClient, name: number, ttlMs: number, askedMs: number) {
    this.#client = client;
    this.name = name;
    this.ttlMs = ttlMs;
    this.#goodUntilMs = askedMs + ttlMs;
    this.#watch();
    this.#plan();
  }

  /** Aborted, with a {@link StoreError}, when the lease is over or may be. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends it now; its keys go. */
  async release(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#isReleased) return;
    this.#stop();
    if (this.lost.aborted) return;
    const command = { kind: "expire", leases: [this.name] } as const;
    await this.#client.call({ kind: "write", command, isBare: false }, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  #stop(): void {
    this.#isReleased = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
  }

  #plan(): void {
    this.#timer = setTimeout(() => void this.#renew(), this.ttlMs / RENEWALS);
  }

  /** When its time is over without a renewal, it may have ended. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const leftMs = Math.max(0, this.#goodUntilMs - performance.now());
    this.#watchdog = setTimeout(() => this.#lose("it was not renewed in time"), leftMs);
  }

  async #renew(): Promise<void> {
    const askedMs = performance.now();
    try {
      const call = { kind: "renew", lease: this.name } as const;
      await this.#client.call(call, { timeoutMs: this.ttlMs });
      if (this.#isReleased || this.lost.aborted) return;
      this.#goodUntilMs = askedMs + this.ttlMs;
      this.#watch();
    } catch (error) {
      const { code, message } = error as StoreError;
      if (code === "NO_LEASE" || code === "CLOSED") return this.#lose(message);
    }
    if (!this.#isReleased && !this.lost.aborted) this.#plan();
  }

  #lose(why: string): void {
    if (this.#isReleased || this.lost.aborted) return;
    this.#stop();
    this.#isReleased = false;
    this.#lost.abort(new StoreError("NO_LEASE", `the lease is over: ${why}`));
  }
}
