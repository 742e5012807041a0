/**
 * Random fleets with random misfortunes, in virtual time: after every input the books are sound,
 * after healing every live job has the right answer, and at the end nothing is left over.
 *
 * @module
 */
import { expect } from "bun:test";
import fc from "fast-check";
import type { Candidate } from "../../work/candidate.ts";
import type { Answer } from "../../work/messages.ts";
import { expectExactCover, expectSoundBooks, expectTidy } from "./checks.ts";
import { type FakeClient, type FakeMiner, VirtualFleet } from "./fleet.ts";
import type { Order } from "./fleet_types.ts";
import { scrambled } from "./puzzles.ts";

const miner = fc.record({
  rate: fc.integer({ min: 2_000, max: 30_000 }),
  declared: fc.constantFrom(0, 10_000, 1_000_000),
  wire: fc.constantFrom("cbor", "cbor", "json"),
  deaf: fc.boolean(),
});

const order = fc.record({
  lower: fc.bigInt(0n, 1_000n),
  length: fc.bigInt(0n, 30_000n),
  message: fc.constantFrom("a", "b", "cd"),
  target: fc.constantFrom(undefined, undefined, 0n, 2n, 60n, 3_000n),
});

const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("submit" as const), order }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("join" as const), miner }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("die", "stall", "resume", "slow", "quick", "cancel", "leave"),
      which: fc.nat(9),
    }),
  },
);

const story = fc.record({
  delayMs: fc.constantFrom(1, 20, 150),
  events: fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 1_500 }), event }), {
    minLength: 4,
    maxLength: 30,
    size: "max",
  }),
});

interface Asked {
  readonly client: FakeClient;
  readonly job: number;
  readonly order: Order & { lower: bigint };
}

/** Least or lowest hit, as plainly as can be. */
function truth({ order: { lower, upper, message, target } }: Asked): Omit<Answer, "kind" | "job"> {
  const search = (wanted?: bigint): Candidate =>
    scrambled.search(message!, lower, upper + 1n, wanted);
  const hit = target === undefined ? undefined : search(target);
  if (hit !== undefined && hit.hash <= target!) return { best: hit, met: true };
  return { best: search(), met: target === undefined };
}

class Story {
  readonly fleet: VirtualFleet;
  readonly miners: FakeMiner[] = [];
  readonly asked = new Set<Asked>();

  constructor(delayMs: number) {
    this.fleet = new VirtualFleet({ delayMs, puzzle: scrambled, limits: { probeUnits: 1_000n } });
    this.fleet.afterInput = () => expectSoundBooks(this.fleet);
  }

  submit({
    lower,
    length,
    message,
    target,
  }: typeof order extends fc.Arbitrary<infer T> ? T : never) {
    const job = { lower, upper: lower + length, message, ...(target !== undefined && { target }) };
    const client = this.fleet.client();
    this.asked.add({ client, job: client.submit(job), order: job });
  }

  happen(kind: string, which: number): void {
    const chosen = this.miners[which % Math.max(1, this.miners.length)];
    const asked = [...this.asked][which % Math.max(1, this.asked.size)];
    if (kind === "cancel" && asked !== undefined) {
      asked.client.say({ kind: "cancel", job: asked.job });
      this.asked.delete(asked);
    } else if (kind === "leave" && asked !== undefined) {
      this.fleet.drop(asked.client.connId);
      this.asked.delete(asked);
    } else if (chosen === undefined || chosen.isClosed) return;
    else if (kind === "die") chosen.die();
    else if (kind === "stall") chosen.stall();
    else if (kind === "resume") chosen.resume();
    else if (kind === "slow") chosen.rate = 100;
    else if (kind === "quick") chosen.rate = 50_000;
  }

  heal(): void {
    for (const each of this.miners) {
      if (each.isClosed) continue;
      each.resume();
      each.rate = 20_000;
    }
    this.fleet.miner({ rate: 20_000, declared: 20_000 });
  }
}

/** Tells one story and checks it. */
function tell({ delayMs, events }: typeof story extends fc.Arbitrary<infer T> ? T : never): void {
  const tale = new Story(delayMs);
  const { fleet } = tale;
  for (const { afterMs, event: what } of events) {
    fleet.run(afterMs);
    if (what.kind === "submit") tale.submit(what.order);
    else if (what.kind === "join") tale.miners.push(fleet.miner(what.miner));
    else tale.happen(what.kind, what.which);
  }
  tale.heal();
  const isDone = (): boolean => [...tale.asked].every(({ client, job }) => client.answers.has(job));
  expect(fleet.run(120_000, isDone)).toBe(true);
  for (const asked of tale.asked) {
    const { best, met } = asked.client.answer(asked.job);
    expect({ best, met }).toEqual(truth(asked));
    const { lower, upper, target } = asked.order;
    const end = target !== undefined && met ? best.nonce : upper;
    expectExactCover(fleet, asked.client.connId, asked.job, lower, end);
  }
  expect(fleet.core.snapshot().rejected).toEqual({});
  expectTidy(fleet);
}

/** Tells `count` stories, those of `seed` if it is given; fails with the shortest that is wrong. */
export function tellStories(count: number, seed?: number): void {
  fc.assert(fc.property(story, tell), { numRuns: count, ...(seed !== undefined && { seed }) });
}
