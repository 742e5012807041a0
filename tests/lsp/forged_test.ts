/**
 * Strangers off the path: they may know addresses, ids and all numbers, and yet cannot end, alter
 * or stall a connection, for they lack its key (docs/lsp.md, section 3).
 */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import {
  CloseCode,
  type ConnectionKey,
  DatagramReader,
  type DatagramWriter,
  keyOf,
  LSP_VERSION,
  Marks,
  NO_KEY,
  RefuseCode,
} from "../../lsp/frame.ts";
import { connectedPair, Lan, cborDatagram, cborFrames, packetsBetween, withKey } from "./lan.ts";

const S = "server 1";
const C = "client 1";
const ISN = 100;

const bytes = new Uint8Array(4);
const window = { windowMessages: 2 ** 31, windowBytes: 2 ** 31, rangeCount: 0 };
const ack = { echo: 0, echoDelayMicros: 0, ...window, ranges: new Float64Array(2) };

/** Every frame that changes the state of a connection. */
const FORGED: Record<string, (writer: DatagramWriter) => void> = {
  "Close, done": (w) => w.close(CloseCode.done, ISN + 1, ""),
  "Close, replaced": (w) => w.close(CloseCode.replaced, ISN + 1, ""),
  "Close, answer": (w) => w.close(CloseCode.answer, ISN + 1, ""),
  "Data, the next": (w) => w.data(ISN + 1, bytes),
  "Data, ahead": (w) => w.data(ISN + 3, bytes),
  Fragment: (w) => w.fragment(ISN + 1, Marks.first, 1 << 20, bytes),
  "Fragment, a breach": (w) => w.fragment(ISN + 1, Marks.last, 0, bytes),
  "Ack of what is under way": (w) => w.ack({ ...ack, cumulative: ISN + 1 }),
  "Ack, a window": (w) => w.ack({ ...ack, cumulative: ISN }),
  PathChallenge: (w) => w.pathChallenge(5n),
  PathResponse: (w) => w.pathResponse(5n),
};

/** Keys that come close to `key`: one bit wrong, none, halves swapped. */
function wrongKeys({ high, low }: ConnectionKey): ConnectionKey[] {
  const bits = Array.from({ length: 32 }, (_, i) => (1 << i) >>> 0);
  return [
    ...bits.map((bit) => ({ high: (high ^ bit) >>> 0, low })),
    ...bits.map((bit) => ({ high, low: (low ^ bit) >>> 0 })),
    NO_KEY,
    { high: low, low: high },
  ];
}

/** All that can be seen of an endpoint, but for what it counts of datagrams that it ignored. */
function stateOf({ core, events, notices }: ReturnType<Lan["listener"]>): unknown {
  const { rejected: _, receivedDatagrams: _count, receivedBytes: _bytes, ...rest } = core.stats();
  return [core.connectionStats(1), core.tableSizes(), rest, [...events], [...notices]];
}

describe.each(Object.entries(FORGED))("a forged %s,", (_name, write) => {
  test("with any wrong key, from the peer's address, changes nothing at either end", () => {
    const { link, server, client } = connectedPair({ isn: ISN });
    link.passes = () => false;
    link.write(server, 1, "under way");
    link.write(client, 1, "under way");
    const key = link.keyOf(1);
    for (const [node, at, from] of [
      [server, S, C],
      [client, C, S],
    ] as const) {
      for (const wrong of wrongKeys(key)) {
        const { core } = node as typeof server;
        const before = stateOf(node as typeof server);
        // Not by way of the wire: what is answered would count as sent.
        core.handleDatagram(withKey(cborDatagram(1, 9, write), wrong), from, link.nowMs);
        assertEquals(core.connectionStats(1) === undefined, false);
        while (core.tableSizes()["strays"]! > 0) {
          const out = core.pollDatagram(new Uint8Array(2048), link.nowMs)!;
          assertEquals(out.to, from, `${at} answers`);
        }
        const { sentBytes: _bytes, sentDatagrams: _count, ...now } = core.stats();
        assert(now.connections === 1);
        const after = stateOf(node as typeof server);
        assertEquals(withoutSent(after), withoutSent(before));
      }
    }
  });
});

