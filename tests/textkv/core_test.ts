/** The text server's rules, one by one, on virtual sockets in virtual time. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../textkv/mod.ts";
import { VirtualServer } from "./virtual.ts";

const MIB = 1 << 20;
const repeat = (line: string, times: number): string => `${line}\n`.repeat(times);
/** A server that has `lines` values of `bytes` bytes under the key `k`. */
function filled(lines: number, bytes: number, limits = {}): VirtualServer {
  const server = new VirtualServer(limits);
  const writer = server.connect();
  for (let i = 0; i < lines; i++) writer.send(`Put:k:${String(i).padEnd(bytes, ".")}\n`);
  writer.kill();
  return server;
}
const numbered = (lines: number, bytes: number): string[] =>
  Array.from({ length: lines }, (_, i) => `k:${String(i).padEnd(bytes, ".")}`);

describe("the protocol", () => {
  test("Put appends, Get shows in order, Update moves to the end, Delete ends", () => {
    const client = new VirtualServer().connect();
    client.send("Put:a:1\nPut:a:2\nPut:a:1\nPut:b:x:y\nGet:a\nGet:b\n");
    assertEquals(client.lines.splice(0), ["a:1", "a:2", "a:1", "b:x:y"]);
    client.send("Update:a:1:new:er\nUpdate:a:gone:9\nUpdate:c:0:first\nGet:a\nGet:c\n");
    assertEquals(client.lines.slice(4), ["a:2", "a:1", "a:new:er", "a:9", "c:first"]);
    client.send("Delete:a\nGet:a\nDelete:nothing\nGet:b\n");
    assertEquals(client.lines.slice(9), ["b:x:y"]);
  });

  test("all clients see the same lists", () => {
    const server = new VirtualServer();
    const [one, other] = [server.connect(), server.connect()];
    one.send("Put:a:1\n");
    other.send("Get:a\nPut:a:2\n");
    one.send("Get:a\n");
    assertEquals([other.lines, one.lines], [["a:1"], ["a:1", "a:2"]]);
  });

  test("keys and values are bytes, and a carriage return is forgiven", () => {
    const client = new VirtualServer().connect();
    client.send("Put:\0ÿ:\0\r\x01ÿ:\r\nGet:\0ÿ\r\n");
    assertEquals(client.received, "\0ÿ:\0\r\x01ÿ:\n");
  });

  test("what is no request is ignored and counted by reason", () => {
    const server = new VirtualServer();
    const client = server.connect();
    client.send("\nhello\nPut:a\nGet:a:b\nUpdate:a:b\nPut:a:1\nGet:a\nPut:a:2").end();
    assertEquals(client.lines, ["a:1"]);
    const { ignored, requests } = server.core.counts();
    assertEquals(ignored, { unknown: 2, malformed: 3, unfinished: 1, long: 0, full: 0 });
    assertEquals(requests, 2);
  });

  test("a line may have 1 MiB and no byte more; a longer one ends its connection", () => {
    const server = new VirtualServer();
    const client = server.connect();
    const value = "v".repeat(MIB - "Put:k:".length);
    client.send(`Put:k:${value}\r\nGet:k\n`);
    assertEquals(client.received, `k:${value}\n`);
    client.send(`Put:k:${value}!\n`);
    server.advance(DEFAULT_LIMITS.doomMs);
    assert(client.isClosed);
    const other = server.connect();
    other.send("x".repeat(MIB + 1));
    assert(!other.isClosed);
    other.send("x");
    server.advance(DEFAULT_LIMITS.doomMs);
    assert(other.isClosed);
    const { ignored, values, dropped, active } = server.core.counts();
    assertEquals([ignored.long, values, dropped, active], [2, 1, 2, 0]);
  });

  test("a client that sends no more gets what it asked for, and is then let go", () => {
    const server = filled(3, 10);
    const client = server.connect(20);
    client.send("Get:k\nPut:other:1\n").end();
    assertEquals(client.isClosed, false);
    client.read();
    assertEquals([client.lines, client.isClosed], [numbered(3, 10), true]);
    const silent = server.connect(0).send("Get:k\n").end();
    server.advance(DEFAULT_LIMITS.lingerMs - 1);
    assert(!silent.isClosed);
    server.advance(1);
    assert(silent.isClosed);
  });
});

