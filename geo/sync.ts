/**
 * How actors keep each other up to date. The actors of a server form a star around its first one,
 * the gateway; the gateways of all servers exchange entries with each other. So a put goes to
 * another server once, however many actors that has.
 *
 * @module
 */
import { earlier, type Millis } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { compareItems, compareRow, itemsOf, rowOf, wantedOf } from "./compare.ts";
import { type Entry, weightOf } from "./entry.ts";
import type { Hash } from "./entry_hash.ts";
import {
  decodeEnvelope,
  type Digest,
  encodeEnvelope,
  type Envelope,
  forgottenBy,
  memberKey,
  memberOf,
  type NodeHashes,
  OWN_PREFIX,
} from "./envelope.ts";
import { ROOT } from "./hash_tree.ts";
import {
  BATCH_BYTES_MAX,
  DIGEST_MS,
  HASHES_BYTES_MAX,
  PACE_MS,
  SERVERS_MAX,
  SLOW_MS,
} from "./limits.ts";
import { Link } from "./link.ts";
import type { Replica } from "./replica.ts";

/** Comparisons with a new state wait this long for each other. */
const YOUNG_MS: Millis = 3000;
/** A comparison is not begun anew sooner. */
const AGAIN_MS: Millis = 1000;

/** Who this actor is, and what it works with. */
export interface SyncOptions {
  /** `HOST:PORT` of its server, as others are to call it. */
  readonly address: string;
  readonly life: number;
  readonly index: number;
  /** How many actors its server has. */
  readonly actors: number;
  /** Addresses of any other servers. */
  readonly joins: readonly string[];
  readonly replica: Replica;
  /** The state came from a disk. */
  readonly hasState: boolean;
  /** Takes what others sent, and says what of it was new here. */
  readonly accept: (entry: Entry, from: Link, nowMs: Millis) => boolean;
  /** Least time between two messages to one actor; the simulator plants a fault here. */
  readonly paceMs?: Millis;
}

/** A message for the actor `index` of `server`. */
export interface Told {
  readonly server: string;
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** See the module. */
export class Sync {
  readonly links: Map<string, Link> = new Map();
  /** Messages that were no envelopes. */
  malformed = 0;
  /** Entries sent, and those that came and changed nothing. */
  entriesSent = 0;
  entriesOld = 0;
  readonly #options: SyncOptions;
  readonly #told = new Outbox<Told>();
  /** Addresses that people gave, until their servers are known. */
  readonly #joins = new Map<string, Millis>();
  /** When somebody was last asked at an address that people gave. */
  #askedMs: Millis = -Infinity;
  /** A new state takes what there is from one neighbour at a time. */
  #youngUntilMs: Millis;
  #youngWith: Link | undefined;

  constructor(options: SyncOptions, nowMs: Millis) {
    this.#options = options;
    const { address, index, actors, joins, hasState } = options;
    this.#youngUntilMs = hasState ? -Infinity : nowMs + 2 * YOUNG_MS;
    const neighbours = index === 0 ? actors : 1;
    for (let i = 0; i < neighbours; i++) if (i !== index) this.#link(address, i, nowMs);
    if (index > 0) return;
    for (const join of joins) if (join !== address) this.#joins.set(join, nowMs);
  }

