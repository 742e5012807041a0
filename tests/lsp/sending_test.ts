/** docs/lsp.md, section 5: first transmissions, back-off, repair and heartbeats. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../lsp/budget.ts";
import { ClassicType } from "../../lsp/classic_frame.ts";
import { DATA_BYTES_MAX } from "../../lsp/frame.ts";
import { DEFAULT_LSP_LIMITS, type FullParams } from "../../lsp/params.ts";
import { SendWindow } from "../../lsp/send_window.ts";
import {
  classicDatagram,
  classicFrames,
  connectedPair,
  cborFrames,
  packetsBetween,
} from "./lan.ts";

const S = "server 1";
const C = "client 1";

/** X for each epoch in which a message that nobody acknowledges is sent, from the first on. */
function pattern(maxBackOffInterval: number, epochs: number): string {
  const params: FullParams = {
    epochMillis: 1000,
    epochLimit: 5,
    windowSize: 1,
    maxUnackedMessages: 1,
    maxBackOffInterval,
  };
  const window = new SendWindow(0, params, new Budget(DEFAULT_LSP_LIMITS), DATA_BYTES_MAX);
  window.push(new Uint8Array(1));
  window.markSent(window.peekFresh()!, 0);
  let shown = "X";
  for (let epoch = 1; epoch < epochs; epoch++) {
    let sent = false;
    window.tick(Infinity, (entry) => {
      sent = true;
      window.markSent(entry, epoch);
    });
    shown += sent ? " X" : " .";
  }
  return shown;
}

describe("lsp §5 back-off:", () => {
  test("unbounded sends at epochs 0 1 3 6 11", () => {
    assertEquals(pattern(1000, 12), "X X . X . . X . . . . X");
  });
  test("cap 4 sends at epochs 0 1 3 6 11 16", () => {
    assertEquals(pattern(4, 17), "X X . X . . X . . . . X . . . . X");
  });
  test("cap 0 sends every epoch", () => assertEquals(pattern(0, 6), "X X X X X X"));

  test("it is per message", () => {
    const params = { windowSize: 2, maxUnackedMessages: 2, maxBackOffInterval: 10 };
    const { link, client } = connectedPair({ wire: "json", params: { ...params, epochLimit: 99 } });
    link.passes = () => false;
    const already = packetsBetween(link, C, S).length;
    link.write(client, 1, "a");
    // Ticks are at 2000, 4000 ...: the second message is younger by two of them.
    link.run(4500);
    link.write(client, 1, "b");
    link.run(13_000);
    const sent = classicFrames(link, C, S).slice(already);
    const data = sent.filter((text) => text.startsWith("Data")).join(" ");
    const [a, b] = ["Data 101 a", "Data 102 b"];
    assertEquals(data, [a, a, b, a, b, b, a].join(" "));
  });

  test("a message goes out in the write, and in handling the Ack that opens the window", () => {
    const { link, client } = connectedPair({ wire: "json" });
    link.passes = () => false;
    const now = link.nowMs;
    link.write(client, 1, "first");
    link.write(client, 1, "second");
    link.run(now + 77);
    link.inject(classicDatagram(ClassicType.ack, 1, 101), C, S);
    const sent = packetsBetween(link, C, S).slice(-2);
    assertEquals(
      sent.map(({ sentMs }) => sentMs),
      [now, now + 77],
    );
  });
});

describe("lsp §5 heartbeat:", () => {
  test("at a tick without Data since the last one, and none resent now", () => {
    const { link, client } = connectedPair({ wire: "json" });
    const already = packetsBetween(link, C, S).length;
    link.run(2500);
    link.write(client, 1, "x");
    link.run(6500);
    // Tick 2: nothing was sent; tick 4: Data was; tick 6: nothing again.
    assertEquals(classicFrames(link, C, S).slice(already), ["Ack 0", "Data 101 x", "Ack 0"]);
  });

  test("also in the empty epochs of a back-off", () => {
    const params = { maxBackOffInterval: 8, epochLimit: 99 };
    const { link, client } = connectedPair({ wire: "json", params });
    link.passes = ({ from }) => from !== C;
    const already = packetsBetween(link, C, S).length;
    link.write(client, 1, "x");
    link.run(13_000);
    const frames = classicFrames(link, C, S).slice(already);
    const x = "Data 101 x";
    assertEquals(frames, [x, x, "Ack 0", x, "Ack 0", "Ack 0", x]);
  });

  test("an idle cbor connection sends one datagram an epoch, spread over its slots", () => {
    const { link, server } = connectedPair();
    for (let n = 2; n <= 20; n++) link.dialer({ isn: n }, `client ${n}`);
    link.run(1000);
    const already = link.sent.length;
    link.run(6000);
    const beats = link.sent.slice(already).filter(({ from }) => from === S);
    assertEquals(beats.length, 20 * 10);
    const phases = new Set(beats.map(({ sentMs }) => Math.floor(sentMs % 500)));
    // 20 connections draw among 25 slots: 14 are expected to be taken.
    assert(phases.size > 8, `${phases.size} phases`);
    assertEquals(server.events, []);
  });

  test("a peer with a shorter epoch is heartbeaten often enough", () => {
    const short = { epochMillis: 100, epochLimit: 3 };
    const { link, server, client } = connectedPair({ params: short }, { params: {} });
    link.run(5000);
    assertEquals([server.events, client.events], [[], []]);
  });
});

