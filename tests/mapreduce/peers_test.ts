/** Data from peer to peer: who is told where, ways around, and strangers. */
import { beforeEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { Addresses } from "../../mapreduce/addresses.ts";
import { DIALLED_MAX, UNREACHABLE_MS, VISITOR_PIECES_MAX } from "../../mapreduce/limits.ts";
import type { PeerEffect, PeerInput } from "../../mapreduce/peer_types.ts";
import { Peers } from "../../mapreduce/peers.ts";
import { framedPiece, PIECE_HEAD_BYTES, pieceIn, withRoom } from "../../mapreduce/piece_frame.ts";
import { peerHost, PeerSockets } from "../../mapreduce/peers_adapter.ts";
import { Routes } from "../../mapreduce/routes.ts";
import { encodeAbout } from "../../mapreduce/about.ts";
import { WorkerCore } from "../../mapreduce/worker_core.ts";
import type { WorkerEffect } from "../../mapreduce/worker_types.ts";
import {
  DIRECT_PIECE_BYTES_MAX,
  type MapReduceMessage,
  type MrGet,
  type MrWant,
} from "../../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { until } from "../support/waiting.ts";

describe("addresses", () => {
  const hosts = ["", "127.0.0.1:9", "127.0.0.1:8", "10.0.0.5:7", "[::1]:6", "[2001:db8::1]:5"];
  let addresses: Addresses;
  beforeEach(() => {
    addresses = new Addresses((connId) => hosts[connId]);
    for (let connId = 1; connId < hosts.length; connId++) addresses.set(connId, 700 + connId);
  });

  test("are the host that a peer speaks from, and its port", () => {
    assertEquals(addresses.of(3, 5), "10.0.0.5:703");
    assertEquals(addresses.of(5, 3), "[2001:db8::1]:705");
  });

  test("of the server's own machine are for that machine alone", () => {
    assertEquals(addresses.of(1, 2), "127.0.0.1:701");
    assertEquals(addresses.of(4, 1), "[::1]:704");
    assertEquals([addresses.of(1, 3), addresses.of(3, 1)], ["", ""]);
  });

  test("are none of who takes no connections, is gone, or is not known", () => {
    addresses.set(2, 0);
    addresses.gone(4);
    addresses.set(9, 5);
    assertEquals([addresses.of(2, 1), addresses.of(4, 1), addresses.of(9, 1)], ["", "", ""]);
  });

  test("a program listens on loopback only where its server is there", () => {
    assertEquals(peerHost("127.0.0.1", undefined), "127.0.0.1");
    assertEquals(peerHost("LocalHost", undefined), "127.0.0.1");
    assertEquals(peerHost("10.0.0.1", undefined), undefined);
    assertEquals(peerHost("10.0.0.1", "0.0.0.0"), "0.0.0.0");
  });
});

/** Routes, and what they asked for. */
class Ways {
  readonly gets: MrGet[] = [];
  readonly wants: [number, MrWant][] = [];
  readonly dials: string[] = [];
  readonly hungUp: number[] = [];
  readonly got: string[] = [];
  readonly routes = new Routes({
    get: (message) => this.gets.push(message),
    dial: (_peer, at) => this.dials.push(at),
    want: (peer, message) => this.wants.push([peer, message]),
    hangUp: (peer) => this.hungUp.push(peer),
  });

  fetch(at: string, name = "n", bytes = 3): () => void {
    return this.routes.start({
      at,
      name,
      holder: 4,
      job: 5,
      item: { kind: "part", index: 1, reduce: 2 },
      bytes,
      onPiece: (_, piece) => this.got.push(String.fromCharCode(...piece)),
      onDone: () => this.got.push("done"),
      onFailed: () => this.got.push("failed"),
    });
  }
}

const piece = (id: number, text: string, found = true) => {
  return { kind: "mr-piece" as const, id, found, bytes: new TextEncoder().encode(text) };
};

describe("routes", () => {
  test("go to the peer when it is there, and name what is asked for", () => {
    const ways = new Ways();
    ways.fetch("a:1", "hash");
    assertEquals([ways.dials, ways.gets.length, ways.wants.length], [["a:1"], 0, 0]);
    ways.routes.up(1);
    const [[peer, want]] = ways.wants as [[number, MrWant]];
    assertEquals([peer, want.name, want.job, want.length], [1, "hash", 5, 3]);
    ways.routes.pieceOf(1, piece(want.id, "abc"));
    assertEquals(ways.got, ["abc", "done"]);
    assertEquals([ways.gets.length, ways.routes.directBytes], [0, 3]);
    ways.routes.rest();
    assertEquals(ways.hungUp, [1]);
  });

  test("go through the server where a peer is not, and do not look there again at once", () => {
    const ways = new Ways();
    ways.routes.at(0);
    ways.fetch("a:1");
    ways.routes.down(1);
    assertEquals(ways.gets.length, 1);
    ways.routes.at(UNREACHABLE_MS - 1);
    ways.fetch("a:1");
    assertEquals([ways.dials.length, ways.gets.length], [1, 2]);
    ways.routes.at(UNREACHABLE_MS);
    ways.fetch("a:1");
    assertEquals([ways.dials.length, ways.gets.length], [2, 2]);
  });

  test("begin anew through the server when the peer is lost, or has it not", () => {
    const ways = new Ways();
    ways.fetch("a:1");
    ways.routes.up(1);
    ways.routes.pieceOf(1, piece(ways.wants[0]![1].id, "", false));
    assertEquals([ways.gets.length, ways.got], [1, []]);
    ways.fetch("a:1");
    ways.routes.down(1);
    assertEquals(ways.gets.length, 2);
    // What the lost peer still says is nobody's.
    ways.routes.pieceOf(1, piece(ways.wants[1]![1].id, "xyz"));
    for (const { id } of ways.gets) ways.routes.piece(piece(id, "abc"));
    assertEquals(ways.got, ["abc", "done", "abc", "done"]);
  });

  test("that were ended give nothing, and connect to a bounded number of peers", () => {
    const ways = new Ways();
    const end = ways.fetch("a:1");
    end();
    ways.routes.up(1);
    ways.routes.down(1);
    assertEquals([ways.wants.length, ways.gets.length, ways.got], [0, 0, []]);
    for (let i = 0; i < DIALLED_MAX + 5; i++) ways.fetch(`b:${i}`);
    assertEquals([ways.dials.length, ways.gets.length], [1 + DIALLED_MAX, 5]);
  });
});

describe("a piece in its frame", () => {
  test("comes out as it went in, and what is no frame is none", () => {
    const id = fc.nat(2 ** 32 - 1);
    fc.assert(
      fc.property(id, fc.option(fc.uint8Array(), { nil: undefined }), (number, given) => {
        const roomy = given && withRoom(given, PIECE_HEAD_BYTES);
        const [found, bytes] = [given !== undefined, given ?? new Uint8Array()];
        const expected = { kind: "mr-piece" as const, id: number, found, bytes };
        assertEquals(pieceIn(framedPiece(number, roomy)), expected);
      }),
    );
    const most = PIECE_HEAD_BYTES + DIRECT_PIECE_BYTES_MAX;
    const whole = framedPiece(1, new Uint8Array(most));
    assertEquals(pieceIn(whole)?.bytes.length, DIRECT_PIECE_BYTES_MAX);
    for (const frame of [
      new Uint8Array(),
      new Uint8Array(PIECE_HEAD_BYTES - 1),
      framedPiece(1, new Uint8Array(most + 1)),
      Uint8Array.of(0, 0, 0, 1, 2, 7),
      Uint8Array.of(0, 0, 0, 1, 0, 7),
    ]) {
      assertEquals(pieceIn(frame), undefined);
    }
  });
});

describe("visitors", () => {
  const want = (id: number, name: string): MapReduceMessage => {
    const item = { kind: "part", index: 0, reduce: 0 } as const;
    return { kind: "mr-want", id, name, job: 1, item, offset: 0, length: 9 };
  };
  const NAME = "ab".repeat(32);

  test("get what they can name, a bounded number of pieces at a time", () => {
    const effects: PeerEffect[] = [];
    const answers: ((bytes: Uint8Array | undefined) => void)[] = [];
    const peers = new Peers({
      write: () => {},
      push: (effect) => effects.push(effect),
      give: ({ name }, answer) => {
        if (name === NAME) answers.push(answer);
        else answer(undefined);
      },
    });
    const say = (message: MapReduceMessage): void =>
      peers.handle({ kind: "visitor-payload", visitor: 7, payload: encodeMessage(message) });
    const found = (): boolean[] =>
      effects.splice(0).map((effect) => {
        assert(effect.kind === "answer" && effect.visitor === 7);
        const piece = pieceIn(effect.payload);
        assert(piece !== undefined);
        return piece.found;
      });
    say(want(1, "cd".repeat(32)));
    assertEquals(found(), [false]);
    peers.handle({ kind: "visitor-payload", visitor: 7, payload: Uint8Array.of(1, 2, 3) });
    say({ kind: "mr-forget", uid: 1 });
    assertEquals(found(), []);
    for (let id = 0; id < VISITOR_PIECES_MAX; id++) say(want(id, NAME));
    say(want(99, NAME));
    assertEquals([answers.length, found()], [VISITOR_PIECES_MAX, [false]]);
    answers.shift()!(new Uint8Array(PIECE_HEAD_BYTES + 2));
    say(want(100, NAME));
    assertEquals([answers.length, found()], [VISITOR_PIECES_MAX, [true]]);
    peers.handle({ kind: "visitor-gone", visitor: 7 });
    for (const answer of answers) answer(new Uint8Array(PIECE_HEAD_BYTES));
    assertEquals(found(), []);
  });
});

describe("a worker", () => {
  const HASH = "0a".repeat(32);
  const terms = {
    application: "wc",
    reducers: 1,
    skipBad: false,
    asRecords: false,
    sortMib: 1,
    timeoutMs: 1,
    memoryMib: 1,
    share: "",
    out: "",
    keep: false,
  };

  /** One that has mapped a split; it says what it wants. */
  function mapped(): { core: WorkerCore; effects: () => WorkerEffect[] } {
    const core = new WorkerCore({ allowCode: false });
    const effects = (): WorkerEffect[] => {
      const all: WorkerEffect[] = [];
      for (let effect = core.poll(); effect !== undefined; effect = core.poll()) all.push(effect);
      return all;
    };
    const say = (message: MapReduceMessage): void =>
      core.handle({ kind: "payload", payload: encodeMessage(message) }, 0);
    core.handle({ kind: "joined" }, 0);
    const order = { task: 1, uid: 8, terms, index: 0, bytes: 3, holder: 2, at: "", key: "" };
    say({ kind: "mr-map", ...order });
    const about = encodeAbout({ name: "a", firstLine: 0 });
    say({ kind: "mr-piece", id: 1, found: true, bytes: about });
    say({ kind: "mr-piece", id: 2, found: true, bytes: new Uint8Array(3) });
    const run = effects().find((effect) => effect.kind === "run");
    assert(run !== undefined);
    const parts = [{ bytes: 9, hash: HASH }];
    const end = { kind: "mapped", parts, records: 1, invalid: 0, bad: 0, skipped: [] } as const;
    core.handle({ kind: "ended", run: run.run, end }, 0);
    effects();
    return { core, effects };
  }

  test("gives what it made to those who know its SHA-256, and to nobody else", () => {
    const { core, effects } = mapped();
    const ask = (name: string, job: number): WorkerEffect[] => {
      const item = { kind: "part", index: 0, reduce: 0 } as const;
      const payload = encodeMessage({
        kind: "mr-want",
        id: 1,
        name,
        job,
        item,
        offset: 2,
        length: 99,
      });
      core.handle({ kind: "visitor-payload", visitor: 3, payload }, 0);
      return effects();
    };
    const [read] = ask(HASH, 8);
    assert(read?.kind === "read" && read.offset === 2 && read.length === 7);
    const bytes = withRoom(Uint8Array.of(8, 9), read.room);
    core.handle({ kind: "read", id: read.id, bytes }, 0);
    const [answer] = effects();
    assert(answer?.kind === "answer" && answer.visitor === 3);
    // Not copied: it was read to where it is sent from.
    assert(answer.payload.buffer === bytes.buffer);
    const piece = { kind: "mr-piece", id: 1, found: true, bytes: Uint8Array.of(8, 9) } as const;
    assertEquals(pieceIn(answer.payload), piece);
    for (const [name, job] of [
      ["", 8],
      ["0b".repeat(32), 8],
      [HASH, 9],
    ] as const) {
      assertEquals(
        ask(name, job).map(({ kind }) => kind),
        ["answer"],
      );
    }
  });

  test("says anew what it offers when others can connect to it", () => {
    const { core, effects } = mapped();
    core.handle({ kind: "listening", port: 77 }, 0);
    const [effect] = effects();
    assert(effect?.kind === "write");
    const offer = { kind: "mr-offer", code: false, tasks: 1, port: 77 } as const;
    assertEquals(decodeMessage(effect.payload), offer);
  });
});

describe("on sockets", () => {
  test("peers connect, ask, answer, and notice that the other is gone", async () => {
    const heard: PeerInput[] = [];
    const news = (input: PeerInput): void => void heard.push(input);
    const one = new PeerSockets(news);
    let other = new PeerSockets(news);
    const find = <K extends PeerInput["kind"]>(kind: K) =>
      heard.find((input): input is Extract<PeerInput, { kind: K }> => input.kind === kind);
    try {
      await one.listen("127.0.0.1");
      const { port } = find("listening")!;
      other.carryOut({ kind: "dial", peer: 1, at: `127.0.0.1:${port}` });
      await until("the connection", () => find("peer-up") !== undefined);
      other.carryOut({ kind: "peer-write", peer: 1, payload: Uint8Array.of(1) });
      await until("the question", () => find("visitor-payload") !== undefined);
      const { visitor, payload } = find("visitor-payload")!;
      assertEquals(payload, Uint8Array.of(1));
      one.carryOut({ kind: "answer", visitor, payload: Uint8Array.of(2) });
      await until("the answer", () => find("peer-payload") !== undefined);
      assertEquals(find("peer-payload")!.payload, Uint8Array.of(2));
      await one.close();
      await until("the end", () => find("peer-down") !== undefined);
      await other.close();
      other = new PeerSockets(news, 50);
      other.carryOut({ kind: "dial", peer: 2, at: `127.0.0.1:${port}` });
      await until("the failure", () =>
        heard.some((input) => input.kind === "peer-down" && input.peer === 2),
      );
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });
});
