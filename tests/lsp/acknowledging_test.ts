/** docs/lsp.md, section 4: acknowledgements, order, and the window. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { HOLD_MS } from "../../lsp/acknowledger.ts";
import { Budget } from "../../lsp/budget.ts";
import { ClassicType } from "../../lsp/classic_frame.ts";
import {
  type AckFields,
  DatagramReader,
  type DatagramWriter,
  ACK_RANGES_MAX,
  DATA_BYTES_MAX,
  FrameType,
} from "../../lsp/frame.ts";
import { DEFAULT_LSP_LIMITS, type FullParams } from "../../lsp/params.ts";
import { SendWindow } from "../../lsp/send_window.ts";
import type { Wire } from "../../lsp/types.ts";
import {
  classicDatagram,
  classicFrames,
  connectedPair,
  cborDatagram,
  cborFrames,
  packetsBetween,
} from "./lan.ts";

const S = "server 1";
const C = "client 1";
const { data, ack, cumulativeAck } = ClassicType;
const wires: Wire[] = ["cbor", "json"];

/** A Data from the client at ISN 100, on either wire. */
function dataFrame(wire: Wire, seq: number, text: string, number = 50 + seq): Uint8Array {
  if (wire === "json") return classicDatagram(data, 1, seq, text);
  return cborDatagram(1, number, (w) => w.data(seq, new TextEncoder().encode(text)));
}

/** An Ack of the server at ISN 100. */
function ackFrame(fields: Partial<AckFields>): (writer: DatagramWriter) => void {
  const base = { cumulative: 100, echo: 0, echoDelayMicros: 0, rangeCount: 0 };
  const window = { windowMessages: 1000, windowBytes: 100_000, ranges: new Float64Array(64) };
  return (writer) => writer.ack({ ...base, ...window, ...fields });
}

describe("lsp §4 the worked window example:", () => {
  const params: FullParams = {
    epochMillis: 1000,
    epochLimit: 5,
    windowSize: 4,
    maxUnackedMessages: 2,
    maxBackOffInterval: 0,
  };

  function sendAll(window: SendWindow): number[] {
    const sent: number[] = [];
    for (let entry = window.peekFresh(); entry; entry = window.peekFresh()) {
      window.markSent(entry, 0);
      sent.push(entry.seq);
    }
    return sent;
  }

  test("W = 4, M = 2: 1 2; ack 2: 3; ack 3: 4; ack 4: nothing; ack 1: 5 6", () => {
    const window = new SendWindow(0, params, new Budget(DEFAULT_LSP_LIMITS), DATA_BYTES_MAX);
    for (let i = 0; i < 8; i++) window.push(new Uint8Array(1));
    const sent = [sendAll(window)];
    for (const seq of [2, 3, 4, 1]) {
      assert(window.ackOne(seq));
      sent.push(sendAll(window));
    }
    assertEquals(sent, [[1, 2], [3], [4], [], [5, 6]]);
  });

  test("the same through a classic connection", () => {
    const { link, client } = connectedPair({ wire: "json", params, isn: 0 });
    link.passes = () => false;
    const already = packetsBetween(link, C, S).length;
    for (let i = 1; i <= 8; i++) link.write(client, 1, "x");
    const seen = (): string[] => classicFrames(link, C, S).slice(already);
    assertEquals(seen(), ["Data 1 x", "Data 2 x"]);
    for (const seq of [2, 3, 4, 1]) link.inject(classicDatagram(ack, 1, seq), C, S);
    assertEquals(seen().slice(2), ["Data 3 x", "Data 4 x", "Data 5 x", "Data 6 x"]);
  });
});

