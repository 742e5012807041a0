/**
 * What the server's decisions cost: `bun run bench/scheduler.ts`.
 *
 * @module
 */
import { bench, do_not_optimize, run } from "mitata";
import { Fleet, type FleetPort } from "../server/fleet.ts";
import { DEFAULT_SERVER_LIMITS } from "../server/limits.ts";
import { Miner } from "../server/roster.ts";
import { Claim } from "../server/scheduler.ts";
import { IntervalSet } from "../work/interval_set.ts";

const nothing = (): void => {};

/** The owner of a fleet that only hashes, and that for free. */
const port: FleetPort = {
  hash: () => 0n,
  classicBytes: () => 100,
  assign: nothing,
  shrink: nothing,
  stop: nothing,
  accepted: nothing,
  done: nothing,
  stalled: nothing,
};

/** `miners` miners at work on the jobs, one each, of `clients` clients. */
function busyFleet(miners: number, clients: number): { fleet: Fleet; miners: Miner[] } {
  const fleet = new Fleet(DEFAULT_SERVER_LIMITS, port);
  for (let i = 0; i < clients; i++) {
    const upper = 1n << BigInt(50 + (i % 10));
    const spec = { number: 1, message: `job ${i}`, lower: 0n, upper };
    fleet.addJob(spec, new Claim(100_000 + i), 0);
  }
  for (let i = 0; i < miners; i++) {
    const of = { connId: i + 1, wire: "cbor", threads: 8, label: "bench" } as const;
    fleet.join(new Miner(of, 1e6 + i * 1_000, 0), 0);
  }
  return { fleet, miners: [...fleet.roster.miners.values()] };
}

for (const [minerCount, jobCount] of [
  [1_000, 1],
  [1_000, 1_000],
  [5_000, 5_000],
] as const) {
  const { fleet, miners } = busyFleet(minerCount, jobCount);
  let turn = 0;
  let now = 0;
  bench(
    `decision: a Result booked, the next chunk chosen; ${minerCount} miners, ${jobCount} jobs`,
    () => {
      const miner = miners[turn++ % miners.length]!;
      const chunk = miner.chunks[0]!;
      now += 1_000 / minerCount;
      const best = { hash: 0n, nonce: chunk.lower };
      do_not_optimize(fleet.result(miner, { kind: "result", chunk: chunk.id, best }, now));
    },
  );
}

{
  const { fleet, miners } = busyFleet(1_000, 1_000);
  let turn = 0;
  let now = 0;
  bench("progress of a running chunk; 1000 miners, 1000 jobs", () => {
    const miner = miners[turn++ % miners.length]!;
    const chunk = miner.chunks[0]!;
    now += 0.25;
    const best = { hash: 0n, nonce: chunk.lower };
    const next = chunk.next + 1n < chunk.end ? chunk.next + 1n : chunk.next;
    do_not_optimize(fleet.progress(miner, { kind: "progress", chunk: chunk.id, next, best }, now));
  });
}

{
  const { fleet } = busyFleet(1_000, 1_000);
  bench("tick over 1000 busy miners", () => fleet.tick(1));
}

{
  const { fleet } = busyFleet(1_000, 1_000);
  const claim = new Claim(1);
  const spec = { number: 1, message: "urgent", lower: 0n, upper: 999n };
  bench("an urgent job arrives and leaves; 1000 miners, 1000 jobs", () => {
    fleet.dropJob(fleet.addJob(spec, claim, 1), 1);
    // The miners' answers to the Stops that this caused.
    for (const miner of fleet.roster.miners.values()) {
      for (const chunk of miner.chunks.filter(({ stopping }) => stopping)) {
        fleet.stopped(miner, { kind: "stopped", chunk: chunk.id, next: chunk.lower }, 1);
      }
    }
  });
}

for (const holes of [1, 100, 10_000]) {
  const set = new IntervalSet(0n, 1n << 64n);
  for (let i = 1; i < holes; i++) set.remove(BigInt(i) << 40n, (BigInt(i) << 40n) + 1000n);
  const middle = BigInt(holes >> 1) << 40n;
  bench(`interval set of ${holes}: remove and insert in the middle`, () => {
    set.remove(middle + 5_000n, middle + 6_000n);
    set.insert(middle + 5_000n, middle + 6_000n);
  });
  bench(`interval set of ${holes}: take from the front and give back`, () => {
    const taken = set.takeFront(1_000n)!;
    set.insert(taken.lower, taken.end);
  });
}

await run();
