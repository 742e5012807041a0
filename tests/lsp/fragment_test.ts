/** Messages larger than a datagram, in virtual time (docs/protocol.md, and docs/memory.md). */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { QueueFull, UnknownConnection } from "../../lsp/errors.ts";
import {
  DATA_BYTES_MAX,
  DATA_OVERHEAD_BYTES,
  FRAGMENT_OVERHEAD_BYTES,
  Marks,
} from "../../lsp/frame.ts";
import type { EndpointStats } from "../../lsp/mod.ts";
import type { LspLimits } from "../../lsp/params.ts";
import { connectedPair, Lan, cborDatagram, cborFrames, type Node } from "./lan.ts";

/** Largest piece of one Fragment, alone in a datagram of the default size. */
const PIECE_BYTES = DATA_BYTES_MAX + DATA_OVERHEAD_BYTES - FRAGMENT_OVERHEAD_BYTES;

const S = "server 1";
const C = "client 1";
const ISN = 100;

/** Bytes that show whether something was lost, doubled or moved. */
function patterned(length: number, seed = 1): Uint8Array {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random());
  return new Uint8Array(words.buffer).subarray(0, length);
}

function payloads(node: Node): Uint8Array[] {
  return node.events.flatMap((event) => (event.kind === "data" ? [event.payload] : []));
}

function assertSame(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assertEquals(actual?.length, expected.length);
  assert(Buffer.compare(actual!, expected) === 0, "the bytes are the same");
}

/** All payload bytes that an endpoint counts. */
function countedBytes({ queuedBytes, unreadBytes, reassemblyBytes }: EndpointStats): number {
  return queuedBytes + unreadBytes + reassemblyBytes;
}

/** A Fragment of the client's, as a hostile one may write it. */
function piece(seq: number, marks: Marks, remaining: number, length = 1000): Uint8Array {
  const bytes = new Uint8Array(length).fill(seq);
  return cborDatagram(1, seq, (writer) => writer.fragment(ISN + seq, marks, remaining, bytes));
}

const { first, between, last } = Marks;