describe.each(wires)("lsp §4 receiving (%s):", (wire) => {
  function acksAfter(act: (link: ReturnType<typeof connectedPair>["link"]) => void): {
    acks: string[];
    texts: string[];
  } {
    const { link, server, client } = connectedPair({ wire });
    link.remove(client);
    const already = packetsBetween(link, S, C).length;
    act(link);
    const frames = wire === "json" ? classicFrames(link, S, C) : cborFrames(link, S, C);
    return { acks: frames.slice(already), texts: server.texts };
  }

  test("every valid Data is acknowledged at once, also out of order and again", () => {
    const { acks, texts } = acksAfter((link) => {
      for (const seq of [103, 102, 103, 101, 101])
        link.inject(dataFrame(wire, seq, `${seq}`), S, C);
    });
    const json = ["Ack 103", "Ack 102", "Ack 103", "Ack 101", "Ack 101"];
    assertEquals(acks, wire === "json" ? json : ["ack", "ack", "ack", "ack", "ack"]);
    assertEquals(texts, ["101", "102", "103"]);
  });

  test("Data with an unknown id is never acknowledged", () => {
    const { acks, texts } = acksAfter((link) => {
      const bytes =
        wire === "json"
          ? classicDatagram(data, 7, 101, "x")
          : cborDatagram(7, 9, (w) => w.data(101, new Uint8Array(1)));
      link.inject(bytes, S, C);
    });
    // On the cbor wire the stranger is told (tests/lsp/unknown_test.ts).
    assertEquals([acks, texts], [wire === "json" ? [] : ["unknown"], []]);
  });

  test("Data at or below the ISN is no message", () => {
    const { acks, texts } = acksAfter((link) => {
      link.inject(dataFrame(wire, 100, "x"), S, C);
      link.inject(dataFrame(wire, 1, "x"), S, C);
    });
    assertEquals([acks, texts], [[], []]);
  });

  test("Data beyond the reorder bound is dropped and not acknowledged", () => {
    const { link, server, client } = connectedPair({ wire }, { limits: { maxReorder: 4 } });
    link.remove(client);
    const already = packetsBetween(link, S, C).length;
    link.inject(dataFrame(wire, 105, "e"), S, C);
    assertEquals(packetsBetween(link, S, C).length, already);
    for (const seq of [104, 103, 102, 101]) link.inject(dataFrame(wire, seq, `${seq}`), S, C);
    assertEquals(packetsBetween(link, S, C).length, already + 4);
    assertEquals(server.texts, ["101", "102", "103", "104"]);
    assertEquals(server.core.stats().rejected, { unreadable: 1 });
  });

  test("what is not read is dropped beyond the bound, and not acknowledged", () => {
    const limits = { maxUnreadBytes: 4000 };
    const { link, server, client } = connectedPair({ wire }, { limits });
    link.remove(client);
    server.reading = false;
    const already = packetsBetween(link, S, C).length;
    const text = "x".repeat(1000);
    for (let seq = 101; seq <= 110; seq++) link.inject(dataFrame(wire, seq, text), S, C);
    assertEquals(packetsBetween(link, S, C).length, already + 4);
    assertEquals(server.core.stats().unreadBytes, 4000);
    server.reading = true;
    link.flush();
    link.inject(dataFrame(wire, 105, "and on"), S, C);
    assertEquals(server.texts.at(-1), "and on");
    assertEquals(server.core.stats().unreadBytes, 0);
  });

  test("reordered Data never takes the room that the expected message needs", () => {
    const limits = { maxUnreadBytes: 4000 };
    const { link, server, client } = connectedPair({ wire }, { limits });
    link.remove(client);
    const text = "x".repeat(1000);
    for (let seq = 110; seq >= 102; seq--) link.inject(dataFrame(wire, seq, text), S, C);
    link.inject(dataFrame(wire, 101, text), S, C);
    assertEquals(server.texts.length > 0, true);
  });

  test("the endpoint as a whole has a bound too", () => {
    const limits = { maxUnreadBytesTotal: 6000 };
    const { link, server, client } = connectedPair({ wire }, { limits });
    link.remove(client);
    server.reading = false;
    const text = "x".repeat(1000);
    // Held ahead of their turn: half of the endpoint's bound at most.
    for (let seq = 110; seq >= 102; seq--) link.inject(dataFrame(wire, seq, text), S, C);
    assertEquals(server.core.stats().unreadBytes, 3000);
    link.inject(dataFrame(wire, 101, text), S, C);
    assertEquals(server.core.stats().unreadBytes, 4000);
  });

  test("while closing, incoming Data is still acknowledged, and not delivered", () => {
    const { link, server, client } = connectedPair({ wire });
    link.passes = ({ from }) => from !== S;
    link.write(server, 1, "unacknowledged");
    server.core.closeConn(1);
    link.flush();
    link.remove(client);
    const already = packetsBetween(link, S, C).length;
    link.inject(dataFrame(wire, 101, "late"), S, C);
    const frames = wire === "json" ? classicFrames(link, S, C) : cborFrames(link, S, C);
    assertEquals(frames.slice(already), [wire === "json" ? "Ack 101" : "ack"]);
    assertEquals(
      server.events.map(({ kind }) => kind),
      ["closed"],
    );
  });
});