describe("lsp §5 cbor repair:", () => {
  const params = { epochMillis: 10_000, epochLimit: 9 };

  test("one lost datagram in a stream costs less than two round trips, and no epoch", () => {
    const { link, server, client } = connectedPair({ params });
    link.latencyMs = 10;
    for (let i = 0; i < 20; i++) {
      link.write(client, 1, `warm ${i}`);
      link.run(link.nowMs + 5);
    }
    let dropped = false;
    link.passes = ({ from, bytes }) => {
      if (from !== C || dropped || !Buffer.from(bytes).includes("lost")) return true;
      dropped = true;
      return false;
    };
    const startMs = link.nowMs;
    link.write(client, 1, "lost");
    for (let i = 0; i < 10; i++) {
      link.run(link.nowMs + 2);
      link.write(client, 1, `after ${i}`);
    }
    assert(link.runUntil(() => server.texts.length === 31));
    assert(dropped && link.nowMs - startMs <= 10 + 2 * 20 + 10, `${link.nowMs - startMs} ms`);
  });

  test("three later datagrams that arrived tell a loss before its time is up", () => {
    const { link, client } = connectedPair({ params });
    link.latencyMs = 100;
    for (let i = 0; i < 20; i++) {
      link.write(client, 1, "warm");
      link.run(link.nowMs + 300);
    }
    const startMs = link.nowMs;
    link.passes = () => false;
    link.write(client, 1, "lost");
    link.passes = () => true;
    for (let i = 0; i < 3; i++) {
      link.run(link.nowMs + 2);
      link.write(client, 1, "later");
    }
    link.run(startMs + 1000);
    const again = packetsBetween(link, C, S).findLast(({ bytes }) =>
      Buffer.from(bytes).includes("lost"),
    )!;
    // By time alone it would be an eighth of a round trip more: 225 ms.
    assertEquals(again.sentMs - startMs, 206);
    assertEquals(client.core.connectionStats(1)!.lost, 1);
  });

  test("a lost last message is probed for within a round trip and some slack", () => {
    const { link, server, client } = connectedPair({ params });
    link.latencyMs = 10;
    for (let i = 0; i < 20; i++) {
      link.write(client, 1, "warm");
      link.run(link.nowMs + 30);
    }
    link.passes = () => false;
    const startMs = link.nowMs;
    link.write(client, 1, "the last");
    link.passes = () => true;
    assert(link.runUntil(() => server.texts.length === 21));
    assert(link.nowMs - startMs < 80, `${link.nowMs - startMs} ms`);
  });

  test("overtaking by less than the threshold repairs nothing", () => {
    const { link, server, client } = connectedPair({ params });
    for (let i = 0; i < 20; i++) {
      link.write(client, 1, "warm");
      link.run(link.nowMs + 5);
    }
    const before = client.core.connectionStats(1)!.retransmits;
    link.latencyMs = 2;
    link.write(client, 1, "overtaken");
    link.latencyMs = 1;
    link.write(client, 1, "first");
    link.run(link.nowMs + 100);
    assertEquals(server.texts.slice(-2), ["overtaken", "first"]);
    assertEquals(client.core.connectionStats(1)!.retransmits, before);
    assertEquals(client.core.connectionStats(1)!.lost, 0);
  });

  test("the floor: every epoch with something unacked sends at least one probe", () => {
    const short = { epochMillis: 100, epochLimit: 1000 };
    const { link, client } = connectedPair({ params: short });
    link.passes = () => false;
    for (let i = 0; i < 50; i++) client.core.write(1, new Uint8Array(900));
    link.flush();
    link.run(10_000);
    for (let epoch = 10; epoch < 99; epoch++) {
      const probes = link.sent.filter(
        ({ from, sentMs, bytes }) =>
          from === C && Math.floor(sentMs / 100) === epoch && bytes.length > 900,
      );
      assert(probes.length >= 1, `epoch ${epoch}`);
      assert(probes.length <= 8, `${probes.length} in epoch ${epoch}: a flood, not a probe`);
    }
    assert(cborFrames(link, C, S).length > 0);
  });

  test("after a blackout everything goes on without being written again", () => {
    const { link, server, client } = connectedPair({ params: { epochLimit: 100 } });
    link.passes = () => false;
    for (let i = 0; i < 100; i++) link.write(client, 1, `${i}`);
    link.run(20_000);
    link.passes = () => true;
    assert(link.runUntil(() => server.texts.length === 100, 1000));
  });
});

describe("lsp cbor receive window:", () => {
  test("a reader that does not read holds the sender back, and nothing is lost or dropped", () => {
    const limits = { maxUnreadBytes: 20_000 };
    const { link, server, client } = connectedPair({ limits }, { limits });
    server.reading = false;
    const payload = new Uint8Array(1000);
    for (let i = 0; i < 200; i++) client.core.write(1, payload);
    link.run(30_000);
    assertEquals(server.core.stats().unreadBytes, 20_000);
    assertEquals(server.core.stats().rejected, {});
    assertEquals(client.core.connectionStats(1)!.sentMessages, 20);
    assertEquals(client.core.connectionStats(1)!.retransmits, 0);
    server.reading = true;
    const startMs = link.nowMs;
    assert(link.runUntil(() => server.events.length === 200));
    assert(link.nowMs - startMs < 1000, `${link.nowMs - startMs} ms`);
    assertEquals([server.core.stats().rejected, server.core.stats().unreadBytes], [{}, 0]);
  });

  test("a lost window update is made good by a heartbeat", () => {
    const limits = { maxUnreadBytes: 20_000 };
    const { link, server, client } = connectedPair({ limits }, { limits });
    server.reading = false;
    for (let i = 0; i < 60; i++) client.core.write(1, new Uint8Array(1000));
    link.run(5000);
    link.passes = () => false;
    server.reading = true;
    link.flush();
    link.passes = () => true;
    assert(link.runUntil(() => server.events.length === 60, 3000));
  });
});