/** Leaves out what was sent: a Close of an unknown connection is answered. */
function withoutSent(state: unknown): unknown {
  const [connection, tables, stats, ...rest] = state as [unknown, unknown, object, ...unknown[]];
  return [connection, tables, { ...stats, sentDatagrams: 0, sentBytes: 0 }, ...rest];
}

describe("a connection's key", () => {
  test("lets the same frames through when it is right: the test above could fail", () => {
    for (const [name, write] of Object.entries(FORGED)) {
      const { link, server, client } = connectedPair({ isn: ISN });
      link.passes = () => false;
      link.write(server, 1, "under way");
      link.write(client, 1, "under way");
      const before = stateOf(client as unknown as typeof server);
      const datagram = withKey(cborDatagram(1, 9, write), link.keyOf(1));
      client.core.handleDatagram(datagram, S, link.nowMs);
      const after = stateOf(client as unknown as typeof server);
      const isHarmless = ["Close, answer", "PathResponse"].includes(name);
      assertEquals(Bun.deepEquals(after, before), isHarmless, name);
    }
  });

  test("of one's own connection is none of another's", () => {
    const link = new Lan();
    const server = link.listener();
    const one = link.dialer({ isn: 1 });
    const other = link.dialer({ isn: 2 }, "client 2");
    link.run(100);
    assertEquals(
      [one, other].map(({ notices }) => notices.length),
      [1, 1],
    );
    const own = link.keyOf(2);
    assert(!Bun.deepEquals(own, link.keyOf(1)));
    const close = cborDatagram(1, 50, (w) => w.close(CloseCode.done, 1, ""));
    link.inject(withKey(close, own), S, C);
    link.inject(withKey(close, own), S, "client 2");
    assertEquals([server.events, server.core.stats().connections], [[], 2]);
  });

  test("makes a stranger's address be asked; without it, it is told that nobody knows it", () => {
    const { link, server } = connectedPair();
    const data = cborDatagram(1, 1000, (w) => w.data(ISN + 1, bytes));
    const key = link.keyOf(1);
    link.inject(withKey(data, { high: 1, low: 2 }), S, "stranger 9");
    assertEquals(cborFrames(link, S, "stranger 9"), ["unknown"]);
    assertEquals(server.core.stats().rejected, { unknown: 1 });
    link.inject(withKey(data, key), S, "stranger 9");
    assertEquals(cborFrames(link, S, "stranger 9"), ["unknown", "pathChallenge"]);
  });

  test("must be in a Connect that comes again, for that to be a sign of life", () => {
    for (const [token, isAlive] of [
      [0n, false],
      [77n, false],
      ["its own", true],
    ] as const) {
      const { link, server, client } = connectedPair({ isn: ISN });
      link.remove(client);
      const { high, low } = link.keyOf(1);
      const own = (BigInt(high) << 32n) | BigInt(low);
      assertEquals(keyOf(own), { high, low });
      const again = connect(token === "its own" ? own : token);
      while (link.nowMs < 7000) {
        link.run(link.nowMs + 100);
        link.inject(again, S, C);
      }
      assertEquals(server.events.length, isAlive ? 0 : 1, `${token}`);
    }
  });
});

