/**
 * What one address and one client can take of the server: never all of it.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { connect, type LspLimits } from "../../lsp/mod.ts";
import { readCommandLine } from "../../run/args.ts";
import {
  LIMIT_FLAGS,
  serverLimits,
  TRANSPORT_FLAGS,
  transportLimits,
} from "../../server/flags_adapter.ts";
import type { ServerLimits } from "../../server/limits.ts";
import { serve, TRANSPORT_LIMITS } from "../../server/mod.ts";
import { networkOf, Shares } from "../../server/shares.ts";
import { ENCODED_BYTES_MAX, MESSAGES_VERSION } from "../../work/messages.ts";
import { until } from "../support/waiting.ts";
import { expectAnswer, expectTidy } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 2n;

/** A fleet in which connections below `from` share an address, and others have one each. */
function crowded(limits: Partial<ServerLimits>, from: number): VirtualFleet {
  const addressOf = (connId: number): string =>
    connId < from ? `192.0.2.1:${1_000 + connId}` : `198.51.100.${connId}:6060`;
  return new VirtualFleet({ limits, addressOf });
}

describe("one address", () => {
  // Regression: 20 connections took all 20,000 jobs.
  test("cannot take all jobs, by however many connections", () => {
    const limits = { maxJobs: 100, maxJobsPerAddress: 40, maxJobsPerClient: 10 };
    const fleet = crowded(limits, 21);
    const crowd = Array.from({ length: 20 }, () => fleet.client());
    for (const client of crowd) for (let i = 0; i < 15; i++) client.submit({ upper: MAX });
    fleet.run(100);
    expect(fleet.core.snapshot().jobs.length).toBe(40);
    const reasons = new Set(crowd.flatMap(({ refusals }) => refusals.map(({ reason }) => reason)));
    expect([...reasons]).toEqual([
      "this client has reached its limit of 10 jobs",
      "this address has reached its limit of 40 jobs",
    ]);
    const other = fleet.client();
    other.submit({ upper: MAX });
    fleet.run(100);
    expect(other.refusals).toEqual([]);
  });

  // Regression: two connections took the 64 MiB.
  test("cannot take all room for messages, nor can one client", () => {
    const bytes = 50_000;
    const fleet = crowded(
      {
        maxMessageBytesTotal: 10 * bytes,
        maxMessageBytesPerAddress: 4 * bytes,
        maxMessageBytesPerClient: 3 * bytes,
      },
      3,
    );
    const message = "m".repeat(bytes);
    const [a, b, other] = [fleet.client(), fleet.client(), fleet.client()];
    for (let i = 0; i < 5; i++) a.submit({ upper: MAX, message });
    for (let i = 0; i < 5; i++) b.submit({ upper: MAX, message });
    other.submit({ upper: MAX, message });
    fleet.run(100);
    const refused = (reason: string) => ({ reason });
    expect(a.refusals).toMatchObject(
      Array.from({ length: 2 }, () =>
        refused("this client has reached its limit of 150000 bytes of messages"),
      ),
    );
    expect(b.refusals).toMatchObject(
      Array.from({ length: 4 }, () =>
        refused("this address has reached its limit of 200000 bytes of messages"),
      ),
    );
    expect(other.refusals).toEqual([]);
  });

  test("cannot take all places of miners and clients", () => {
    const fleet = crowded({ maxMinersPerAddress: 2, maxClientsPerAddress: 3 }, 100);
    const miners = Array.from({ length: 4 }, () => fleet.miner({ rate: 1 }));
    const classic = fleet.miner({ rate: 1, wire: "json" });
    const clients = Array.from({ length: 4 }, () => fleet.client());
    for (const client of clients) client.submit({ upper: MAX });
    fleet.run(100);
    expect(miners.map(({ isClosed }) => isClosed)).toEqual([false, false, true, true]);
    expect(classic.isClosed).toBe(true);
    expect(miners[3]!.heard).toMatchObject([
      { kind: "refused", job: 0, reason: "this address has reached its limit of 2 miners" },
    ]);
    expect(clients[3]!.refusals).toMatchObject([
      { reason: "this address has reached its limit of 3 clients" },
    ]);
    // A place that becomes free is given again.
    miners[0]!.die();
    fleet.drop(clients[0]!.connId);
    const [miner, client] = [fleet.miner({ rate: 1e6 }), fleet.client()];
    client.submit({ upper: MAX });
    fleet.run(100);
    expect(miner.isClosed).toBe(false);
    expect(client.refusals).toEqual([]);
  });

  test("gets back what its jobs took, whichever way they end", () => {
    const fleet = crowded(
      { maxJobsPerAddress: 2, maxMessageBytesPerAddress: 20, maxMessageBytesPerClient: 5 },
      10_000,
    );
    for (let round = 0; round < 10; round++) {
      const miner = fleet.miner({ rate: 1e6 });
      const [stays, goes] = [fleet.client(), fleet.client()];
      goes.submit({ upper: MAX });
      const job = stays.submit({ upper: MAX });
      fleet.run(50);
      expect(fleet.core.snapshot().jobs.length).toBe(2);
      stays.say({ kind: "cancel", job });
      fleet.drop(goes.connId);
      expectAnswer(fleet, stays, { upper: 100_000n });
      expect(stays.refusals).toEqual([]);
      fleet.drop(stays.connId);
      miner.die();
    }
    expectTidy(fleet);
  });
});

