/**
 * Trust has a memory: what a miner that is connected and does not work costs, once and later; and
 * what miners that have shown nothing yet can hold.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { expectAnswer, expectTidy } from "./checks.ts";
import { type FakeClient, type FakeMiner, VirtualFleet } from "./fleet.ts";

const MAX = (1n << 64n) - 1n;
/** Takes the healthy miner 2 s alone. */
const JOB = { upper: 1_999_999n };
/** One that is caught standing with a chunk may cost this much, once. */
const ONCE_MS = 7_000;
/** And this from then on: what the healthy miner takes alone, and round trips. */
const THEN_MS = 2_300;

/** Milliseconds from now until the job is answered. */
function timeOf(fleet: VirtualFleet, client: FakeClient, upper = JOB.upper): number {
  const startedMs = fleet.nowMs;
  return expectAnswer(fleet, client, { upper }).atMs - startedMs;
}

/**
 * Its hashing thread freezes; its main thread reads, and answers each Stop and each Shrink.
 */
function freeze(miner: FakeMiner): void {
  miner.stall();
  const receive = miner.receive.bind(miner);
  miner.receive = (payload) => {
    receive(payload);
    const message = miner.heard.at(-1)!;
    if (message.kind === "stop") answerStop(miner, message.chunk);
  };
}

function answerStop(miner: FakeMiner, chunk: number): void {
  const place = miner.tasks.findIndex((task) => task.chunk === chunk);
  if (place < 0) return;
  const [task] = miner.tasks.splice(place, 1);
  const { lower, next, message } = task!;
  const best = next > lower ? miner.fleet.puzzle.search(message, lower, next) : undefined;
  miner.say({ kind: "stopped", chunk, next, ...(best !== undefined && { best }) });
}

/** Two miners that have worked, of which one is then frozen: at once, or `afterMs` into a job. */
function frozenBesideHealthy(afterMs: number | undefined) {
  const fleet = new VirtualFleet();
  const frozen = fleet.miner({ rate: 1e6 });
  fleet.miner({ rate: 1e6 });
  const client = fleet.client();
  expectAnswer(fleet, client, { upper: 9_999_999n });
  if (afterMs === undefined) freeze(frozen);
  else fleet.at(fleet.nowMs + afterMs, () => freeze(frozen));
  return { fleet, frozen, client };
}

describe("a miner whose hashing thread is frozen", () => {
  // Regression: every job took 22 s for ever, although a healthy miner idled beside it.
  test.each([undefined, 10, 300, 600, 900])(
    "costs 7 s at most, once, and nothing from then on (frozen after %p ms)",
    (afterMs) => {
      const { fleet, frozen, client } = frozenBesideHealthy(afterMs);
      expect(timeOf(fleet, client)).toBeLessThan(ONCE_MS);
      // What it gives back now was done before.
      fleet.run(100);
      expect(fleet.core.snapshot().miners[0]!.standing).toBe("suspect");
      for (let i = 0; i < 10; i++) expect(timeOf(fleet, client)).toBeLessThan(THEN_MS);
      expect(fleet.core.snapshot().miners[0]!.standing).toBe("suspect");
      // It works again: at first by a probe, then as before.
      frozen.receive = Object.getPrototypeOf(frozen).receive.bind(frozen);
      frozen.resume();
      timeOf(fleet, client);
      expect(fleet.core.snapshot().miners[0]!.standing).toBe("proven");
      expect(timeOf(fleet, client)).toBeLessThan(1_300);
      expectTidy(fleet);
    },
  );

  test("costs no more when its reports had come seldom before", () => {
    const fleet = new VirtualFleet();
    const frozen = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    frozen.twist = (message) => (message.kind === "progress" ? undefined : message);
    // Chunks of a second, ended by Results only, with long pauses between the jobs.
    for (let i = 0; i < 5; i++) {
      expectAnswer(fleet, client, JOB);
      fleet.run(20_000);
    }
    client.submit({ upper: 9_999_999n });
    fleet.run(1_000);
    freeze(frozen);
    fleet.run(6_000);
    expect(fleet.core.snapshot().miners[0]!.standing).toBe("suspect");
  });

  test("gets less patience each time that it stalls, and has it back by working", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    client.submit({ upper: MAX });
    const stallsAfter = (): number => {
      fleet.run(3_000);
      miner.stall();
      const fromMs = fleet.nowMs;
      const isStalled = (): boolean => fleet.core.snapshot().miners[0]!.probation;
      expect(fleet.run(10_000, isStalled)).toBe(true);
      const tookMs = fleet.nowMs - fromMs;
      for (const chunk of miner.tasks.map((task) => task.chunk)) answerStop(miner, chunk);
      miner.resume();
      return tookMs;
    };
    expect(stallsAfter()).toBeGreaterThan(4_700);
    expect(stallsAfter()).toBeLessThan(2_700);
    expect(stallsAfter()).toBeLessThan(1_500);
    fleet.run(3 * fleet.core.limits.forgiveMs + 5_000);
    expect(stallsAfter()).toBeGreaterThan(4_700);
  });

  test("is let go after a minute of work in hand and none shown, and is told why", () => {
    const { fleet, frozen, client } = frozenBesideHealthy(undefined);
    fleet.run(10 * fleet.core.limits.probationMs);
    client.submit({ upper: MAX });
    expect(fleet.run(30_000, () => frozen.isClosed)).toBe(false);
    expect(fleet.run(40_000, () => frozen.isClosed)).toBe(true);
    const reason = "let go: it has shown no work for 60 s";
    expect(frozen.heard.at(-1)).toEqual({ kind: "refused", job: 0, reason });
    expect(fleet.log).toContain(`miner ${frozen.connId} left: ${reason}`);
  });

  test.each(["cbor", "json"] as const)("and silent (%s) is let go without any job left", (wire) => {
    const fleet = new VirtualFleet();
    const frozen = fleet.miner({ rate: 1e6, wire });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(2_000);
    frozen.stall();
    fleet.run(15_000);
    fleet.drop(client.connId);
    fleet.run(70_000);
    expect(frozen.isClosed).toBe(true);
    expect(fleet.core.wakeAtMs()).toBeUndefined();
    expectTidy(fleet);
  });
});

