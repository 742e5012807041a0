/**
 * The json wire has no cookie: what strangers can take by it has places of its own, goes to the
 * newest, and cannot be proved by guessing (docs/lsp.md, section 3).
 */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { CLASSIC_ID_MAX, CLASSIC_ID_MIN, ClassicIds } from "../../lsp/classic_ids.ts";
import { ClassicType, decodeClassicFrame } from "../../lsp/classic_frame.ts";
import { connect, createListener, listen, type LspLimits } from "../../lsp/mod.ts";
import { until, within } from "../support/waiting.ts";
import { classicDatagram, Lan, packetsBetween } from "./lan.ts";

const S = "server 1";
const secret = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

/** A listener whose classic ids nobody can guess, as those of programs are. */
function unguessable(limits: Partial<LspLimits> = {}) {
  const link = new Lan();
  const core = createListener({ random: seededRandom(1), secret: secret(7), limits }, link.nowMs);
  return { link, server: link.add(core, S) };
}

function connectFrom(link: Lan, from: string): void {
  link.inject(classicDatagram(ClassicType.connect, 0, 5), S, from);
}

/** The id in the newest answer to `to`. */
function idFor(link: Lan, to: string): number {
  const frame = decodeClassicFrame(packetsBetween(link, S, to).at(-1)!.bytes);
  assert(typeof frame !== "string");
  return frame.connId;
}

describe("ClassicIds", () => {
  test("gives each number once, all of 31 bits with the highest set", () => {
    const ids = new ClassicIds(secret(1));
    const seen = new Set<number>();
    for (let i = 0; i < 100_000; i++) {
      const id = ids.next();
      assert(Number.isInteger(id) && id >= CLASSIC_ID_MIN && id <= CLASSIC_ID_MAX, `${id}`);
      seen.add(id);
    }
    assertEquals(seen.size, 100_000);
  });

  test("tells by none of its numbers which one is next", () => {
    const ids = new ClassicIds(secret(2));
    const other = new ClassicIds(secret(3));
    const steps = new Set<number>();
    const halves = [new Set<number>(), new Set<number>()];
    let equal = 0;
    let last = ids.next();
    for (let i = 0; i < 5000; i++) {
      const id = ids.next();
      if (other.next() === id) equal++;
      steps.add(id - last);
      halves[0]!.add((id - CLASSIC_ID_MIN) >>> 15);
      halves[1]!.add(id & 0x7fff);
      last = id;
    }
    // Of 5,000 draws from 32,768 values about 4,640 differ.
    assert(steps.size > 4990 && equal < 3, `${steps.size} ${equal}`);
    for (const { size } of halves) assert(size > 4500 && size < 4800, `${size}`);
  });
});

