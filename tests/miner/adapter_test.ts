/** `mine` against a server played by the test, over real sockets, with real threads. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { listen, type LspServer } from "../../lsp/mod.ts";
import { kernelNamed, mine, type MineOptions, type Miner } from "../../miner/mod.ts";
import {
  CLASSIC_JOIN,
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import { type Message, MESSAGES_VERSION, type ToMiner } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

/** Nobody falls silent by being kept from running for some seconds: a lost miner joins anew. */
const QUICK = { epochMillis: 100, epochLimit: 50 };

const least = (lower: bigint, upper: bigint) =>
  kernelNamed("bun")!.bind(Buffer.from("msg")).search(lower, upper);

/**
 * A server that a test plays by hand, with one miner. The miner's kernel is so slow that the test
 * can check all that it gets done, and its thread does not step back: on a busy machine one that
 * does may get no time at all.
 */
class Rig {
  readonly server: LspServer;
  readonly miner: Miner;
  connId = 0;

  private constructor(server: LspServer, options: Partial<MineOptions>) {
    this.server = server;
    const own = { threads: 1, kernel: "plain", niceness: "normal", params: QUICK } as const;
    this.miner = mine({ port: server.port, ...own, ...options });
  }

  static async start(options: Partial<MineOptions> = {}): Promise<Rig> {
    const params = QUICK;
    const appVersion = MESSAGES_VERSION;
    const rig = new Rig(await listen({ host: "127.0.0.1", port: 0, params, appVersion }), options);
    rigs.push(rig);
    return rig;
  }

  /** The next message, leaving out losses. */
  async payload(): Promise<Uint8Array> {
    for (;;) {
      const next = await this.server.read().catch(() => undefined);
      if (next === undefined) continue;
      this.connId = next.connId;
      return next.payload;
    }
  }

  /** The next message of that kind. */
  async told<K extends Message["kind"]>(kind: K): Promise<Extract<Message, { kind: K }>> {
    for (;;) {
      const message = decodeMessage(await this.payload());
      assert(typeof message !== "string", String(message));
      if (message.kind === kind) return message as Extract<Message, { kind: K }>;
    }
  }

  say(message: ToMiner): void {
    this.server.write(this.connId, encodeMessage(message));
  }
}

const rigs: Rig[] = [];
afterAll(() => Promise.all(rigs.flatMap(({ miner, server }) => [miner.close(), server.close()])));

const assign = (chunk: number, lower: bigint, upper: bigint) =>
  ({ kind: "assign", chunk, work: { subject: "msg", lower, upper } }) as const;

describe("mine", () => {
  test("joins, works through chunks, reports progress, shrinks and stops", async () => {
    const rig = await Rig.start();
    const join = await rig.told("join");
    assertEquals([join.threads, join.rate > 0], [1, true]);
    rig.say(assign(1, 5n, 2000n));
    assertEquals(await rig.told("result"), { kind: "result", chunk: 1, best: least(5n, 2000n) });
    rig.say(assign(2, 0n, 2n ** 64n - 1n));
    assert((await rig.told("progress")).next > 0n);
    rig.say({ kind: "shrink", chunk: 2, upper: 10n });
    const { upper } = await rig.told("shrunk");
    assertEquals(await rig.told("result"), { kind: "result", chunk: 2, best: least(0n, upper) });
    rig.say(assign(3, 0n, 2n ** 64n - 1n));
    rig.say({ kind: "stop", chunk: 3 });
    assertEquals((await rig.told("stopped")).chunk, 3);
    assertEquals(rig.miner.status().connected, true);
  });

  test("comes back after the server closed the connection, and joins again", async () => {
    const rig = await Rig.start();
    await rig.told("join");
    const first = rig.connId;
    rig.say(assign(1, 0n, 2n ** 64n - 1n));
    await rig.told("progress");
    rig.server.closeConn(first);
    await rig.told("join");
    assert(rig.connId !== first);
    rig.say(assign(1, 7n, 9n));
    assertEquals((await rig.told("result")).best, least(7n, 9n));
  });

  test("with `once` ends when the server is gone, and tells the reason", async () => {
    const rig = await Rig.start({ once: true });
    await rig.told("join");
    await rig.server.close();
    assert((await rig.miner.ended).includes("said goodbye"));
  });

  test("an abort says goodbye and ends it, also while it dials and in the middle of a chunk", async () => {
    const controller = new AbortController();
    const rig = await Rig.start({ signal: controller.signal });
    await rig.told("join");
    rig.say(assign(1, 0n, 2n ** 64n - 1n));
    await rig.told("progress");
    controller.abort();
    assertEquals(await rig.miner.ended, "closed");
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const dialing = mine({ port: silent.port, threads: 1 });
    await dialing.close();
    silent.close();
    const aborted = mine({ port: 1, threads: 1, signal: controller.signal });
    assertEquals(await aborted.ended, "closed");
  });

  test("serves a classic server, ranges up to 2^64 - 1 included", async () => {
    const rig = await Rig.start({ wire: "json", kernel: "auto" });
    assertEquals(decodeClassicMessage(await rig.payload()), CLASSIC_JOIN);
    const [lower, upper] = [2n ** 64n - 3000n, 2n ** 64n - 1n];
    rig.server.write(rig.connId, encodeClassicMessage(classicRequest("msg", lower, upper)));
    const result = decodeClassicMessage(await rig.payload());
    assertEquals(result, classicResult(least(lower, upper)));
  });
});
