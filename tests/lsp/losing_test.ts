/** docs/lsp.md, sections 6 and 7: losing a peer, and closing. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClassicType } from "../../lsp/classic_frame.ts";
import {
  ConnectionClosed,
  ConnectionLost,
  PayloadTooLarge,
  QueueFull,
  UnknownConnection,
} from "../../lsp/errors.ts";
import { CloseCode, DATA_BYTES_MAX } from "../../lsp/frame.ts";
import type { ClosureCause, Wire } from "../../lsp/types.ts";
import {
  classicDatagram,
  connectedPair,
  Lan,
  cborDatagram,
  cborFrames,
  packetsBetween,
} from "./lan.ts";

const S = "server 1";
const C = "client 1";
const wires: Wire[] = ["cbor", "json"];

/** Any valid packet of connection 1 from the client: its heartbeat. */
function heartbeat(wire: Wire, number: number): Uint8Array {
  if (wire === "json") return classicDatagram(ClassicType.ack, 1, 0);
  const ranges = new Float64Array(0);
  const window = { windowMessages: 9, windowBytes: 9999 };
  return cborDatagram(1, number, (writer) =>
    writer.ack({ cumulative: 100, echo: 0, echoDelayMicros: 0, ...window, rangeCount: 0, ranges }),
  );
}

describe.each(wires)("lsp §6 losing a peer (%s):", (wire) => {
  const params = { epochMillis: 1000, epochLimit: 3 };

  test("lost after K silent epochs, never later than K + 1 ticks", () => {
    for (const epochLimit of [1, 2, 5, 10]) {
      const limits = { params: { ...params, epochLimit } };
      const { link, server, client } = connectedPair({ wire, ...limits });
      link.run(10_000);
      link.remove(client);
      const silentSinceMs = link.nowMs;
      assert(link.runUntil(() => server.events.length > 0));
      assertEquals(server.events, [{ kind: "lost", connId: 1 }]);
      const epochs = (link.nowMs - silentSinceMs) / 1000;
      assert(epochs >= epochLimit && epochs <= epochLimit + 1, `${epochs} for ${epochLimit}`);
    }
  });

  test("a client loses its server in the same way", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(server);
    link.run(4500);
    assertEquals(client.events, [{ kind: "lost", connId: 1 }]);
  });

  test("in-phase timers give no false loss at K = 2", () => {
    const link = new Lan();
    const tight = { epochMillis: 1000, epochLimit: 2 };
    const server = link.listener({ params: tight });
    const client = link.dialer({ wire, params: tight });
    link.latencyMs = 0.001;
    link.run(60_000);
    assertEquals([server.events, client.events], [[], []]);
  });

  test("any valid packet of the connection is a sign of life", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(client);
    for (let number = 100; number < 120; number++) {
      link.inject(heartbeat(wire, number), S, C);
      link.run(link.nowMs + 1500);
    }
    assertEquals(server.events, []);
  });

  test("corrupt ones are not", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(client);
    const data =
      wire === "json"
        ? classicDatagram(ClassicType.data, 1, 101, "text")
        : cborDatagram(1, 90, (writer) => writer.data(101, new Uint8Array(4)));
    const damaged = data.slice();
    // The last letter of the payload, in either wire.
    const at = wire === "json" ? data.length - 6 : data.length - 1;
    damaged[at] = damaged[at]! ^ 1;
    for (let i = 0; i < 6; i++) {
      link.inject(damaged, S, C);
      link.run(link.nowMs + 1000);
    }
    assertEquals(server.events, [{ kind: "lost", connId: 1 }]);
  });

  test("one tick is counted when the clock jumped over many", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.run(5500);
    link.jump(3_600_000);
    link.run(link.nowMs + 5000);
    assertEquals([server.events, client.events], [[], []]);
  });

  test("the loss queues behind the unread data of all connections", () => {
    const { link, server, client } = connectedPair({ wire, params });
    const other = link.dialer({ wire, params, isn: 7 }, "client 2");
    link.run(500);
    server.reading = false;
    link.write(client, 1, "one");
    link.run(link.nowMs + 10);
    link.remove(client);
    link.write(other, 2, "two");
    link.run(link.nowMs + 5000);
    link.write(other, 2, "three");
    link.run(link.nowMs + 10);
    server.reading = true;
    link.flush();
    const seen = server.events.map((event) => `${event.kind} ${event.connId}`);
    assertEquals(seen, ["data 1", "data 2", "lost 1", "data 2"]);
  });

  test("after the loss nothing more is sent, and writes say why they fail", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(server);
    link.run(5000);
    const already = link.sent.length;
    link.run(60_000);
    assertEquals(link.sent.length, already);
    assertThrows(() => client.core.write(1, new Uint8Array(1)), ConnectionLost);
    assertEquals(client.core.wakeAtMs(), undefined);
  });
});

