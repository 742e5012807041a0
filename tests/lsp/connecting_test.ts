/** docs/lsp.md, sections 2 and 3: parameters, and how a connection comes about. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClassicType } from "../../lsp/classic_frame.ts";
import { DatagramReader, LSP_VERSION, RefuseCode } from "../../lsp/frame.ts";
import { CLASSIC_PARAMS, fullParams, CBOR_PARAMS } from "../../lsp/params.ts";
import type { Wire } from "../../lsp/types.ts";
import {
  classicDatagram,
  classicFrames,
  connectedPair,
  Lan,
  cborDatagram,
  cborFrames,
  packetsBetween,
} from "./lan.ts";

const wires: Wire[] = ["cbor", "json"];
const S = "server 1";
const C = "client 1";

describe("lsp §2 parameters:", () => {
  test("the classic defaults are 2000 ms, 5, 1, 1, 0", () => {
    const expected = [2000, 5, 1, 1, 0];
    assertEquals(Object.values(fullParams("json")), expected);
    assertEquals(Object.values(CLASSIC_PARAMS), expected);
  });

  test("what is left out takes the default of the wire", () => {
    assertEquals(fullParams("cbor", { epochLimit: 3 }), { ...CBOR_PARAMS, epochLimit: 3 });
    assertEquals(fullParams("json", { epochLimit: 3 }), { ...CLASSIC_PARAMS, epochLimit: 3 });
  });

  test("M <= W, also when only one of them is given", () => {
    assertEquals(fullParams("cbor", { windowSize: 4 }).maxUnackedMessages, 4);
    assertEquals(fullParams("json", { maxUnackedMessages: 9 }).maxUnackedMessages, 1);
    const both = { windowSize: 2, maxUnackedMessages: 3 };
    assertThrows(() => fullParams("cbor", both), RangeError, "at most windowSize 2");
  });

  test("impossible values are refused with the name", () => {
    for (const name of ["epochMillis", "epochLimit", "windowSize", "maxUnackedMessages"]) {
      assertThrows(() => fullParams("json", { [name]: 0 }), RangeError, name);
      assertThrows(() => fullParams("json", { [name]: 1.5 }), RangeError, name);
    }
    assertThrows(() => fullParams("json", { maxBackOffInterval: -1 }), RangeError, "BackOff");
  });
});

describe.each(wires)("lsp §3 connecting (%s):", (wire) => {
  const params = { epochMillis: 1000, epochLimit: 4 };

  test("Connect goes out at once and every epoch, no back-off; after K epochs it fails", () => {
    const link = new Lan();
    link.jump(300);
    const client = link.dialer({ wire, params: { ...params, maxBackOffInterval: 100 } });
    link.run(10_000);
    const times = packetsBetween(link, C, S).map(({ sentMs }) => sentMs);
    assertEquals(times, [300, 1300, 2300, 3300]);
    assertEquals(client.notices.length, 1);
    const notice = client.notices[0]!;
    assert(
      notice.kind === "refused" && notice.code === "timeout" && /4 epochs/.test(notice.reason),
    );
    assertEquals(client.core.wakeAtMs(), undefined);
  });

  test("the server may start later", () => {
    const link = new Lan();
    const client = link.dialer({ wire, params });
    link.run(2500);
    link.listener({ params });
    link.run(3500);
    assertEquals(client.notices[0]?.kind, "connected");
  });

  test("ids are 1, 2, 3 in the order of coming", () => {
    const link = new Lan();
    link.listener({ params });
    const ids = [1, 2, 3].map((n) => {
      const client = link.dialer({ wire, params }, `client ${n}`);
      link.run(link.nowMs + 100);
      const notice = client.notices[0]!;
      return notice.kind === "connected" ? notice.connId : 0;
    });
    assertEquals(ids, [1, 2, 3]);
  });

  test("a repeated Connect with the same ISN gets the same answer and changes nothing", () => {
    const { link, server, client } = connectedPair({ wire, params });
    const connect = packetsBetween(link, C, S).findLast(({ bytes }) => isConnect(bytes))!.bytes;
    const answers = packetsBetween(link, S, C).length;
    link.inject(connect, S, C);
    const again = packetsBetween(link, S, C).slice(answers);
    assertEquals(again.length, 1);
    assertEquals(server.notices.length, 1);
    link.write(client, 1, "still the same");
    link.run(link.nowMs + 100);
    assertEquals(server.texts, ["still the same"]);
  });

  test("after a loss the same address gets a new connection with a new id", () => {
    const { link, server, client } = connectedPair({ wire, params });
    link.remove(client);
    link.run(link.nowMs + 6000);
    assertEquals(server.events, [{ kind: "lost", connId: 1 }]);
    const again = link.dialer({ wire, params, isn: 555 });
    link.run(link.nowMs + 100);
    assertEquals(again.notices[0], { kind: "connected", connId: 2, wire, from: S });
  });

  test("after a close the same address gets a new connection with a new id", () => {
    const { link, server, client } = connectedPair({ wire, params });
    server.core.closeConn(1);
    link.flush();
    link.remove(client);
    const again = link.dialer({ wire, params, isn: 555 });
    link.run(link.nowMs + 100);
    assertEquals(again.notices[0], { kind: "connected", connId: 2, wire, from: S });
  });

  test("data sequence numbers start at ISN + 1 in both directions, and pass 2^32", () => {
    const { link, server, client } = connectedPair({ wire, params, isn: 2 ** 32 - 1 });
    link.write(client, 1, "a");
    link.write(server, 1, "b");
    link.run(link.nowMs + 100);
    const [up, down] = [frames(link, wire, C, S), frames(link, wire, S, C)];
    assert(
      up.some((text) => text.toLowerCase().includes("data 4294967296")),
      `${up}`,
    );
    assert(
      down.some((text) => text.toLowerCase().includes("data 4294967296")),
      `${down}`,
    );
    assertEquals([server.texts, client.texts], [["a"], ["b"]]);
  });

  test("an ISN beyond 32 bits is refused at once", () => {
    const link = new Lan();
    assertThrows(() => link.dialer({ wire, isn: 2 ** 32 }), RangeError, "isn");
  });

  test("a dialer may ask more often than once an epoch, for as many epochs as ever", () => {
    const link = new Lan();
    const dialer = link.dialer({ wire, params: { ...params, epochLimit: 3 }, connectMillis: 250 });
    link.run(2990);
    assertEquals([packetsBetween(link, C, S).length, dialer.notices.length], [12, 0]);
    link.run(3010);
    const notice = dialer.notices[0]!;
    assertEquals(notice.kind === "refused" && notice.code, "timeout");
    for (const connectMillis of [0, 1.5, 2001]) {
      const params = { epochMillis: 2000 };
      const make = (): unknown => link.dialer({ wire, params, connectMillis });
      assertThrows(make, RangeError, `connectMillis: got ${connectMillis}`);
    }
  });

  test("a full server takes nobody more", () => {
    const link = new Lan();
    const limits = wire === "json" ? { maxClassicConnections: 1 } : { maxConnections: 1 };
    const server = link.listener({ params, limits });
    const first = link.dialer({ wire, params });
    link.run(100);
    link.write(first, 1, "proved");
    const late = link.dialer({ wire, params }, "client 2");
    link.run(10_000);
    const notice = late.notices[0]!;
    assertEquals(notice.kind === "refused" && notice.code, wire === "json" ? "timeout" : "full");
    const told = server.notices[1]!;
    assert(told.kind === "refused" && told.code === "full" && told.reason.includes("client 2"));
  });
});

describe("lsp §3 connecting, classic rules:", () => {
  test("only an Ack with seq = ISN and id > 0 is accepted", () => {
    const link = new Lan();
    const client = link.dialer({ wire: "json", isn: 100 });
    link.inject(classicDatagram(ClassicType.ack, 0, 100), C, S);
    link.inject(classicDatagram(ClassicType.ack, 3, 101), C, S);
    link.inject(classicDatagram(ClassicType.ack, 3, 0), C, S);
    link.inject(classicDatagram(ClassicType.data, 3, 101, "x"), C, S);
    assertEquals(client.notices, []);
    link.inject(classicDatagram(ClassicType.ack, 3, 100), C, S);
    assertEquals(client.notices, [{ kind: "connected", connId: 3, wire: "json", from: S }]);
  });

  test("a Connect with another ISN is no sign of life", () => {
    const { link, server, client } = connectedPair({ wire: "json" });
    link.remove(client);
    const answers = packetsBetween(link, S, C).length;
    let lostAtMs = 0;
    for (let t = 0; t < 20 && lostAtMs === 0; t++) {
      link.inject(classicDatagram(ClassicType.connect, 0, 999), S, C);
      if (server.events.length > 0) lostAtMs = link.nowMs;
      else link.run(link.nowMs + 1000);
    }
    assert(lostAtMs > 8000 && lostAtMs <= 12_100, `${lostAtMs}`);
    const acked = classicFrames(link, S, C).slice(answers);
    assert(!acked.slice(0, -1).includes("Ack 999"), `${acked}`);
  });
});

describe("lsp §3 connecting, cbor rules:", () => {
  const offer = { windowMessages: 9, windowBytes: 9999, epochMillis: 500, maxMessageBytes: 1166 };
  const fields = { ...offer, isn: 5, lspVersion: LSP_VERSION, appVersion: 0, token: 0n };

  test("nothing is allocated before an address has proved that it receives", () => {
    const link = new Lan();
    const server = link.listener();
    for (let n = 0; n < 100; n++) {
      link.inject(
        cborDatagram(0, 1, (w) => w.connect({ ...fields, token: 77n })),
        S,
        `x ${n}`,
      );
    }
    assertEquals(server.core.stats().connections, 0);
    assertEquals(server.notices, []);
    assertEquals(new Set(link.sent.map(({ from, to }) => cborFrames(link, from, to)[0])).size, 1);
    // The answer to a stranger is smaller than the question: no help to who floods a victim.
    assert(link.sent.every(({ bytes }) => bytes.length < 64));
  });

  test("a cookie is good for its address and its ISN only", () => {
    const link = new Lan();
    const server = link.listener();
    link.inject(
      cborDatagram(0, 1, (w) => w.connect(fields)),
      S,
      "x 1",
    );
    const token = tokenOf(link.sent.at(-1)!.bytes);
    link.inject(
      cborDatagram(0, 1, (w) => w.connect({ ...fields, token })),
      S,
      "x 2",
    );
    link.inject(
      cborDatagram(0, 1, (w) => w.connect({ ...fields, isn: 6, token })),
      S,
      "x 1",
    );
    assertEquals(server.notices, []);
    link.inject(
      cborDatagram(0, 1, (w) => w.connect({ ...fields, token })),
      S,
      "x 1",
    );
    assertEquals(server.notices.length, 1);
  });

  test("a cookie grows old", () => {
    const link = new Lan();
    const server = link.listener();
    link.inject(
      cborDatagram(0, 1, (w) => w.connect(fields)),
      S,
      "x 1",
    );
    const token = tokenOf(link.sent.at(-1)!.bytes);
    link.run(61_000);
    link.inject(
      cborDatagram(0, 1, (w) => w.connect({ ...fields, token })),
      S,
      "x 1",
    );
    assertEquals(server.notices, []);
  });

  test("another ISN from a proved address replaces the connection", () => {
    const { link, server, client } = connectedPair();
    link.remove(client);
    const again = link.dialer({ isn: 555 });
    link.run(link.nowMs + 100);
    assertEquals(again.notices[0], { kind: "connected", connId: 2, wire: "cbor", from: S });
    const end = server.events[0]!;
    assert(end.kind === "closed" && end.connId === 1 && end.code === "replaced");
    link.write(again, 2, "new life");
    link.run(link.nowMs + 100);
    assertEquals(server.texts, ["new life"]);
  });

  test("a version mismatch is one line on both sides, naming both", () => {
    const link = new Lan();
    const server = link.listener({ appVersion: 2 });
    const client = link.dialer({ appVersion: 3 });
    link.run(10_000);
    const [theirs, ours] = [server.notices, client.notices];
    assertEquals([theirs.length, ours.length], [1, 1]);
    for (const notice of [theirs[0]!, ours[0]!]) {
      assert(notice.kind === "refused" && notice.code === "version");
      assert(/messages 2/.test(notice.reason) && /messages 3/.test(notice.reason), notice.reason);
    }
  });

  test("a flood of refusals is told by ten lines a second, and answered in bounds", () => {
    const link = new Lan();
    const server = link.listener({ appVersion: 2, limits: { maxStrayDatagrams: 50 } });
    for (let n = 0; n < 200; n++) {
      const from = `x ${n}`;
      link.inject(
        cborDatagram(0, 1, (w) => w.connect(fields)),
        S,
        from,
      );
      const token = tokenOf(packetsBetween(link, S, from)[0]!.bytes);
      link.inject(
        cborDatagram(0, 1, (w) => w.connect({ ...fields, token })),
        S,
        from,
      );
    }
    assertEquals(server.notices.length, 10);
    assertEquals(server.core.stats().rejected["refused version"], 200);
    const { core } = server;
    const question = cborDatagram(0, 1, (w) => w.connect(fields));
    for (let n = 0; n < 200; n++) core.handleDatagram(question, `x ${n}`, link.nowMs);
    assertEquals(core.stats().rejected["flood"], 150);
  });

  test("a Refuse or a Challenge for another ISN is ignored", () => {
    const link = new Lan();
    const client = link.dialer({ isn: 100 });
    const sent = link.sent.length;
    link.inject(
      cborDatagram(0, 1, (w) => w.challenge(99, 5n)),
      C,
      S,
    );
    const no = { isn: 99, code: RefuseCode.full, lspVersion: 1, appVersion: 0, reason: "" };
    link.inject(
      cborDatagram(0, 1, (w) => w.refuse(no)),
      C,
      S,
    );
    assertEquals([client.notices, link.sent.length], [[], sent]);
    assertEquals(client.core.stats().rejected, { isn: 2 });
  });

  test("datagrams from elsewhere than the server are ignored", () => {
    const link = new Lan();
    const client = link.dialer({ isn: 100 });
    const no = { isn: 100, code: RefuseCode.full, lspVersion: 1, appVersion: 0, reason: "" };
    link.inject(
      cborDatagram(0, 1, (w) => w.refuse(no)),
      C,
      "evil 1",
    );
    assertEquals(client.notices, []);
  });
});

function isConnect(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b ? bytes.includes(0x30) && bytes[8] === 0x30 : bytes[21] === 1;
}

function frames(link: Lan, wire: Wire, from: string, to: string): string[] {
  return wire === "json" ? classicFrames(link, from, to) : cborFrames(link, from, to);
}

function tokenOf(bytes: Uint8Array): bigint {
  const reader = new DatagramReader();
  assert(reader.open(bytes) && reader.next());
  return reader.token;
}