describe("slow readers", () => {
  test("500 lines wait and no more; what does not fit is dropped, then it goes on", () => {
    const server = filled(1, 10);
    const client = server.connect(0);
    client.send(repeat("Get:k", 600));
    server.advance(1000);
    let counts = server.core.counts();
    assertEquals([counts.waitingLines, counts.droppedLines], [500, 100]);
    client.read();
    assertEquals(
      client.lines,
      Array.from({ length: 500 }, () => numbered(1, 10)[0]!),
    );
    client.send("Put:l:after\nGet:l\n");
    assertEquals(client.lines.at(-1), "l:after");
    counts = server.core.counts();
    assertEquals([counts.waitingLines, counts.droppedLines, counts.active], [0, 100, 1]);
  });

  test("8 MiB wait and no more", () => {
    const value = MIB - 100;
    const server = filled(1, value);
    const client = server.connect(0);
    client.send(repeat("Get:k", 10));
    server.advance(1000);
    const { waitingLines, waitingBytes, droppedLines } = server.core.counts();
    assertEquals([waitingLines, droppedLines], [8, 2]);
    assert(waitingBytes <= 8 * MIB);
    client.read();
    assertEquals(client.lines.length, 8);
  });

  test("only what the socket has not taken counts", () => {
    const server = filled(1, 10);
    const line = "k:0.........\n".length;
    const client = server.connect(300 * line + 5);
    client.send(repeat("Get:k", 900));
    server.advance(1000);
    const { waitingLines, waitingBytes, droppedLines } = server.core.counts();
    assertEquals([waitingLines, droppedLines], [500, 100]);
    assertEquals(waitingBytes, 500 * line - 5);
  });

  test("a queue that is full waits for the reader as long as a good one may be away", () => {
    const server = filled(1, 10);
    const client = server.connect(0);
    client.send(repeat("Get:k", 501));
    server.advance(DEFAULT_LIMITS.linePatienceMs - 1);
    assertEquals(server.core.counts().droppedLines, 0);
    client.read(13);
    server.advance(0);
    assertEquals(server.core.counts().waitingLines, 500);
    client.send("Get:k\n");
    server.advance(DEFAULT_LIMITS.linePatienceMs - 1);
    assertEquals(server.core.counts().droppedLines, 0);
    server.advance(1);
    assertEquals(server.core.counts().droppedLines, 1);
  });

  test("a good reader of a long list loses nothing, however long the list is", () => {
    const server = filled(20_000, 8);
    const client = server.connect(0);
    client.send("Get:k\nPut:k:last\nGet:l\n");
    let reads = 0;
    for (; client.received.length < 20_000 * 11; reads++) {
      server.advance(DEFAULT_LIMITS.patienceMs - 1);
      client.read(10_000);
      const { waitingLines } = server.core.counts();
      assert(waitingLines <= 500);
      // Its next request waits until the whole answer is in the queue.
      const isHandled = server.core.counts().values === 20_001;
      assert(isHandled === client.received.length + 500 * 11 > 20_000 * 11 || isHandled);
    }
    assertEquals(client.lines, numbered(20_000, 8));
    assertEquals([server.core.counts().droppedLines, reads], [0, 22]);
    assertEquals(server.core.counts().values, 20_001);
  });

  test("a long answer is given up when 5 s go by without any reading, whole lines of it", () => {
    const server = filled(2000, 8);
    const client = server.connect(1111);
    client.send("Get:k\nPut:other:1\n");
    server.advance(DEFAULT_LIMITS.patienceMs - 1);
    assertEquals(server.core.counts().droppedLines, 0);
    client.read(11);
    server.advance(DEFAULT_LIMITS.patienceMs - 1);
    assertEquals([server.core.counts().droppedLines, server.core.counts().keys], [0, 1]);
    server.advance(1);
    assertEquals([server.core.counts().droppedLines, server.core.counts().keys], [1398, 2]);
    client.read();
    assertEquals(client.lines, numbered(2000, 8).slice(0, 602));
    client.send("Get:other\n");
    assertEquals(client.lines.at(-1), "other:1");
  });

  test("after 5 s without any reading nothing waits again before there was one", () => {
    const server = filled(1000, 8);
    const client = server.connect(0);
    client.send("Get:k\nGet:k\nGet:k\n");
    server.advance(DEFAULT_LIMITS.patienceMs);
    assertEquals(server.core.counts().droppedLines, 500 + 1000 + 1000);
    client.read(22);
    client.send("Get:k\n");
    server.advance(DEFAULT_LIMITS.patienceMs - 1);
    assertEquals(
      [server.core.counts().droppedLines, server.core.counts().waitingLines],
      [2500, 500],
    );
  });

  test("an answer is what the list was, not what it became while the lines waited", () => {
    for (const [lines, kind] of [
      [400, "short"],
      [4000, "long"],
    ] as const) {
      const server = filled(lines, 8);
      const reader = server.connect(0);
      const writer = server.connect();
      reader.send("Get:k\n");
      writer.send("Update:k:0.......:new\nPut:k:more\nUpdate:k:300.....:newer\n");
      reader.read(1500);
      writer.send("Delete:k\nPut:k:only\n");
      reader.read();
      assertEquals(reader.lines, numbered(lines, 8), kind);
      reader.send("Get:k\n");
      assertEquals(reader.lines.at(-1), "k:only");
      assertEquals(server.core.counts().values, 1);
      reader.send("Delete:k\n");
      assertEquals(server.core.counts().bytes, 0);
    }
  });

  test("one whose connection ends gives back all that it held", () => {
    const server = filled(4000, 8);
    const before = server.core.counts().bytes;
    const reader = server.connect(0).send("Get:k\n");
    server.connect().send("Delete:k\n");
    assertEquals(server.core.counts().bytes > before / 2, true);
    reader.kill();
    const { bytes, keys, waitingLines } = server.core.counts();
    assertEquals([bytes, keys, waitingLines], [0, 0, 0]);
    assertEquals(server.core.wakeAtMs(), undefined);
  });
});