describe.each(wires)("lsp §7 closing (%s):", (wire) => {
  const params = { epochMillis: 1000, epochLimit: 3 };

  function isDrained(node: { notices: { kind: string }[] }): boolean {
    return node.notices.some(({ kind }) => kind === "drained");
  }

  test("close is done at once with nothing pending, also when the peer is dead", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(server);
    client.core.close(link.nowMs);
    link.flush();
    assert(isDrained(client));
  });

  test("close waits until everything is acknowledged, retransmitting and heartbeating", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.passes = ({ from }) => from !== C;
    for (let i = 0; i < 3; i++) client.core.write(1, new TextEncoder().encode(`${i}`));
    client.core.close(link.nowMs);
    link.run(link.nowMs + 1900);
    assertEquals(isDrained(client), false);
    const before = packetsBetween(link, C, S).length;
    assert(before >= 3, `${before} datagrams`);
    link.passes = () => true;
    assert(link.runUntil(() => isDrained(client), 4000));
    link.run(link.nowMs + 10);
    assertEquals(server.texts, ["0", "1", "2"]);
  });

  test("close is done when the peer is lost", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(server);
    link.write(client, 1, "in vain");
    client.core.close(link.nowMs);
    assert(link.runUntil(() => isDrained(client), 5000));
    assert(link.nowMs > 2000);
  });

  test("closeConn returns at once; writes are still flushed; no more data is read", () => {
    const { link, server, client } = connectedPair({ wire, params });
    server.reading = false;
    link.write(client, 1, "unread");
    link.run(link.nowMs + 10);
    link.write(server, 1, "flushed");
    link.write(server, 1, "as well");
    server.core.closeConn(1);
    server.reading = true;
    link.flush();
    assertEquals(
      server.events.map(({ kind }) => kind),
      ["closed"],
    );
    assertThrows(() => server.core.write(1, new Uint8Array(1)), UnknownConnection);
    assertThrows(() => server.core.closeConn(1), UnknownConnection);
    link.run(link.nowMs + 10_000);
    assertEquals(client.texts, ["flushed", "as well"]);
    assertEquals(client.events.at(-1)!.kind, wire === "json" ? "lost" : "closed");
    assertEquals(
      server.events.map(({ kind }) => kind),
      ["closed"],
    );
    assertEquals(server.core.stats().unreadBytes, 0);
  });

  test("after our close, write says that it is closed", () => {
    const { link, client } = connectedPair({ wire, params });
    client.core.close(link.nowMs);
    assertThrows(() => client.core.write(1, new Uint8Array(1)), ConnectionClosed);
  });

  test("a closing server lets nobody in", () => {
    const { link, server } = connectedPair({ wire, params });
    link.passes = ({ from, to }) => !(from === S && to === C) && from !== C;
    link.write(server, 1, "pending");
    server.core.close(link.nowMs);
    const late = link.dialer({ wire, params, isn: 9 }, "client 2");
    link.run(link.nowMs + 500);
    const refused = late.notices.map((n) => (n.kind === "refused" ? n.code : n.kind));
    assertEquals(refused, wire === "json" ? [] : ["closed"]);
  });
});

describe("lsp §7 closing, cbor rules:", () => {
  test("the peer learns the reason at once", () => {
    const { link, server, client } = connectedPair();
    client.core.close(link.nowMs);
    link.run(link.nowMs + 2);
    assertEquals(server.events, [
      { kind: "closed", connId: 1, code: "done", reason: "closed by the peer" },
    ]);
    assertEquals(server.core.stats().connections, 0);
  });

  test("a peer that missed the Close hears it again when it says something", () => {
    const { link, server, client } = connectedPair();
    link.passes = ({ from }) => from !== S;
    server.core.closeConn(1);
    link.flush();
    link.passes = () => true;
    link.run(link.nowMs + 600);
    assertEquals(
      client.events.map(({ kind }) => kind),
      ["closed"],
    );
    link.run(link.nowMs + 2000);
    assertEquals(server.core.stats().connections, 0);
  });

  test("abort ends at once, unflushed, and tells the peer", () => {
    const { link, server, client } = connectedPair();
    link.passes = ({ bytes }) => bytes.length < 500;
    client.core.write(1, new Uint8Array(1000));
    link.flush();
    client.core.abort();
    link.run(link.nowMs + 2);
    const end = server.events[0]!;
    assertEquals(end, {
      kind: "closed",
      connId: 1,
      code: "shutdown",
      reason: "the peer shut down",
    });
    const own = { code: "here", reason: "the endpoint was aborted" } as const;
    assertEquals(client.events, [{ kind: "closed", connId: 1, ...own }]);
    assertEquals(client.notices.at(-1), { kind: "drained" });
  });

  test("one that was declared lost by mistake is told so", () => {
    const { link, server, client } = connectedPair();
    link.passes = ({ from }) => from !== C;
    link.run(10_000);
    assertEquals(server.events, [{ kind: "lost", connId: 1 }]);
    const end = client.events[0]!;
    const reason = "the peer heard nothing for too long";
    assertEquals(end, { kind: "closed", connId: 1, code: "lost", reason });
  });

  test("every code of Close has a cause of its own, whatever its text", () => {
    const causes = { done: 0, shutdown: 1, protocol: 2, limit: 3, lost: 4, replaced: 5 };
    for (const [cause, code] of Object.entries({ ...causes, path: 7, other: 8 })) {
      const { link, client } = connectedPair();
      const bytes = cborDatagram(1, 90, (writer) => writer.close(code, 100, "closed by the peer"));
      link.inject(bytes, C, S);
      const [end] = client.events;
      assertEquals(end?.kind === "closed" && end.code, cause as ClosureCause);
    }
  });

  test("a Close with a code of the future closes, with its text", () => {
    const { link, client } = connectedPair();
    const bytes = cborDatagram(1, 90, (writer) => writer.close(999, 100, "moon phase"));
    link.inject(bytes, C, S);
    assertEquals(client.events, [
      { kind: "closed", connId: 1, code: "other", reason: "moon phase" },
    ]);
    assertEquals(CloseCode.done, 0);
  });
});