describe("lsp large messages:", () => {
  test("what is written is copied, what is given is not, and both come over", () => {
    const { link, server, client } = connectedPair();
    for (const how of ["write", "give"] as const) {
      const payload = patterned(100_000);
      server.core[how](1, payload);
      payload.fill(0);
      link.run(link.nowMs + 5000);
      const expected = how === "write" ? patterned(100_000) : payload;
      assertSame(payloads(client).at(-1), expected);
    }
    assertThrows(() => server.core.give(7, new Uint8Array()), UnknownConnection);
  });

  test("every size around a datagram and its pieces comes over, in order with small ones", () => {
    const { link, server, client } = connectedPair();
    const sizes = [0, 1, DATA_BYTES_MAX, DATA_BYTES_MAX + 1, 2 * PIECE_BYTES - 1];
    sizes.push(2 * PIECE_BYTES, 2 * PIECE_BYTES + 1, 4096, 5, 65_536, 300_000, 0, 7);
    for (const [i, size] of sizes.entries()) client.core.write(1, patterned(size, i));
    for (const [i, size] of sizes.entries()) server.core.write(1, patterned(size, 100 + i));
    link.run(link.nowMs + 10_000);
    for (const [i, size] of sizes.entries()) {
      assertSame(payloads(server)[i], patterned(size, i));
      assertSame(payloads(client)[i], patterned(size, 100 + i));
    }
    assertEquals(countedBytes(server.core.stats()) + countedBytes(client.core.stats()), 0);
  });

  test("pieces have consecutive numbers, and nothing comes between them", () => {
    const { link, client } = connectedPair();
    client.core.write(1, patterned(2 * PIECE_BYTES + 1));
    link.write(client, 1, "small");
    link.run(link.nowMs + 100);
    const frames = cborFrames(link, C, S).flatMap((frame) => frame.split(" + "));
    const messages = frames.filter((frame) => /^(fragment|data)/.test(frame));
    assertEquals(messages, ["fragment", "fragment", "fragment", "data 104"]);
  });

  test("under loss, doubling and disorder a stream of all sizes is exact", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { link, server, client } = connectedPair();
      const random = seededRandom(seed);
      link.passes = () => integerBetween(random, 0, 9) > 1;
      const sent = Array.from({ length: 12 }, (_, i) =>
        patterned(integerBetween(random, 0, i % 3 === 0 ? 200_000 : 3000), seed * 100 + i),
      );
      for (const message of sent) client.core.write(1, message);
      assert(link.runUntil(() => payloads(server).length === sent.length, 600_000));
      for (const [i, message] of sent.entries()) assertSame(payloads(server)[i], message);
    }
  });

  test("a message of 64 MiB: each end counts no more than the message and two windows", () => {
    const limits: Partial<LspLimits> = { maxUnreadBytes: 1 << 20 };
    const { link, server, client } = connectedPair({ limits }, { limits });
    const size = 64 << 20;
    const message = new Uint8Array(size);
    for (let at = 0; at < size; at += 997) message[at] = at / 997;
    client.core.write(1, message);
    let most = [0, 0];
    link.passes = () => {
      const now = [client, server].map(({ core }) => countedBytes(core.stats()));
      most = most.map((bytes, i) => Math.max(bytes, now[i]!));
      link.sent.length = 0;
      return true;
    };
    assert(link.runUntil(() => payloads(server).length > 0, 600_000));
    assertSame(payloads(server)[0], message);
    for (const bytes of most)
      assert(bytes >= size && bytes <= size + 2 * limits.maxUnreadBytes!, `${bytes}`);
    assertEquals(countedBytes(server.core.stats()), 0);
  });

  test("close() brings a large message over; closeConn() too", () => {
    const { link, server, client } = connectedPair();
    client.core.write(1, patterned(500_000));
    client.core.close(link.nowMs);
    link.run(link.nowMs + 10_000);
    assertSame(payloads(server)[0], patterned(500_000));
    assertEquals(server.events.at(-1)?.kind, "closed");
    const other = connectedPair();
    other.server.core.write(1, patterned(400_000));
    other.server.core.closeConn(1);
    other.link.run(other.link.nowMs + 10_000);
    assertSame(payloads(other.client)[0], patterned(400_000));
  });

  test("lost in the middle: the part is never delivered, and its memory is given back", () => {
    const { link, server, client } = connectedPair();
    client.core.write(1, patterned(2_000_000));
    link.runUntil(() => server.core.connectionStats(1)!.partialBytes > 200_000);
    link.passes = () => false;
    link.run(link.nowMs + 10_000);
    assertEquals(server.events, [{ kind: "lost", connId: 1 }]);
    assertEquals(countedBytes(server.core.stats()) + countedBytes(client.core.stats()), 0);
  });

  test("closed here in the middle: the rest is acknowledged, and forgotten", () => {
    const { link, server, client } = connectedPair();
    client.core.write(1, patterned(2_000_000));
    link.runUntil(() => server.core.connectionStats(1)!.partialBytes > 200_000);
    server.core.closeConn(1);
    assertEquals(server.core.stats().reassemblyBytes, 0);
    link.run(link.nowMs + 10_000);
    assertEquals(payloads(server), []);
    assertEquals(countedBytes(server.core.stats()) + countedBytes(client.core.stats()), 0);
  });

  test("a reader that stops holds the sender back, whatever comes; then all comes over", () => {
    const { link, server, client } = connectedPair();
    server.reading = false;
    const sizes = [700_000, 100, 3_000_000, 100, 600_000];
    for (const [i, size] of sizes.entries()) {
      link.runUntil(() => client.core.mayWrite(1, size) === true, 2000);
      if (client.core.mayWrite(1, size)) client.core.write(1, patterned(size, i));
    }
    link.run(link.nowMs + 5000);
    const { maxUnreadBytes } = server.core.limits;
    const counted = countedBytes(server.core.stats());
    assert(counted <= 3_000_000 + 2 * maxUnreadBytes, `${counted}`);
    server.reading = true;
    link.run(link.nowMs + 10_000);
    const written = payloads(server).length;
    for (let i = 0; i < written; i++) assertSame(payloads(server)[i], patterned(sizes[i]!, i));
    assert(written >= 3, `${written}`);
  });

  test("one message larger than maxQueuedBytes is taken when nothing waits, and only then", () => {
    const { link, client } = connectedPair({ limits: { maxQueuedBytes: 10_000 } });
    client.core.write(1, patterned(50_000));
    assertThrows(() => client.core.write(1, new Uint8Array(1)), QueueFull, "maxQueuedBytes");
    assertEquals([client.core.mayWrite(1, 1), client.core.mayWrite(1, 50_000)], [false, false]);
    link.run(link.nowMs + 1000);
    assertEquals(client.core.mayWrite(1, 50_000), true);
    client.core.write(1, patterned(6000));
    assertEquals([client.core.mayWrite(1, 4000), client.core.mayWrite(1, 4001)], [true, false]);
  });

  test("maxQueuedBytesTotal bounds what all connections queue together", () => {
    const { link, server } = connectedPair({}, { limits: { maxQueuedBytesTotal: 5000 } });
    link.dialer({ isn: 7 }, "client 2");
    link.run(link.nowMs + 100);
    link.passes = () => false;
    server.core.write(1, new Uint8Array(4000));
    assertThrows(
      () => server.core.write(2, new Uint8Array(2000)),
      QueueFull,
      "maxQueuedBytesTotal",
    );
    link.run(link.nowMs + 10_000);
    assertEquals(server.core.stats().queuedBytes, 0);
  });
});

