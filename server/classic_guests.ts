/**
 * A peer of the json wire in a cluster, as the server that it knows speaks for it: to one leader
 * after the other, so that it never hears of a change. What it asks for is a job of the table, by a
 * session of its own, which goes on under every leader and runs once. A miner joins each leader
 * anew, and its Result of what an earlier one had assigned is dropped.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import {
  CLASSIC_JOIN,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../work/classic.ts";
import type { FromClient } from "../work/messages.ts";
import { type SearchSpec, whyNoSearch } from "../work/subject.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";

/** Requests of a peer that wait for the one before, that one included; one more is its end. */
export const HELD_MESSAGES_MAX = 64;

/** What follows from a message: for the leader, and for the peer; or the peer is hung up on. */
export interface Onward {
  readonly toLeader?: readonly Uint8Array[];
  readonly toPeer?: Uint8Array;
  readonly isOver?: boolean;
}

/** See the module. */
export interface Guest {
  /** How what it has to say is to be read. */
  readonly wire: Wire;
  /** What to say to a leader first. */
  greet(): readonly Uint8Array[];
  /** What it said to a leader is in vain. */
  lost(): void;
  /** The peer says something. */
  said(payload: Uint8Array): Onward;
  /** The leader says something. */
  heard(payload: Uint8Array): Onward;
  /** What to say to the leader when the peer is gone. */
  bye(): readonly Uint8Array[];
}

const NOTHING: Onward = {};
const OVER: Onward = { isOver: true };

/** Who it is that says this first; undefined: it makes no sense. */
export function guestOf(first: Uint8Array, session: () => bigint): Guest | undefined {
  const message = decodeClassicMessage(first);
  if (typeof message === "string" || message.type === 2) return undefined;
  return message.type === 0 ? new ClassicMiner() : new ClassicClient(session());
}

class ClassicMiner implements Guest {
  readonly wire = "json";
  /** Requests that it was sent and has not answered; and those of them that nobody waits for. */
  #owed = 0;
  #stale = 0;

  greet(): readonly Uint8Array[] {
    return [encodeClassicMessage(CLASSIC_JOIN)];
  }

  lost(): void {
    this.#stale = this.#owed;
  }

  said(payload: Uint8Array): Onward {
    if (this.#owed > 0) this.#owed--;
    if (this.#stale === 0) return { toLeader: [payload] };
    this.#stale--;
    return NOTHING;
  }

  heard(payload: Uint8Array): Onward {
    // The leader lets it go, in a word of the cbor wire.
    if (typeof decodeMessage(payload) !== "string") return OVER;
    this.#owed++;
    return { toPeer: payload };
  }

  bye(): readonly Uint8Array[] {
    return [];
  }
}

class ClassicClient implements Guest {
  readonly wire = "cbor";
  readonly #session: bigint;
  /** Results name no Request: the jobs are done one after the other. */
  readonly #waiting: SearchSpec[] = [];
  /** The number of the first that waits. */
  #number = 1;

  constructor(session: bigint) {
    this.#session = session;
  }

  greet(): readonly Uint8Array[] {
    const [work] = this.#waiting;
    if (work === undefined) return [];
    const [job, session] = [this.#number, this.#session];
    return [said({ kind: "submit", job, session, work })];
  }

  lost(): void {}

  said(payload: Uint8Array): Onward {
    const request = decodeClassicMessage(payload);
    if (typeof request === "string" || request.type !== 1) return OVER;
    const { data: subject, lower, upper } = request;
    const work = { subject, lower, upper };
    if (this.#waiting.length >= HELD_MESSAGES_MAX || whyNoSearch(work) !== undefined) return OVER;
    this.#waiting.push(work);
    return this.#waiting.length > 1 ? NOTHING : { toLeader: this.greet() };
  }

  heard(payload: Uint8Array): Onward {
    const message = decodeMessage(payload);
    if (typeof message === "string") return NOTHING;
    if (message.kind === "refused") return OVER;
    if (message.kind !== "answer" || message.job !== this.#number) return NOTHING;
    const toPeer = encodeClassicMessage(classicResult(message.best));
    const forget = this.bye();
    this.#waiting.shift();
    this.#number++;
    return { toPeer, toLeader: [...forget, ...this.greet()] };
  }

  bye(): readonly Uint8Array[] {
    return this.#waiting.length === 0 ? [] : [said({ kind: "cancel", job: this.#number })];
  }
}

function said(message: FromClient): Uint8Array {
  return encodeMessage(message);
}