describe("miners that have shown nothing", () => {
  // Regression: idle strangers were served before proven miners, by what they declared.
  test("and are 400 keep small jobs of others by a second, not for ever", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    expectAnswer(fleet, fleet.client(), JOB);
    for (let i = 0; i < 400; i++) fleet.miner({ rate: 1e-9, declared: 1e19 });
    fleet.run(100);
    const clients = Array.from({ length: 10 }, () => fleet.client());
    for (const client of clients) client.submit({ upper: 99_999n });
    const isDone = (): boolean => clients.every(({ answers }) => answers.size > 0);
    expect(fleet.run(5_000, isDone)).toBe(true);
    // One after the other, too.
    for (const client of clients) expect(timeOf(fleet, client, 999_999n)).toBeLessThan(3_500);
  });

  test("are served after the proven, and of a short job one of them holds a probe at most", () => {
    const fleet = new VirtualFleet();
    const proven = fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    expectAnswer(fleet, client, JOB);
    for (let i = 0; i < 5; i++) fleet.miner({ rate: 1e-9, declared: 1e19 });
    fleet.run(100);
    proven.heard.length = 0;
    client.submit({ lower: 5n, upper: 900_004n });
    fleet.run(50);
    expect(proven.heard[0]).toMatchObject({ kind: "assign", work: { lower: 5n } });
    const holders = fleet.core.snapshot().miners.filter(({ standing, chunks }) => {
      return standing === "new" && chunks.length > 0;
    });
    expect(holders.length).toBe(1);
  });

  test("hold a probe each of a long job, whatever they declare, and none behind it", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    expectAnswer(fleet, fleet.client(), JOB);
    for (let i = 0; i < 20; i++) fleet.miner({ rate: 1e-9, declared: 1e19 });
    fleet.client().submit({ upper: MAX });
    fleet.run(2_000);
    const [proven, ...others] = fleet.core.snapshot().miners;
    expect(proven!.chunks.length).toBe(2);
    for (const { chunks } of others) {
      expect(chunks.map(({ lower, end }) => end - lower)).toEqual([100_000n]);
    }
  });

  test("lend nothing to what clients hear of the fleet's rate", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    for (let i = 0; i < 400; i++) fleet.miner({ rate: 1e-9, declared: 2 ** 64 });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(5_000);
    expect(client.statuses.at(-1)!.fleetRate).toBeLessThan(1.1e6);
  });
});