  /** Addresses at which no server has answered yet. */
  get joins(): readonly string[] {
    return [...this.#joins.keys()];
  }

  poll(): Told | undefined {
    return this.#told.poll();
  }

  wakeAtMs(nowMs: Millis): Millis | undefined {
    let atMs: Millis | undefined;
    for (const dueMs of this.#joins.values()) atMs = earlier(atMs, dueMs);
    for (const link of this.links.values()) atMs = earlier(atMs, link.wakeAtMs(nowMs));
    return atMs;
  }

  /** An entry is new here: others are to have it. `from` is who sent it, if anybody did. */
  spread(entry: Entry, from: Link | undefined, nowMs: Millis): void {
    this.meet(entry, nowMs);
    const isOwn = entry.key.startsWith(OWN_PREFIX);
    for (const link of this.links.values()) {
      // What came from another server goes to all servers from there.
      if (link === from || (from?.isLocal === false && !link.isLocal && !isOwn)) continue;
      link.add(entry, (one) => this.#options.replica.isCurrent(one));
    }
  }

  /** Sends what is due. */
  flush(nowMs: Millis): void {
    for (const link of this.links.values()) {
      link.resend(nowMs);
      if (!link.mustSend(nowMs)) continue;
      if (link.isAway(nowMs) && this.#isForgotten(link)) this.forget(link.server);
      else this.#tell(link, nowMs);
    }
    for (const [address, dueMs] of this.#joins) {
      if (dueMs > nowMs) continue;
      this.#joins.set(address, nowMs + DIGEST_MS);
      this.#askedMs = nowMs;
      const nobody = { life: 0, calls: address, calledAs: "" };
      this.#told.push({ server: address, index: 0, bytes: this.#envelope(nobody, {}) });
    }
  }

  /** Takes a message of another actor. */
  receive(bytes: Uint8Array, nowMs: Millis): void {
    const envelope = decodeEnvelope(bytes);
    if (envelope === undefined) return void this.malformed++;
    const link = this.#senderOf(envelope, nowMs);
    if (link === undefined) return;
    const { replica, life, accept } = this.#options;
    link.heard(nowMs);
    if (envelope.calls !== "") {
      link.calledAs = envelope.calls;
      link.digestAtMs = nowMs;
    }
    if (envelope.toLife === life) for (const seq of envelope.acks) link.acked(seq, nowMs);
    if (envelope.seq > 0) link.received(envelope.seq);
    for (const entry of envelope.entries) {
      if (accept(entry, link, nowMs)) {
        if (link === this.#youngWith) this.#youngUntilMs = nowMs + YOUNG_MS;
      } else this.entriesOld++;
    }
    if (envelope.rows.length > 0) this.#compareRows(link, envelope.rows, nowMs);
    for (const { node, hashes } of envelope.items) {
      const found = compareItems(replica, node, hashes);
      if (found === undefined) this.malformed++;
      else this.#settle(link, { node, hashes: found.want }, found.push, found.want.length > 0);
    }
    for (const { node, hashes } of envelope.wants) {
      const wanted = wantedOf(replica, node, hashes);
      if (wanted === undefined) this.malformed++;
      else this.#push(link, wanted);
    }
    if (envelope.digest !== undefined) this.#digest(link, envelope.digest, nowMs);
  }

  #link(server: string, index: number, nowMs: Millis): Link {
    const { address, index: own, paceMs = PACE_MS } = this.#options;
    const isLocal = server === address;
    const isInitiator = isLocal ? own < index : address < server;
    const link = new Link({ server, index, isLocal, isInitiator }, nowMs, paceMs);
    // It may be who was asked just now, under another name.
    if (!isLocal) link.sent(this.#askedMs);
    this.links.set(keyOf(server, index), link);
    return link;
  }

  /** A server may have been made known by an entry, or may be gone for good. */
  meet(entry: Entry, nowMs: Millis): void {
    const { address, index } = this.#options;
    if (index !== 0 || !entry.key.startsWith(OWN_PREFIX)) return;
    const gone = forgottenBy(entry);
    if (gone !== undefined) this.forget(gone);
    const member = memberOf(entry);
    if (member === undefined || member.address === address) return;
    this.#joins.delete(member.address);
    this.#knownServer(member.address, nowMs);
  }

  /** The link to the first actor of a server, which speaks for it. */
  gateway(server: string): Link | undefined {
    return this.links.get(keyOf(server, 0));
  }

  /** Whether that server is called, or that address is asked. */
  knows(server: string): boolean {
    return this.gateway(server) !== undefined || this.#joins.has(server);
  }

  /** Calls a server no more, until it calls itself. */
  forget(server: string): void {
    if (server === this.#options.address) return;
    this.#joins.delete(server);
    const link = this.gateway(server);
    if (link === undefined) return;
    this.links.delete(keyOf(server, 0));
    if (link === this.#youngWith) this.#youngWith = undefined;
  }

  /** What it had under way when it was forgotten may have made it known once more. */
  #isForgotten({ server, isLocal }: Link): boolean {
    if (isLocal) return false;
    const register = this.#options.replica.register(memberKey(server));
    return register !== undefined && register.value === undefined;
  }

  #knownServer(server: string, nowMs: Millis): Link | undefined {
    const known = this.gateway(server);
    if (known !== undefined || this.links.size >= SERVERS_MAX + this.#options.actors) return known;
    return this.#link(server, 0, nowMs);
  }

  /** The link to who sent an envelope, if it is one to talk to. */
  #senderOf(envelope: Envelope, nowMs: Millis): Link | undefined {
    const { address, life, index, calledAs } = envelope;
    const own = this.#options;
    if (address === own.address && life === own.life && index === own.index) {
      // It was given its own address under another name.
      this.#joins.delete(envelope.calls);
      return undefined;
    }
    const isLocal = address === own.address && life === own.life;
    if (address === own.address && !isLocal) return undefined;
    if (!isLocal && (own.index !== 0 || index !== 0)) return undefined;
    this.#joins.delete(calledAs);
    this.#joins.delete(address);
    const link = isLocal
      ? this.links.get(keyOf(address, index))
      : this.#knownServer(address, nowMs);
    if (link === undefined) return undefined;
    if (link.life !== life) {
      link.begin(life);
      // Who belongs to the store is said at once; the rest is found by comparing.
      if (!isLocal) this.#push(link, this.#options.replica.registersOf(OWN_PREFIX));
    }
    return link;
  }

  #digest(link: Link, digest: Digest, nowMs: Millis): void {
    const mine = this.#options.replica.tree.root;
    if (isSame(mine, digest.hash)) {
      link.isFresh = false;
      link.mismatch = undefined;
      this.#youngUntilMs = -Infinity;
    } else if (!link.isInitiator) this.#differ(link, digest, mine, nowMs);
    if (!link.isInitiator) link.digestAtMs = nowMs;
  }

  /** The states differ: compares them, unless what is under way may be all. */
  #differ(link: Link, digest: Digest, mine: Hash, nowMs: Millis): void {
    const before = link.mismatch;
    const isStable =
      before !== undefined && isSame(before.theirs, digest.hash) && isSame(before.mine, mine);
    const sinceMs = before?.sinceMs ?? nowMs;
    link.mismatch = { theirs: digest.hash, mine, sinceMs };
    if (this.#isYoungWithAnother(link, nowMs) || nowMs - link.comparedMs < AGAIN_MS) return;
    const isQuiet = digest.isQuiet && link.isQuiet;
    const isOld = nowMs - sinceMs > SLOW_MS && nowMs - link.comparedMs > SLOW_MS;
    const isFresh = (link.isFresh || digest.isFresh) && link.hasRoom;
    if (!(isFresh || (isStable && isQuiet) || isOld)) return;
    this.#comparing(link, nowMs);
    link.forgetNodes();
    link.rows.push(ROOT);
  }

  #comparing(link: Link, nowMs: Millis): void {
    link.comparedMs = nowMs;
    link.isFresh = false;
    if (nowMs < this.#youngUntilMs) this.#youngWith = link;
  }

  #isYoungWithAnother(link: Link, nowMs: Millis): boolean {
    if (nowMs >= this.#youngUntilMs || link.isLocal) return false;
    return this.#youngWith !== undefined && this.#youngWith !== link;
  }

  #compareRows(link: Link, rows: readonly NodeHashes[], nowMs: Millis): void {
    if (this.#isYoungWithAnother(link, nowMs)) return;
    if (rows.some(({ node }) => node.level === 0)) this.#comparing(link, nowMs);
    for (const { node, hashes } of rows) {
      const found = compareRow(this.#options.replica, node, hashes);
      if (found === undefined) {
        this.malformed++;
        continue;
      }
      link.queue("rows", found.rows);
      link.queue("items", found.items);
      for (const missing of found.missing) {
        link.wants.push({ node: missing, hashes: new Uint8Array(0) });
      }
      this.#push(link, found.push);
    }
  }

  #settle(link: Link, want: NodeHashes, push: readonly Entry[], isWanting: boolean): void {
    if (isWanting) link.wants.push(want);
    this.#push(link, push);
  }

  #push(link: Link, entries: Iterable<Entry>): void {
    for (const entry of entries) link.push(entry);
  }

  #tell(link: Link, nowMs: Millis): void {
    const { replica } = this.#options;
    const entries = link.mayBatch(nowMs) ? this.#batch(link) : [];
    const isDigestDue = link.digestAtMs <= nowMs;
    const { isQuiet } = link;
    const isFresh = link.isFresh && link.hasRoom;
    const bytes = this.#envelope(
      { life: link.life, calls: "", calledAs: link.calledAs },
      {
        seq: entries.length > 0 ? link.sendBatch(entries, nowMs) : 0,
        acks: link.acksDue.splice(0),
        digest: isDigestDue ? { hash: replica.tree.root, isQuiet, isFresh } : undefined,
        ...this.#hashes(link),
        entries,
      },
    );
    link.calledAs = "";
    link.sent(nowMs);
    this.#told.push({ server: link.server, index: link.index, bytes });
  }

  #envelope(
    to: { readonly life: number; readonly calls: string; readonly calledAs: string },
    parts: Partial<Envelope>,
  ): Uint8Array {
    const { address, life, actors, index } = this.#options;
    const { calls, calledAs } = to;
    const nothing = { seq: 0, acks: [], digest: undefined };
    const none = { rows: [], items: [], wants: [], entries: [] };
    const head = { address, life, actors, index, toLife: to.life, calls, calledAs };
    return encodeEnvelope({ ...head, ...nothing, ...none, ...parts });
  }