describe("others never wait", () => {
  test("while one sends without reading, another is served without any time going by", () => {
    const server = filled(3000, 8);
    const slow = server.connect(0).send(repeat("Get:k", 1000));
    const good = server.connect();
    for (let i = 0; i < 100; i++) {
      good.send(`Put:g:${i}\nGet:g\nDelete:g\n`);
      assertEquals(good.lines.at(-1), `g:${i}`);
      server.advance(70);
      slow.send("Get:k\n");
    }
    assertEquals(good.lines.length, 100);
  });

  test("work is done in slices, and between them others are served", () => {
    const server = new VirtualServer();
    const busy = server.connect();
    const other = server.connect();
    const bytes = Buffer.from(repeat("Put:k:1", 10_000));
    server.tell({ kind: "data", client: busy.id, bytes });
    assert(server.core.counts().requests <= DEFAULT_LIMITS.sliceWork);
    server.tell({ kind: "data", client: other.id, bytes: Buffer.from("Put:o:1\nGet:o\n") });
    assertEquals(other.lines, ["o:1"]);
    server.settle();
    assertEquals(server.core.counts().requests, 10_002);
    assert(server.turns >= 10_000 / DEFAULT_LIMITS.sliceWork - 1);
  });

  test("a long list is fed in slices, too, to however fast a reader", () => {
    const server = filled(10_000, 1000);
    const reader = server.connect();
    server.tell({ kind: "data", client: reader.id, bytes: Buffer.from("Get:k\n") });
    assert(reader.received.length <= DEFAULT_LIMITS.sliceWork * 1100, `${reader.received.length}`);
    server.settle();
    assertEquals(reader.lines.length, 10_000);
  });

  test("garbage, and Gets that are never read, are heard at a limited rate", () => {
    for (const line of ["garbage", "Get:k", "Put:k"]) {
      const server = filled(1, 8);
      const hostile = server.connect(0).send(repeat(line, 200_000));
      server.advance(1000);
      const { ignored, droppedLines } = server.core.counts();
      const inVain = ignored.unknown + ignored.malformed + droppedLines;
      const { uselessMax, restMs } = DEFAULT_LIMITS;
      assert(inVain <= (1000 / restMs + 1) * uselessMax, `${inVain} lines`);
      assert(inVain >= (1000 / restMs - 2) * uselessMax, `${inVain} lines`);
      hostile.kill();
    }
  });

  test("an endless line is read at a limited rate, and is no sport", () => {
    const server = new VirtualServer();
    const hostile = server.connect();
    hostile.send("x".repeat(3 * MIB));
    assertEquals([hostile.isPaused, hostile.isClosed], [true, false]);
    server.advance(DEFAULT_LIMITS.doomMs - 1);
    assertEquals(hostile.isClosed, false);
    server.advance(1);
    assertEquals([hostile.isClosed, server.core.counts().ignored.long], [true, 1]);
  });
});

