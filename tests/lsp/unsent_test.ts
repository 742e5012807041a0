/** Datagrams for which the kernel has no room leave later, in order and as they were. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { DatagramReader, FrameType, LSP_VERSION } from "../../lsp/frame.ts";
import { createListener, type Listener } from "../../lsp/mod.ts";
import type { UdpSocket } from "../../lsp/socket_adapter.ts";
import { UdpEndpoint } from "../../lsp/adapter.ts";
import { until } from "../support/waiting.ts";
import { cborDatagram } from "./lan.ts";

const CLIENTS = 80;

/** A socket that takes as many datagrams as `room` says, and shows them. */
class Narrow implements UdpSocket {
  readonly port = 1;
  readonly host = "127.0.0.1";
  readonly forbidsFragments = false;
  readonly answersFromAsked = true;
  readonly sent: { readonly to: string; readonly isn: number }[] = [];
  room = 0;

  sendMany(packets: readonly Uint8Array[], to: readonly string[]): number {
    const count = Math.min(this.room, packets.length);
    this.room -= count;
    for (let i = 0; i < count; i++) {
      const reader = new DatagramReader();
      assert(reader.open(packets[i]!) && reader.next(), "what leaves is sound");
      assertEquals(reader.type, FrameType.challenge);
      this.sent.push({ to: to[i]!, isn: reader.isn });
    }
    return count;
  }
  ref(): void {}
  unref(): void {}
  close(): void {}
}

/** An endpoint on such a socket, and a way to have it send something. */
function narrow(seed: number): {
  socket: Narrow;
  udp: UdpEndpoint<Listener>;
  ask(isn: number): void;
} {
  const socket = new Narrow();
  const core = createListener({ random: seededRandom(seed) });
  const udp = new UdpEndpoint(core, socket, { onNotice() {}, onProgress() {} });
  const offer = { windowMessages: 9, windowBytes: 9999, epochMillis: 500, maxMessageBytes: 9999 };
  const ask = (isn: number): void => {
    const fields = { ...offer, isn, lspVersion: LSP_VERSION, appVersion: 0, token: 0n };
    const bytes = cborDatagram(0, 1 + isn, (w) => w.connect(fields));
    udp.data(bytes, "127.0.0.1", 10_000 + isn);
  };
  return { socket, udp, ask };
}

test("what finds no room in the kernel is kept, and not overwritten by other sockets", async () => {
  const one = narrow(1);
  const other = narrow(2);
  other.socket.room = Infinity;
  for (let isn = 0; isn < CLIENTS; isn++) {
    one.ask(isn);
    one.socket.room = isn % 3 === 0 ? 2 : 0;
    one.udp.turn();
    // All sockets write into the same buffers.
    for (let n = 0; n < 40; n++) other.ask(CLIENTS + n);
    other.udp.turn();
  }
  assert(one.socket.sent.length < CLIENTS);
  one.socket.room = Infinity;
  one.udp.drain();
  await until("all have left", () => one.socket.sent.length >= CLIENTS);
  for (const { udp } of [one, other]) udp.release();
  const isns = one.socket.sent.map(({ isn }) => isn);
  assertEquals(
    isns,
    Array.from({ length: CLIENTS }, (_, isn) => isn),
  );
  assert(one.socket.sent.every(({ to, isn }) => to.includes(`${10_000 + isn}`)));
});
