/**
 * The server core against scripted peers in virtual time: answers, lost and standing miners, lost
 * clients, races, targets, lies.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { expectAnswer, expectExactCover, expectTidy } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";
import { scrambled } from "./puzzles.ts";

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
});

describe("a target job", () => {
  test("ends at the lowest hit; work above it is stopped, work below is finished", () => {
    const fleet = new VirtualFleet();
    const miners = [0, 1, 2, 3].map(() => fleet.miner({ rate: 1e6, declared: 1e6 }));
    const client = fleet.client();
    // Hits are 6,900,000..7,100,000.
    const order = { upper: 999_999_999n, message: "7000000", target: 100_000n };
    const { best, met, atMs } = expectAnswer(fleet, client, order);
    expect({ met, nonce: best.nonce }).toEqual({ met: true, nonce: 6_900_000n });
    expect(atMs).toBeLessThan(4_000);
    fleet.run(100);
    for (const miner of miners) expect(miner.tasks).toEqual([]);
    expectTidy(fleet);
  });

  test("unmet, is answered by the least hash and says so", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const order = { lower: 10n, upper: 2_000_000n, message: "1", target: 8n };
    const { best, met } = expectAnswer(fleet, fleet.client(), order);
    expect({ best, met }).toEqual({ best: { hash: 9n, nonce: 10n }, met: false });
  });

  test("a hit above the cursor is counted at once, and what lies below it still searched", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e-9, declared: 1_000 });
    const client = fleet.client();
    client.submit({ upper: 9_999n, message: "800", target: 10n });
    fleet.run(50);
    const first = { hash: fleet.puzzle.hash("800", 9n), nonce: 9n };
    miner.say({ kind: "progress", chunk: 1, next: 10n, best: first });
    fleet.run(50);
    const hit = { hash: 5n, nonce: 795n };
    miner.say({ kind: "progress", chunk: 1, next: 100n, best: hit });
    fleet.run(50);
    const [job] = fleet.core.snapshot().jobs;
    expect(job).toMatchObject({ best: hit, uncovered: [{ lower: 100n, end: 795n }] });
    // Its queued chunk lies above the hit; the running one knows the hit itself.
    expect(miner.heard.slice(2)).toEqual([{ kind: "stop", chunk: 2 }]);
    miner.say({ kind: "result", chunk: 1, best: { hash: 10n, nonce: 790n } });
    fleet.run(50);
    expect(client.answer().best.nonce).toBe(790n);
  });
});

describe("a client", () => {
  test("hears how its job stands a few times a second; without miners, that there are none", () => {
    const fleet = new VirtualFleet();
    const client = fleet.client();
    client.submit({ upper: 9_999_999n });
    fleet.run(1_000);
    expect(client.statuses.length).toBe(1);
    expect(client.statuses[0]).toMatchObject({ job: 1, done: 0n, miners: 0, fleetRate: 0 });
    for (let i = 0; i < 2; i++) fleet.miner({ rate: 1e6, declared: 1e6 });
    fleet.run(4_000);
    const heard = client.statuses.slice(1);
    expect(heard.length).toBeGreaterThan(8);
    expect(heard.length).toBeLessThan(20);
    const { done, jobRate, fleetRate, miners, best } = heard.at(-1)!;
    expect(Number(done)).toBeGreaterThan(6_500_000);
    expect(miners).toBe(2);
    expect(best?.hash).toBe(0n);
    for (const rate of [jobRate, fleetRate]) {
      expect(rate).toBeGreaterThan(1.6e6);
      expect(rate).toBeLessThan(2.4e6);
    }
  });

  test("that is lost takes its jobs along at once; its miners go to the others' jobs", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6, declared: 1e6 });
    const lost = fleet.client();
    const other = fleet.client();
    lost.submit({ upper: MAX });
    fleet.run(1_000);
    const job = other.submit({ upper: 4_999_999n, message: "4" });
    fleet.run(1_000);
    fleet.drop(lost.connId);
    const droppedMs = fleet.nowMs;
    fleet.run(2 * fleet.delayMs);
    expect(miner.tasks.every(({ message }) => message === "4")).toBe(true);
    expect(fleet.run(10_000, () => other.answers.has(job))).toBe(true);
    expect(other.answer(job).best.nonce).toBe(4n);
    expect(other.answer(job).atMs - droppedMs).toBeLessThan(5_100);
    expectTidy(fleet);
  });

  test("that cancels hears no more of the job, and may ask for another", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6, declared: 1e6 });
    const client = fleet.client();
    const job = client.submit({ upper: MAX });
    fleet.run(1_000);
    client.say({ kind: "cancel", job });
    fleet.run(20);
    client.statuses.length = 0;
    expectAnswer(fleet, client, { upper: 999_999n });
    expect(client.statuses.every((status) => status.job !== job)).toBe(true);
    expectTidy(fleet);
  });
});

describe("ServerCore status", () => {
  test("a job that is alone is told the fleet's rate from the first status on", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6, declared: 1e6 });
    const client = fleet.client();
    client.submit({ upper: 60_000_000n });
    fleet.run(3_000);
    expect(client.statuses.length).toBeGreaterThan(5);
    for (const { jobRate, fleetRate } of client.statuses) {
      expect(jobRate).toBe(fleetRate);
      expect(jobRate / 1e6).toBeWithin(0.8, 1.2);
    }
  });
});

describe("ServerCore log", () => {
  test("tells why a miner and a client left, and the answer with its time", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    expectAnswer(fleet, client, { upper: 1_999_999n });
    client.submit({ upper: MAX, target: 255n });
    fleet.run(1000);
    fleet.core.handle({ kind: "gone", connId: miner.connId, why: "said goodbye" }, fleet.nowMs);
    client.submit({ upper: 9n });
    fleet.run(100);
    fleet.drop(client.connId);
    const log = fleet.log.join("\n");
    expect(log).toContain("accepted from client 2: 2,000,000 nonces\n");
    expect(log).toMatch(/job (\w+-\w+) accepted [^\n]+\n.*job \1 answered/);
    expect(log).toMatch(/answered after \d\.\d s: nonce 12345 has hash 0000000000000000/);
    expect(log).toContain("18,446,744,073,709,551,616 nonces, target 00000000000000ff");
    expect(log).toContain(`miner ${miner.connId} left: said goodbye`);
    expect(log).toContain("left: its connection ended; its job is dropped");
  });
});

test("ServerCore learns what a miner hashes with, and little of its rate until it is seen", () => {
  const fleet = new VirtualFleet();
  const miner = fleet.miner({ rate: 1e6, declared: 5 });
  const kernel = { threads: 4, rate: 2e6, label: "fast", reason: "fastest of 3 measured" };
  miner.say({ kind: "hashing", ...kernel });
  fleet.run(20);
  const told = fleet.core.snapshot().miners[0]!;
  expect([told.label, told.threads, told.rate]).toEqual(["fast", 4, 1e5]);
  expect(fleet.log.at(-1)).toBe(
    "miner 1 hashes with fast, 4 threads, about 2.00 MH/s: fastest of 3 measured",
  );
  expectAnswer(fleet, fleet.client(), { upper: 9_999_999n, message: "7654321" });
  miner.say({ kind: "hashing", ...kernel, rate: 9e9 });
  fleet.run(20);
  expect(fleet.core.snapshot().miners[0]!.rate).toBeLessThan(1.2e6);
});
