/**
 * Idle time, stragglers, races and standing miners at the server core.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { expectAnswer, expectExactCover, expectTidy } from "./checks.ts";
import { type FakeMiner, VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 1n;

function kinds(miner: FakeMiner): string[] {
  return miner.heard.map(({ kind }) => kind);
}

/** How many nonces each chunk of the miner had when it was assigned. */
function sizesOf(miner: FakeMiner): bigint[] {
  return miner.heard.flatMap((m) =>
    m.kind === "assign" ? [m.work.upper - m.work.lower + 1n] : [],
  );
}

describe("chunks", () => {
  test("are about a second each, one queued behind the running one", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    fleet.client().submit({ upper: MAX });
    fleet.run(20_000);
    const sizes = sizesOf(miner);
    expect(sizes[0]).toBe(100_000n);
    for (const size of sizes.slice(8)) {
      expect(size).toBeGreaterThan(900_000n);
      expect(size).toBeLessThan(1_100_000n);
    }
    expect(miner.tasks.length).toBe(2);
  });

  test("begin with a probe, and go on with what the miner declared if the probe bears it out", () => {
    const fleet = new VirtualFleet();
    const fast = fleet.miner({ rate: 1e8, declared: 1e8 });
    const slow = fleet.miner({ rate: 1e3, declared: 1e3 });
    fleet.client().submit({ upper: MAX });
    fleet.run(100);
    expect(sizesOf(fast).slice(0, 2)).toEqual([100_000n, 100_000_000n]);
    expect(sizesOf(slow)).toEqual([1_000n]);
  });

  // Regression (fleet seed 614): all of it counted, and a miner then got 35 s of work at a time.
  test("count up to their hit for the miner's rate, although their job is over by then", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e5 });
    const client = fleet.client();
    client.submit({ upper: MAX, message: "0", target: 5n });
    // The Result of the hit (after 250 ms of work) and the Cancel cross.
    fleet.at(257, () => client.say({ kind: "cancel", job: 1 }));
    fleet.run(300);
    client.submit({ upper: MAX });
    fleet.run(20);
    const [probe, next] = sizesOf(miner);
    expect(probe).toBe(100_000n);
    expect(Number(next)).toBeLessThanOrEqual(2 * 1e5);
  });

  // Regression (fleet seed 187): miners got one of its jobs after the other, to drop it at once.
  test("of a client that is gone are given to nobody, however many jobs it had", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    for (let job = 1; job <= 5; job++) client.submit({ upper: MAX });
    fleet.run(1_000);
    const before = sizesOf(miner).length;
    fleet.drop(client.connId);
    fleet.run(1_000);
    expect(sizesOf(miner).length).toBe(before);
    expectTidy(fleet);
  });

  // Regression: what a miner declared was believed, so that one that did nothing held 2^48 nonces.
  test("begin with a probe whatever a miner promises, and grow by what it shows", () => {
    const fleet = new VirtualFleet();
    const silent = fleet.miner({ rate: 1e-9, declared: 1e19 });
    const miner = fleet.miner({ rate: 1e7, declared: 1e19 });
    fleet.client().submit({ upper: MAX });
    fleet.run(1_000);
    expect(sizesOf(silent)).toEqual([100_000n]);
    const [probe, next] = sizesOf(miner);
    expect(probe).toBe(100_000n);
    expect(Number(next)).toBeLessThanOrEqual(1e7 * fleet.core.limits.declaredFactor);
  });

  test("while work is pending a miner idles at most one round trip", () => {
    const fleet = new VirtualFleet({ delayMs: 40 });
    const miners = [1e5, 1e6, 5e6].map((rate) => fleet.miner({ rate, declared: rate }));
    fleet.client().submit({ upper: MAX });
    fleet.run(1_000);
    for (const miner of miners) miner.idleMs = 0;
    fleet.run(30_000);
    for (const miner of miners) expect(miner.idleMs).toBeLessThanOrEqual(80);
  });

  test("shrink towards the end so that unequal miners end together", () => {
    const fleet = new VirtualFleet();
    const rates = [1e5, 1e6, 3e6, 7e6];
    for (const rate of rates) fleet.miner({ rate, declared: rate });
    const client = fleet.client();
    const { atMs } = expectAnswer(fleet, client, { upper: 99_999_999n });
    const idealMs = 1e8 / (rates.reduce((a, b) => a + b) / 1000);
    expect(atMs).toBeLessThan(idealMs * 1.03 + 50);
    expectTidy(fleet);
  });
});