describe("places of the json wire", () => {
  test("are not proved by guessing from one's own number, and keep nobody on the cbor wire out", () => {
    const { link, server } = unguessable({ maxConnections: 100, maxUnproven: 64 });
    connectFrom(link, "own 1");
    const own = idFor(link, "own 1");
    for (let n = 0; n < 10_000; n++) {
      const from = `never-reads ${n}`;
      connectFrom(link, from);
      for (const guess of [own + n + 1, own - n - 1, n + 2]) {
        link.inject(classicDatagram(ClassicType.ack, guess, 0), S, from);
      }
    }
    const { unproven, classicAddresses, connections } = server.core.tableSizes();
    assertEquals([unproven, classicAddresses, connections], [64, 64, 64]);
    assertEquals(server.core.stats().rejected["unknown"]! >= 29_000, true);
    for (let n = 0; n < 100; n++) link.dialer({ isn: n }, `cbor ${n}`);
    link.run(link.nowMs + 1000);
    const cbor = server.notices.filter((n) => n.kind === "connected" && n.wire === "cbor");
    assertEquals(cbor.length, 100);
  });

  test("go to an honest peer, though strangers never stop to send a Connect each", () => {
    const { link, server } = unguessable();
    const strangers = 1100;
    let asked = 0;
    const storm = (untilMs: number, aMillisecond = 11): void => {
      while (link.nowMs < untilMs) {
        for (let n = 0; n < aMillisecond; n++) connectFrom(link, `stranger ${asked++ % strangers}`);
        link.run(link.nowMs + 1);
      }
    };
    storm(200);
    const go = link.dialer({ wire: "json" }, "go 1");
    // A Go client sends its request as soon as it is connected: 1,024 places last for 90 ms here.
    while (go.notices.length === 0 && link.nowMs < 5000) storm(link.nowMs + 1);
    const [notice] = go.notices;
    assert(notice?.kind === "connected", "it is not let in");
    link.write(go, notice.connId, "request");
    storm(600);
    assertEquals(server.texts, ["request"]);
    link.write(server, notice.connId, "answer");
    storm(15_000, 2);
    assertEquals(go.texts, ["answer"]);
    // It stays for as long as they go on.
    assertEquals(
      go.events.filter(({ kind }) => kind !== "data"),
      [],
    );
    assert(server.core.tableSizes()["unproven"]! <= 1024);
  });

  test("of one that said nothing but Connect go to the next, the oldest first", () => {
    const link = new Lan();
    const server = link.listener({ limits: { maxUnproven: 2 } });
    for (const n of [1, 2, 3]) connectFrom(link, `x ${n}`);
    assertEquals(server.core.stats().rejected, { unproven: 1 });
    const reason = "gave its place to a newer one, not having answered";
    assertEquals(server.events, [{ kind: "closed", connId: 1, code: "limit", reason }]);
    // A heartbeat proves the second, which then has a place that nobody takes.
    link.inject(classicDatagram(ClassicType.ack, 2, 0), S, "x 2");
    for (const n of [4, 5, 6]) connectFrom(link, `x ${n}`);
    const gone = server.events.map(({ connId }) => connId);
    assertEquals([gone, server.core.tableSizes()["classicAddresses"]], [[1, 3, 4], 3]);
  });

  test("of proved peers have a limit, at which one more is neither let in nor proved", () => {
    const link = new Lan();
    const server = link.listener({ limits: { maxClassicConnections: 2 } });
    for (const n of [1, 2, 3]) connectFrom(link, `x ${n}`);
    for (const n of [1, 2]) link.inject(classicDatagram(ClassicType.ack, n, 0), S, `x ${n}`);
    assertEquals(server.events, []);
    link.inject(classicDatagram(ClassicType.data, 3, 6, "late"), S, "x 3");
    const reason = "there is no place for it";
    assertEquals(server.events, [{ kind: "closed", connId: 3, code: "limit", reason }]);
    connectFrom(link, "x 4");
    assertEquals(packetsBetween(link, S, "x 4"), []);
    assertEquals(server.core.stats().rejected["refused full"], 2);
    assertEquals(server.core.tableSizes()["classicAddresses"], 2);
  });

  test("are none of the cbor wire, and the other way round", () => {
    const link = new Lan();
    const limits = { maxConnections: 1, maxClassicConnections: 1 };
    const server = link.listener({ limits });
    const cbor = link.dialer({}, "cbor 1");
    const classic = link.dialer({ wire: "json", isn: 4 }, "classic 1");
    link.run(5000);
    assertEquals(
      server.notices.map(({ kind }) => kind),
      ["connected", "connected"],
    );
    const kinds = [cbor, classic].map(({ notices }) => notices[0]!.kind);
    assertEquals(kinds, ["connected", "connected"]);
  });

  test("are not freed by an end that nobody has read, on either wire", () => {
    for (const wire of ["cbor", "json"] as const) {
      const link = new Lan();
      const limits = { maxConnections: 1, maxClassicConnections: 1 };
      const server = link.listener({ limits });
      server.reading = false;
      const first = link.dialer({ wire, isn: 1 }, "first 1");
      link.run(100);
      server.core.closeConn(1);
      link.remove(first);
      link.run(link.nowMs + 20_000);
      assertEquals(server.core.tableSizes()["ends"], 1);
      const other = wire === "cbor" ? "json" : "cbor";
      const second = link.dialer({ wire, isn: 2 }, "second 1");
      const apart = link.dialer({ wire: other, isn: 3 }, "apart 1");
      link.run(link.nowMs + 2000);
      assertEquals(
        apart.notices.map(({ kind }) => kind),
        ["connected"],
      );
      assert(second.notices.every(({ kind }) => kind !== "connected"));
      server.reading = true;
      link.flush();
      assertEquals(server.core.tableSizes()["ends"], 0);
      const third = link.dialer({ wire, isn: 4 }, "third 1");
      link.run(link.nowMs + 2000);
      assertEquals(
        third.notices.map(({ kind }) => kind),
        ["connected"],
      );
    }
  });
});

test("a listener without the json wire ignores it, on sockets", async () => {
  const params = { epochMillis: 20, epochLimit: 3 };
  await using server = await listen({ port: 0, params, classic: false });
  const { host, port } = server;
  const refused = connect({ host, port, params, wire: "json" }).then(
    () => "connected",
    (error: Error) => error.message,
  );
  const why = await within("the dial to fail", refused);
  assert(why.includes("no answer"), why);
  // What is sent before the dial is given up may be read a moment later.
  await until("what it ignored", () => server.stats().rejected["classic"]! >= 1);
  await using client = await connect({ host, port });
  assertEquals(client.connId, 1);
});
