/** Connections between nodes: who dials, what stands still is not queued, what is made anew. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/mod.ts";
import {
  type Channel,
  decodeFrame,
  encodeFrame,
  type Frame,
  type Hello,
  isFrame,
} from "../../raft/greeting.ts";
import { LINK_BYTES_MAX } from "../../raft/link.ts";
import { Links } from "../../raft/links.ts";
import type { Message, NodeId } from "../../raft/mod.ts";
import { decodeWire, encodeWire } from "../../raft/wire.ts";

const T = 300;
const CLUSTER = "0123456789abcdef";

function hello(from: NodeId, to: NodeId, channel: Channel = "main", group = "g"): Hello {
  const [named, book] = [[1, 2, 3], new Map()];
  return { kind: "hello", group, cluster: CLUSTER, from, to, channel, phase: "empty", named, book };
}

function heartbeat(round: number): Message {
  return { kind: "heartbeat", term: 1, commit: 0, round };
}

/** Node 2's connections, and everything that they ask for. */
class Rig {
  nowMs = 0;
  readonly dials: { conn: number; address: string; channel: Channel }[] = [];
  readonly written: { conn: number; payload: Uint8Array }[] = [];
  readonly dropped: number[] = [];
  readonly logged: string[] = [];
  readonly greeted: Hello[] = [];
  readonly messages: Message[] = [];
  readonly frames: Frame[] = [];
  /** Bytes that nobody has acknowledged, by connection. */
  readonly queued: Map<number, number> = new Map();
  /** What node 2 is of: a cluster, or none yet. */
  cluster = CLUSTER;
  readonly links: Links;

  constructor() {
    const owner: ConstructorParameters<typeof Links>[2] = {
      dial: (conn, address, channel) => this.dials.push({ conn, address, channel }),
      write: (conn, payload) => {
        this.written.push({ conn, payload });
        this.queued.set(conn, (this.queued.get(conn) ?? 0) + payload.length);
      },
      queuedBytes: (conn) => this.queued.get(conn) ?? 0,
      drop: (conn) => this.dropped.push(conn),
      log: (text) => this.logged.push(text),
      hello: (to, channel) => ({ ...hello(2, to, channel), cluster: this.cluster }),
      whyNot: ({ group }) => (group === "g" ? undefined : `it is of ${group}`),
      greeted: (one) => this.greeted.push(one),
      isFellow: ({ cluster }) => cluster === CLUSTER,
      frame: (_, frame) => this.frames.push(frame),
      message: (_, message) => this.messages.push(message),
    };
    this.links = new Links(2, T, owner, seededRandom(1), 0);
  }

  /** Time passes, and the links are woken when they want to be. */
  wait(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (let atMs = this.links.wakeAtMs; atMs !== undefined && atMs <= untilMs;) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.links.wake(this.nowMs);
      const next = this.links.wakeAtMs;
      if (next === atMs) break;
      atMs = next;
    }
    this.nowMs = untilMs;
    this.links.at(untilMs);
  }

  /** A connection with `peer` stands; its number. */
  connect(peer: NodeId, channel: Channel = "main"): number {
    const conn = 1000 + 2 * peer + (channel === "bulk" ? 100 : 0);
    this.links.received(conn, encodeFrame(hello(peer, 2, channel)));
    return conn;
  }

  /** The clusters that node 2 said on a connection that it is of. */
  clustersTold(conn: number): string[] {
    const greetings = this.written.filter((one) => one.conn === conn && isFrame(one.payload));
    return greetings.map(({ payload }) => (decodeFrame(payload) as Hello).cluster);
  }

  /** Messages written on a connection, as they were said. */
  said(conn: number): (Message | string)[] {
    const own = this.written.filter((one) => one.conn === conn && !isFrame(one.payload));
    return own.map(({ payload }) => decodeWire(payload));
  }
}

