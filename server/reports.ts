/**
 * Progress of miners that report more often than anybody needs: the newest waits for the next tick,
 * those before it are dropped, so that no miner takes more of the server's time than its share.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Progress } from "../work/messages.ts";
import type { ServerLimits } from "./limits.ts";
import { TokenBucket } from "./token_bucket.ts";

type ReportLimits = Pick<ServerLimits, "reportBurst" | "reportsPerSecond">;

export class Reports {
  readonly #limits: ReportLimits;
  readonly #buckets = new Map<number, TokenBucket>();
  /** What waits, by connection. */
  readonly #waiting = new Map<number, Progress>();

  constructor(limits: ReportLimits) {
    this.#limits = limits;
  }

  /** Miners of which it is known how often they report. */
  get buckets(): number {
    return this.#buckets.size;
  }

  /** Reports that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whether the report is to be read now; if not, it waits in the place of one before it. */
  admit(connId: number, report: Progress, nowMs: Millis): boolean {
    let bucket = this.#buckets.get(connId);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#limits.reportBurst, this.#limits.reportsPerSecond);
      this.#buckets.set(connId, bucket);
    }
    const isNow = bucket.take(nowMs);
    if (isNow) this.#waiting.delete(connId);
    else this.#waiting.set(connId, report);
    return isNow;
  }

  /** Something newer came on that chunk. */
  supersede(connId: number, chunk: number): void {
    if (this.#waiting.get(connId)?.chunk === chunk) this.#waiting.delete(connId);
  }

  /** The reports that have waited, each with its connection. */
  takeAll(): [number, Progress][] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }

  forget(connId: number): void {
    this.#buckets.delete(connId);
    this.#waiting.delete(connId);
  }
}
