/**
 * Peers that take nothing of what is written to them, or next to nothing, and heartbeat: the memory
 * that they keep is bounded and shared, and it is they who go when it is short (docs/memory.md).
 */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { QueueFull } from "../../lsp/errors.ts";
import { connect, listen, type LspClient } from "../../lsp/mod.ts";
import { FlushWatch } from "../../lsp/flush_watch.ts";
import { fullParams, type LspLimits } from "../../lsp/params.ts";
import type { SendWindow } from "../../lsp/send_window.ts";
import type { Wire } from "../../lsp/types.ts";
import { until, within } from "../support/waiting.ts";
import { Lan, type Node } from "./lan.ts";

/** What a message is counted with beside its bytes. */
const OVERHEAD = 256;
const wires: Wire[] = ["cbor", "json"];
/** A peer of ours that keeps its window as good as closed. */
const CLOSED: Partial<LspLimits> = { maxUnreadBytes: 3000, maxUnreadMessages: 1, maxReorder: 1 };

/** A listener with `hogs` peers that never read, numbers 1 and up, and then an honest one. */
function withHogs(hogs: number, limits: Partial<LspLimits>, wire: Wire = "cbor") {
  const link = new Lan();
  const server = link.listener({ limits });
  const peers: Node[] = [];
  for (let n = 1; n <= hogs; n++) {
    const peer = link.dialer({ limits: CLOSED, wire, isn: n }, `hog ${n}`);
    peer.reading = false;
    peers.push(peer);
  }
  const honest = link.dialer({ wire, isn: 500 }, "honest 1");
  link.run(100);
  assertEquals(server.notices.length, hogs + 1);
  const idOf = (node: Node): number => {
    const [first] = node.notices;
    assert(first?.kind === "connected");
    return first.connId;
  };
  return { link, server, peers, honest, hogIds: peers.map(idOf), honestId: idOf(honest) };
}

const message = (bytes: number): Uint8Array => new Uint8Array(bytes);

describe("memory for written messages", () => {
  test("is counted with what small messages take beside their bytes", () => {
    const { link, server } = withHogs(1, {});
    link.passes = () => false;
    for (let n = 0; n < 1000; n++) server.core.write(1, message(0));
    server.core.write(1, message(100));
    assertEquals(server.core.stats().queuedBytes, 1001 * OVERHEAD + 100);
    assertEquals(server.core.connectionStats(1)!.queuedBytes, 100);
    link.run(link.nowMs + 10_000);
    assertEquals(server.core.stats().queuedBytes, 0);
  });

  test.each(wires)("is given back message by message (%s)", (wire) => {
    const { link, server, honestId } = withHogs(0, {}, wire);
    for (let n = 0; n < 50; n++) server.core.write(honestId, message(n));
    link.run(link.nowMs + 5000);
    assertEquals(server.core.stats().queuedBytes, 0);
    for (let n = 0; n < 3; n++) server.core.write(honestId, message(0));
    assertEquals(server.core.stats().queuedBytes, 3 * OVERHEAD);
  });

  test("has a limit of messages, too, for a connection: maxQueuedMessages", () => {
    const { server } = withHogs(1, { maxQueuedMessages: 10 });
    for (let n = 0; n < 10; n++) server.core.write(1, message(0));
    const full = () => server.core.write(1, message(0));
    assertThrows(full, QueueFull, "more than 10 messages (maxQueuedMessages): 10 wait");
    assertEquals([server.core.mayWrite(1, 0), server.core.mayWrite(1)], [false, false]);
  });

  test("is free for all up to a half; of the other each may have an equal share", () => {
    const { link, server, hogIds, honestId } = withHogs(3, { maxQueuedBytesTotal: 80_000 });
    link.passes = () => false;
    server.core.write(hogIds[0]!, message(39_000));
    // Four connections share 40,000 bytes.
    const share = 10_000;
    for (const id of [hogIds[1]!, honestId]) {
      assertEquals(server.core.mayWrite(id, share - OVERHEAD), true);
      assertEquals(server.core.mayWrite(id, share - OVERHEAD + 1), false);
      const above = () => server.core.write(id, message(share - OVERHEAD + 1));
      assertThrows(above, QueueFull, "maxQueuedBytesTotal");
      server.core.write(id, message(share - OVERHEAD));
    }
    // A connection that has more than its share already gets no more.
    assertThrows(() => server.core.write(hogIds[0]!, message(0)), QueueFull, "Total");
    assertEquals(server.core.stats().connections, 4);
  });
});