describe("what a client makes the server keep is bounded", () => {
  test("one that waits is not read any further", () => {
    const server = filled(2000, 8);
    const client = server.connect(0);
    for (let i = 0; i < 100; i++) client.send(repeat("Get:k", 2000));
    assert(client.isPaused);
    assert(client.unsent >= 100 * 2000 * 6 - 2 * DEFAULT_LIMITS.aheadBytesMax);
    server.advance(DEFAULT_LIMITS.patienceMs + 60_000);
    assertEquals([client.isPaused, client.unsent], [false, 0]);
    assertEquals(server.core.counts().requests, 2000 + 200_000);
  });

  test("a line that is still coming is read on, however far ahead that is", () => {
    const server = new VirtualServer();
    const client = server.connect();
    client.send(`Put:k:${"x".repeat(500_000)}`);
    assert(!client.isPaused);
    client.send("\nGet:k\n");
    assertEquals(client.received.length, 500_003);
  });

  test("connections beyond the limit are turned away and counted", () => {
    const server = new VirtualServer({ clientsMax: 2 });
    const [one, two, three] = [server.connect(), server.connect(), server.connect()];
    assertEquals([one.isClosed, two.isClosed, three.isClosed], [false, false, true]);
    one.kill();
    const four = server.connect().send("Put:a:1\nGet:a\n");
    assertEquals(four.lines, ["a:1"]);
    const { active, dropped, refused } = server.core.counts();
    assertEquals([active, dropped, refused], [2, 1, 1]);
  });

  test("values beyond the limit are ignored and counted, until something is deleted", () => {
    const server = new VirtualServer({ storeBytesMax: 10_000 });
    const client = server.connect();
    client.send(repeat(`Put:k:${"v".repeat(1000)}`, 20));
    const { values, ignored, bytes } = server.core.counts();
    assertEquals(values + ignored.full, 20);
    assert(values >= 7 && bytes <= 10_000);
    client.send("Delete:k\nPut:k:again\nGet:k\n");
    assertEquals(client.lines, ["k:again"]);
  });

  test("when all together hold too much, each still has its share, and no more", () => {
    const limits = { heldBytesMax: 100_000, clientsMax: 10 };
    const server = filled(1, 998, limits);
    const greedy = [1, 2].map(() => server.connect(0).send(repeat("Get:k", 400)));
    server.advance(60_000);
    const near = (got: number, want: number): void =>
      assert(got <= want && got >= want - 2, `${got}`);
    near(server.core.counts().waitingBytes / 1001, 99 + 9);
    const [late, hoarder] = [server.connect(0), server.connect()];
    late.send(repeat("Get:k", 400));
    hoarder.send("x".repeat(10_000));
    server.advance(60_000);
    near(server.core.counts().waitingBytes / 1001, 99 + 9 + 9);
    assert(!hoarder.isClosed);
    hoarder.send("x");
    server.advance(60_000);
    assert(hoarder.isClosed);
    for (const client of [late, ...greedy]) client.read();
    near(late.lines.length, 9);
    near(greedy[0]!.lines.length, 99);
    near(greedy[1]!.lines.length, 9);
    const again = server.connect(0).send(repeat("Get:k", 400));
    server.advance(60_000);
    for (const client of [late, again, ...greedy]) client.kill();
    const fresh = server.connect(0).send(repeat("Get:k", 400));
    server.advance(60_000);
    near(fresh.read().lines.length, 99);
  });

  test("nothing is kept of a client that was there, though it comes back ten thousand times", () => {
    const server = new VirtualServer();
    for (let i = 0; i < 10_000; i++) server.connect(0).send("Put:k").kill();
    const { active, dropped, bytes, waitingBytes } = server.core.counts();
    assertEquals([active, dropped, bytes, waitingBytes], [0, 10_000, 0, 0]);
    assertEquals(server.core.wakeAtMs(), undefined);
  });
});
