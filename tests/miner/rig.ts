/** A miner's core in virtual time, told one input at a time. */
import { assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { MinerCore } from "../../miner/core.ts";
import type { MinerEffect, MinerInput } from "../../miner/types.ts";
import { classicRequest, encodeClassicMessage } from "../../work/classic.ts";
import type { Assign, Message } from "../../work/messages.ts";
import type { SearchSpec } from "../../work/subject.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

export const POOL = { kind: "pool", threads: 2, rate: 1000, label: "plain", name: "" } as const;
export const BEST = { hash: 5n, nonce: 7n };

/** A core with a clock, and what it asked for since the last look. */
export class Rig {
  readonly core: MinerCore;
  nowMs = 0;

  constructor(once = false, servers: readonly string[] = []) {
    this.core = new MinerCore({ random: seededRandom(1), once, servers });
  }

  tell(input: MinerInput | { kind: "wake" }, afterMs = 0): MinerEffect[] {
    this.nowMs += afterMs;
    this.core.handle(input, this.nowMs);
    return this.effects();
  }

  /** Everything asked for, without the lines for people. */
  effects(): MinerEffect[] {
    const all: MinerEffect[] = [];
    for (let e = this.core.poll(); e !== undefined; e = this.core.poll()) {
      if (e.kind !== "log") all.push(e);
    }
    return all;
  }

  say(message: Message): MinerEffect[] {
    return this.tell({ kind: "payload", payload: encodeMessage(message) });
  }

  request(data: string, lower: bigint, upper: bigint): MinerEffect[] {
    const payload = encodeClassicMessage(classicRequest(data, lower, upper));
    return this.tell({ kind: "payload", payload });
  }

  /** Lets the time pass until it dials again. */
  wait(): MinerEffect[] {
    this.nowMs = this.core.wakeAtMs()!;
    return this.tell({ kind: "wake" });
  }

  upAgain(): void {
    this.wait();
    this.tell({ kind: "connected", wire: "cbor" });
  }

  /** Dials, connects and joins on `wire`; gives the effects of the join. */
  up(wire: "cbor" | "json" = "cbor"): MinerEffect[] {
    assertEquals(this.tell({ kind: "wake" }), [{ kind: "dial" }]);
    this.tell(POOL);
    return this.tell({ kind: "connected", wire });
  }
}

export function written(effects: MinerEffect[]): (Message | string)[] {
  return effects.flatMap((e) => (e.kind === "write" ? [decodeMessage(e.payload)] : []));
}

/** An Assign of chunk `chunk`. */
export function assign(chunk: number, lower = 0n, upper = 99n): Assign {
  return { kind: "assign", chunk, work: { subject: "msg", lower, upper } };
}

/** What the pool is told of it, under its own number. */
export function search(id: number, lower = 0n, upper = 99n): SearchSpec & { readonly id: number } {
  return { id, subject: "msg", lower, upper };
}