describe("a dial", () => {
  const no = { isn: ISN, code: RefuseCode.full, lspVersion: 2, appVersion: 0, reason: "forged" };

  test("is neither refused nor challenged nor granted without the number of its Connect", () => {
    const link = new Lan();
    const client = link.dialer({ isn: ISN });
    for (let number = 1; number < 100; number++) {
      for (const write of [
        (w: DatagramWriter) => w.refuse(no),
        (w: DatagramWriter) => w.challenge(ISN, 5n),
      ]) {
        link.inject(cborDatagram(0, number, write), C, S);
      }
      const accept = { ...offer, isn: ISN, newConnId: number };
      const granted = cborDatagram(number, 1, (w) => w.accept(accept));
      link.inject(withKey(granted, keyOf(BigInt(number))), C, S);
      link.inject(withKey(granted, keyOf(5n)), C, S);
    }
    assertEquals([client.notices, packetsBetween(link, C, S).length], [[], 1]);
    assertEquals(client.core.stats().rejected, { number: 198, unknown: 198 });
    link.listener();
    link.run(2000);
    assertEquals(
      client.notices.map(({ kind }) => kind),
      ["connected"],
    );
  });

  test("is not answered by one who guesses the number of a Connect to come", () => {
    const link = new Lan();
    const client = link.dialer({ isn: ISN });
    const reader = new DatagramReader();
    assert(reader.open(packetsBetween(link, C, S)[0]!.bytes));
    const { number } = reader;
    for (const wrong of [number + 1, number + 2, number + 100, number - 1, number - 100]) {
      link.inject(
        cborDatagram(0, wrong, (w) => w.refuse(no)),
        C,
        S,
      );
      link.inject(
        cborDatagram(0, wrong, (w) => w.challenge(ISN, 5n)),
        C,
        S,
      );
    }
    assertEquals([client.notices, packetsBetween(link, C, S).length], [[], 1]);
    link.inject(
      cborDatagram(0, number, (w) => w.challenge(ISN, 5n)),
      C,
      S,
    );
    assertEquals(packetsBetween(link, C, S).length, 2);
  });

  test("is not granted by one who knows all of it but the cookie", () => {
    const link = new Lan();
    const server = link.listener();
    link.passes = ({ from }) => from === S || packetsBetween(link, C, S).length === 1;
    const client = link.dialer({ isn: ISN });
    link.run(100);
    // It has its cookie; the Connect that bears it was lost.
    assertEquals(server.core.stats().connections, 0);
    const reader = new DatagramReader();
    assert(reader.open(packetsBetween(link, S, C)[0]!.bytes) && reader.next());
    const accept = cborDatagram(1, 1, (w) => w.accept({ ...offer, isn: ISN, newConnId: 1 }));
    for (const key of wrongKeys(keyOf(reader.token))) link.inject(withKey(accept, key), C, S);
    assertEquals(client.notices, []);
    link.inject(withKey(accept, keyOf(reader.token)), C, S);
    assertEquals(
      client.notices.map(({ kind }) => kind),
      ["connected"],
    );
  });

  test("takes an Accept that bears the older of two cookies", () => {
    const link = new Lan();
    const server = link.listener();
    const held: Uint8Array[] = [];
    // The first Challenge is late, so that the client asks again, a minute's half later.
    link.passes = ({ from, bytes: sent }) => {
      if (from === S && held.length < 1) return held.push(sent) < 0;
      return true;
    };
    link.run(29_900);
    const client = link.dialer({ isn: ISN });
    link.run(30_300);
    assertEquals([held.length, client.notices], [1, []]);
    link.passes = () => true;
    // Now both cookies arrive before the listener hears of either.
    link.inject(held[0]!, C, S);
    link.run(31_000);
    assertEquals(
      client.notices.map(({ kind }) => kind),
      ["connected"],
    );
    link.write(client, 1, "hello");
    link.run(32_000);
    assertEquals(server.texts, ["hello"]);
  });
});

const offer = { windowMessages: 9, windowBytes: 9999, epochMillis: 500, maxMessageBytes: 1157 };

function connect(token: bigint): Uint8Array {
  const versions = { lspVersion: LSP_VERSION, appVersion: 0 };
  return cborDatagram(0, 1, (w) => w.connect({ ...offer, ...versions, isn: ISN, token }));
}
