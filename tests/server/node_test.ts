/** A server that gains and loses the lead: whom it serves, whom it sends where, whom it relays. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { relayedSession } from "../../server/askers.ts";
import { PARKED_MAX, PARKED_MS, ServerNode } from "../../server/node.ts";
import { HELD_MESSAGES_MAX } from "../../server/classic_guests.ts";
import { RELAY_PATIENCE_MS, RELAYS_MAX } from "../../server/relay.ts";
import { TableMachine } from "../../server/table_machine.ts";
import type { NodeEffect, NodeInput } from "../../server/types.ts";
import {
  CLASSIC_JOIN,
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import type { Message } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

const SERVERS = ["me:1", "b:2", "c:3"];
const work = { subject: "hello", lower: 0n, upper: 999n };
const SUBMIT = { kind: "submit", job: 1, session: relayedSession(7n), work } as const;
const JOIN = { kind: "join", threads: 1, rate: 1000, label: "x", name: "" } as const;
const REQUEST = encodeClassicMessage(classicRequest("hello", 0n, 999n));

/** A node whose log commits when it is told to. */
class Rig {
  readonly machine = new TableMachine();
  readonly node = new ServerNode({
    table: this.machine,
    address: "me:1",
    report: () => "{}",
    session: () => 7n,
    limits: { maxMiners: 3 },
  });
  readonly closed: number[] = [];
  readonly proposed: { id: number; command: Uint8Array }[] = [];
  readonly others: NodeEffect[] = [];
  readonly #said: { connId: number; payload: Uint8Array }[] = [];
  nowMs = 1_000;

  constructor() {
    this.tell({ kind: "members", servers: SERVERS });
  }

  tell(input: NodeInput | { readonly kind: "wake" }, afterMs = 0): void {
    this.nowMs += afterMs;
    this.node.handle(input, this.nowMs);
    for (let effect = this.node.poll(); effect !== undefined; effect = this.node.poll()) {
      if (effect.kind === "write") this.#said.push(effect);
      else if (effect.kind === "propose") this.proposed.push(effect);
      else if (effect.kind === "close") this.closed.push(effect.connId);
      else if (effect.kind !== "log") this.others.push(effect);
    }
  }

  say(connId: number, message: Message): void {
    this.tell({ kind: "payload", connId, wire: "cbor", payload: encodeMessage(message) });
  }

  classic(connId: number, payload: Uint8Array = REQUEST): void {
    this.tell({ kind: "payload", connId, wire: "json", payload });
  }

  /** What was said to the connection since the last look. */
  heard(connId: number): (Message | string)[] {
    return this.raw(connId).map(decodeMessage);
  }

  raw(connId: number): Uint8Array[] {
    const mine = this.#said.filter((one) => one.connId === connId);
    for (const one of mine) this.#said.splice(this.#said.indexOf(one), 1);
    return mine.map(({ payload }) => payload);
  }

  /** What went to the leader for the connection since the last look. */
  passed(connId: number): Uint8Array[] {
    const mine = this.others.filter((one) => one.kind === "pass" && one.connId === connId);
    for (const one of this.others.splice(0)) if (!mine.includes(one)) this.others.push(one);
    return mine.flatMap((one) => (one.kind === "pass" ? [one.payload] : []));
  }

  kinds(connId: number): string[] {
    return this.heard(connId).map((one) => (typeof one === "string" ? one : one.kind));
  }

  /** The log commits what waits. */
  commit(): void {
    for (const { id, command } of this.proposed.splice(0)) {
      this.machine.apply(command);
      this.tell({ kind: "decided", id });
    }
  }
}

const away = (leader: string): Message => ({
  kind: "servers",
  leads: false,
  leader,
  servers: SERVERS,
});

