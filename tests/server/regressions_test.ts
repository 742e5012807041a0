/**
 * docs/lsp.md, section 10, the server's part: mistakes of published implementations, each a test.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { classicResult } from "../../work/classic.ts";
import { expectAnswer, expectExactCover, expectTidy } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 1n;

describe("docs/lsp.md, section 10:", () => {
  test("the last nonce is searched when the range is a multiple of the chunk", () => {
    for (const wire of ["cbor", "json"] as const) {
      const fleet = new VirtualFleet();
      fleet.miner({ rate: 100_000, wire });
      const order = { upper: 300_000n, message: "300000" };
      expect(expectAnswer(fleet, fleet.client(), order).best.nonce).toBe(300_000n);
      expectTidy(fleet);
    }
  });

  test("maxNonce 0 is answered, to both kinds of client", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    expect(expectAnswer(fleet, fleet.client(), { upper: 0n }).best.nonce).toBe(0n);
    const classic = fleet.client("json");
    classic.submit({ upper: 0n, message: "9" });
    expect(fleet.run(5_000, () => classic.results.length > 0)).toBe(true);
    expect(classic.results[0]).toMatchObject({ type: 2, hash: 9n, nonce: 0n });
  });

  test("a Result from a connection that never joined is counted and does nothing", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1, joins: false });
    miner.say({ kind: "result", chunk: 1, best: { hash: 1n, nonce: 1n } });
    const classic = fleet.miner({ rate: 1, joins: false, wire: "json" });
    classic.sendClassic(classicResult({ hash: 1n, nonce: 1n }));
    fleet.run(100);
    expect(fleet.core.snapshot().rejected).toEqual({
      "result from a stranger": 1,
      "classic Result from a stranger": 1,
    });
    fleet.miner({ rate: 1e6 });
    expectAnswer(fleet, fleet.client(), { upper: 100_000n });
  });

  test("a range that ends at 2^64 - 1 ends", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    fleet.miner({ rate: 1e6, wire: "json" });
    expectAnswer(fleet, fleet.client(), { lower: MAX - 5_000_000n, upper: MAX });
    expectTidy(fleet);
  });

  test("a lost miner leaves the roster although its job had gone", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(3_000);
    fleet.drop(client.connId);
    miner.die();
    const { miners, counts, tables } = fleet.core.snapshot();
    expect(miners).toEqual([]);
    expect(counts).toEqual({ chunks: 0, intervals: 0, doubts: 0, idle: 0, thirsty: 0 });
    expect(Object.values(tables).every((size) => size === 0)).toBe(true);
  });

  test("a Result for a cancelled job frees the miner", () => {
    for (const wire of ["cbor", "json"] as const) {
      const fleet = new VirtualFleet({ delayMs: 50 });
      const miner = fleet.miner({ rate: 200_000, wire });
      const client = fleet.client();
      client.submit({ upper: 100_000n });
      // The Result (after 500 ms of work) and the Cancel cross.
      fleet.at(570, () => client.say({ kind: "cancel", job: 1 }));
      fleet.run(2_000);
      expect(client.answers.size).toBe(0);
      expect(fleet.core.snapshot().rejected).toEqual({});
      expect(miner.tasks).toEqual([]);
      expectTidy(fleet);
      expectAnswer(fleet, client, { upper: 100_000n });
    }
  });

  test("the answer is the least hash, not the last chunk's", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const { best } = expectAnswer(fleet, fleet.client(), { upper: 5_000_000n, message: "3" });
    expect(best).toEqual({ hash: 0n, nonce: 3n });
  });

  test("chunk bounds do not overlap", () => {
    const fleet = new VirtualFleet();
    const miners = [1e5, 3e5, 1e6].map((rate) => fleet.miner({ rate }));
    const client = fleet.client();
    const job = client.submit({ upper: 9_999_999n });
    expect(fleet.run(60_000, () => client.answers.has(job))).toBe(true);
    expectExactCover(fleet, client.connId, job, 0n, 9_999_999n);
    const hashed = miners.reduce((sum, miner) => sum + miner.hashed, 0n);
    expect(hashed).toBe(10_000_000n);
  });

  test("a big job is not starved by an endless row of small ones", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6, declared: 1e6 });
    const big = fleet.client();
    big.submit({ upper: 5_000_000n });
    fleet.run(100);
    for (let second = 0; second < 40; second++) {
      const client = fleet.client();
      // Twice as much work as the fleet can do.
      fleet.at(fleet.nowMs + second * 1000, () => client.submit({ upper: 1_999_999n }));
    }
    expect(fleet.run(30_000, () => big.answers.has(1))).toBe(true);
  });
});