test("memory for written messages has an end, whatever the shares are", () => {
  const { link, server, hogIds, honestId } = withHogs(3, { maxQueuedBytesTotal: 80_000 });
  link.passes = () => false;
  // One message may be larger than the free half, alone.
  server.core.write(hogIds[0]!, message(79_000));
  assertThrows(() => server.core.write(honestId, message(500)), QueueFull, "80000");
  server.core.write(honestId, message(400));
  assertThrows(() => server.core.write(hogIds[1]!, message(0)), QueueFull, "80000");
});

describe("a hog", () => {
  const limits = { maxQueuedBytesTotal: 100_000 };

  test.each(wires)("goes when another needs memory, the largest first (%s)", (wire) => {
    const { link, server, peers, hogIds, honestId, honest } = withHogs(
      4,
      { maxQueuedBytesTotal: 140_000 },
      wire,
    );
    const sizes = [12_000, 13_000, 11_000, 12_500];
    const bytes = 1000;
    for (const [i, size] of sizes.entries()) {
      for (let left = size; left > 0; left -= bytes) server.core.write(hogIds[i]!, message(bytes));
    }
    link.run(link.nowMs + 3 * (wire === "json" ? 2000 : 500));
    // It does not read; but on the json wire, what is not read is not acknowledged either.
    const queued = server.core.stats().queuedBytes;
    assert(queued > 50_000, `${queued}`);
    while (server.events.length === 0) {
      server.core.write(honestId, message(bytes));
      link.flush();
    }
    assertEquals(server.events.length, 1);
    const [end] = server.events;
    assert(end?.kind === "closed" && end.connId === hogIds[1]! && end.code === "limit");
    assert(end.reason.includes("kept memory"), end.reason);
    link.run(link.nowMs + 500);
    const told = peers[1]!.notices.some(({ kind }) => kind === "drained");
    assertEquals(told, wire === "cbor", "only the cbor wire has a word for it");
    link.run(link.nowMs + 30_000);
    assert(honest.events.length > 0);
  });

  test("is none who takes what is written, however much that is", () => {
    const { link, server, honestId, honest } = withHogs(1, limits);
    link.latencyMs = 100;
    // The honest one always has something under way, and always takes some of it.
    for (let turn = 0; turn < 100; turn++) {
      while (server.core.mayWrite(honestId, 1000)) server.core.write(honestId, message(1000));
      link.run(link.nowMs + 50);
      assertThrows(() => server.core.write(1, message(80_000)), QueueFull, "Total");
    }
    assert(honest.events.length > 100);
    assertEquals(server.events, []);
  });

  test("is not ended for one that would keep more than it", () => {
    const { link, server, hogIds, honestId } = withHogs(1, { maxQueuedBytesTotal: 1_000_000 });
    for (let n = 0; n < 100; n++) server.core.write(hogIds[0]!, message(1000));
    link.run(link.nowMs + 3000);
    // Six or seven epochs in which 125,600 bytes stay where they are weigh 879,200 at most.
    assertThrows(() => server.core.write(honestId, message(990_000)), QueueFull, "Total");
    assertEquals(server.core.mayWrite(honestId, 990_000), false);
    link.flush();
    assertEquals(server.events, []);
    server.core.write(honestId, message(500_000));
    link.flush();
    assertEquals(server.events.length, 1);
  });

  test("is found by those who wait to write, not only by those who try", () => {
    const { link, server, hogIds, honestId } = withHogs(1, limits);
    for (let n = 0; n < 39; n++) server.core.write(hogIds[0]!, message(1000));
    assertEquals(server.core.mayWrite(honestId, 30_000), false);
    link.run(link.nowMs + 3000);
    assertEquals(server.core.mayWrite(honestId, 30_000), true);
    assertEquals(server.events, []);
    server.core.write(honestId, message(30_000));
    link.flush();
    assertEquals(server.events.length, 1);
  });
});

