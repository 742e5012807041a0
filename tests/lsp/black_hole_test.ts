/** Paths that swallow large datagrams and let small ones pass (docs/lsp.md, section 11). */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom, unitReal } from "../../base/random.ts";
import { BlackHole } from "../../lsp/black_hole.ts";
import { SmallPaths } from "../../lsp/small_paths.ts";
import { DatagramReader, DatagramWriter, FrameType, NO_KEY } from "../../lsp/frame.ts";
import { RoundTrip } from "../../lsp/rtt.ts";
import type { Outbound } from "../../lsp/send_window.ts";
import { connectedPair, Lan, cborDatagram, cborFrames, packetsBetween, withKey } from "./lan.ts";

const C = "client 1";
const S = "server 1";

/**
 * A server and dialers with one memory. The path passes datagrams of up to `path.bytes`, and what
 * is as large as Connects are when they ask for its size.
 */
function pairOn(passed: number, paths = new SmallPaths()) {
  const link = new Lan();
  const path = { bytes: passed };
  link.passes = ({ bytes }) => bytes.length <= path.bytes;
  const server = link.listener();
  const dial = (address: string) => {
    const client = link.dialer({ paths }, address);
    if (!link.runUntil(() => client.notices.length > 0)) throw new Error("no connection");
    return client;
  };
  return { link, path, server, dial };
}

function message(bytes: number): string {
  return "m".repeat(bytes);
}

