/**
 * A query actor: answers clients from its own replica, at once, and keeps that up to date with the
 * other actors'.
 *
 * @module
 */
import type { ByteString } from "../base/byte_fields.ts";
import { earlier, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { readableDuration } from "../base/text.ts";
import type { Cell, Entry, Register } from "./entry.ts";
import { isAddress, memberKey, memberOf, memberValue, OWN_PREFIX } from "./envelope.ts";
import {
  AHEAD_MS_MAX,
  AHEAD_WARN_MS,
  CELL_SUM_MAX,
  KEY_BYTES_MAX,
  PAGE_BYTES_MAX,
  STORE_BYTES_MAX,
  SWEEP_MS,
  WAITING_MAX,
  WARN_MS,
} from "./limits.ts";
import type { Link } from "./link.ts";
import { Replica, type Shown } from "./replica.ts";
import {
  type Answer,
  decodeRequest,
  encodeReply,
  type Operation,
  type Refusal,
  textOfKey,
} from "./requests.ts";
import { actorOf, HybridClock, lifeOf } from "./stamp.ts";
import { Sync } from "./sync.ts";
import type { ClientId, QueryEffect, QueryInput, QueryOptions } from "./types.ts";
import { Watches } from "./watches.ts";

/** What an actor counted. */
export interface QueryCounts {
  /** Entries refused: dated too far ahead, or for want of room. */
  refusedAhead: number;
  refusedFull: number;
  /** Requests that were none. */
  malformed: number;
  operations: number;
}

/** See the module. */
export class QueryCore implements Machine<QueryInput, QueryEffect> {
  readonly replica: Replica;
  readonly sync: Sync;
  readonly counts: QueryCounts = { refusedAhead: 0, refusedFull: 0, malformed: 0, operations: 0 };
  readonly #options: QueryOptions;
  readonly #clock: HybridClock;
  readonly #watches = new Watches();
  readonly #out = new Outbox<QueryEffect>();
  /** Keys whose watchers are to hear of them. */
  readonly #changed = new Set<ByteString>();
  readonly #warnedMs = new Map<string, Millis>();
  #ticket = 0;
  #nowMs: Millis;
  #sweepAtMs: Millis;

  constructor(options: QueryOptions, nowMs: Millis) {
    const { life, index, entries, rules, paceMs } = options;
    this.#options = options;
    this.#nowMs = nowMs;
    this.#sweepAtMs = nowMs + SWEEP_MS;
    this.replica = new Replica(rules);
    this.#clock = new HybridClock(actorOf(life, index));
    const kept: Entry[] = [];
    for (const entry of entries) {
      if (entry.kind === "register") this.#clock.observe(entry);
      this.replica.merge(entry, options.wallMs());
      if (index === 0 && memberOf(entry) !== undefined) kept.push(entry);
    }
    this.sync = new Sync(
      {
        ...options,
        replica: this.replica,
        hasState: this.replica.size > 0,
        accept: (entry, from, atMs) => this.#accept(entry, from, atMs),
        ...(paceMs !== undefined && { paceMs }),
      },
      nowMs,
    );
    for (const member of kept) this.sync.meet(member, nowMs);
    if (index === 0) this.#introduce();
  }

  handle(input: QueryInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    switch (input.kind) {
      case "wake":
        break;
      case "envelope":
        this.sync.receive(input.bytes, nowMs);
        break;
      case "request":
        this.#request(input.client, input.bytes);
        break;
      case "gone":
        this.#watches.gone(input.client);
        break;
      case "kept":
        this.#out.release(input.ticket);
        break;
    }
    if (nowMs >= this.#sweepAtMs) {
      this.#sweepAtMs = nowMs + SWEEP_MS;
      this.replica.sweep(this.#options.wallMs());
    }
    this.#tellWatches();
    this.sync.flush(nowMs);
  }

  poll(): QueryEffect | undefined {
    const effect = this.#out.poll();
    if (effect !== undefined) return effect;
    const told = this.sync.poll();
    return told && { kind: "tell", ...told };
  }

  wakeAtMs(): Millis | undefined {
    return earlier(this.sync.wakeAtMs(this.#nowMs), this.#sweepAtMs);
  }

  // ---- what others sent

  #accept(entry: Entry, from: Link, nowMs: Millis): boolean {
    if (entry.kind === "register" && !this.#isDateGood(entry, from)) return false;
    if (this.replica.bytes > STORE_BYTES_MAX) {
      this.counts.refusedFull++;
      this.#warn("full", "refused entries of other servers: this one is full");
      return false;
    }
    const merged = this.replica.merge(entry, this.#options.wallMs());
    if (merged === "refused") this.counts.refusedFull++;
    if (merged !== "new") return false;
    if (entry.kind === "register") this.#clock.observe(entry);
    this.#isNew(entry, from, nowMs);
    return true;
  }

  /** Something new is here. What came from another server is kept here, once, by the gateway. */
  #isNew(entry: Entry, from: Link | undefined, nowMs: Millis): void {
    this.sync.spread(entry, from, nowMs);
    if (this.#options.isDurable && from?.isLocal !== true) {
      this.#out.push({ kind: "keep", ticket: ++this.#ticket, entry });
    }
    this.#changed.add(entry.key);
    const member = memberOf(entry);
    const { address, life, index } = this.#options;
    // An earlier life of this server does not have the last word on it.
    const isOld = member?.address === address && member.life !== life;
    if (from !== undefined && index === 0 && (isOld || isOwnTombstone(entry, address))) {
      this.#introduce();
    }
  }

  #introduce(): void {
    const { address, life, actors } = this.#options;
    this.#write(memberKey(address), memberValue({ address, life, actors }));
  }

  #isDateGood(entry: Register, from: Link): boolean {
    const aheadMs = entry.wallMs - this.#options.wallMs();
    if (aheadMs <= AHEAD_WARN_MS) return true;
    const isRefused = aheadMs > AHEAD_MS_MAX;
    const server = this.#serverOf(entry.actor) ?? from.server;
    const ahead = readableDuration(aheadMs / 1000);
    const isOwn = entry.key.startsWith(OWN_PREFIX);
    const what = isOwn
      ? `what ${server} says of itself`
      : `a put of ${JSON.stringify(entry.key)} by ${server}`;
    if (isRefused) {
      this.counts.refusedAhead++;
      this.#warn(
        `refused ${server}`,
        `refused ${what}, dated ${ahead} ahead of this clock: at most 1 day is taken; set the clock there`,
      );
    } else if (!from.isLocal) {
      this.#warn(
        `ahead ${server}`,
        `merged ${what}, dated ${ahead} ahead of this clock; compare the two clocks`,
      );
    }
    return !isRefused;
  }

  /** The address of the server in one of whose lives an actor is. */
  #serverOf(actor: number): string | undefined {
    for (const { life, server } of this.sync.links.values()) {
      if (life === lifeOf(actor)) return server;
    }
    return undefined;
  }

  /** A line for people, about each matter once in a while. */
  #warn(matter: string, text: string): void {
    const lastMs = this.#warnedMs.get(matter) ?? -Infinity;
    if (this.#nowMs < lastMs + WARN_MS) return;
    if (this.#warnedMs.size > 1000) this.#warnedMs.clear();
    this.#warnedMs.set(matter, this.#nowMs);
    this.#out.push({ kind: "warn", text });
  }

  // ---- what clients ask

  #request(client: ClientId, bytes: Uint8Array): void {
    const request = decodeRequest(bytes);
    if (request === undefined) return void this.counts.malformed++;
    this.counts.operations++;
    const { id, operation } = request;
    const answer = this.#answer(client, id, operation);
    if (answer === undefined) return;
    const reply: QueryEffect = { kind: "reply", client, bytes: encodeReply({ id, answer }) };
    const isWrite = answer.kind === "done" || answer.kind === "added";
    // What was done is said to be done once it is durable.
    if (isWrite && this.#options.isDurable) this.#out.hold(this.#ticket, reply);
    else this.#out.push(reply);
  }

  #answer(client: ClientId, id: number, operation: Operation): Answer | undefined {
    switch (operation.kind) {
      case "get":
        return { kind: "shown", shown: this.replica.shown(operation.key) };
      case "put":
        return this.#change(operation.key, operation.value);
      case "delete":
        return this.#change(operation.key, undefined);
      case "add":
        return this.#add(operation.key, operation.delta);
      case "list":
        return this.#list(operation.prefix, operation.after, operation.keysMax);
      case "watch": {
        const isTaken = this.#watches.add({ client, id, prefix: operation.prefix });
        return isTaken ? { kind: "events", changes: [] } : refused("too many");
      }
      case "unwatch":
        this.#watches.remove(client, operation.watch);
        return undefined;
      case "status":
        return { kind: "status", json: JSON.stringify(this.status()) };
      case "hello": {
        const { actors, address } = this.#options;
        return { kind: "hello", actors, address };
      }
      case "forget":
        return this.#forget(textOfKey(operation.server));
    }
  }

  /** Why a key cannot be written; undefined if it can. */
  #why(key: ByteString, bytes: number): Refusal | undefined {
    if (key.length === 0 || key.length > KEY_BYTES_MAX || key.startsWith(OWN_PREFIX)) {
      return "invalid";
    }
    if (this.#out.held >= WAITING_MAX) return "too many";
    return this.replica.bytes + bytes > STORE_BYTES_MAX ? "full" : undefined;
  }

  #change(key: ByteString, value: Uint8Array | undefined): Answer {
    const why = this.#why(key, value?.length ?? 0);
    return why === undefined ? { kind: "done", stamp: this.#write(key, value) } : refused(why);
  }

  #write(key: ByteString, value: Uint8Array | undefined): Register {
    const wallMs = this.#options.wallMs();
    const entry: Register = { kind: "register", key, ...this.#clock.next(wallMs), value };
    this.replica.merge(entry, wallMs);
    this.#isNew(entry, undefined, this.#nowMs);
    return entry;
  }

  /** A server is gone for good: nobody is to call it any more. */
  #forget(server: string): Answer {
    const { address, index } = this.#options;
    if (index !== 0) return refused("no actor");
    const isMember = this.replica.register(memberKey(server))?.value !== undefined;
    if (!isAddress(server) || !(isMember || this.sync.knows(server))) return refused("no server");
    const link = this.sync.gateway(server);
    const isThere = server === address || link?.isAway(this.#nowMs) === false;
    if (isThere) return refused("still there");
    return { kind: "done", stamp: this.#write(memberKey(server), undefined) };
  }

  #add(key: ByteString, delta: number): Answer {
    const why = this.#why(key, 0);
    if (why !== undefined) return refused(why);
    const { actor } = this.#clock;
    const { plus, minus } = this.replica.cell(key, actor) ?? { plus: 0, minus: 0 };
    const cell: Cell = {
      kind: "cell",
      key,
      actor,
      plus: plus + Math.max(0, delta),
      minus: minus + Math.max(0, -delta),
    };
    if (cell.plus > CELL_SUM_MAX || cell.minus > CELL_SUM_MAX) return refused("overflow");
    if (delta !== 0) {
      if (this.replica.merge(cell, this.#options.wallMs()) === "refused") return refused("full");
      this.#isNew(cell, undefined, this.#nowMs);
    }
    return { kind: "added", count: this.replica.count(key) ?? 0 };
  }

  #list(prefix: ByteString, after: ByteString, keysMax: number): Answer {
    const all: Shown[] = [];
    let bytes = 0;
    const from = after === "" ? prefix : `${after}\0`;
    for (const shown of this.replica.list(prefix, from)) {
      if (shown.key.startsWith(OWN_PREFIX)) continue;
      if (all.length >= keysMax || bytes >= PAGE_BYTES_MAX) {
        return { kind: "listed", all, hasMore: true };
      }
      all.push(shown);
      bytes += shown.key.length + (shown.value?.length ?? 0) + 16;
    }
    return { kind: "listed", all, hasMore: false };
  }

  #tellWatches(): void {
    for (const key of this.#changed) {
      if (key.startsWith(OWN_PREFIX)) continue;
      const changes = [this.replica.shown(key)];
      for (const { client, id } of this.#watches.of(key)) {
        const answer: Answer = { kind: "events", changes };
        this.#out.push({ kind: "reply", client, bytes: encodeReply({ id, answer }) });
      }
    }
    this.#changed.clear();
  }

  // ---- what people ask

  /** What this actor knows of itself and its neighbours, as plain data. */
  status(): Record<string, unknown> {
    const { address, life, index, actors } = this.#options;
    const { replica, sync, counts } = this;
    const servers = [...sync.links.values()]
      .filter(({ isLocal }) => !isLocal)
      .map((link) => ({
        address: link.server,
        isAway: link.isAway(this.#nowMs),
        silentMs: Number.isFinite(link.heardMs) ? Math.round(this.#nowMs - link.heardMs) : null,
        roundTripMs: link.roundTripMs === undefined ? null : Math.round(link.roundTripMs),
        waiting: link.dirty.size,
        isSame: link.mismatch === undefined && !link.isFresh,
      }));
    const { root, count } = replica.tree;
    const hash = [root.high, root.low].map((half) => half.toString(16).padStart(8, "0")).join("");
    const store = { keys: replica.size, entries: count, bytes: replica.bytes, hash };
    const { entriesSent, entriesOld, malformed, joins } = sync;
    const entries = { sent: entriesSent, repeated: entriesOld };
    const rest = { entries, malformedEnvelopes: malformed, joins, watches: this.#watches.size };
    return { address, life, actor: index, actors, store, servers, counts, ...rest };
  }
}

function refused(why: Refusal): Answer {
  return { kind: "refused", why };
}

function isOwnTombstone(entry: Entry, address: string): boolean {
  return entry.kind === "register" && entry.value === undefined && entry.key === memberKey(address);
}