describe.each(wires)("a connection that we closed (%s)", (wire) => {
  const params = { epochMillis: 500, epochLimit: 10 };

  test("flushes for a bounded time if its peer takes nothing and heartbeats", () => {
    const { link, server, peers, hogIds } = withHogs(1, { maxQueuedBytesTotal: 1 << 20 }, wire);
    for (let n = 0; n < 20; n++) server.core.write(hogIds[0]!, message(1000));
    link.run(link.nowMs + 1000);
    server.core.closeConn(hogIds[0]!);
    const { epochMillis, epochLimit } =
      wire === "json" ? { epochMillis: 2000, epochLimit: 5 } : params;
    const periodMs = Math.max(5000, (epochLimit + 2) * epochMillis);
    const closedMs = link.nowMs;
    const isGone = () => server.core.stats().queuedBytes === 0;
    link.run(closedMs + periodMs - 1);
    assertEquals([isGone(), server.core.connectionStats(1) !== undefined], [false, true]);
    assert(link.runUntil(isGone, 2 * epochMillis + 1));
    link.run(link.nowMs + 3000);
    const told = peers[0]!.notices.some(({ kind }) => kind === "drained");
    assertEquals(
      [told, server.core.stats().connections],
      [wire === "cbor", wire === "json" ? 1 : 1],
    );
  });

  // Regression (lsp seed 1002611): two epochs of silence are soon over, a back-off is not.
  test("outlives the back-off of a message on the json wire, and that of the next try", () => {
    const send = { settledBytes: 0, queuedBytes: 1, queuedMessages: 1 } as SendWindow;
    const long = fullParams("json", {
      epochMillis: 2000,
      epochLimit: 2,
      maxBackOffInterval: 8,
      windowSize: 8,
    });
    const watch = new FlushWatch(send, long, wire);
    const epochs = wire === "json" ? 19 : 4;
    const overAfter = [0, 1, 3, 4, 17, 18, 19].find((n) => watch.isOver(n * 2000));
    assertEquals(overAfter, epochs);
  });

  test("brings everything to a peer that is slow but steady", () => {
    const { link, server, peers, hogIds } = withHogs(1, {}, wire);
    const [slow] = peers;
    for (let n = 0; n < 20; n++) server.core.write(hogIds[0]!, message(1000));
    server.core.closeConn(hogIds[0]!);
    while (slow!.events.length < 20 && link.nowMs < 200_000) {
      link.run(link.nowMs + 4000);
      const event = slow!.core.pollEvent();
      if (event !== undefined) slow!.events.push(event);
    }
    assertEquals(slow!.events.filter(({ kind }) => kind === "data").length, 20);
  });
});

test("honest requests are answered though silent peers have filled the memory, on sockets", async () => {
  const params = { epochMillis: 50, epochLimit: 100 };
  const limits = { maxQueuedBytesTotal: 1 << 20 };
  await using server = await listen({ port: 0, params, limits });
  const { port } = server;
  const host = "127.0.0.1";
  /** A request says how long its answer is to be; one who cannot be answered is hung up on. */
  const serving = (async () => {
    for (;;) {
      const got = await server.read().catch((error) => error as { connId?: number });
      if (!("payload" in got)) {
        if (got.connId === undefined) return;
        continue;
      }
      const asked = new DataView(got.payload.buffer, got.payload.byteOffset).getUint16(0);
      try {
        server.write(got.connId, message(asked));
      } catch {
        server.closeConn(got.connId);
      }
    }
  })();
  const ask = (client: LspClient, bytes: number): void =>
    client.write(Uint8Array.of(bytes >> 8, bytes & 0xff));
  const hogs = await Promise.all(
    Array.from({ length: 60 }, () => connect({ host, port, params, limits: CLOSED })),
  );
  for (const hog of hogs) for (let n = 0; n < 40; n++) ask(hog, 1000);
  await until("the hogs fill the memory", () => server.stats().queuedBytes > 400_000);
  for (let n = 0; n < 10; n++) {
    await using client = await connect({ host, port, params });
    ask(client, 2000);
    assertEquals((await within("an answer", client.read())).length, 2000);
  }
  for (const hog of hogs) void hog.close();
  await server.close();
  await serving;
});