describe("lsp large messages of a peer that breaks the protocol:", () => {
  const cases: [string, Uint8Array[]][] = [
    ["a last piece without a first", [piece(1, last, 0)]],
    ["a piece without a first", [piece(1, between, 5000)]],
    ["two first pieces", [piece(1, first, 5000), piece(2, first, 5000)]],
    ["pieces that add up to more", [piece(1, first, 5000), piece(2, between, 5000)]],
    ["pieces that add up to less", [piece(1, first, 5000), piece(2, last, 0)]],
    ["a total above maxMessageBytes", [piece(1, first, 64 << 20)]],
    ["the largest total there is", [piece(1, first, 2 ** 32 - 1)]],
    [
      "a message inside another",
      [
        piece(1, first, 5000),
        cborDatagram(1, 2, (writer) => writer.data(ISN + 2, new Uint8Array(9))),
      ],
    ],
  ];
  for (const [name, datagrams] of cases) {
    for (const order of ["in order", "the first last"]) {
      test(`${name}, ${order}: counted, closed with a reason, nothing delivered or kept`, () => {
        const { link, server, client } = connectedPair();
        link.remove(client);
        const arriving = order === "in order" ? datagrams : datagrams.toReversed();
        for (const datagram of arriving) link.inject(datagram, S, C);
        const event = server.events[0];
        assert(event?.kind === "closed", `${event?.kind}`);
        assert(event.reason.startsWith("the peer broke the protocol: "), event.reason);
        assertEquals(server.events.length, 1);
        assertEquals(server.core.stats().rejected.fragment, 1);
        assertEquals(countedBytes(server.core.stats()), 0);
        assert(cborFrames(link, S, C).at(-1)!.endsWith("close"));
      });
    }
  }

  test("random pieces never throw, and are never delivered wrong or kept", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const { link, server, client } = connectedPair({}, { limits: { maxMessageBytes: 20_000 } });
      link.remove(client);
      for (let i = 0; i < 30; i++) {
        const seq = integerBetween(random, 1, 12);
        const remaining = integerBetween(random, 0, 6) * 1000;
        const marks = remaining === 0 ? last : integerBetween(random, 0, 1) === 0 ? between : first;
        const bytes = new Uint8Array(1000).fill(seq);
        const datagram = cborDatagram(1, i + 1, (writer) =>
          integerBetween(random, 0, 9) === 0
            ? writer.data(ISN + seq, bytes)
            : writer.fragment(ISN + seq, marks, remaining, bytes),
        );
        link.inject(datagram, S, C);
      }
      for (const payload of payloads(server)) assertEquals(payload.length % 1000, 0);
      link.run(link.nowMs + 10_000);
      assertEquals(countedBytes(server.core.stats()), 0, `seed ${seed}`);
    }
  });
});

/** A server whose memory for large messages is small, and `count` clients connected to it. */
function crowd(
  count: number,
  limits: Partial<LspLimits>,
): { link: Lan; server: Node; clients: Node[] } {
  const link = new Lan();
  const server = link.listener({ limits });
  const clients: Node[] = [];
  for (let i = 1; i <= count; i++) clients.push(link.dialer({ isn: i }, `client ${i}`));
  link.run(100);
  assertEquals(server.core.stats().connections, count);
  return { link, server, clients };
}