describe("lsp cbor path change:", () => {
  test("a client that moved is believed once it proves the address, and nothing is lost", () => {
    const { link, server, client } = connectedPair();
    link.run(100);
    link.move(client, "client 99");
    for (let i = 0; i < 10; i++) {
      link.write(client, 1, `up ${i}`);
      link.write(server, 1, `down ${i}`);
    }
    link.run(link.nowMs + 3000);
    assertEquals([server.texts.length, client.texts.length], [10, 10]);
    assertEquals(server.core.stats().connections, 1);
    assert(packetsBetween(link, S, "client 99").length > 3);
    assertEquals(
      server.events.concat(client.events).some(({ kind }) => kind !== "data"),
      false,
    );
  });

  test("a bystander cannot take a connection over", () => {
    const { link, server, client } = connectedPair();
    const evil = "evil 1";
    const asked = cborDatagram(1, 1000, (writer) => writer.data(101, new Uint8Array(4)));
    link.inject(asked, S, evil);
    assertEquals(cborFrames(link, S, evil), ["pathChallenge"]);
    const question = packetsBetween(link, S, evil)[0]!.bytes.slice(32, 40);
    const token = Buffer.from(question).readBigUInt64BE();
    for (const answer of [token, token ^ 1n, 0n]) {
      link.inject(
        cborDatagram(1, 1001, (w) => w.pathResponse(answer)),
        S,
        evil,
      );
    }
    assertEquals(server.core.stats().rejected, { path: 3 });
    assertEquals(server.texts, []);
    link.write(client, 1, "still ours");
    link.write(server, 1, "indeed");
    link.run(link.nowMs + 100);
    assertEquals([server.texts, client.texts], [["still ours"], ["indeed"]]);
  });
});

describe.each(wires)("lsp limits of writing (%s):", (wire) => {
  test("write throws PayloadTooLarge above the wire's limit, and names it", () => {
    const { client } = connectedPair({ wire }, { limits: { maxMessageBytes: 5000 } });
    const limit = wire === "json" ? 1400 : 5000;
    client.core.write(1, new Uint8Array(limit));
    const write = (): void => client.core.write(1, new Uint8Array(limit + 1));
    assertThrows(write, PayloadTooLarge, `at most ${limit}`);
  });

  test("the largest payload comes over, also beside an acknowledgement", () => {
    const { link, server, client } = connectedPair({ wire });
    const limit = wire === "json" ? 1400 : DATA_BYTES_MAX;
    for (let i = 0; i < 5; i++) {
      client.core.write(1, new Uint8Array(limit).fill(i));
      server.core.write(1, new Uint8Array(limit).fill(i));
    }
    link.run(link.nowMs + 1000);
    for (const { events } of [server, client]) {
      const sizes = events.map((event) => (event.kind === "data" ? event.payload.length : 0));
      assertEquals(sizes, Array(5).fill(limit));
    }
  });

  test("write throws QueueFull above maxQueuedBytes, and works again later", () => {
    const { link, client } = connectedPair({ wire, limits: { maxQueuedBytes: 2000 } });
    client.core.write(1, new Uint8Array(1000));
    client.core.write(1, new Uint8Array(1000));
    assertThrows(() => client.core.write(1, new Uint8Array(1)), QueueFull, "2000");
    link.run(link.nowMs + 100);
    client.core.write(1, new Uint8Array(1000));
  });

  test("write takes a copy", () => {
    const { link, server, client } = connectedPair({ wire });
    const payload = Buffer.from("before");
    client.core.write(1, payload);
    payload.fill("x");
    link.run(link.nowMs + 100);
    assertEquals(server.texts, ["before"]);
  });

  test("write to an unknown connection throws", () => {
    const { server } = connectedPair({ wire });
    assertThrows(() => server.core.write(7, new Uint8Array(1)), UnknownConnection);
  });
});
