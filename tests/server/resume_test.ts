/** What miners bring back from a server that is no more. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import type { Held, Message } from "../../work/messages.ts";
import { expectSoundBooks } from "./checks.ts";
import { type FakeMiner, VirtualFleet } from "./fleet.ts";

/** A fleet with one job of a million nonces and a miner that says what it holds of it. */
function resumed(
  held: (id: number) => Omit<Held, "job">[],
  target?: bigint,
  { upper = 999_999n, declared = 0, ageMs = 50 } = {},
) {
  const fleet = new VirtualFleet();
  const client = fleet.client();
  client.submit({ upper, message: "5000", ...(target !== undefined && { target }) });
  fleet.run(ageMs);
  const id = client.accepted[0]!.id;
  const miner = fleet.miner({ rate: 1e-9, ...(declared > 0 && { declared }) });
  miner.twist = (message) => (message.kind === "progress" ? undefined : message);
  miner.say({ kind: "resume", held: held(id).map((each) => ({ job: id, ...each })) });
  fleet.run(50);
  return { fleet, client, miner, job: fleet.core.snapshot().jobs[0] };
}

const best = (fleet: VirtualFleet, nonce: bigint) => ({
  hash: fleet.puzzle.hash("5000", nonce),
  nonce,
});

function answer(miner: FakeMiner): Message | undefined {
  return miner.heard.find(({ kind }) => kind === "resumed");
}

describe("a miner that comes back", () => {
  test("goes on with its chunk, and what it had searched counts", () => {
    const [lower, next, upper] = [500_000n, 501_000n, 599_999n];
    const found = best(new VirtualFleet(), 500_100n);
    const { fleet, miner, job } = resumed(() => [{ lower, upper, next, best: found }]);
    // It was given a probe of what comes first when it joined.
    assertEquals(answer(miner), { kind: "resumed", chunks: [2] });
    assertEquals([job!.done, job!.best], [1_000n, found]);
    const [, chunk] = fleet.core.snapshot().miners[0]!.chunks;
    const { next: from, end, heldEnd } = chunk!;
    assertEquals([chunk!.lower, from, end, heldEnd], [lower, next, upper + 1n, upper + 1n]);
    expectSoundBooks(fleet);
    // Its best may lie below the cursor that it came back with.
    miner.say({ kind: "result", chunk: 2, best: found });
    fleet.run(50);
    assertEquals(fleet.core.snapshot().jobs[0]!.done, 100_000n);
    assertEquals(fleet.core.snapshot().rejected, {});
    expectSoundBooks(fleet);
  });

  test("is not given what others have by now, but what it had searched counts", () => {
    const held = { lower: 0n, upper: 99n, next: 50n, best: best(new VirtualFleet(), 7n) };
    const { fleet, miner, job } = resumed(() => [held]);
    assertEquals(answer(miner), { kind: "resumed", chunks: [0] });
    assertEquals(job!.done, 50n);
    expectSoundBooks(fleet);
  });

  test("is believed nothing that cannot be", () => {
    const good = { lower: 0n, upper: 99n, next: 50n, best: best(new VirtualFleet(), 7n) };
    for (const [wrong, reason] of [
      [{ ...good, best: { hash: 1n, nonce: 7n } }, "held with a wrong hash"],
      [{ ...good, best: best(new VirtualFleet(), 100n) }, "held with its candidate outside"],
      [{ ...good, next: 101n }, "held with its cursor outside"],
      [{ ...good, upper: 1_000_000n }, "held outside its job"],
      [{ lower: 0n, upper: 99n, next: 1n }, "held without a candidate"],
    ] as const) {
      const { fleet, miner, job } = resumed(() => [wrong]);
      assertEquals(answer(miner), { kind: "resumed", chunks: [0] });
      assertEquals([job!.done, fleet.core.snapshot().rejected[reason]], [0n, 1]);
      expectSoundBooks(fleet);
    }
  });

  test("is believed what its rate allows since the job began, or for a chunk's time", () => {
    const found = best(new VirtualFleet(), 7n);
    const held = (next: bigint) => ({ lower: 0n, upper: 99_999_999n, next, best: found });
    const large = { upper: 199_999_999n };
    for (const [next, about, isBelieved] of [
      // What is assumed of one that declares nothing is 100,000 a second; clocks may differ by 1 s.
      [200_000n, {}, true],
      [220_000n, {}, false],
      [800_000n, { ageMs: 60_000 }, true],
      [800_001n, { ageMs: 60_000 }, false],
      [20_000_000n, { declared: 1e7 }, true],
      [22_000_000n, { declared: 1e7 }, false],
      [80_000_000n, { declared: 1e7, ageMs: 60_000 }, true],
      [80_000_001n, { declared: 1e7, ageMs: 60_000 }, false],
    ] as const) {
      const { fleet, job } = resumed(() => [held(next)], undefined, { ...large, ...about });
      assertEquals(job!.done, isBelieved ? next : 0n, `${next}`);
      const refused = isBelieved ? undefined : 1;
      assertEquals(fleet.core.snapshot().rejected["held more than its rate allows"], refused);
      expectSoundBooks(fleet);
    }
  });

  test("says once what it brings back", () => {
    const held = { lower: 0n, upper: 99n, next: 50n, best: best(new VirtualFleet(), 7n) };
    const { fleet, client, miner, job } = resumed(() => [held]);
    const more = { ...held, next: 90n, job: client.accepted[0]!.id };
    miner.say({ kind: "resume", held: [more] });
    fleet.run(50);
    assertEquals(fleet.core.snapshot().jobs[0]!.done, job!.done);
    assertEquals(fleet.core.snapshot().rejected, { "resume for the second time": 1 });
  });

  test("with a hit cuts the job there, and the part below is searched again", () => {
    const hit = best(new VirtualFleet(), 4_990n);
    const { job } = resumed(() => [{ lower: 0n, upper: 99_999n, next: 0n, best: hit }], 100n);
    assertEquals([job!.done, job!.best], [1n, hit]);
    assertEquals(job!.uncovered, [{ lower: 0n, end: 4_990n }]);
  });

  test("of a job that is not known any more is told so", () => {
    const { miner } = resumed((id) => [
      { lower: 0n, upper: 9n, next: 0n, ...({ job: id + 1 } as object) },
    ]);
    assertEquals(answer(miner), { kind: "resumed", chunks: [0] });
  });
});
