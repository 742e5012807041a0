/**
 * A client that makes a lease, puts a key under it, and renews it for a while; then it falls
 * silent, and the key must go.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { bytesOf } from "../../base/byte_fields.ts";
import type { SimClient } from "./client.ts";
import type { KvWorld } from "./world.ts";

/** See the module. */
export class LeaseHolder {
  readonly key: string;
  readonly #world: KvWorld;
  readonly #client: SimClient;
  readonly #ttlMs: Millis;
  /** 0: it has none. */
  lease = 0;
  #isSilent = false;
  /** It was told that its lease is over. */
  isLost = false;

  constructor(world: KvWorld, client: SimClient, ttlMs: Millis) {
    this.#world = world;
    this.#client = client;
    this.#ttlMs = ttlMs;
    this.key = `lease of ${client.id}`;
  }

  start(): void {
    const { loop, oracle } = this.#world;
    const askedMs = loop.nowMs;
    const command = { kind: "lease", ttlMs: this.#ttlMs } as const;
    this.#client.call({ kind: "write", isBare: false, command }, (outcome) => {
      if (!("reply" in outcome) || outcome.reply.kind !== "answer") return;
      const { answer } = outcome.reply;
      if (answer.kind !== "lease") return;
      this.lease = answer.lease;
      // It may have been made at the first of several sendings.
      if (!outcome.isDoubtful) oracle.leaseHeld(answer.lease, this.#ttlMs, askedMs);
      const change = { key: this.key, at: undefined, value: bytesOf("held"), lease: answer.lease };
      this.#client.call({ kind: "write", isBare: false, command: { kind: "put", change } });
      this.#renew();
    });
  }

  /** It renews no more. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  #renew(): void {
    const { loop, oracle } = this.#world;
    if (this.#isSilent || this.isLost) return;
    const askedMs = loop.nowMs;
    this.#client.call({ kind: "renew", lease: this.lease }, (outcome) => {
      if ("reply" in outcome) oracle.leaseHeld(this.lease, this.#ttlMs, askedMs);
      else if (outcome.failure === "no lease") this.isLost = true;
      loop.after(this.#ttlMs / 3, () => this.#renew());
    });
  }
}