describe("a server that does not lead", () => {
  test("sends cbor peers to the leader, and hangs up", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.say(1, JOIN);
    rig.say(2, SUBMIT);
    assertEquals([rig.heard(1), rig.heard(2)], [[away("b:2")], [away("b:2")]]);
    assertEquals([rig.closed, rig.proposed], [[1, 2], []]);
    // What they still say is not heard.
    rig.say(2, SUBMIT);
    assertEquals([rig.heard(2), rig.proposed, rig.node.snapshot().clients], [[], [], 0]);
  });

  test("has them wait while nobody leads, and sends them on in time", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "" });
    rig.say(1, JOIN);
    rig.tell({ kind: "wake" }, PARKED_MS / 2);
    rig.say(2, SUBMIT);
    assertEquals([rig.heard(1), rig.closed], [[], []]);
    assertEquals(rig.node.wakeAtMs(), 1_000 + PARKED_MS);
    rig.tell({ kind: "wake" }, PARKED_MS / 2);
    assertEquals([rig.heard(1), rig.closed], [[away("")], [1]]);
    rig.tell({ kind: "follow", leader: "c:3" });
    assertEquals([rig.heard(2), rig.closed], [[away("c:3")], [1, 2]]);
    assertEquals(rig.node.wakeAtMs(), undefined);
  });

  test("lets no more wait than it has room for", () => {
    const rig = new Rig();
    for (let connId = 1; connId <= PARKED_MAX + 1; connId++) rig.say(connId, JOIN);
    assertEquals(rig.closed, [PARKED_MAX + 1]);
    assertEquals(rig.node.snapshot().tables["parked"], PARKED_MAX);
  });

  test("that comes to lead has those who waited come again", () => {
    const rig = new Rig();
    rig.say(1, JOIN);
    rig.tell({ kind: "lead" });
    assertEquals([rig.heard(1), rig.closed], [[away("me:1")], [1]]);
    rig.say(2, JOIN);
    assertEquals(rig.heard(2)[0], { ...away("me:1"), leads: true } as Message);
    assertEquals(rig.node.snapshot().miners.length, 1);
  });

  test("says how it stands, and changes nothing", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.say(1, { kind: "inspect", job: 4 });
    rig.say(2, { kind: "manage", job: 5, deed: "remove", node: 3 });
    assertEquals(rig.heard(1), [{ kind: "report", job: 4, text: "{}" }]);
    assertEquals([rig.heard(2), rig.others], [[away("b:2")], []]);
  });
});

describe("a server that loses the lead", () => {
  test("sends everybody on, and tells nobody what is committed later", () => {
    const rig = new Rig();
    rig.tell({ kind: "lead" });
    rig.say(1, JOIN);
    rig.say(2, SUBMIT);
    rig.say(3, { kind: "relayed" });
    assertEquals(rig.kinds(2), ["servers"]);
    const waiting = rig.proposed.splice(0);
    assertEquals(waiting.length, 1);
    rig.kinds(1);
    rig.tell({ kind: "follow", leader: "b:2" });
    assertEquals([rig.heard(1), rig.heard(2), rig.raw(3)], [[away("b:2")], [away("b:2")], []]);
    assertEquals(rig.closed, [1, 2, 3]);
    rig.machine.apply(waiting[0]!.command);
    rig.tell({ kind: "decided", id: waiting[0]!.id });
    assertEquals(rig.kinds(2), []);
    const { miners, jobs, clients } = rig.node.snapshot();
    assertEquals([miners, jobs, clients], [[], [], 0]);
    // The core has nothing to wake for.
    assertEquals(rig.node.wakeAtMs(), undefined);
  });

  test("and gains it again goes on from the table; old proposals mean nothing to it", () => {
    const rig = new Rig();
    rig.tell({ kind: "lead" });
    rig.say(1, SUBMIT);
    const [old] = rig.proposed.splice(0);
    rig.tell({ kind: "follow", leader: "" });
    rig.tell({ kind: "lead" });
    rig.say(2, { ...SUBMIT, session: 8n });
    // What became of the old one is told late: it is not taken for the new one.
    rig.tell({ kind: "decided", id: old!.id });
    assertEquals(rig.kinds(2), ["servers"]);
    rig.commit();
    assertEquals(rig.kinds(2), ["accepted"]);
    assertEquals(rig.machine.table.size, 1);
    rig.say(3, SUBMIT);
    rig.commit();
    assertEquals(rig.kinds(3), ["servers", "accepted"]);
  });

  test("tells miners and clients when the members change", () => {
    const rig = new Rig();
    rig.tell({ kind: "lead" });
    rig.say(1, JOIN);
    rig.kinds(1);
    rig.tell({ kind: "members", servers: ["me:1", "d:4"] });
    const servers = ["me:1", "d:4"];
    assertEquals(rig.heard(1), [{ kind: "servers", leads: true, leader: "me:1", servers }]);
    rig.tell({ kind: "members", servers });
    assertEquals(rig.heard(1), []);
  });

  test("still says what became of a transfer to the client that asked", () => {
    const rig = new Rig();
    rig.tell({ kind: "lead" });
    rig.say(1, { kind: "manage", job: 3, deed: "transfer", node: 2 });
    assertEquals(rig.others, [{ kind: "manage", ticket: 1, deed: "transfer", node: 2 }]);
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.tell({ kind: "managed", ticket: 1, error: "" });
    assertEquals(rig.heard(1), [{ kind: "managed", job: 3, error: "" }]);
  });
});

