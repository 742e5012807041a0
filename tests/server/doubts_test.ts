/**
 * A job that all miners fail in the same way: it is doubted, not they. And the other way round, a
 * miner that fails what others can do.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { classicRequest, encodeClassicMessage } from "../../work/classic.ts";
import type { Message } from "../../work/messages.ts";
import { expectAnswer, expectSoundBooks, expectTidy } from "./checks.ts";
import { type FakeMiner, VirtualFleet } from "./fleet.ts";

/** The job that is poison, and one that is none. */
const POISON = { message: "666", upper: 9_999_999n };
const GOOD = { message: "12345", upper: 2_000_000n };
const BEFORE_MS_MAX = 30_000;

/** How a miner fails: its best is of another message, or it gives back what it cannot read. */
type Way = "wrong hash" | "stopped unasked";

/** A miner that fails the job with the message `poison`, every time, and no other. */
function failing(
  fleet: VirtualFleet,
  way: Way,
  poison: string = POISON.message,
  rate = 1e6,
): FakeMiner {
  const miner = fleet.miner({ rate });
  const poisoned = new Set<number>();
  const receive = miner.receive.bind(miner);
  miner.receive = (payload) => {
    receive(payload);
    for (const task of miner.tasks) if (task.message === poison) poisoned.add(task.chunk);
  };
  miner.twist = (message: Message): Message | undefined => {
    if (!("chunk" in message) || !poisoned.has(message.chunk)) return message;
    if (message.kind !== "progress" && message.kind !== "result") return message;
    const { chunk } = message;
    if (way === "stopped unasked") return { kind: "stopped", chunk, next: 0n };
    return message.best ? { ...message, best: { ...message.best, hash: 1n } } : message;
  };
  return miner;
}

const strikesIn = (fleet: VirtualFleet) =>
  fleet.core.snapshot().miners.map(({ strikes }) => strikes);