describe("lsp memory for large messages:", () => {
  const limits = { maxMessageBytes: 400_000, maxReassemblyBytes: 1_000_000 };

  test("many peers at once: all messages come over, the count stays in its limit", () => {
    const { link, server, clients } = crowd(12, limits);
    clients.forEach((client, i) => client.core.write(i + 1, patterned(400_000, i)));
    let most = 0;
    const isDone = (): boolean => {
      most = Math.max(most, server.core.stats().reassemblyBytes);
      return payloads(server).length === 12;
    };
    assert(link.runUntil(isDone, 60_000), `${payloads(server).length} came`);
    assert(most > 500_000 && most <= 1_000_000, `${most}`);
    for (const event of server.events) {
      assert(event.kind === "data");
      assertSame(event.payload, patterned(400_000, event.connId - 1));
    }
    assertEquals(countedBytes(server.core.stats()), 0);
  });

  test("with room for one message only, they come one after the other", () => {
    const { link, server, clients } = crowd(4, { ...limits, maxReassemblyBytes: 400_000 });
    clients.forEach((client, i) => client.core.write(i + 1, patterned(400_000, i)));
    assert(link.runUntil(() => payloads(server).length === 4, 60_000));
    assertEquals(countedBytes(server.core.stats()), 0);
  });

  test("unread large messages keep their room, and small messages pass meanwhile", () => {
    const { link, server, clients } = crowd(6, limits);
    server.reading = false;
    clients.forEach((client, i) => client.core.write(i + 1, patterned(400_000, i)));
    link.run(link.nowMs + 4000);
    const { reassemblyBytes, unreadBytes } = server.core.stats();
    assert(reassemblyBytes <= 1_000_000, `${reassemblyBytes}`);
    assert(unreadBytes <= 6 << 20, `${unreadBytes}`);
    const late = link.dialer({ isn: 50 }, "client 50");
    link.run(link.nowMs + 100);
    link.write(late, 7, "small");
    link.run(link.nowMs + 100);
    assertEquals(late.core.stats().queuedBytes, 0);
    server.reading = true;
    assert(link.runUntil(() => payloads(server).length === 7, 60_000));
    assertEquals(countedBytes(server.core.stats()), 0);
  });

  test("strangers who begin a message each reserve little, and block nobody", () => {
    const { link, server, clients } = crowd(101, limits);
    for (let i = 1; i <= 100; i++) {
      const datagram = cborDatagram(i, 1000, (writer) =>
        writer.fragment(i + 1, first, 399_000, new Uint8Array(1000)),
      );
      link.inject(datagram, S, `client ${i}`);
    }
    assert(server.core.stats().reassemblyBytes <= 100 * 4096);
    const more = (i: number): Uint8Array =>
      cborDatagram(i, 1001, (writer) =>
        writer.fragment(i + 2, between, 398_000, new Uint8Array(1000)),
      );
    for (let i = 1; i <= 10; i++) link.inject(more(i), S, `client ${i}`);
    assert(server.core.stats().reassemblyBytes <= 90 * 4096 + 10 * 4 * 2000);
    clients[100]!.core.write(101, patterned(400_000));
    assert(link.runUntil(() => payloads(server).length === 1, 5000));
    assertSame(payloads(server)[0], patterned(400_000));
  });

  test("who begins and does not go on gives way, once others wait, and only then", () => {
    const { link, server, clients } = crowd(3, { ...limits, maxReassemblyBytes: 400_000 });
    const begin = (connId: number): void => {
      const datagram = cborDatagram(connId, 1000, (writer) =>
        writer.fragment(connId + 1, first, 399_000, new Uint8Array(1000)),
      );
      link.inject(datagram, S, `client ${connId}`);
    };
    begin(1);
    link.run(link.nowMs + 20_000);
    assertEquals(server.events, []);
    clients[1]!.core.write(2, patterned(400_000, 2));
    clients[2]!.core.write(3, patterned(400_000, 3));
    assert(
      link.runUntil(() => server.events.length === 3, 20_000),
      `${server.events.length}`,
    );
    const [end, ...rest] = server.events;
    assertEquals(end, {
      kind: "closed",
      connId: 1,
      code: "limit",
      reason: "too slow with a message while others waited for memory",
    });
    assertEquals(
      rest.map(({ kind }) => kind),
      ["data", "data"],
    );
  });

  test("a peer whom we hold back is never too slow", () => {
    const { link, server, clients } = crowd(3, { ...limits, maxReassemblyBytes: 400_000 });
    server.reading = false;
    clients.forEach((client, i) => client.core.write(i + 1, patterned(400_000, i)));
    link.run(link.nowMs + 60_000);
    assertEquals(server.core.stats().connections, 3);
    server.reading = true;
    assert(link.runUntil(() => payloads(server).length === 3, 20_000));
  });
});
