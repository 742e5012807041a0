/**
 * One client as the core knows it: what it sent, what waits for it, and what it waits for.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { AnswerQueue } from "./answer_queue.ts";
import { LineInput } from "./line_input.ts";
import type { View } from "./list.ts";
import type { ClientId } from "./types.ts";

/** The rest of an answer that did not fit into the queue. */
export interface Rest {
  readonly key: string;
  readonly view: View;
  /** How long it waits for a reading. */
  readonly patienceMs: Millis;
}

/** Plain state; the rules are the core's. */
export class Client {
  readonly id: ClientId;
  readonly input: LineInput = new LineInput();
  readonly answers: AnswerQueue = new AnswerQueue();
  /** Goes before the next request. */
  rest: Rest | undefined;
  /** Bytes of a `write` that the socket has not said anything of. */
  offered = 0;
  /** Whether a `write` is due. */
  isWriter = false;
  /** Whether the socket takes nothing now. */
  isBlocked = false;
  /** When the socket last took something. */
  tookAtMs: Millis;
  /** Whether it was asked to take nothing from the socket. */
  isPaused = false;
  /** Whether its slice was over and it waits for the next one. */
  isReady = false;
  /** Index of the newest record that its answers show. */
  needs = 0;
  /** Whether it sends no more. */
  hasEnded = false;
  /** Whether its connection is only kept open until it is time to close it. */
  isDoomed = false;
  /** Whether it was asked to close it. */
  isClosed = false;
  /** Work done for it since its turn began. */
  work = 0;
  /** Work for it that came to nothing since it last rested. */
  useless = 0;
  /** Nothing of it is handled before. */
  restUntilMs: Millis = -Infinity;
  /** When to look at it again, in the heap of alarms; undefined: not there. */
  alarmMs: Millis | undefined;
  /** Its share of the bytes that are held for all. */
  held = 0;

  constructor(id: ClientId, nowMs: Millis) {
    this.id = id;
    this.tookAtMs = nowMs;
  }

  /** Whether nothing is left to be done for it until it sends something, or is gone. */
  get isIdle(): boolean {
    const isOpen = !this.hasEnded && !this.isDoomed && !this.isClosed && !this.isPaused;
    const waits = this.isReady || this.rest !== undefined || this.alarmMs !== undefined;
    return isOpen && !waits && this.answers.bytes === 0 && this.input.length === 0;
  }

  /** When it is to be looked at although nothing happens. */
  wantedAlarmMs(nowMs: Millis, lingerMs: Millis): Millis | undefined {
    if (this.isClosed || this.isReady) return undefined;
    if (this.restUntilMs > nowMs) return this.restUntilMs;
    if (!this.isBlocked) return undefined;
    if (this.rest !== undefined) return this.tookAtMs + this.rest.patienceMs;
    return this.hasEnded && this.input.length === 0 ? this.tookAtMs + lingerMs : undefined;
  }
}