describe("Shares", () => {
  test("forget an address of which nothing is left, jobs included", () => {
    const shares = new Shares();
    const share = shares.of(1, "192.0.2.1:5");
    shares.enter(1, share, "clients");
    shares.countJob(share, 10, 1);
    expect(shares.of(2, "192.0.2.1:9")).toBe(share);
    shares.leave(1);
    expect(shares.size).toBe(1);
    shares.countJob(share, 10, -1);
    expect(shares.size).toBe(0);
    shares.leave(1);
  });

  test("take a host for an address, and 64 bits of an IPv6 one; the unknown each for its own", () => {
    expect(networkOf("192.0.2.1:6060")).toBe("192.0.2.1");
    for (const host of ["[2001:db8:1:2::1]:1", "[2001:db8:1:2:3:4:5:6]:2", "[2001:db8:1:2::]:3"]) {
      expect(networkOf(host)).toBe("2001:db8:1:2");
    }
    expect(networkOf("[::1]:6060")).toBe("0:0:0:0");
    expect(networkOf("[fe80::1%lo]:6060")).toBe("fe80:0:0:0");
    const shares = new Shares();
    shares.enter(1, shares.of(1, undefined), "miners");
    expect(shares.of(2, undefined).miners).toBe(0);
  });
});

describe("serve()", () => {
  // Regression: it took messages of 64 MiB, although none of its own has more than 64 KiB.
  test("takes no LSP message that is longer than the longest of its own", async () => {
    await using server = await serve({ port: 0 });
    await using stranger = await connect({
      host: server.host,
      port: server.port,
      appVersion: MESSAGES_VERSION,
    });
    expect(() => stranger.write(new Uint8Array(ENCODED_BYTES_MAX + 1))).toThrow(
      `${ENCODED_BYTES_MAX}`,
    );
    stranger.write(new Uint8Array(ENCODED_BYTES_MAX));
    // It is read, makes no sense, and is refused in words.
    expect((await stranger.read()).length).toBeGreaterThan(10);
  });

  test("has LSP's limits on its command line, in the documents, and in its LSP", async () => {
    const page = await Bun.file(new URL("../../docs/memory.md", import.meta.url)).text();
    const usage = { name: "server", takes: "", count: [0, 0], about: "" } as const;
    const parse = (...argv: string[]) =>
      transportLimits(readCommandLine({ ...usage, flags: TRANSPORT_FLAGS }, argv));
    for (const [flag, { value }] of Object.entries(TRANSPORT_FLAGS)) {
      expect(page).toContain(`| \`--${flag}\``);
      if (value === undefined) continue;
      const key = flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      const most = TRANSPORT_LIMITS[key as keyof LspLimits];
      const shown = most % 2 ** 20 === 0 ? `${most / 2 ** 20} MiB` : most.toLocaleString("en");
      expect(page).toMatch(new RegExp(`\\| \`--${flag}\` +\\| +${shown} \\| ${key} `));
      expect(parse(`--${flag}`, "5000")).toEqual({ [key]: 5000 });
      expect(() => parse(`--${flag}`, "0")).toThrow(`--${flag} is "0"`);
    }
    expect(() => parse("--max-unread-bytes-total", "5")).toThrow("maxUnreadBytesTotal: got 5");
    await using server = await serve({ port: 0, transport: { maxConnections: 1 } });
    const { port } = server;
    await using first = await connect({ host: "127.0.0.1", port, appVersion: MESSAGES_VERSION });
    const second = connect({ host: "127.0.0.1", port, appVersion: MESSAGES_VERSION });
    const why = await second.then(String, (error: Error) => error.message);
    expect([first.connId, why]).toEqual([1, "the server has reached its limit of 1 connections"]);
    const broken = serve({ port: 0, transport: { maxConnections: 0 } });
    expect(await broken.then(String, String)).toContain("transport: Cannot use maxConnections");
  });

  test("leaves out classic peers if it is told to", async () => {
    const params = { epochMillis: 20, epochLimit: 3 };
    await using server = await serve({ port: 0, params, classic: false });
    const { port } = server;
    const dial = connect({ host: "127.0.0.1", port, params, wire: "json" });
    expect(await dial.then(String, String)).toContain("no answer");
    // What is sent before the dial is given up may be read a moment later.
    await until("what it ignored", () => server.transport().rejected["classic"]! >= 1);
  });

  test("has each share on its command line, and in the documents", async () => {
    const usage = {
      name: "server",
      takes: "",
      count: [0, 0],
      about: "",
      flags: LIMIT_FLAGS,
    } as const;
    const page = await Bun.file(new URL("../../docs/scheduling.md", import.meta.url)).text();
    for (const flag of Object.keys(LIMIT_FLAGS)) {
      expect(page).toContain(`\`--${flag}\``);
      const key = flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      const line = readCommandLine(usage, [`--${flag}`, "17"]);
      expect(serverLimits(line)).toEqual({ [key]: 17 });
      const wrong = readCommandLine(usage, [`--${flag}`, "many"]);
      expect(() => serverLimits(wrong)).toThrow(`--${flag} is "many", expected a whole number`);
    }
  });
});
