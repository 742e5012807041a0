/**
 * What a core asks for: messages to be written, connections to be closed, lines for people. And
 * what it did not believe, by reason.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { Message } from "../work/messages.ts";
import { encodeMessage } from "../work/wire.ts";
import type { ServerLimits } from "./limits.ts";
import { type LogLimiter, logRooms, type Topic } from "./log_limiter.ts";
import type { ServerEffect } from "./types.ts";

/** Distinct reasons that are counted apart; more come under "other". */
const REASONS_MAX = 64;

/** See the module. */
export class Outlet {
  readonly effects: Outbox<ServerEffect> = new Outbox();
  /** Connections that were told to close and are not gone yet. */
  readonly closing: Set<number> = new Set();
  /** How often what was rejected. */
  readonly rejected: Map<string, number> = new Map();
  nowMs: Millis = 0;
  readonly #logs: Readonly<Record<Topic, LogLimiter>>;
  readonly #addressOf: (connId: number) => string | undefined;

  constructor(limits: ServerLimits, addressOf: (connId: number) => string | undefined) {
    this.#logs = logRooms(limits);
    this.#addressOf = addressOf;
  }

  write(connId: number, message: Message): void {
    this.writeRaw(connId, encodeMessage(message));
  }

  writeRaw(connId: number, payload: Uint8Array): void {
    this.effects.push({ kind: "write", connId, payload });
  }

  /** Hangs up. */
  close(connId: number): void {
    this.closing.add(connId);
    this.effects.push({ kind: "close", connId });
  }

  /** One line for people, unless there were too many of its topic. */
  tell(level: "info" | "warn", text: string, topic: Topic = "usual"): void {
    for (const line of this.#logs[topic].admit(text, this.nowMs)) {
      this.effects.push({ kind: "log", level, text: line });
    }
  }

  /** Where a connection comes from, for people, as far as that is known. */
  addressOf(connId: number): string | undefined {
    return this.#addressOf(connId);
  }

  /** Counts a message that makes no sense. */
  reject(reason: string): void {
    const known = this.rejected.has(reason) || this.rejected.size < REASONS_MAX;
    const key = known ? reason : "other";
    this.rejected.set(key, (this.rejected.get(key) ?? 0) + 1);
  }
}
