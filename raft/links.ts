/**
 * The connections of a node with the others of its cluster: two with each, one of them for the bulk
 * of snapshots; the node with the smaller number dials, the other may listen on a port that serves
 * others too. A connection that is lost means nothing to Raft, whose own clocks decide.
 *
 * No I/O: connections are numbers, to be made and written on by the driver of the node.
 *
 * @module
 */
import { Backoff } from "../base/backoff.ts";
import { earlier, type Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import {
  type Channel,
  decodeFrame,
  encodeFrame,
  type Frame,
  type Hello,
  isFrame,
  isPeerGreeting,
} from "./greeting.ts";
import { BOOK_MAX } from "./identity.ts";
import { Link, type LinkPort } from "./link.ts";
import type { Message, NodeId } from "./messages.ts";
import { decodeWire, WireEncoder } from "./wire.ts";

/** Reasons of refusals that are told once each; behind so many different ones all is silence. */
const TOLD_MAX = 64;

/** The key of the connection with the node that answers at an address. */
const ANYBODY = keyOf(0, "main");
/** A node that refuses this one is dialled again after so many election time-outs. */
const REFUSED_ELECTIONS = 10;

/** What the connections of a node need of it. */
export interface LinksOwner extends LinkPort {
  dial(conn: number, address: string, channel: Channel): void;
  /** Ends a connection; `isFlushed`: behind what was written on it. */
  drop(conn: number, isFlushed: boolean): void;
  log(text: string): void;
  /** What to say to a node first. */
  hello(to: NodeId, channel: Channel): Hello;
  /** Why a node is none of ours, in words for people; undefined when it is. */
  whyNot(hello: Hello): string | undefined;
  /** Both ends know each other; or the other has news of itself. */
  greeted(hello: Hello): void;
  /** Whether Raft's messages of a node that greeted so are to be taken. */
  isFellow(hello: Hello): boolean;
  frame(from: NodeId, frame: Frame): void;
  message(from: NodeId, message: Message): void;
}

/** Someone to be dialled. */
interface Dial {
  readonly address: string;
  readonly backoff: Backoff;
  /** The connection that is being made; 0: none. */
  conn: number;
  atMs: Millis;
}

/** A connection that was dialled, or whose other end has greeted. */
interface Conn {
  readonly key: string;
  readonly link: Link | undefined;
  /** What this node said of itself first, on one that it dialled. */
  said: Hello | undefined;
}

/** See the module. */
export class Links {
  readonly self: NodeId;
  readonly #owner: LinksOwner;
  readonly #random: Random;
  readonly #electionMs: Millis;
  readonly #links = new Map<string, Link>();
  /** Connections by number: to whom they are, once that is known. */
  readonly #conns = new Map<number, Conn>();
  readonly #dials = new Map<string, Dial>();
  readonly #told = new Set<string>();
  readonly #encoder = new WireEncoder();
  /** See `#nextDialMs`; stale when one of `#dials` has changed since. */
  #dialAtMs: Millis | undefined;
  #isDialStale = true;
  #lastConn = -1;
  /** When to look after connections that may stand still; undefined while nothing is under way. */
  #checkAtMs: Millis | undefined;
  /** When to look, if something happens, whether there is need for that at all. */
  #lookAtMs: Millis = -Infinity;
  #nowMs: Millis;
  /** Messages that came and were not understood, or not for us, by reason. */
  readonly rejected: Record<string, number> = {};
  /** Messages that found no connection. */
  unsent = 0;

  constructor(self: NodeId, electionMs: Millis, owner: LinksOwner, random: Random, nowMs: Millis) {
    this.self = self;
    this.#electionMs = electionMs;
    this.#owner = owner;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** Nodes that ordinary messages can be sent to now. */
  get connected(): NodeId[] {
    const links = [...this.#links.values()];
    return links.filter(({ channel }) => channel === "main").map(({ peer }) => peer);
  }

  get wakeAtMs(): Millis | undefined {
    return earlier(this.#checkAtMs, this.#nextDialMs);
  }

  /** When the next is to be dialled; asked for with every message, and changes seldom. */
  get #nextDialMs(): Millis | undefined {
    if (!this.#isDialStale) return this.#dialAtMs;
    this.#isDialStale = false;
    this.#dialAtMs = undefined;
    for (const { conn, atMs } of this.#dials.values()) {
      if (conn === 0) this.#dialAtMs = earlier(this.#dialAtMs, atMs);
    }
    return this.#dialAtMs;
  }

  /** From now on these are dialled, each twice but 0, any node that answers there: once. */
  setTargets(targets: ReadonlyMap<NodeId, string>): void {
    this.#isDialStale = true;
    const wanted = new Map<string, string>();
    for (const [peer, address] of targets) {
      wanted.set(keyOf(peer, "main"), address);
      if (peer !== 0) wanted.set(keyOf(peer, "bulk"), address);
    }
    for (const [key, { address, conn }] of this.#dials) {
      if (wanted.get(key) === address) continue;
      this.#dials.delete(key);
      // A node that leaves keeps its connection: it has to be told.
      if (conn === 0 || !wanted.has(key)) continue;
      this.#forget(conn);
      this.#owner.drop(conn, false);
    }
    for (const [key, address] of wanted) {
      if (this.#dials.has(key)) continue;
      const mostMs = this.#electionMs / 2;
      const backoff = new Backoff(mostMs / 8, mostMs, this.#random);
      this.#dials.set(key, { address, backoff, conn: 0, atMs: this.#nowMs });
    }
  }

  /** A connection that was dialled is made. */
  opened(conn: number): void {
    const known = this.#conns.get(conn);
    if (known === undefined) return this.#owner.drop(conn, false);
    const [peer, channel] = known.key.split(" ") as [string, Channel];
    known.said = this.#owner.hello(Number(peer), channel);
    this.#owner.write(conn, encodeFrame(known.said));
  }

  /** Whether this connection is a node's, or becomes one's by its first message. */
  isPeers(conn: number, payload: Uint8Array): boolean {
    return this.#conns.has(conn) || isPeerGreeting(payload);
  }

  /** A payload has come on a connection. */
  received(conn: number, payload: Uint8Array): void {
    const link = this.#conns.get(conn)?.link;
    if (link === undefined) return this.#greet(conn, payload);
    const decoded = isFrame(payload) ? decodeFrame(payload) : decodeWire(payload);
    if (typeof decoded === "string") {
      this.#reject(decoded, `node ${link.peer} sent what is no message: ${decoded}`);
      return;
    }
    if ("term" in decoded) {
      if (this.#owner.isFellow(link.hello)) this.#owner.message(link.peer, decoded);
      else this.#reject("no member's", undefined);
    } else if (decoded.kind === "hello") this.#greetedAgain(link, decoded);
    else this.#owner.frame(link.peer, decoded);
  }

  /** A connection is no more, or could not be made. */
  gone(conn: number): void {
    this.#forget(conn);
  }

  /** Sends a message: over the connection for its kind, if there is one. */
  send(to: NodeId, message: Message): void {
    const bulk = message.kind === "snapshot" ? this.#links.get(keyOf(to, "bulk")) : undefined;
    const link = bulk ?? this.#links.get(keyOf(to, "main"));
    if (link === undefined) {
      this.unsent++;
      return;
    }
    link.send(message, this.#nowMs, this.#electionMs / 2);
    this.#checkAtMs ??= this.#nowMs + this.#electionMs / 2;
  }

  /** Says something else to a node, if it is connected. */
  tell(to: NodeId, frame: Frame): void {
    const link = this.#links.get(keyOf(to, "main"));
    if (link !== undefined) this.#owner.write(link.conn, encodeFrame(frame));
  }

  /** The time has come to dial, or to look after connections that stand still. */
  wake(nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (nowMs >= (this.#checkAtMs ?? Infinity)) this.#check();
    if (nowMs < (this.#nextDialMs ?? Infinity)) return;
    this.#isDialStale = true;
    for (const [key, dial] of this.#dials) {
      if (dial.conn !== 0 || dial.atMs > nowMs) continue;
      // Of two nodes that dial each other one is enough; any that answers is not asked for then.
      const isThere = this.#links.has(key) || (key === ANYBODY && this.#links.size > 0);
      if (isThere) dial.atMs = nowMs + this.#electionMs;
      else this.#dial(key, dial);
    }
  }

  /** Says once more who this node is, to everybody: it has news of itself. */
  greetAgain(): void {
    for (const { conn, peer, channel } of this.#links.values()) {
      this.#owner.write(conn, encodeFrame(this.#owner.hello(peer, channel)));
    }
  }

  /** The time, for everything that is done before the next wake-up. */
  at(nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (this.#checkAtMs === undefined || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + this.#electionMs / 4;
    // What was sent has arrived, as nearly always: nobody need be woken to see that.
    for (const link of this.#links.values()) {
      link.stalledForMs(nowMs);
      if (link.isUnderWay) return;
    }
    this.#checkAtMs = undefined;
  }

  /** Ends all connections, behind what was written. */
  close(): void {
    for (const conn of this.#conns.keys()) this.#owner.drop(conn, true);
    this.#conns.clear();
    this.#links.clear();
    this.#dials.clear();
    this.#isDialStale = true;
  }

  #dial(key: string, dial: Dial): void {
    dial.conn = this.#lastConn += 2;
    this.#conns.set(dial.conn, { key, link: undefined, said: undefined });
    this.#owner.dial(dial.conn, dial.address, key.split(" ")[1] as Channel);
  }

  /** The first payload of a connection says whose it is. */
  #greet(conn: number, payload: Uint8Array): void {
    const frame = decodeFrame(payload);
    const why = typeof frame === "string" ? frame : this.#whyNot(frame);
    if (typeof frame === "string" || why !== undefined) return this.#refuse(conn, why!);
    const hello = frame as Hello;
    const { from, channel } = hello;
    const known = this.#conns.get(conn);
    const own = this.#owner.hello(from, channel);
    // It may have news of itself by now.
    const isNews = known?.said?.cluster !== own.cluster || known.said.phase !== own.phase;
    if (isNews) this.#owner.write(conn, encodeFrame(own));
    const isDialled = known !== undefined;
    const key = keyOf(from, channel);
    const older = this.#links.get(key);
    const link = new Link({ conn, hello, isDialled }, this.#owner, this.#encoder, this.#nowMs);
    this.#links.set(key, link);
    this.#conns.set(conn, { key: known?.key ?? key, link, said: undefined });
    this.#dials.get(known?.key ?? "")?.backoff.reset();
    if (older !== undefined) {
      this.#forget(older.conn);
      this.#owner.drop(older.conn, false);
    }
    this.#owner.greeted(hello);
  }

  /** A node that is connected has come into a cluster. */
  #greetedAgain(link: Link, hello: Hello): void {
    const isSame = hello.from === link.peer && hello.channel === link.channel;
    const why = isSame ? this.#whyNot(hello) : "it says that it is another";
    if (why !== undefined) return this.#refuse(link.conn, why);
    link.hello = hello;
    this.#owner.greeted(hello);
  }

  #whyNot(frame: Frame): string | undefined {
    if (frame.kind === "refuse") return frame.reason;
    if (frame.kind !== "hello") return "it did not greet";
    if (frame.from === 0 || frame.from === this.self) {
      return `it says that it is node ${frame.from}, as this one is`;
    }
    if (frame.to !== 0 && frame.to !== this.self) {
      return `it looks for node ${frame.to}, this is node ${this.self}`;
    }
    const isKnown = this.#links.has(keyOf(frame.from, frame.channel));
    if (!isKnown && this.#links.size >= 2 * BOOK_MAX) return "there are too many nodes";
    return this.#owner.whyNot(frame);
  }

  #refuse(conn: number, why: string): void {
    const known = this.#conns.get(conn);
    const dial = known && this.#dials.get(known.key);
    const who = dial === undefined ? "a node that dialled" : `the node at ${dial.address}`;
    this.#reject("refused", `${who} is refused: ${why}`);
    if (known === undefined) {
      this.#owner.write(conn, encodeFrame({ kind: "refuse", reason: why }));
    }
    this.#forget(conn);
    if (dial !== undefined) dial.atMs = this.#nowMs + REFUSED_ELECTIONS * this.#electionMs;
    this.#isDialStale = true;
    this.#owner.drop(conn, true);
  }

  #reject(why: string, text: string | undefined): void {
    const isNew = this.rejected[why] === undefined;
    if (isNew && Object.keys(this.rejected).length >= TOLD_MAX) return;
    this.rejected[why] = (this.rejected[why] ?? 0) + 1;
    if (text === undefined || this.#told.has(text) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(text);
    this.#owner.log(text);
  }

  #forget(conn: number): void {
    const known = this.#conns.get(conn);
    this.#conns.delete(conn);
    if (known === undefined) return;
    const { link } = known;
    const key = link && keyOf(link.peer, link.channel);
    if (key !== undefined && this.#links.get(key) === link) this.#links.delete(key);
    const dial = this.#dials.get(known.key);
    if (dial?.conn !== conn) return;
    dial.conn = 0;
    dial.atMs = this.#nowMs + dial.backoff.next();
    this.#isDialStale = true;
  }

  /** Goes on where it can; a connection that stands still for too long is made anew. */
  #check(): void {
    this.#checkAtMs = undefined;
    for (const link of this.#links.values()) {
      const stalledForMs = link.stalledForMs(this.#nowMs);
      if (link.hasWaiting) link.flush(this.#nowMs, this.#electionMs / 2);
      if (link.isUnderWay) this.#checkAtMs = this.#nowMs + this.#electionMs / 4;
      // A peer that was restarted answers nothing that the connection of before says.
      if (!link.isDialled || stalledForMs < this.#electionMs) continue;
      this.#forget(link.conn);
      this.#owner.drop(link.conn, false);
    }
  }
}

function keyOf(peer: NodeId, channel: Channel): string {
  return `${peer} ${channel}`;
}