const FIRST = encodeMessage(SUBMIT);
const BEST = { hash: 3n, nonce: 5n };
const RESULT = encodeClassicMessage(classicResult(BEST));
const answer = (job: number): Uint8Array =>
  encodeMessage({ kind: "answer", job, best: BEST, met: true });
const JOINED = encodeClassicMessage(CLASSIC_JOIN);

describe("a classic client at a server that does not lead", () => {
  test("has its job submitted to the leader, and gets the answer", () => {
    const rig = new Rig();
    rig.classic(1);
    assertEquals(rig.others, []);
    rig.tell({ kind: "follow", leader: "b:2" });
    assertEquals(rig.others.splice(0), [{ kind: "dial", connId: 1, server: "b:2" }]);
    rig.tell({ kind: "dialled", connId: 1 });
    assertEquals(rig.passed(1), [FIRST]);
    // Results name no Request: the next job waits.
    rig.classic(1);
    assertEquals(rig.passed(1), []);
    rig.tell({ kind: "passed", connId: 1, payload: answer(1) });
    assertEquals(rig.raw(1), [RESULT]);
    const forgotten = encodeMessage({ kind: "cancel", job: 1 });
    assertEquals(rig.passed(1), [forgotten, encodeMessage({ ...SUBMIT, job: 2 })]);
    rig.tell({ kind: "passed", connId: 1, payload: answer(1) });
    assertEquals(rig.raw(1), []);
    rig.tell({ kind: "gone", connId: 1 });
    assertEquals(rig.passed(1), [encodeMessage({ kind: "cancel", job: 2 })]);
    assertEquals(rig.others, [{ kind: "drop", connId: 1 }]);
    assertEquals(rig.node.snapshot().tables["relayed"], 0);
  });

  test("stays when the leader is lost: the next one gets the same job", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.classic(1);
    rig.tell({ kind: "dialled", connId: 1 });
    rig.tell({ kind: "follow", leader: "" });
    rig.others.splice(0);
    rig.tell({ kind: "follow", leader: "c:3" });
    assertEquals(rig.others.splice(0), [{ kind: "dial", connId: 1, server: "c:3" }]);
    rig.tell({ kind: "dialled", connId: 1 });
    assertEquals(rig.passed(1), [FIRST]);
    // The connection alone is lost.
    rig.tell({ kind: "dropped", connId: 1 });
    rig.tell({ kind: "wake" }, rig.node.wakeAtMs()! - rig.nowMs);
    assertEquals(rig.others.splice(0), [{ kind: "dial", connId: 1, server: "c:3" }]);
    // This server comes to lead, and loses the lead.
    rig.tell({ kind: "lead" });
    assertEquals(rig.others.splice(0), [{ kind: "drop", connId: 1 }]);
    rig.commit();
    assertEquals([...rig.machine.table.sessions.get(SUBMIT.session)!.records.keys()], [1]);
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.tell({ kind: "dialled", connId: 1 });
    rig.others.splice(0, 1);
    assertEquals([rig.passed(1), rig.closed, rig.raw(1)], [[FIRST], [], []]);
  });

  test("is hung up on when the job is refused, or makes no sense", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.classic(1);
    rig.tell({ kind: "dialled", connId: 1 });
    const refused = encodeMessage({ kind: "refused", job: 1, reason: "full" });
    rig.tell({ kind: "passed", connId: 1, payload: refused });
    rig.classic(2, encodeClassicMessage(classicRequest("hello", 2n, 1n)));
    rig.classic(3, RESULT);
    rig.classic(4, Uint8Array.of(1));
    assertEquals(rig.closed, [1, 2, 3, 4]);
    assertEquals(rig.node.snapshot().tables["relayed"], 0);
  });

  test("is held back in bounds: messages, peers, time", () => {
    const rig = new Rig();
    for (let i = 0; i <= HELD_MESSAGES_MAX; i++) rig.classic(1);
    assertEquals(rig.closed.splice(0), [1]);
    for (let connId = 2; connId < RELAYS_MAX + 3; connId++) rig.classic(connId);
    assertEquals(rig.closed.splice(0), [RELAYS_MAX + 2]);
    assertEquals(rig.node.wakeAtMs(), 1_000 + RELAY_PATIENCE_MS);
    rig.tell({ kind: "wake" }, RELAY_PATIENCE_MS);
    assertEquals(rig.closed.length, RELAYS_MAX);
    assertEquals(rig.node.snapshot().tables["relayed"], 0);
  });

  test("is dialled for again when the leader does not answer, and has a while for that", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.classic(1);
    rig.tell({ kind: "dropped", connId: 1 });
    rig.others.splice(0);
    const waitMs = rig.node.wakeAtMs()! - rig.nowMs;
    rig.tell({ kind: "wake" }, Math.max(1, waitMs));
    assertEquals(rig.others, [{ kind: "dial", connId: 1, server: "b:2" }]);
    rig.tell({ kind: "wake" }, RELAY_PATIENCE_MS);
    assertEquals(rig.closed, [1]);
  });
});