describe("who dials", () => {
  test("a target is dialled twice, once for the bulk of snapshots, and greeted", () => {
    const rig = new Rig();
    rig.links.setTargets(new Map([[3, "c:1"]]));
    rig.wait(1);
    assertEquals(
      rig.dials.map(({ address, channel }) => `${address} ${channel}`),
      ["c:1 main", "c:1 bulk"],
    );
    const { conn } = rig.dials[0]!;
    rig.links.opened(conn);
    const said = decodeFrame(rig.written[0]!.payload) as Hello;
    assertEquals([said.from, said.to, said.channel], [2, 3, "main"]);
    assertEquals(rig.links.connected, []);
    rig.links.received(conn, encodeFrame(hello(3, 2)));
    assertEquals(rig.links.connected, [3]);
  });

  test("one that greets back hears of the cluster that was founded since the greeting", () => {
    const rig = new Rig();
    rig.cluster = "";
    rig.links.setTargets(new Map([[3, "c:1"]]));
    rig.wait(1);
    const { conn } = rig.dials[0]!;
    rig.links.opened(conn);
    assertEquals(rig.clustersTold(conn), [""]);
    // Not on a connection that is half made: `greetAgain` does not know whose it is.
    rig.cluster = CLUSTER;
    rig.links.greetAgain();
    assertEquals(rig.clustersTold(conn), [""]);
    rig.links.received(conn, encodeFrame(hello(3, 2)));
    assertEquals(rig.clustersTold(conn), ["", CLUSTER]);
  });

  test("one that cannot be reached is dialled again within half an election time-out", () => {
    const rig = new Rig();
    rig.links.setTargets(new Map([[3, "c:1"]]));
    rig.wait(1);
    for (let i = 0; i < 20; i++) {
      const { conn } = rig.dials.findLast(({ channel }) => channel === "main")!;
      const before = rig.dials.length;
      rig.links.gone(conn);
      rig.wait(T / 2);
      assert(rig.dials.length > before, `dial ${i}`);
    }
  });

  test("an address that changed is dialled anew; a member that left keeps its connection", () => {
    const rig = new Rig();
    rig.links.setTargets(new Map([[3, "c:1"]]));
    rig.wait(1);
    const { conn } = rig.dials[0]!;
    rig.links.setTargets(new Map([[3, "d:1"]]));
    assert(rig.dropped.includes(conn));
    rig.wait(T);
    const { conn: next } = rig.dials.find(({ address }) => address === "d:1")!;
    rig.links.opened(next);
    rig.links.received(next, encodeFrame(hello(3, 2)));
    rig.links.setTargets(new Map());
    assertEquals(rig.links.connected, [3]);
    assert(!rig.dropped.includes(next));
  });

  test("a newer connection with the same node takes the older one's place", () => {
    const rig = new Rig();
    const first = rig.connect(1);
    rig.links.received(9000, encodeFrame(hello(1, 2)));
    assertEquals(rig.dropped, [first]);
    rig.links.send(1, heartbeat(1));
    assertEquals(rig.said(9000).length, 1);
  });
});