/** A miner that became slow with two long chunks in hand, and does not shrink them. */
function slowedDown(fleet: VirtualFleet) {
  const deaf = fleet.miner({ rate: 1e7, deaf: true });
  const client = fleet.client();
  const job = client.submit({ upper: 39_999_999n });
  fleet.run(500);
  deaf.rate = 1e4;
  return { deaf, client, job };
}

describe("an idle miner", () => {
  test("takes over the tail of a running chunk; no nonce is hashed twice", () => {
    const fleet = new VirtualFleet();
    const slow = fleet.miner({ rate: 1e6, declared: 2e6 });
    const client = fleet.client();
    const job = client.submit({ upper: 1_999_999n });
    fleet.run(300);
    const fast = fleet.miner({ rate: 5e6, declared: 5e6 });
    expect(fleet.run(10_000, () => client.answers.has(job))).toBe(true);
    expect(kinds(slow)).toContain("shrink");
    expectExactCover(fleet, client.connId, job, 0n, 1_999_999n);
    expect(slow.hashed + fast.hashed).toBe(2_000_000n);
    expect(client.answer(job).atMs).toBeLessThan(800);
    expectTidy(fleet);
  });

  test("races one that does not confirm; the first answer counts, the loser is told to stop", () => {
    const fleet = new VirtualFleet();
    const { deaf, client, job } = slowedDown(fleet);
    fleet.miner({ rate: 1e8 });
    expect(fleet.run(7_000, () => client.answers.has(job))).toBe(true);
    expectExactCover(fleet, client.connId, job, 0n, 39_999_999n);
    fleet.run(100);
    expect(kinds(deaf)).toContain("stop");
    expect(deaf.tasks).toEqual([]);
    expectTidy(fleet);
  });

  test("who loses the race is told to stop when the straggler was first after all", () => {
    const fleet = new VirtualFleet();
    const { deaf, client, job } = slowedDown(fleet);
    const { upper: most } = deaf.tasks[0]!;
    const helper = fleet.miner({ rate: 1e8 });
    // Until it works on what the deaf one still has.
    const isRacing = (): boolean => helper.tasks.some(({ lower }) => lower < most);
    expect(fleet.run(10_000, isRacing)).toBe(true);
    deaf.rate = 1e9;
    fleet.run(50);
    expect(kinds(helper)).toContain("stop");
    expect(fleet.run(10_000, () => client.answers.has(job))).toBe(true);
    expectExactCover(fleet, client.connId, job, 0n, 39_999_999n);
    fleet.run(100);
    expect(helper.tasks).toEqual([]);
    expectTidy(fleet);
  });
});

/** A race for the chunks of two miners that never confirm, against one that `finishes` some. */
function race(finishes: (lower: bigint) => boolean) {
  const fleet = new VirtualFleet({ limits: { stallMs: 60_000, lateMs: 60_000 } });
  const deaf = [0, 1].map(() => fleet.miner({ rate: 1e-9, declared: 500, deaf: true }));
  const client = fleet.client();
  client.submit({ upper: 999n });
  fleet.run(50);
  expect(deaf[0]!.heard[0]).toMatchObject({ chunk: 1, work: { lower: 0n, upper: 249n } });
  expect(deaf[1]!.heard[0]).toMatchObject({ chunk: 1, work: { lower: 250n, upper: 437n } });
  const helper = fleet.miner({ rate: 1e-9, declared: 500 });
  const receive = helper.receive.bind(helper);
  helper.receive = (payload) => {
    receive(payload);
    const message = helper.heard.at(-1)!;
    if (message.kind !== "assign" || !finishes(message.work.lower)) return;
    const { subject, lower, upper } = message.work;
    const best = fleet.puzzle.search(String(subject), lower, upper + 1n);
    helper.say({ kind: "result", chunk: message.chunk, best });
  };
  fleet.run(5_000);
  return { fleet, first: deaf[0]!, helper, client };
}

