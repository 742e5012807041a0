/** Bugs that the simulator found, each retold in a few steps, without its dice. */
import { expect, test } from "bun:test";
import { seededRandom } from "../../base/random.ts";
import { createDialer } from "../../lsp/dialer.ts";
import { createListener } from "../../lsp/listener.ts";
import type { EndpointCore } from "../../lsp/types.ts";

const SERVER = "server 1";

/** Every datagram that `core` wants to send now. */
function outgoing(core: EndpointCore, nowMs: number): { to: string; bytes: Uint8Array }[] {
  const buffer = new Uint8Array(4096);
  const all = [];
  for (let out = core.pollDatagram(buffer, nowMs); out; out = core.pollDatagram(buffer, nowMs)) {
    all.push({ to: out.to, bytes: buffer.slice(0, out.length) });
  }
  return all;
}

function connectedPair(from: string, isn: number) {
  const listener = createListener({ random: seededRandom(1) }, 0);
  const params = { epochMillis: 100, epochLimit: 3 };
  const dialer = createDialer({ random: seededRandom(2), to: SERVER, params, isn }, 0);
  const connects: Uint8Array[] = [];
  for (let round = 0; round < 4; round++) {
    for (const { bytes } of outgoing(dialer, 0)) {
      connects.push(bytes);
      listener.handleDatagram(bytes, from, 0);
    }
    for (const { bytes } of outgoing(listener, 0)) dialer.handleDatagram(bytes, SERVER, 0);
  }
  expect(dialer.pollNotice()).toMatchObject({ kind: "connected", connId: 1 });
  return { listener, dialer, connects };
}

test("a late Connect and a Data handled in one turn do not confuse the listener (seed 48)", () => {
  const { listener, dialer, connects } = connectedPair("client 1", 10);
  dialer.write(1, Uint8Array.of(7));
  const late = connects[1]!;
  listener.handleDatagram(late, "client 1", 1);
  for (const { bytes } of outgoing(dialer, 1)) listener.handleDatagram(bytes, "client 1", 1);
  expect(outgoing(listener, 1).length).toBeGreaterThan(0);
  expect(listener.pollEvent()).toMatchObject({ kind: "data", connId: 1 });
});

test("a client notices a restarted server although another client has its number now", () => {
  const { dialer } = connectedPair("client 1", 10);
  const { listener: restarted } = connectedPair("client 2", 20);
  outgoing(restarted, 0);
  let lost = false;
  for (let nowMs = 10; nowMs <= 500 && !lost; nowMs += 10) {
    dialer.handleWake(nowMs);
    for (const { bytes } of outgoing(dialer, nowMs)) {
      restarted.handleDatagram(bytes, "client 1", nowMs);
    }
    // The restarted server challenges the stranger to prove its address.
    for (const { to, bytes } of outgoing(restarted, nowMs)) {
      if (to === "client 1") dialer.handleDatagram(bytes, SERVER, nowMs);
    }
    const end = dialer.pollEvent();
    lost = end?.kind === "closed" && end.code === "forgotten";
  }
  expect(lost).toBe(true);
});

test("a cbor sender is told from the start how many unread messages its peer keeps", () => {
  const listener = createListener({ random: seededRandom(1) }, 0);
  const limits = { maxUnreadMessages: 1 };
  const dialer = createDialer({ random: seededRandom(2), to: SERVER, limits }, 0);
  for (let round = 0; round < 4; round++) {
    for (const { bytes } of outgoing(dialer, 0)) listener.handleDatagram(bytes, "client 1", 0);
    for (const { bytes } of outgoing(listener, 0)) dialer.handleDatagram(bytes, SERVER, 0);
  }
  for (let i = 0; i < 5; i++) listener.write(1, Uint8Array.of(i));
  // No epoch passes: one message a round trip, none sent in vain.
  const read: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (const { bytes } of outgoing(listener, 0)) dialer.handleDatagram(bytes, SERVER, 0);
    for (let event = dialer.pollEvent(); event?.kind === "data"; event = dialer.pollEvent()) {
      read.push(event.payload[0]!);
    }
    for (const { bytes } of outgoing(dialer, 0)) listener.handleDatagram(bytes, "client 1", 0);
  }
  expect(read).toEqual([0, 1, 2, 3, 4]);
  expect(listener.connectionStats(1)).toMatchObject({ sentMessages: 5, retransmits: 0 });
});

test("a lost connection gives back the room of messages that came ahead of their turn", () => {
  const { listener, dialer } = connectedPair("client 1", 10);
  dialer.write(1, new Uint8Array(100));
  outgoing(dialer, 1);
  dialer.write(1, new Uint8Array(60));
  for (const { bytes } of outgoing(dialer, 2)) listener.handleDatagram(bytes, "client 1", 2);
  expect(listener.stats().unreadBytes).toBe(60);
  for (let nowMs = 500; nowMs <= 20_000; nowMs += 500) listener.handleWake(nowMs);
  expect(listener.pollEvent()).toMatchObject({ kind: "lost", connId: 1 });
  expect(listener.stats().unreadBytes).toBe(0);
});

test("an end that has taken leave sends nothing more once its peer has answered (seed 53)", () => {
  const { listener, dialer } = connectedPair("client 1", 10);
  listener.write(1, Uint8Array.of(7));
  const [late] = outgoing(listener, 1);
  dialer.close(2);
  const [close] = outgoing(dialer, 2).slice(-1);
  listener.handleDatagram(close!.bytes, "client 1", 3);
  const answers = outgoing(listener, 3);
  expect(answers.length).toBe(1);
  // What the peer had sent before and its answer are handled in one turn.
  dialer.handleDatagram(late!.bytes, SERVER, 4);
  dialer.handleDatagram(answers[0]!.bytes, SERVER, 4);
  expect(outgoing(dialer, 4)).toEqual([]);
  expect(dialer.wakeAtMs()).toBeUndefined();
});