describe("a path that swallows large datagrams:", () => {
  // An MTU of 1196 leaves 1168 bytes on IPv4; that of 576, 548.
  test.each([
    [1168, 1200, 1024],
    [1024, 1200, 1024],
  ])("of %d bytes: ends the connection, names the size; the next dial is smaller", (...sizes) => {
    const [passed, size, next] = sizes;
    const { link, path, server, dial } = pairOn(1200);
    const first = dial("client 1");
    path.bytes = passed;
    const sinceMs = link.nowMs;
    link.write(first, 1, message(5000));
    assert(link.runUntil(() => first.events.length > 0, 10_000));
    const end = first.events[0]!;
    assert(end.kind === "closed" && end.code === "path", JSON.stringify(end));
    assert(end.reason.includes(`datagrams of ${size} bytes are lost on the way to server:1`));
    assert(end.reason.includes(`keeps to ${next} bytes`));
    assert(link.nowMs - sinceMs < 5000, `${link.nowMs - sinceMs} ms`);
    // The peer learns of it by the Close, and why.
    assert(link.runUntil(() => server.events.length > 0, 1000));
    const told = server.events[0]!;
    assert(told.kind === "closed" && told.code === "path" && told.reason.includes("large"));
    const sinceDialMs = link.nowMs;
    const second = dial("client 2");
    assert(link.nowMs - sinceDialMs < 10, "its own Connect is as small");
    link.write(second, 2, message(5000));
    assert(
      link.runUntil(() => server.texts.length > 0, 1000),
      "arrives at once",
    );
    assertEquals(server.texts, [message(5000)]);
    // The server, which was told, sends smaller ones too.
    link.write(server, 2, message(5000));
    assert(
      link.runUntil(() => second.texts.length > 0, 1000),
      "and the other way",
    );
  });

  test("is found while connecting: the first message goes through at once", () => {
    const { link, server, dial } = pairOn(1168);
    const client = dial("client 1");
    assert(link.nowMs < 600, `${link.nowMs} ms`);
    link.write(client, 1, message(5000));
    link.write(server, 1, message(6000));
    const areRead = (): boolean => server.texts.length + client.texts.length === 2;
    assert(link.runUntil(areRead, 100));
    assertEquals([server.texts, client.texts], [[message(5000)], [message(6000)]]);
  });

  test("goes down two steps where one is not enough", () => {
    const { link, path, server, dial } = pairOn(1200);
    for (const [n, bytes] of [4 * 1149, 4 * 978].entries()) {
      path.bytes = 1200;
      const client = dial(`client ${n}`);
      path.bytes = 548;
      link.write(client, n + 1, message(bytes));
      assert(link.runUntil(() => client.events.some(({ kind }) => kind === "closed"), 10_000));
    }
    const client = dial("client 3");
    link.write(client, 3, message(3000));
    assert(link.runUntil(() => server.texts.length > 0, 1000));
    assertEquals(server.texts, [message(3000)]);
  });

  test("messages that fit are not held up, and end nothing", () => {
    const { link, path, server, dial } = pairOn(1200);
    const client = dial(C);
    path.bytes = 1168;
    for (let i = 0; i < 50; i++) link.write(client, 1, message(1000));
    assert(link.runUntil(() => server.texts.length === 50, 5000));
    assertEquals(client.events, []);
  });

  test("packs and cuts what was not sent yet smaller at once", () => {
    const { link, path, server, dial } = pairOn(1200);
    const client = dial(C);
    path.bytes = 1168;
    // Too large for the path once packed, but not by themselves.
    for (let i = 0; i < 6; i++) link.write(client, 1, message(390));
    assert(
      link.runUntil(() => server.texts.length === 6, 5000),
      `${server.texts.length} came`,
    );
    assertEquals(client.events, []);
  });

  test("once it is suspected, packs no more into a datagram than the next smaller size", () => {
    const { link, path, dial } = pairOn(1200);
    const client = dial(C);
    path.bytes = 1168;
    const before = link.sent.length;
    link.write(client, 1, message(1150));
    const isAsked = () => cborFrames(link, C, S).some((names) => names.includes("pathChallenge"));
    assert(link.runUntil(isAsked, 5000));
    // Six of them are 1,013 bytes, seven would be 1,177.
    for (let i = 0; i < 24; i++) client.core.write(1, new TextEncoder().encode(message(150)));
    assert(link.runUntil(() => client.events.length > 0, 10_000));
    const frames = cborFrames(link, C, S);
    const packets = packetsBetween(link, C, S);
    const since = frames.findIndex((names) => names.startsWith("pathChallenge"));
    assert(since > 0 && link.sent.length > before);
    for (let i = since; i < packets.length; i++) {
      const isPacked = frames[i]!.split(" + ").length > 1 && !frames[i]!.includes("padding");
      assert(!isPacked || packets[i]!.bytes.length <= 1024, `${frames[i]}`);
    }
  });

  test("that only the server's datagrams fall into is remembered by the client too", () => {
    const paths = new SmallPaths();
    const { link, server, dial } = pairOn(1200, paths);
    const client = dial(C);
    link.passes = ({ from, bytes }) => from !== S || bytes.length <= 1100;
    link.write(server, 1, message(5000));
    assert(link.runUntil(() => client.events.length > 0, 10_000));
    assertEquals(paths.plainBytes("server"), 1024);
    assertEquals(server.core.paths.plainBytes("client"), 1024);
  });

  test("where it begins in mid-connection, it is found then", () => {
    const { link, client } = connectedPair();
    link.write(client, 1, message(100_000));
    link.run(link.nowMs + 500);
    link.passes = ({ bytes }) => bytes.length <= 1100;
    link.write(client, 1, message(100_000));
    assert(link.runUntil(() => client.events.length > 0, 10_000));
    const end = client.events[0]!;
    assert(end.kind === "closed" && end.code === "path", JSON.stringify(end));
  });

  test("chance, a held-up reader and a dead peer are not mistaken for it", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const { link, client, server } = connectedPair({ params: { epochLimit: 60 } });
      link.passes = () => unitReal(random) > 0.4;
      for (let i = 0; i < 5; i++) link.write(client, 1, message(5000));
      link.run(link.nowMs + 20_000);
      const ends = [...client.events, ...server.events].filter(({ kind }) => kind === "closed");
      assertEquals(ends, [], `seed ${seed}`);
    }
    const { link, client } = connectedPair({ params: { epochLimit: 60 } });
    link.write(client, 1, message(5000));
    link.passes = () => false;
    link.run(link.nowMs + 20_000);
    assertEquals(client.events, []);
  });
});