describe("in a race that is not the job's end", () => {
  test("the helper is told to stop when the straggler was first", () => {
    const { fleet, first, helper, client } = race((lower) => lower >= 250n);
    const racing = helper.tasks.filter(({ lower }) => lower < 250n).map(({ chunk }) => chunk);
    expect(racing.length).toBe(2);
    first.say({ kind: "result", chunk: 1, best: fleet.puzzle.search("12345", 0n, 250n) });
    fleet.run(30);
    const stops = helper.heard.flatMap((m) => (m.kind === "stop" ? [m.chunk] : []));
    expect(stops).toEqual(racing);
    expect(client.answers.size).toBe(0);
  });

  test("the straggler is told to stop when the helper was first", () => {
    const { first, client } = race((lower) => lower < 250n || lower >= 438n);
    expect(first.heard.at(-1)).toEqual({ kind: "stop", chunk: 1 });
    expect(client.answers.size).toBe(0);
  });
});

describe("a miner whose cursor stands", () => {
  test("for 5 s loses its chunks although its connection lives, and others do them", () => {
    const fleet = new VirtualFleet();
    const standing = fleet.miner({ rate: 1e6, declared: 1e6 });
    const client = fleet.client();
    const job = client.submit({ upper: 4_999_999n });
    fleet.run(1_500);
    standing.stall();
    fleet.run(4_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(false);
    fleet.run(2_000);
    const [miner] = fleet.core.snapshot().miners;
    expect(miner!.probation).toBe(true);
    expect(miner!.chunks.every(({ next, heldEnd }) => next === heldEnd)).toBe(true);
    fleet.miner({ rate: 1e6, declared: 1e6 });
    expect(fleet.run(10_000, () => client.answers.has(job))).toBe(true);
    expectExactCover(fleet, client.connId, job, 0n, 4_999_999n);
  });

  test("gets no work until it has answered for all it had, then begins anew", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6, declared: 1e6 });
    const client = fleet.client();
    const job = client.submit({ upper: 4_999_999n });
    fleet.run(1_500);
    miner.twist = () => undefined;
    fleet.run(7_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(true);
    const before = miner.heard.filter(({ kind }) => kind === "assign").length;
    fleet.run(10_000);
    expect(miner.heard.filter(({ kind }) => kind === "assign").length).toBe(before);
    expect(client.answers.has(job)).toBe(false);
    expect(fleet.core.wakeAtMs()).toBeDefined();
    // Its answers come at last.
    miner.twist = (message) => message;
    for (const { chunks } of fleet.core.snapshot().miners) {
      for (const { id, lower } of chunks) miner.say({ kind: "stopped", chunk: id, next: lower });
    }
    expect(fleet.run(10_000, () => client.answers.has(job))).toBe(true);
    expect(fleet.log.join("\n")).toContain("works again");
    expectTidy(fleet);
  });

  test("is not suspected while this machine slept: reports are read before judging", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6, declared: 1e6 });
    fleet.client().submit({ upper: MAX });
    fleet.run(3_000);
    // Its reports are under way, so to speak: the server's clock is looked at before them.
    miner.stall();
    fleet.sleep(3_600_000);
    miner.resume();
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(false);
    fleet.run(3_000);
    expect(fleet.core.snapshot().miners[0]!.probation).toBe(false);
  });
});

describe("a miner that became slow", () => {
  test("has its chunk trimmed, so that a small job need not wait for it", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6, declared: 1e6 });
    fleet.client().submit({ upper: MAX });
    fleet.run(5_000);
    miner.rate = 1e4;
    fleet.run(15_000);
    const small = fleet.client();
    small.submit({ upper: 9_999n });
    expect(fleet.run(8_000, () => small.answers.has(1))).toBe(true);
  });

  test("and one that promised a billion times too much, likewise", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e4, declared: 1e13 });
    fleet.client().submit({ upper: MAX });
    fleet.run(10_000);
    const small = fleet.client();
    small.submit({ upper: 9_999n });
    expect(fleet.run(8_000, () => small.answers.has(1))).toBe(true);
  });
});
