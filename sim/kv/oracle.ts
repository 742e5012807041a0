/**
 * Sees what all nodes of a simulated store apply, and what clients are told of it.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { byteString } from "../../base/byte_fields.ts";
import type { Event } from "../../kv/change_log.ts";
import { KV_MODEL, type KvOp } from "../../kv/kv_model.ts";
import { DEFAULT_BUDGET, type Operation } from "../../kv/linearize.ts";
import type { Store } from "../../kv/store.ts";
import { checkHistory, violationText } from "../../kv/verdict.ts";
import type { NodeId, SessionAnswer } from "../../raft/mod.ts";
import { demand } from "../engine/trace.ts";

/** A search that goes further is a failure: histories are cut so that it does not. */
const BUDGET = { ...DEFAULT_BUDGET, stepsMax: 3_000_000, memoMax: 500_000 };
/** Clocks may be this much faster than time. */
const FASTEST_CLOCK = 1.25;

/** What is known of a lease. */
interface LeaseFacts {
  readonly ttlMs: Millis;
  /** Its owner may count on it from the moment at which it asked. */
  goodUntilMs: Millis;
}

/** The global truth. */
export class KvOracle {
  readonly #nowMs: () => Millis;
  /** Of each index: what it came to. */
  readonly #answers = new Map<number, string>();
  /** By revision; nothing at 0. */
  readonly #events: (Event | undefined)[] = [undefined];
  readonly #leases = new Map<number, LeaseFacts>();
  readonly history: Operation<KvOp>[] = [];

  constructor(nowMs: () => Millis) {
    this.#nowMs = nowMs;
  }

  /** Changes so far. */
  get revision(): number {
    return this.#events.length - 1;
  }

  /** A node applied the entry at `index`, and its store went on from the revision `before`. */
  applied(
    node: NodeId,
    index: number,
    answer: SessionAnswer,
    store: Store,
    before: number,
    isExpiry: boolean,
  ): void {
    const text = `${answerText(answer)} ${store.revision}`;
    const known = this.#answers.get(index);
    demand(
      known === undefined || known === text,
      () => `node ${node} answers entry ${index} with ${text}, another with ${known}`,
    );
    this.#answers.set(index, text);
    const changes = store.changes.after(before, "", Infinity, Infinity);
    demand(changes !== undefined, () => `node ${node} forgot what it just changed`);
    for (const event of changes.events) this.#changed(node, event, isExpiry);
  }

  /** A client holds a lease of `ttlMs`, for which it asked, or asked again, at `askedMs`. */
  leaseHeld(lease: number, ttlMs: Millis, askedMs: Millis): void {
    const facts = this.#leases.get(lease) ?? { ttlMs, goodUntilMs: 0 };
    facts.goodUntilMs = Math.max(facts.goodUntilMs, askedMs + ttlMs / FASTEST_CLOCK);
    this.#leases.set(lease, facts);
  }

  /** A lease is ended by the store. */
  leaseEnded(lease: number): void {
    const facts = this.#leases.get(lease);
    if (facts === undefined) return;
    const nowMs = this.#nowMs();
    demand(
      nowMs >= facts.goodUntilMs,
      () => `lease ${lease} ended ${facts.goodUntilMs - nowMs} ms before its time`,
    );
  }

  /** A watch that had everything up to `after` was given events, and says it has all to `upTo`. */
  watched(
    who: string,
    prefix: string,
    after: number,
    events: readonly Event[],
    upTo: number,
  ): void {
    demand(upTo <= this.revision, () => `${who} was told of the future, ${upTo}`);
    const truth: Event[] = [];
    for (let revision = after + 1; revision <= upTo; revision++) {
      const event = this.#events[revision]!;
      if (event.key.startsWith(prefix)) truth.push(event);
    }
    const isTrue =
      events.length === truth.length && events.every((one, i) => isSame(one, truth[i]!));
    demand(isTrue, () => `${who} behind ${after} saw ${told(events)}; true is ${told(truth)}`);
  }

  /** Checks the whole history; unknown is a failure. */
  check(): number {
    const { verdict, violation, steps } = checkHistory(this.history, BUDGET);
    const text = violation === undefined ? "" : `\n${violationText(violation, KV_MODEL.describe)}`;
    demand(verdict === "linearizable", () => `the history is ${verdict}${text}`);
    return steps;
  }

  #changed(node: NodeId, event: Event, isExpiry: boolean): void {
    const known = this.#events[event.revision];
    if (known !== undefined) {
      demand(isSame(known, event), () => `node ${node} has another change ${event.revision}`);
      return;
    }
    demand(
      event.revision === this.#events.length,
      () => `node ${node} made change ${event.revision} after ${this.revision}`,
    );
    this.#events.push(event);
    if (!isExpiry) return;
    const { key, version } = event;
    const nowMs = this.#nowMs();
    const op: KvOp = { kind: "delete", key, value: null, ok: true, version };
    this.history.push({ client: "lease", op, callMs: nowMs, returnMs: nowMs });
  }
}

function answerText(answer: SessionAnswer): string {
  const shown = (one: Uint8Array | string): string =>
    typeof one === "string" ? one : byteString(one);
  if (answer.kind === "done") return JSON.stringify({ ...answer, answer: shown(answer.answer) });
  if (answer.kind !== "ran") return JSON.stringify(answer);
  return JSON.stringify({ ...answer, answers: answer.answers.map(shown) });
}

/** Whether two nodes mean the same change. */
function isSame(one: Event, other: Event): boolean {
  const { revision, key, version } = one;
  return revision === other.revision && key === other.key && version === other.version;
}

const told = (events: readonly Event[]): string =>
  events.map(({ revision, key, version }) => `${revision} ${key} ${version}`).join(", ");