describe("lsp §4 classic acknowledgements:", () => {
  function unacked(...frames: Uint8Array[]): number | undefined {
    const params = { windowSize: 8, maxUnackedMessages: 8 };
    const { link, client } = connectedPair({ wire: "json", params });
    link.passes = () => false;
    for (let i = 0; i < 5; i++) link.write(client, 1, "12345");
    for (const frame of frames) link.inject(frame, C, S);
    return client.core.connectionStats(1)!.queuedBytes / 5;
  }

  test("Ack n removes exactly n", () => {
    assertEquals(unacked(), 5);
    assertEquals(unacked(classicDatagram(ack, 1, 103)), 4);
  });
  test("CAck n removes all up to n", () => {
    assertEquals(unacked(classicDatagram(cumulativeAck, 1, 103)), 2);
  });
  test("Ack 0 removes nothing", () => assertEquals(unacked(classicDatagram(ack, 1, 0)), 5));
  test("old and unknown numbers are ignored", () => {
    for (const seq of [1, 99, 100, 106, 2 ** 40]) {
      assertEquals(unacked(classicDatagram(ack, 1, seq)), 5);
      if (seq > 100) assertEquals(unacked(classicDatagram(cumulativeAck, 1, seq)), 5);
    }
    assertEquals(unacked(classicDatagram(ack, 1, 101), classicDatagram(ack, 1, 101)), 4);
  });
  test("an unknown id is ignored", () => assertEquals(unacked(classicDatagram(ack, 2, 101)), 5));

  test("a frame from another address than the connection's is ignored", () => {
    const { link, server } = connectedPair({ wire: "json" });
    const sent = link.sent.length;
    link.inject(classicDatagram(data, 1, 101, "forged"), S, "evil 1");
    assertEquals([server.texts, link.sent.length], [[], sent]);
    assertEquals(server.core.stats().rejected, { address: 1 });
  });
});

describe("lsp §4 cbor acknowledgements:", () => {
  test("those of one turn are one, and ride on data", () => {
    const { link, server, client } = connectedPair();
    link.run(link.nowMs + 50);
    link.passes = () => false;
    const already = link.sent.length;
    for (let i = 0; i < 3; i++) client.core.write(1, new Uint8Array(8));
    link.flush();
    server.core.handleDatagram(link.sent.at(-1)!.bytes, C, link.nowMs);
    server.core.write(1, new Uint8Array(8));
    link.flush();
    assertEquals(link.sent.length, already + 2);
    assertEquals(cborFrames(link, C, S).at(-1), "data 101 + data 102 + data 103");
    assertEquals(cborFrames(link, S, C).at(-1), "ack + data 101");
  });

  test("an Ack of a number never sent is ignored and counted", () => {
    const { link, client } = connectedPair();
    link.passes = () => false;
    for (let i = 0; i < 5; i++) client.core.write(1, new Uint8Array(5));
    link.flush();
    const ranges = Float64Array.of(103, 106);
    const forged = [
      ackFrame({ cumulative: 106 }),
      ackFrame({ cumulative: 99 }),
      ackFrame({ ranges, rangeCount: 1 }),
      ackFrame({ cumulative: 101, echo: 1e6 }),
    ];
    for (const write of forged) link.inject(cborDatagram(1, 60, write), C, S);
    assertEquals(client.core.connectionStats(1)!.queuedBytes, 25);
    assertEquals(client.core.stats().rejected, { ack: 4 });
    link.inject(cborDatagram(1, 61, ackFrame({ cumulative: 102 })), C, S);
    assertEquals(client.core.connectionStats(1)!.queuedBytes, 15);
  });

  test("more gaps than an Ack can name do no harm", () => {
    const { link, server, client } = connectedPair();
    let count = 0;
    // Every other message of the first flight is lost.
    link.passes = ({ from }) => from !== C || count++ % 2 === 0;
    const expected: string[] = [];
    for (let i = 0; i < 4 * ACK_RANGES_MAX; i++) {
      expected.push(`${i}`);
      link.write(client, 1, `${i}`);
    }
    assert(link.runUntil(() => server.texts.length === expected.length));
    assertEquals(server.texts, expected);
  });
});