describe.each<Way>(["wrong hash", "stopped unasked"])("a job that all miners fail (%s)", (way) => {
  test("is refused to its client with the reason; the miners keep their good standing", () => {
    const fleet = new VirtualFleet();
    fleet.afterInput = () => expectSoundBooks(fleet);
    const miners = [1, 2, 3].map(() => failing(fleet, way));
    const client = fleet.client();
    const job = client.submit(POISON);
    expect(fleet.run(BEFORE_MS_MAX, () => client.refusals.length > 0)).toBe(true);
    expect(client.refusals).toEqual([
      {
        kind: "refused",
        job,
        reason:
          `3 miners failed it and none is left to try (${way}): ` +
          "the job or the server may be at fault, not the miners",
      },
    ]);
    expect(strikesIn(fleet)).toEqual([0, 0, 0]);
    expect(miners.some(({ isClosed }) => isClosed)).toBe(false);
    expectAnswer(fleet, client, GOOD);
    expectTidy(fleet);
  });

  // Regression: it cost every miner its place; each came back four times a second, for ever.
  test("takes nothing from the jobs of others, however many there are like it", () => {
    const alone = new VirtualFleet();
    failing(alone, way);
    const bestCase = expectAnswer(alone, alone.client(), GOOD).atMs;
    const fleet = new VirtualFleet();
    const miner = failing(fleet, way);
    const poisoner = fleet.client();
    for (let i = 0; i < 5; i++) poisoner.submit(POISON);
    fleet.run(3_000);
    const startedMs = fleet.nowMs;
    const { atMs } = expectAnswer(fleet, fleet.client(), GOOD);
    // Its share of the fleet, and a chunk that was under way.
    expect(atMs - startedMs).toBeLessThan(2 * bestCase + 1_000);
    expect(fleet.run(BEFORE_MS_MAX, () => poisoner.refusals.length === 5)).toBe(true);
    expect(miner.isClosed).toBe(false);
    expect(strikesIn(fleet)).toEqual([0]);
    expectTidy(fleet);
  });

  test("hangs up on a classic client, whose wire has no words for it", () => {
    const fleet = new VirtualFleet();
    failing(fleet, way);
    const client = fleet.client("json");
    client.submit(POISON);
    expect(fleet.run(BEFORE_MS_MAX, () => client.isClosed)).toBe(true);
    expectTidy(fleet);
  });

  test("can be asked for again, under the same name, when the fleet is another", () => {
    const fleet = new VirtualFleet();
    failing(fleet, way);
    const client = fleet.client();
    const { message, upper } = POISON;
    const work = { subject: message, lower: 0n, upper };
    const session = BigInt(client.connId);
    const again = { kind: "submit", job: client.submit(POISON), session, work } as const;
    expect(fleet.run(BEFORE_MS_MAX, () => client.refusals.length > 0)).toBe(true);
    fleet.miner({ rate: 1e6 });
    client.say(again);
    expect(fleet.run(BEFORE_MS_MAX, () => client.answers.has(again.job))).toBe(true);
    expectTidy(fleet);
  });

  test("is done when a miner comes in time that can do it, and then they were at fault", () => {
    const fleet = new VirtualFleet();
    fleet.afterInput = () => expectSoundBooks(fleet);
    const liars = [1, 2].map(() => failing(fleet, way));
    fleet.at(5_000, () => fleet.miner({ rate: 1e6 }));
    expectAnswer(fleet, fleet.client(), POISON);
    fleet.run(100);
    expect(liars.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    expect(strikesIn(fleet)).toEqual([0]);
    expectTidy(fleet);
  });

  test("waits for a miner that has not failed it, however slow it is", () => {
    const fleet = new VirtualFleet();
    const liar = failing(fleet, way);
    fleet.miner({ rate: 10_000 });
    const { atMs } = expectAnswer(fleet, fleet.client(), { ...POISON, upper: 300_000n });
    expect(atMs).toBeGreaterThan(2 * fleet.core.limits.doubtMs);
    fleet.run(1_000);
    expect(liar.isClosed).toBe(true);
    expectTidy(fleet);
  });

  test("waits for none that stands still, or that its message cannot be sent to", () => {
    const message = POISON.message.padStart(1_400, "0");
    const fleet = new VirtualFleet();
    const zombie = fleet.miner({ rate: 1e6 });
    fleet.miner({ rate: 1e6, wire: "json" });
    const client = fleet.client();
    client.submit({ message: "1", upper: 3_000_000n });
    fleet.run(200);
    zombie.stall();
    expect(fleet.run(BEFORE_MS_MAX, () => client.answers.has(1))).toBe(true);
    failing(fleet, way, message);
    client.submit({ ...POISON, message });
    expect(fleet.run(BEFORE_MS_MAX, () => client.refusals.length > 0)).toBe(true);
    expect(strikesIn(fleet)).toEqual([0, 0, 0]);
  });
});

test("a part of a job that nobody can do is enough: the parts that were done blame no one", () => {
  const fleet = new VirtualFleet();
  const from = 4_000_000n;
  for (const miner of [1, 2].map(() => fleet.miner({ rate: 1e6 }))) {
    const reaches = new Set<number>();
    const receive = miner.receive.bind(miner);
    miner.receive = (payload) => {
      receive(payload);
      for (const { chunk, upper } of miner.tasks) if (upper >= from) reaches.add(chunk);
    };
    miner.twist = (message) => {
      if (message.kind !== "result" || !reaches.has(message.chunk)) return message;
      return { ...message, best: { ...message.best, hash: 1n } };
    };
  }
  const client = fleet.client();
  client.submit({ message: "7", upper: 9_999_999n });
  expect(fleet.run(60_000, () => client.refusals.length > 0)).toBe(true);
  expect(client.statuses.at(-1)!.done).toBeGreaterThan(from);
  expect(strikesIn(fleet)).toEqual([0, 0]);
  expectTidy(fleet);
});

// Regression (fleet seed 1481): it waited for the next tick, while an honest miner stood idle.
test("what a miner gives back that lies in its reports is handed on at once", () => {
  const fleet = new VirtualFleet();
  const honest = fleet.miner({ rate: 1e6 });
  const client = fleet.client();
  expectAnswer(fleet, client, GOOD);
  const liar = failing(fleet, "wrong hash", POISON.message, 10_000);
  fleet.run(20);
  fleet.afterInput = () => {
    const { jobs, miners } = fleet.core.snapshot();
    if (jobs.every((job) => job.pending.length === 0)) return;
    expect(miners.find(({ connId }) => connId === honest.connId)!.chunks).not.toEqual([]);
  };
  const { atMs } = expectAnswer(fleet, client, { ...POISON, upper: 199_999n });
  expect(liar.heard.some(({ kind }) => kind === "stop")).toBe(true);
  expect(atMs).toBeLessThan(10_000);
});

// Regression (fleet seed 60659): the silent one's probe kept every other new miner away, for ever,
// so that proven miners could soon have done the rest, which they must not.
test("new miners get a job that no proven one may have, although others hold a probe of it", () => {
  const fleet = new VirtualFleet();
  const client = fleet.client();
  // Proven, and of no use for the job that follows.
  failing(fleet, "wrong hash");
  expectAnswer(fleet, client, GOOD);
  const job = client.submit({ ...POISON, upper: 99_999n });
  fleet.run(1_000);
  fleet.miner({ rate: 1e5, wire: "json" }).stall();
  fleet.run(50);
  const chunks = fleet.core.snapshot().miners.map((miner) => miner.chunks.length);
  expect(chunks).toEqual([0, 1]);
  // A slow one does not make up for it when it is proven.
  fleet.miner({ rate: 100 });
  fleet.run(1_000);
  fleet.miner({ rate: 1e5 });
  expect(fleet.run(5_000, () => client.answers.has(job))).toBe(true);
});

test("what is doubted is forgotten with its miners, and with its job", () => {
  const fleet = new VirtualFleet();
  const doubts = (): number => fleet.core.snapshot().counts.doubts;
  const miners = [1, 2].map(() => failing(fleet, "wrong hash"));
  const client = fleet.client();
  const job = client.submit(POISON);
  fleet.run(5_000);
  expect(doubts()).toBe(1);
  for (const miner of miners) miner.die();
  expect(doubts()).toBe(0);
  failing(fleet, "wrong hash");
  fleet.run(1_000);
  expect(doubts()).toBe(1);
  client.say({ kind: "cancel", job });
  fleet.run(50);
  expect(doubts()).toBe(0);
  expectAnswer(fleet, client, GOOD);
  expectTidy(fleet);
});

describe("a request that cannot be read", () => {
  // Regression: it became a job whose Assign no cbor miner could read; each stood still for ever.
  test("on the json wire is hung up on at the door, and touches no miner", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client("json");
    const request = encodeClassicMessage(classicRequest("\ud800", 0n, 9n));
    expect(new TextDecoder().decode(request)).toContain('"Data":"\\ud800"');
    fleet.send(client.connId, "json", request);
    fleet.run(100);
    expect(client.isClosed).toBe(true);
    expect(fleet.core.snapshot()).toMatchObject({ jobs: [], clients: 0 });
    expect(fleet.log.at(-1)).toContain("the request cannot be read: Data has a lone surrogate");
    expectAnswer(fleet, fleet.client(), GOOD);
    expectTidy(fleet);
  });

  test("on the cbor wire is refused by its number; what else the client asked for goes on", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    const first = client.submit(GOOD);
    // A Submit of job 7 whose message is no UTF-8, and one whose range is empty.
    for (const hex of ["85100761ff000580", "86100861610500", "85100961610504" + "80"]) {
      fleet.send(client.connId, "cbor", Uint8Array.fromHex(hex));
    }
    fleet.run(50);
    expect(client.refusals.map(({ job }) => job)).toEqual([7, 8, 9]);
    for (const { reason } of client.refusals) expect(reason).toContain("cannot be read");
    expect(client.isClosed).toBe(false);
    expect(fleet.run(10_000, () => client.answers.has(first))).toBe(true);
  });

  test("and has no number is refused to the peer, with all that it asked for", () => {
    const fleet = new VirtualFleet();
    const client = fleet.client();
    client.submit(GOOD);
    fleet.run(50);
    fleet.send(client.connId, "cbor", Uint8Array.of(0xff));
    fleet.run(50);
    expect(client.refusals).toMatchObject([{ job: 0 }]);
    expect(client.isClosed).toBe(true);
    expect(fleet.core.snapshot()).toMatchObject({ jobs: [], clients: 0 });
  });

  test("does not end a job of the same number that is under way", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    const job = client.submit(GOOD);
    fleet.send(client.connId, "cbor", Uint8Array.fromHex("85100161ff000580"));
    expect(fleet.run(10_000, () => client.answers.has(job))).toBe(true);
    expect(client.refusals).toEqual([]);
  });
});
