/**
 * The mistakes of published implementations that are LSP's own (docs/lsp.md, section 10), and our
 * own that got as far as a test: each by name, and each must stay dead.
 */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { ClassicType } from "../../lsp/classic_frame.ts";
import { DATA_BYTES_MAX } from "../../lsp/frame.ts";
import { classicDatagram, connectedPair, Lan, packetsBetween } from "./lan.ts";

const S = "server 1";
const C = "client 1";
const text = (line: string): Uint8Array => new TextEncoder().encode(line);

describe("lsp §10, mistakes of others:", () => {
  test("a negative Size crashes nobody", () => {
    const { link, server, client } = connectedPair({ wire: "json" });
    for (const size of ["-1", "-0", "-9007199254740993", "1e3", "1.5", "99999999999999999999"]) {
      const start = `{"Type":1,"ConnID":1,"SeqNum":101,"Size":${size}`;
      const bytes = text(`${start},"Checksum":0,"Payload":"YQ=="}`);
      link.inject(bytes, S, C);
      link.inject(bytes, C, S);
    }
    assertEquals([server.texts, client.texts], [[], []]);
    link.write(client, 1, "unharmed");
    link.run(link.nowMs + 10);
    assertEquals(server.texts, ["unharmed"]);
  });

  test("a repeated Connect does not end the server's loop", () => {
    const { link, server, client } = connectedPair({ wire: "json" });
    for (let i = 0; i < 5; i++) link.inject(classicDatagram(ClassicType.connect, 0, 100), S, C);
    const other = link.dialer({ wire: "json", isn: 5 }, "client 2");
    link.run(link.nowMs + 10);
    link.write(client, 1, "one");
    link.write(other, 2, "two");
    link.run(link.nowMs + 10);
    assertEquals(server.texts, ["one", "two"]);
  });

  test("a Size beyond the payload has no effect, one below it cuts", () => {
    const { link, server } = connectedPair({ wire: "json" });
    // Checksum 40246 belongs to id 1, sequence number 1, size 3, "abc" (docs/lsp.md, section 8).
    const frame = (size: number, sum: number): Uint8Array =>
      text(`{"Type":1,"ConnID":1,"SeqNum":101,"Size":${size},"Checksum":${sum},"Payload":"YWJj"}`);
    const sent = link.sent.length;
    link.inject(frame(4, 40_245), S, C);
    assertEquals([server.texts, link.sent.length], [[], sent]);
    // For sequence number 101 the sum grows by 100: 40346 - 100 for "ab".
    link.inject(frame(2, 40_246), S, C);
    assertEquals(server.texts, ["ab"]);
  });
});

describe("our own:", () => {
  test("an Accept beside a message that fills the datagram does not go out for ever", () => {
    const { link, server, client } = connectedPair();
    const already = packetsBetween(link, S, C).length;
    link.remove(client);
    server.core.write(1, new Uint8Array(DATA_BYTES_MAX));
    link.flush();
    assertEquals(packetsBetween(link, S, C).length - already, 1);
  });

  test("a Buffer handed in or out does not share its memory with the core", () => {
    const { link, server, client } = connectedPair({ wire: "cbor" });
    server.reading = false;
    const bytes = Buffer.from("first");
    client.core.write(1, bytes);
    bytes.write("wrong");
    link.flush();
    const datagram = Buffer.from(link.sent.at(-1)!.bytes);
    link.passes = () => false;
    server.core.handleDatagram(datagram, C, link.nowMs);
    datagram.fill(0);
    server.reading = true;
    link.flush();
    assertEquals(server.texts, ["first"]);
  });

  test("a wake-up always moves time forward: no endpoint asks for the same one twice", () => {
    const link = new Lan();
    const params = { epochMillis: 100, epochLimit: 50 };
    const server = link.listener({ params });
    const client = link.dialer({ params: { epochMillis: 150, epochLimit: 50 } });
    link.run(10);
    link.passes = () => false;
    for (let i = 0; i < 30; i++) client.core.write(1, new Uint8Array(1000));
    link.flush();
    let wakes = 0;
    while (link.nowMs < 4000) {
      const nextMs = Math.min(server.core.wakeAtMs()!, client.core.wakeAtMs()!);
      link.run(Math.max(nextMs, link.nowMs));
      assert(++wakes < 2000, `stuck at ${link.nowMs} ms`);
    }
  });
});