  /** Takes entries from the list as far as one message has room. */
  #batch(link: Link): Entry[] {
    const { replica } = this.#options;
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of link.dirty) {
      if (bytes >= BATCH_BYTES_MAX) break;
      link.dirty.delete(entry);
      if (!replica.isCurrent(entry)) continue;
      entries.push(entry);
      bytes += weightOf(entry);
    }
    this.entriesSent += entries.length;
    return entries;
  }

  /** Takes rows, items and wants from the lists as far as one message has room. */
  #hashes(link: Link): Pick<Envelope, "rows" | "items" | "wants"> {
    const { replica } = this.#options;
    let left = HASHES_BYTES_MAX;
    const taken = <T>(list: T[], make: (one: T) => NodeHashes): NodeHashes[] => {
      const parts: NodeHashes[] = [];
      while (left > 0 && list.length > 0) {
        const part = make(list.shift()!);
        left -= part.hashes.length + 8;
        parts.push(part);
      }
      return parts;
    };
    return {
      rows: taken(link.rows, (node) => ({ node, hashes: rowOf(replica, node) })),
      items: taken(link.items, (node) => ({ node, hashes: itemsOf(replica, node) })),
      wants: taken(link.wants, (want) => want),
    };
  }
}

/** What a link goes by: the server and the actor there. */
function keyOf(server: string, index: number): string {
  return `${server} ${index}`;
}

function isSame(a: Hash, b: Hash): boolean {
  return a.high === b.high && a.low === b.low;
}