describe("lsp the cbor window:", () => {
  test("lets as many bytes through as there is room for, and is opened by reading", () => {
    const limits = { maxUnreadBytes: 10_000 };
    const { link, server, client } = connectedPair({}, { limits });
    server.reading = false;
    const windowBytes = (): number => {
      const reader = new DatagramReader();
      assert(reader.open(packetsBetween(link, S, C).at(-1)!.bytes));
      while (reader.next()) if (reader.type === FrameType.ack) return reader.windowBytes;
      return NaN;
    };
    for (const left of [9000, 8000, 7000]) {
      client.core.write(1, new Uint8Array(1000));
      link.run(link.nowMs + 100);
      assertEquals(windowBytes(), left);
    }
    for (let n = 0; n < 20; n++) client.core.write(1, new Uint8Array(1000));
    link.run(link.nowMs + 3000);
    assertEquals(windowBytes(), 0);
    const { retransmits, sentMessages } = client.core.connectionStats(1)!;
    assertEquals([retransmits, sentMessages], [0, 10], "nothing was sent that finds no room");
    server.reading = true;
    link.run(link.nowMs + 3000);
    assertEquals([server.events.length, windowBytes()], [23, 10_000]);
  });
});

describe("lsp a cbor Ack", () => {
  /** The server answers a message `afterMs` after it came. */
  function exchange(
    { link, server, client }: ReturnType<typeof connectedPair>,
    afterMs: number,
    restMs = 10,
  ): string[] {
    const from = packetsBetween(link, S, C).length;
    link.write(client, 1, "ping");
    link.run(link.nowMs + 1 + afterMs);
    link.write(server, 1, "pong");
    link.run(link.nowMs + restMs);
    return cborFrames(link, S, C)
      .slice(from)
      .map((frames) => frames.replace(/ \d+/, ""));
  }

  test("waits for the answer where answers follow soon, and goes along with it", () => {
    const pair = connectedPair();
    for (let i = 0; i < 3; i++) assertEquals(exchange(pair, 2), ["ack", "data"]);
    for (let i = 0; i < 5; i++) assertEquals(exchange(pair, 2), ["ack + data"]);
    // Also when the next message brings the Ack of the answer.
    for (let i = 0; i < 10; i++) assertEquals(exchange(pair, 2, 2), ["ack + data"]);
    const pings = cborFrames(pair.link, C, S).slice(-5);
    assert(
      pings.every((frames) => frames.startsWith("ack + data")),
      pings.join(),
    );
    assertEquals(pair.client.core.connectionStats(1)!.retransmits, 0);
  });

  test("leaves alone when no answer comes in time; then the next is not held", () => {
    const pair = connectedPair();
    const { link, client } = pair;
    for (let i = 0; i < 20; i++) exchange(pair, 2);
    const delays: number[] = [];
    for (let i = 0; i < 4; i++) {
      const sentMs = link.nowMs;
      link.write(client, 1, "no answer");
      link.run(sentMs + 50);
      delays.push(packetsBetween(link, S, C).at(-1)!.sentMs - sentMs - 1);
    }
    assertEquals(delays, [HOLD_MS, HOLD_MS, 0, 0]);
  });

  test("waits for nothing where nobody answers", () => {
    const { link, client } = connectedPair();
    for (let i = 0; i < 10; i++) {
      const sentMs = link.nowMs;
      link.write(client, 1, "one way");
      link.run(sentMs + 20);
      assertEquals(packetsBetween(link, S, C).at(-1)!.sentMs, sentMs + 1);
    }
  });

  test("of a second datagram, of a repeated message and of one behind a gap is not held", () => {
    const pair = connectedPair();
    const { link, client } = pair;
    for (let i = 0; i < 20; i++) exchange(pair, 2);
    /** How long after its coming the server acknowledged the last of these. */
    const delayOf = (say: () => void): number => {
      link.run(link.nowMs + 100);
      say();
      const saidMs = link.nowMs;
      link.run(saidMs + 4);
      return packetsBetween(link, S, C).at(-1)!.sentMs - saidMs - 1;
    };
    const second = (): void => {
      link.write(client, 1, "one");
      link.write(client, 1, "two");
    };
    assertEquals(delayOf(second), 0);
    for (let i = 0; i < 20; i++) exchange(pair, 2);
    const last = 100 + client.core.connectionStats(1)!.sentMessages;
    const again = dataFrame("cbor", last, "ping", 10_000);
    assertEquals(
      delayOf(() => link.inject(again, S, C)),
      -1,
      "which is there at once",
    );
    const ahead = dataFrame("cbor", 1000, "later", 10_001);
    assertEquals(
      delayOf(() => link.inject(ahead, S, C)),
      -1,
    );
  });
});