describe("a connection that stands still", () => {
  test("keeps the newest message of each kind, and no flood follows when it moves", () => {
    const rig = new Rig();
    const conn = rig.connect(1);
    rig.links.send(1, heartbeat(1));
    rig.wait(T / 2);
    for (let round = 2; round <= 100; round++) rig.links.send(1, heartbeat(round));
    rig.links.send(1, { kind: "appended", term: 1, index: 7 });
    assertEquals(rig.said(conn), [heartbeat(1)]);
    rig.queued.set(conn, 0);
    rig.wait(T);
    assertEquals(rig.said(conn), [
      heartbeat(1),
      heartbeat(100),
      { kind: "appended", term: 1, index: 7 },
    ]);
  });

  test("that moves, however slowly, takes everything in order", () => {
    const rig = new Rig();
    const conn = rig.connect(1);
    for (let round = 1; round <= 50; round++) {
      rig.queued.set(conn, 5000 - 10 * round);
      rig.links.send(1, heartbeat(round));
      rig.wait(20);
    }
    assertEquals(rig.said(conn).length, 50);
  });

  test("holds no more than its limit, moving or not", () => {
    const rig = new Rig();
    const conn = rig.connect(1);
    rig.queued.set(conn, LINK_BYTES_MAX);
    for (let round = 1; round <= 50; round++) rig.links.send(1, heartbeat(round));
    assertEquals(rig.said(conn).length, 0);
  });

  test("is dialled anew after an election time-out, if this node dialled it", () => {
    const rig = new Rig();
    rig.links.setTargets(new Map([[3, "c:1"]]));
    rig.wait(1);
    const { conn } = rig.dials[0]!;
    rig.links.opened(conn);
    rig.links.received(conn, encodeFrame(hello(3, 2)));
    rig.links.send(3, heartbeat(1));
    rig.wait(2 * T);
    assert(rig.dropped.includes(conn));
    assertEquals(rig.links.connected, []);
    assert(rig.dials.filter(({ channel }) => channel === "main").length > 1);
  });
});

describe("what comes on a connection", () => {
  test("pieces of snapshots go over the second connection, where there is one", () => {
    const rig = new Rig();
    const main = rig.connect(1);
    const config = { voters: [1], outgoing: [], learners: [] };
    const meta = { index: 1, term: 1, config, size: 1 };
    const piece = { kind: "snapshot", term: 1, meta, offset: 0, data: Uint8Array.of(1) } as const;
    rig.links.send(1, piece);
    const bulk = rig.connect(1, "bulk");
    rig.links.send(1, piece);
    rig.links.send(1, heartbeat(1));
    assertEquals([rig.said(main).length, rig.said(bulk).length], [2, 1]);
  });

  test("of another group, for another node, or before a greeting is refused and told once", () => {
    const rig = new Rig();
    for (const payload of [
      encodeFrame(hello(1, 2, "main", "other")),
      encodeFrame(hello(1, 5)),
      encodeFrame(hello(2, 2)),
      encodeWire(heartbeat(1)),
      Uint8Array.of(0xff),
    ]) {
      for (const conn of [10, 12]) rig.links.received(conn, payload);
    }
    assertEquals(rig.links.rejected, { refused: 10 });
    // What is no greeting is told alike, whatever it is.
    assertEquals(rig.logged.length, 4);
    assertEquals(rig.dropped.length, 10);
    assertEquals(rig.links.connected, []);
  });

  test("that is no message is counted and told once, and the connection goes on", () => {
    const rig = new Rig();
    const conn = rig.connect(1);
    for (let i = 0; i < 5; i++) rig.links.received(conn, Uint8Array.of(0x81, 0x05));
    rig.links.received(conn, encodeWire(heartbeat(4)));
    assertEquals(rig.links.rejected, { "malformed message": 5 });
    assertEquals(rig.logged.length, 1);
    assertEquals(rig.messages, [heartbeat(4)]);
  });

  test("of a node that is of no cluster has no say, until it says that it is of this one", () => {
    const rig = new Rig();
    rig.links.received(10, encodeFrame({ ...hello(1, 2), cluster: "" }));
    rig.links.received(10, encodeWire(heartbeat(1)));
    assertEquals(rig.messages, []);
    assertEquals(rig.links.rejected, { "no member's": 1 });
    rig.links.received(10, encodeFrame(hello(1, 2)));
    rig.links.received(10, encodeWire(heartbeat(2)));
    assertEquals(rig.messages, [heartbeat(2)]);
    rig.links.received(10, encodeFrame(hello(3, 2)));
    assertEquals(rig.dropped, [10]);
  });

  test("of nodes without end is refused at a limit", () => {
    const rig = new Rig();
    for (let peer = 10; peer < 200; peer++) rig.connect(peer);
    assertEquals(rig.links.connected.length, 64);
  });
});
