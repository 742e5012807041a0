/**
 * What the server's decisions cost: `bun run bench/scheduler.ts`.
 *
 * @module
 */
import { bench, do_not_optimize, run } from "mitata";
import { DEFAULT_SERVER_LIMITS } from "../server/limits.ts";
import { Searches } from "../server/search.ts";
import { type Chunk, SearchJob } from "../server/search_job.ts";
import { SearchRecord } from "../server/table.ts";
import { Fleet, type FleetPort } from "../work/fleet.ts";
import { IntervalSet } from "../work/interval_set.ts";
import { Worker } from "../work/roster.ts";
import { Account } from "../work/scheduler.ts";
import type { Task } from "../work/task.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

const nothing = (): void => {};

/** The owner of a fleet that only hashes. */
const port: FleetPort = {
  assign: nothing,
  shrink: nothing,
  stop: nothing,
  hopeless: nothing,
  done: nothing,
  stalled: nothing,
  letGo: nothing,
};

type Miner = Worker<Task>;

interface BusyFleet {
  readonly fleet: Fleet;
  /** Hashes for free. */
  readonly searches: Searches;
  readonly miners: readonly Miner[];
}

function chunkOf(miner: Miner): Chunk {
  return miner.tasks[0] as Chunk;
}

function jobOf(fleet: Fleet, account: Account, subject: string, upper: bigint): SearchJob {
  const record = new SearchRecord({ session: 1n, number: 1 }, { subject, lower: 0n, upper });
  return new SearchJob(record, account, fleet.takeSeq(), DEFAULT_SERVER_LIMITS, 0);
}

/** `minerCount` miners at work on the jobs, one each, of `clients` clients. */
function busyFleet(minerCount: number, clients: number): BusyFleet {
  const fleet = new Fleet(DEFAULT_SERVER_LIMITS, port);
  for (let i = 0; i < clients; i++) {
    const upper = 1n << BigInt(50 + (i % 10));
    fleet.addJob(jobOf(fleet, new Account(), `job ${i}`, upper), 0);
  }
  for (let i = 0; i < minerCount; i++) {
    const rate = 1e6 + i * 1_000;
    const options = { connId: i + 1, steerable: true, threads: 8, label: "bench", name: "", rate };
    fleet.join(new Worker<Task>(options, 0), 0);
  }
  const searches = new Searches(fleet, {
    hash: () => 0n,
    ageMs: () => 0,
    accepted: nothing,
    suspected: nothing,
  });
  const miners = [...fleet.roster.workers.values()];
  // Each has shown that it works, so that it has a queue.
  for (const miner of miners) {
    const { id: chunk, next } = chunkOf(miner);
    const best = { hash: 0n, nonce: next };
    searches.progress(miner, { kind: "progress", chunk, next: next + 1n, best }, 0);
  }
  return { fleet, searches, miners };
}

for (const [minerCount, jobCount] of [
  [1_000, 1],
  [1_000, 1_000],
  [5_000, 5_000],
] as const) {
  const { searches, miners } = busyFleet(minerCount, jobCount);
  let turn = 0;
  let now = 0;
  bench(
    `decision: a Result booked, the next chunk chosen; ${minerCount} miners, ${jobCount} jobs`,
    () => {
      const miner = miners[turn++ % miners.length]!;
      const chunk = chunkOf(miner);
      now += 1_000 / minerCount;
      const best = { hash: 0n, nonce: chunk.lower };
      do_not_optimize(searches.result(miner, { kind: "result", chunk: chunk.id, best }, now));
    },
  );
}

{
  const { searches, miners } = busyFleet(1_000, 1_000);
  let turn = 0;
  let now = 0;
  bench("progress of a running chunk; 1000 miners, 1000 jobs", () => {
    const miner = miners[turn++ % miners.length]!;
    const chunk = chunkOf(miner);
    now += 0.25;
    const best = { hash: 0n, nonce: chunk.lower };
    const next = chunk.next + 1n < chunk.end ? chunk.next + 1n : chunk.next;
    do_not_optimize(
      searches.progress(miner, { kind: "progress", chunk: chunk.id, next, best }, now),
    );
  });
}

{
  const { fleet } = busyFleet(1_000, 1_000);
  bench("tick over 1000 busy miners", () => fleet.tick(1));
}

{
  const { fleet, searches } = busyFleet(1_000, 1_000);
  const account = new Account();
  bench("an urgent job arrives and leaves; 1000 miners, 1000 jobs", () => {
    const job = jobOf(fleet, account, "urgent", 999n);
    fleet.addJob(job, 1);
    fleet.dropJob(job, 1);
    // The miners' answers to the Stops that this caused.
    for (const miner of fleet.roster.workers.values()) {
      for (const task of miner.tasks.filter(({ stopping }) => stopping)) {
        const next = (task as Chunk).lower;
        searches.stopped(miner, { kind: "stopped", chunk: task.id, next }, 1);
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