describe("BlackHole", () => {
  const sentOften = (sends: number): Outbound => ({
    seq: 1,
    payload: new Uint8Array(1000),
    marks: 3,
    remaining: 0,
    endOffset: 0,
    state: "sent",
    sends,
    sentAtMs: 0,
    datagram: 1,
    backOff: 0,
    wait: 0,
  });
  const roundTrip = new RoundTrip();

  /** What it writes at `nowMs`: the length of the datagram, 0 for none. */
  function written(hole: BlackHole, nowMs: number): number {
    const writer = new DatagramWriter();
    writer.begin(new Uint8Array(2000), 1, NO_KEY, 1);
    hole.writeProbe(writer, roundTrip, nowMs);
    return writer.frames === 0 ? 0 : writer.finish();
  }

  test("asks in pairs, a large one first, and not before the time", () => {
    const hole = new BlackHole();
    assert(!hole.noteSent(sentOften(3), 1200, 0));
    assertEquals([written(hole, 0), hole.wakeAtMs], [0, Infinity]);
    assert(hole.noteSent(sentOften(4), 1200, 5));
    assert(!hole.noteSent(sentOften(9), 1200, 5), "one suspicion at a time");
    assertEquals(
      [hole.wakeAtMs, written(hole, 5), written(hole, 5), written(hole, 5)],
      [5, 1200, 40, 0],
    );
    assert(hole.wakeAtMs >= 55);
  });

  test("nothing is smaller than the smallest", () => {
    assert(!new BlackHole().noteSent(sentOften(9), 548, 0));
  });

  test("is certain after eight small answers, each counted once; a large one clears it", () => {
    const hole = new BlackHole();
    const message = sentOften(4);
    hole.noteSent(message, 1200, 0);
    for (let pair = 1n; pair <= 8n; pair++) {
      assert(!hole.isCertain);
      written(hole, hole.wakeAtMs);
      written(hole, hole.wakeAtMs);
      for (let i = 0; i < 3; i++) hole.handleAnswer((2n << 32n) + pair, 0);
      hole.handleAnswer((2n << 32n) + pair + 1n, 0);
      hole.handleAnswer((1n << 32n) + pair + 1n, 0);
    }
    assert(hole.isCertain);
    assert(hole.handleAnswer((1n << 32n) + 8n, 0));
    assert(!hole.isCertain && hole.bytes === undefined);
    assert(!hole.noteSent(sentOften(7), 1200, 0), "it takes more now");
    assert(hole.noteSent(sentOften(8), 1200, 0));
  });
});

test("SmallPaths goes down step by step, keeps 1,024 hosts, and forgets", () => {
  const paths = new SmallPaths();
  assertEquals(paths.plainBytes("a"), 1200);
  for (const bytes of [1024, 548, 548]) {
    paths.note("a", 1200);
    assertEquals(paths.plainBytes("a"), bytes);
  }
  paths.note("b", 1000);
  assertEquals(paths.plainBytes("b"), 548);
  paths.forget("b");
  assertEquals(paths.plainBytes("b"), 1200);
  for (let i = 0; i < 1024; i++) paths.note(`host${i}`, 1200);
  assertEquals([paths.plainBytes("a"), paths.plainBytes("host0")], [1200, 1024]);
});

test("an end answers all questions about the path that come in one turn, the newest four", () => {
  const { link, server } = connectedPair();
  const key = link.keyOf(1);
  const before = packetsBetween(link, S, C).length;
  for (let n = 0; n < 6; n++) {
    const bytes = withKey(
      cborDatagram(1, 90 + n, (w) => w.pathChallenge(BigInt(n))),
      key,
    );
    server.core.handleDatagram(bytes, C, link.nowMs);
  }
  link.flush();
  const reader = new DatagramReader();
  const answers: bigint[] = [];
  for (const { bytes } of packetsBetween(link, S, C).slice(before)) {
    assert(reader.open(bytes));
    while (reader.next()) {
      if (reader.type === FrameType.pathResponse) answers.push(reader.token ^ 100n);
    }
  }
  assertEquals(answers, [2n, 3n, 4n, 5n]);
});
