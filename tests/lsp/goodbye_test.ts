/** Taking leave on the cbor wire: a Close lost, answered or late, and ghosts of Connects. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { CloseCode, DatagramReader, FrameType } from "../../lsp/frame.ts";
import {
  connectedPair,
  Lan,
  cborDatagram,
  cborFrames,
  type Packet,
  packetsBetween,
} from "./lan.ts";

const S = "server 1";
const C = "client 1";

/** The code of a datagram's Close, if there is one in it. */
function closeCode({ bytes }: Packet): number | undefined {
  const reader = new DatagramReader();
  if (!reader.open(bytes)) return undefined;
  while (reader.next()) if (reader.type === FrameType.close) return reader.code;
  return undefined;
}

function closeCodes(link: Lan, from: string, to: string): number[] {
  const codes = packetsBetween(link, from, to).map(closeCode);
  return codes.filter((code) => code !== undefined);
}

describe("lsp leave-taking:", () => {
  test("a Close is answered, and then both have forgotten, before any epoch", () => {
    const { link, server, client } = connectedPair();
    client.core.close(link.nowMs);
    link.run(link.nowMs + 10);
    assertEquals(closeCodes(link, C, S), [CloseCode.done]);
    assertEquals(closeCodes(link, S, C), [CloseCode.answer]);
    assertEquals(
      [server, client].map(({ core }) => core.stats().connections),
      [0, 0],
    );
    assertEquals(client.core.wakeAtMs(), undefined);
  });

  test("close() is done at once, whatever becomes of the Close", () => {
    const { link, client } = connectedPair();
    link.passes = () => false;
    client.core.close(link.nowMs);
    link.flush();
    assertEquals(client.notices.at(-1), { kind: "drained" });
  });

  test("a Close that is lost comes again, long before the peer would notice silence", () => {
    const { link, server, client } = connectedPair();
    let lost = 3;
    link.passes = (packet) => closeCode(packet) === undefined || lost-- <= 0;
    client.core.close(link.nowMs);
    const atMs = link.nowMs;
    assert(link.runUntil(() => server.events.length > 0, 5000));
    assertEquals(server.events[0]?.kind, "closed");
    assert(link.nowMs - atMs < 500, `${link.nowMs - atMs} ms`);
  });

  test("nobody answers: it is repeated for two epochs, ever more seldom, and then forgotten", () => {
    const { link, client } = connectedPair();
    link.passes = () => false;
    const atMs = link.nowMs;
    client.core.close(link.nowMs);
    link.run(link.nowMs + 20_000);
    const times = packetsBetween(link, C, S).filter(({ sentMs }) => sentMs >= atMs);
    assert(times.length >= 4 && times.length <= 8, `${times.length} sent`);
    assert(times.at(-1)!.sentMs - atMs <= 1000);
    assertEquals([client.core.stats().connections, client.core.wakeAtMs()], [0, undefined]);
  });

  test("at 30 % loss each way, nearly every leave is told within two epochs", () => {
    let told = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const { link, server, client } = connectedPair();
      const random = seededRandom(seed);
      link.passes = () => integerBetween(random, 0, 9) > 2;
      client.core.close(link.nowMs);
      link.run(link.nowMs + 1000);
      if (server.events[0]?.kind === "closed") told++;
    }
    assert(told >= 198, `${told} of 200`);
  });

  test("both at once: both are done", () => {
    const { link, server, client } = connectedPair();
    client.core.close(link.nowMs);
    server.core.closeConn(1);
    link.run(link.nowMs + 3000);
    assertEquals(
      [server, client].map(({ core }) => core.stats().connections),
      [0, 0],
    );
  });

  test("an answer is never answered, neither known nor unknown", () => {
    const { link, server } = connectedPair();
    const answer = (connId: number): Uint8Array =>
      cborDatagram(connId, 1000, (writer) => writer.close(CloseCode.answer, 0, ""));
    link.inject(answer(1), S, C);
    link.inject(answer(77), S, "stranger 9");
    assertEquals(closeCodes(link, S, C).length + packetsBetween(link, S, "stranger 9").length, 0);
    assertEquals(server.core.stats().rejected, { answer: 1, unknown: 1 });
    assertEquals(server.core.stats().connections, 1);
  });

  test("a stranger's Close gets one answer, no longer than it, and changes nothing", () => {
    const { link, server } = connectedPair();
    const close = cborDatagram(77, 5, (writer) => writer.close(CloseCode.done, 9, ""));
    link.inject(close, S, "stranger 9");
    const answers = packetsBetween(link, S, "stranger 9");
    assertEquals(answers.map(closeCode), [CloseCode.answer]);
    assert(answers[0]!.bytes.length <= close.length);
    assertEquals(server.core.stats().connections, 1);
  });
});

describe("lsp ghosts:", () => {
  /** All Connects that a client sent, and who has left since. */
  function leftClient(): { link: Lan; connects: Packet[]; server: ReturnType<Lan["listener"]> } {
    const { link, server, client } = connectedPair();
    client.core.close(link.nowMs);
    link.run(link.nowMs + 100);
    const connects = link.sent.filter(({ from, bytes }) => from === C && bytes[10] === 0);
    assertEquals(connects.length, 2);
    assertEquals(server.core.stats().connections, 0);
    return { link, connects, server };
  }

  test("late copies of a Connect, its cookie still valid, make no connection", () => {
    const { link, connects, server } = leftClient();
    for (const { bytes } of connects) link.inject(bytes, S, C);
    link.run(link.nowMs + 1000);
    assertEquals(server.core.stats().connections, 0);
    assertEquals(server.notices.filter(({ kind }) => kind === "connected").length, 1);
    const frames = cborFrames(link, S, C).slice(-2);
    assertEquals(frames, ["challenge", "challenge"]);
  });

  test("a client that comes back with the same address and ISN gets a new connection", () => {
    const { link, server } = leftClient();
    link.remove(link.nodes[1]!);
    const again = link.dialer();
    assert(link.runUntil(() => again.notices.length > 0, 100));
    assertEquals(again.notices[0], { kind: "connected", connId: 2, wire: "cbor", from: S });
    assertEquals(server.core.stats().connections, 1);
  });

  test("what is remembered of ended connections is bounded: maxEndedRemembered", () => {
    const { link, server } = connectedPair({}, { limits: { maxEndedRemembered: 3 } });
    for (let i = 2; i < 8; i++) {
      const node = link.dialer({ isn: i }, `client ${i}`);
      link.runUntil(() => node.notices.length > 0);
      node.core.close(link.nowMs);
      link.run(link.nowMs + 10);
    }
    assertEquals(server.core.tableSizes()["endedRemembered"], 3);
  });
});