describe("a classic miner at a server that does not lead", () => {
  test("joins one leader after the other; a Result of the one before is dropped", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.classic(1, JOINED);
    rig.tell({ kind: "dialled", connId: 1 });
    const relayed = encodeMessage({ kind: "relayed" });
    assertEquals(rig.passed(1), [relayed, JOINED]);
    rig.tell({ kind: "passed", connId: 1, payload: REQUEST });
    rig.classic(1, RESULT);
    assertEquals([rig.raw(1), rig.passed(1)], [[REQUEST], [RESULT]]);
    rig.tell({ kind: "passed", connId: 1, payload: REQUEST });
    rig.tell({ kind: "follow", leader: "c:3" });
    rig.tell({ kind: "dialled", connId: 1 });
    assertEquals(rig.passed(1), [relayed, JOINED]);
    rig.tell({ kind: "passed", connId: 1, payload: REQUEST });
    rig.classic(1, RESULT);
    assertEquals(rig.passed(1), []);
    rig.classic(1, RESULT);
    assertEquals([rig.passed(1), rig.closed], [[RESULT], []]);
  });

  test("works for the server itself when that comes to lead", () => {
    const rig = new Rig();
    rig.classic(1, JOINED);
    rig.tell({ kind: "lead" });
    rig.classic(2);
    rig.commit();
    const [order] = rig.raw(1).map(decodeClassicMessage);
    assert(typeof order === "object" && order.type === 1 && order.data === "hello");
    rig.tell({ kind: "follow", leader: "b:2" });
    assertEquals([rig.others.length, rig.closed], [2, []]);
  });

  test("is hung up on when the leader lets it go", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.classic(1, JOINED);
    rig.tell({ kind: "dialled", connId: 1 });
    const refused = encodeMessage({ kind: "refused", job: 0, reason: "not trusted" });
    rig.tell({ kind: "passed", connId: 1, payload: refused });
    assertEquals([rig.closed, rig.raw(1)], [[1], []]);
    rig.tell({ kind: "lead" });
    // Of the house's own: three miners are its limit.
    for (const connId of [2, 3, 4, 5]) rig.classic(connId, JOINED);
    assertEquals(rig.closed, [1, 5]);
  });
});

describe("a leader to whom a classic peer is relayed", () => {
  test("serves it as one of its own, and hangs up when it leads no more", () => {
    const rig = new Rig();
    rig.tell({ kind: "lead" });
    rig.say(1, { kind: "relayed" });
    rig.tell({
      kind: "payload",
      connId: 1,
      wire: "cbor",
      payload: encodeClassicMessage(CLASSIC_JOIN),
    });
    rig.say(2, { kind: "relayed" });
    rig.tell({ kind: "payload", connId: 2, wire: "cbor", payload: REQUEST });
    const [order] = rig.raw(1).map(decodeClassicMessage);
    assert(typeof order === "object" && order.type === 1);
    // It is said to one that is let go, so that it does not come again.
    for (const connId of [3, 4, 5]) {
      rig.say(connId, { kind: "relayed" });
      rig.tell({ kind: "payload", connId, wire: "cbor", payload: JOINED });
    }
    assertEquals([rig.kinds(5), rig.closed.splice(0)], [["refused"], [5]]);
    rig.tell({ kind: "follow", leader: "b:2" });
    assertEquals(rig.closed, [1, 2, 3, 4]);
  });

  test("does not relay it on: two servers never relay to each other", () => {
    const rig = new Rig();
    rig.tell({ kind: "follow", leader: "b:2" });
    rig.say(1, { kind: "relayed" });
    assertEquals([rig.closed, rig.others], [[1], []]);
  });
});
