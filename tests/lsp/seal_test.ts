/** Seals: the checksum is one, and there is room for one that hides what a connection says. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { putUint32, uint32At, uint53At } from "../../base/big_endian.ts";
import { crc32 } from "../../lsp/crc32.ts";
import { DatagramReader, DatagramWriter, DATAGRAM_BYTES_MAX } from "../../lsp/frame.ts";
import { ChecksumSeal, PLAIN_SEAL, type Seal } from "../../lsp/seal.ts";
import { KEY } from "./frame_support.ts";
import { connectedPair, type Node, packetsBetween } from "./lan.ts";

/**
 * Hides the frames under a mask that depends on the datagram's number, behind a head and before a
 * tail, as encryption would. It keeps no secret; it takes the same room, in the same places.
 */
class Mask implements Seal {
  readonly headBytes = 5;
  readonly tailBytes = 16;
  readonly #key: number;
  readonly #inner = new ChecksumSeal();

  constructor(key: number) {
    this.#key = key;
  }

  seal(into: Uint8Array, at: number, end: number): number {
    into.fill(0x5a, at, at + this.headBytes);
    this.#mask(into, at, end);
    into.fill(0, end, end + this.tailBytes);
    putUint32(into, end, crc32(into, 6, end, this.#key));
    return this.#inner.seal(into, at, end + this.tailBytes);
  }

  unseal(bytes: Uint8Array, at: number): boolean {
    const end = bytes.length - this.tailBytes;
    if (end < at + this.headBytes || !this.#inner.unseal(bytes)) return false;
    if (uint32At(bytes, end) !== crc32(bytes, 6, end, this.#key)) return false;
    this.#mask(bytes, at, end);
    return true;
  }

  #mask(bytes: Uint8Array, at: number, end: number): void {
    const number = uint53At(bytes, 12);
    for (let i = at + this.headBytes; i < end; i++) {
      bytes[i]! ^= this.#key + number + i;
    }
  }
}

const sealOf = (node: Node, connId: number, seal: Seal): void => {
  const { byId } = node.core as unknown as { byId: Map<number, { seal: Seal }> };
  byId.get(connId)!.seal = seal;
};

describe("DatagramWriter and DatagramReader with a seal that takes room", () => {
  test("give back what was written, within the datagram's limit", () => {
    const [seal, reader, writer] = [new Mask(77), new DatagramReader(), new DatagramWriter()];
    const sizes = fc.array(fc.nat(400), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 100, max: DATAGRAM_BYTES_MAX }), (lengths, most) => {
        const into = new Uint8Array(2048);
        writer.begin(into, 7, KEY, 99, most, seal);
        const written = lengths.filter((length, i) => writer.data(i + 1, into.slice(0, length)));
        if (writer.frames === 0) return;
        const bytes = into.slice(0, writer.finish());
        assert(bytes.length <= most);
        assert(reader.open(bytes, seal), reader.reject);
        const read: number[] = [];
        while (reader.next()) read.push(reader.payloadLength);
        assertEquals([read, reader.connId, reader.number], [written, 7, 99]);
      }),
    );
  });

  test("tell a datagram under another key, or under none, by its seal", () => {
    const [reader, writer] = [new DatagramReader(), new DatagramWriter()];
    const sealed = (seal: Seal): Uint8Array => {
      const into = new Uint8Array(DATAGRAM_BYTES_MAX);
      writer.begin(into, 7, KEY, 99, DATAGRAM_BYTES_MAX, seal);
      writer.pathChallenge(5n);
      return into.slice(0, writer.finish());
    };
    assert(reader.open(sealed(new Mask(1)), new Mask(1)));
    for (const bytes of [sealed(new Mask(2)), sealed(PLAIN_SEAL)]) {
      assertEquals([reader.open(bytes, new Mask(1)), reader.reject], [false, "checksum"]);
      assertEquals(reader.next(), false);
    }
    assertEquals(reader.open(sealed(new Mask(1)), PLAIN_SEAL), false);
  });

  test("claim nothing but a connection and a number before the seal is opened", () => {
    const [reader, writer, into] = [new DatagramReader(), new DatagramWriter(), new Uint8Array(99)];
    writer.begin(into, 7, KEY, 99);
    writer.pathChallenge(5n);
    const bytes = into.slice(0, writer.finish());
    bytes[bytes.length - 1]! ^= 1;
    assert(reader.openHeader(bytes));
    assertEquals([reader.connId, reader.number, reader.next()], [7, 99, false]);
    assertEquals(
      [reader.unseal(PLAIN_SEAL), reader.next(), reader.reject],
      [false, false, "checksum"],
    );
  });
});

describe("an endpoint with a seal that takes room", () => {
  test("brings over small and large messages, none in the clear", () => {
    const seal = new Mask(5);
    const { link, server, client } = connectedPair({ seal }, { seal });
    const texts = ["small", "x".repeat(1157), "y".repeat(1136), "z".repeat(200_000)];
    for (const text of texts) link.write(client, 1, text);
    link.runUntil(() => server.events.length === texts.length, 5000);
    assertEquals(server.texts, texts);
    const inClear = link.sent.filter(({ bytes }) => new DatagramReader().open(bytes));
    assertEquals(inClear.length, 0);
  });

  test("unseals what names a connection with that connection's own", () => {
    const { link, server, client } = connectedPair();
    const seal = new Mask(9);
    for (const node of [server, client]) sealOf(node, 1, seal);
    link.write(client, 1, "for you alone");
    link.write(server, 1, "and back");
    link.run(link.nowMs + 20);
    assertEquals([server.texts, client.texts], [["for you alone"], ["and back"]]);
    const [last] = packetsBetween(link, "client 1", "server 1").slice(-1);
    assertEquals(new DatagramReader().open(last!.bytes), false);
    // Others, and those who are only about to connect, are served as before.
    const other = link.dialer({ isn: 5 }, "client 2");
    assert(link.runUntil(() => other.notices.length > 0));
    link.write(other, 2, "in the clear");
    link.run(link.nowMs + 20);
    assertEquals(server.texts.at(-1), "in the clear");
    // What is sealed otherwise is not of this connection, whatever it says in its header.
    const writer = new DatagramWriter();
    const into = new Uint8Array(DATAGRAM_BYTES_MAX);
    writer.begin(into, 1, KEY, 5000);
    writer.close(0, 1, "forged");
    const forged = (): number => server.core.stats().rejected["checksum"] ?? 0;
    const before = forged();
    link.inject(into.slice(0, writer.finish()), "server 1", "client 1");
    assertEquals(forged(), before + 1);
    assertEquals(
      server.events.filter(({ kind }) => kind !== "data"),
      [],
    );
  });
});
