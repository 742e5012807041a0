/**
 * The server core against scripted peers in virtual time: answers, lost and standing miners, lost
 * clients, races, targets, lies.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { expectAnswer, expectExactCover, expectTidy } from "./server_checks.ts";
import { VirtualFleet } from "./server_fleet.ts";
import { scrambled } from "./server_puzzles.ts";

const MAX = (1n << 64n) - 1n;

describe("ServerCore answers", () => {
  test("a least-hash job with one miner", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    expectAnswer(fleet, fleet.client(), { upper: 9_999_999n, message: "7654321" });
    expectTidy(fleet);
  });

  test("with a thousand nonces tried one by one, the lowest of equal hashes", () => {
    const fleet = new VirtualFleet({ puzzle: scrambled });
    for (let i = 0; i < 3; i++) fleet.miner({ rate: 20_000, declared: 20_000 });
    const client = fleet.client();
    expectAnswer(fleet, client, { lower: 17n, upper: 60_000n, message: "ties" });
    expectTidy(fleet);
  });

  test("maxNonce 0, the single nonce 2^64-1, and ranges that touch 2^64-1", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    expectAnswer(fleet, client, { lower: 0n, upper: 0n });
    expectAnswer(fleet, client, { lower: MAX, upper: MAX });
    expectAnswer(fleet, client, { lower: MAX - 3_000_000n, upper: MAX });
    expectTidy(fleet);
  });

  test("the last nonce of a range that is a multiple of the chunk is searched", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 100_000, wire: "json" });
    const client = fleet.client();
    const { best } = expectAnswer(fleet, client, { upper: 300_000n, message: "300000" });
    expect(best).toEqual({ hash: 0n, nonce: 300_000n });
  });

  test("the least hash, not the last chunk's", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const { best } = expectAnswer(fleet, fleet.client(), { upper: 5_000_000n, message: "3" });
    expect(best.nonce).toBe(3n);
  });

  test("all of 0..2^64-1 costs the memory of a small job", () => {
    const fleet = new VirtualFleet();
    for (let i = 0; i < 10; i++) fleet.miner({ rate: 1e8 });
    fleet.client().submit({ upper: MAX });
    fleet.run(60_000);
    const { counts, jobs } = fleet.core.snapshot();
    expect(jobs[0]!.done).toBeGreaterThan(10_000_000_000n);
    expect(counts.chunks).toBeLessThanOrEqual(20);
    expect(counts.intervals).toBeLessThanOrEqual(30);
  });
});

describe("ServerCore keeps what a lost miner confirmed", () => {
  test("only what lies after the cursor is searched again", () => {
    const fleet = new VirtualFleet();
    const lost = fleet.miner({ rate: 1e6, declared: 1e6 });
    const client = fleet.client();
    const job = client.submit({ upper: 1_999_999n });
    fleet.run(900);
    lost.die();
    const heir = fleet.miner({ rate: 1e6, declared: 1e6 });
    expect(fleet.run(20_000, () => client.answers.has(job))).toBe(true);
    expectExactCover(fleet, client.connId, job, 0n, 1_999_999n);
    expect(lost.hashed + heir.hashed).toBeLessThan(2_000_000n + 300_000n);
    expectTidy(fleet);
  });

  test("a miner lost after its job had gone leaves the roster", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(3_000);
    fleet.drop(client.connId);
    miner.die();
    expect(fleet.core.snapshot().miners).toEqual([]);
    expectTidy(fleet);
  });
});
