/** A listener that does not know a connection says so, and what its dialer makes of that. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { DatagramWriter } from "../../lsp/frame.ts";
import {
  connectedPair,
  Lan,
  cborDatagram,
  cborFrames,
  type Node,
  packetsBetween,
  withKey,
} from "./lan.ts";

const S = "server 1";
const C = "client 1";
const STRANGER = "stranger 9";
const KEY = { high: 3, low: 4 };

/** What a new listener sends the stranger who sends it a datagram of connection 7. */
function answersTo(write: (writer: DatagramWriter) => void): { frames: string[]; link: Lan } {
  const link = new Lan();
  link.listener();
  link.inject(withKey(cborDatagram(7, 90, write), KEY), S, STRANGER);
  return { link, frames: cborFrames(link, S, STRANGER) };
}

/** A connection whose server was killed, and started again at once with nothing in its memory. */
function restarted() {
  const pair = connectedPair();
  const { link, server, client } = pair;
  link.run(1000);
  link.remove(server);
  const again = link.listener();
  return { ...pair, client, again };
}

const closing = (node: Node) => node.events.find(({ kind }) => kind === "closed");

describe("a datagram of a connection that a listener does not know", () => {
  const ack = {
    cumulative: 100,
    echo: 0,
    echoDelayMicros: 0,
    windowMessages: 9,
    windowBytes: 9,
    rangeCount: 0,
    ranges: new Float64Array(0),
  };

  test("is answered by Unknown, with its number, its id and its key, and no more bytes", () => {
    for (const write of [
      (w: DatagramWriter) => w.data(101, new Uint8Array(0)),
      (w: DatagramWriter) => w.fragment(101, 1, 5, Uint8Array.of(1)),
      (w: DatagramWriter) => w.ack(ack),
      (w: DatagramWriter) => w.pathChallenge(5n),
      (w: DatagramWriter) => w.pathResponse(5n) && w.ack(ack),
    ]) {
      const { link, frames } = answersTo(write);
      assertEquals(frames, ["unknown"]);
      const [asked] = packetsBetween(link, STRANGER, S);
      const answer = packetsBetween(link, S, STRANGER)[0]!.bytes;
      assert(asked === undefined || answer.length <= asked.bytes.length);
      assertEquals(
        answer,
        withKey(
          cborDatagram(7, 1, (w) => w.unknown(90)),
          KEY,
        ),
      );
      assert(answer.length <= withKey(cborDatagram(7, 90, write), KEY).length);
    }
  });

  test("is not answered so if it is an answer itself, or takes leave", () => {
    assertEquals(answersTo((w) => w.unknown(5)).frames, []);
    assertEquals(answersTo((w) => w.pathResponse(5n)).frames, []);
    assertEquals(answersTo((w) => w.padding(9)).frames, []);
    assertEquals(answersTo((w) => w.close(6, 0, "")).frames, []);
    assertEquals(answersTo((w) => w.close(0, 0, "")).frames, ["close"]);
  });

  test("is answered within the limit on strays", () => {
    const link = new Lan();
    const server = link.listener({ limits: { maxStrayDatagrams: 5 } });
    const bytes = cborDatagram(7, 90, (w) => w.data(101, new Uint8Array(1)));
    for (let i = 0; i < 50; i++) server.core.handleDatagram(bytes, STRANGER, 0);
    link.flush();
    assertEquals(cborFrames(link, S, STRANGER).length, 5);
    assertEquals(server.core.stats().rejected["flood"], 45);
  });
});

describe("a dialer whose server was killed and restarted at once", () => {
  test("knows within an epoch and three round trips, and says why", () => {
    const { link, client } = restarted();
    const sinceMs = link.nowMs;
    assert(link.runUntil(() => closing(client) !== undefined, 1000));
    assert(link.nowMs - sinceMs <= 500 + 2 * 2 + 1, `${link.nowMs - sinceMs} ms`);
    const end = closing(client)!;
    assert(end.kind === "closed" && end.code === "forgotten", JSON.stringify(end));
    assert(end.reason.includes("restarted"));
    assertEquals(client.core.stats().connections, 0);
    assertEquals(client.core.wakeAtMs(), undefined);
    assertEquals(client.notices.at(-1)?.kind, "drained");
  });

  test("asks beside its connection, and drops it only when a server answers that", () => {
    const { link, again, client } = restarted();
    const connects: string[] = [];
    link.passes = ({ from, to, bytes }) => {
      const frames = cborFrames(
        Object.assign(new Lan(), { sent: [{ from, to, bytes }] }),
        from,
        to,
      );
      if (frames[0] === "connect") connects.push(`${from}`);
      // No Challenge comes through.
      return frames[0] !== "challenge";
    };
    link.run(link.nowMs + 2200);
    assert(connects.length >= 3 && connects.length <= 6, `${connects.length} Connects`);
    assertEquals(client.events, []);
    assertEquals(client.core.stats().connections, 1);
    assertEquals(again.core.stats().connections, 0, "nothing is kept of it there");
    link.passes = () => true;
    assert(link.runUntil(() => closing(client) !== undefined, 600));
    const next = link.dialer({ isn: 7 }, "client 2");
    assert(link.runUntil(() => next.notices.length > 0, 10));
  });

  test("finds it silent as ever if nobody is there any more", () => {
    const { link, client, again } = restarted();
    link.remove(again);
    link.run(link.nowMs + 6000);
    assertEquals(client.events, [{ kind: "lost", connId: 1 }]);
  });
});

describe("a forged Unknown", () => {
  test("without the key costs an honest connection nothing", () => {
    const { link, server, client } = connectedPair();
    const before = link.sent.length;
    for (const key of [KEY, { high: 0, low: 1 }]) {
      for (const from of [S, STRANGER]) {
        link.inject(
          withKey(
            cborDatagram(1, 90, (w) => w.unknown(1)),
            key,
          ),
          C,
          from,
        );
      }
    }
    assertEquals(link.sent.length, before, "nothing was sent in answer");
    link.write(client, 1, "hello");
    link.run(5000);
    assertEquals([client.events, server.texts], [[], ["hello"]]);
  });

  test("with the key, which only the path knows, makes it ask, and no more if numbers are wrong", () => {
    const { link, server, client } = connectedPair();
    const asks = (): number => cborFrames(link, C, S).filter((name) => name === "connect").length;
    const first = asks();
    const forged = (echo: number) =>
      withKey(
        cborDatagram(1, 90, (w) => w.unknown(echo)),
        link.keyOf(1),
      );
    link.inject(forged(1_000_000), C, S);
    assertEquals([asks(), client.events], [first, []]);
    assertEquals(server.events, []);
  });
});
