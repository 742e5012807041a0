/**
 * What every further core adds: the thread pool with 1 to all cores, in turns so that all meet the
 * same machine; and how long after a stop the last thread is free.
 *
 * `bun run bench/scaling.ts [--rounds 7] [--seconds 3] [--kernel NAME]`
 *
 * @module
 */
import { chooseKernel, Pool, type PoolEvent } from "../miner/mod.ts";
import { usableCores } from "../run/machine_limits.ts";
import { readableRate } from "../work/readable.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";

const MESSAGE = "motherlode bench";
const LOWER = 10n ** 15n;
const UPPER = 10n ** 16n - 1n;
/** Threads that hand in no block for this long are idle. */
const QUIET_MS = 100;

const options = benchOptions(import.meta.path, {
  rounds: count(7, "rounds, each with all pools"),
  seconds: count(3, "how long a pool runs in a round"),
  kernel: { value: "NAME", help: "the kernel (the one that auto takes)" },
});
const rounds = options.number("rounds");
const kernel = options.text("kernel") ?? (await chooseKernel()).kernel.name;

/** A pool of some threads, what it did a second in each round, and how long its stops took. */
class Contestant {
  readonly rates: number[] = [];
  /** From the command to stop until the last thread had finished its block. */
  readonly stopsMs: number[] = [];
  readonly threads: number;
  readonly #pool: Pool;
  readonly #waiting = new Map<PoolEvent["kind"], () => void>();
  #searches = 0;

  constructor(threads: number) {
    this.threads = threads;
    const onEvent = ({ kind }: PoolEvent) => this.#waiting.get(kind)?.();
    this.#pool = new Pool({ threads, kernel, niceness: "normal", onEvent });
  }

  #told(kind: PoolEvent["kind"]): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(kind, resolve));
  }

  async ready(): Promise<void> {
    await this.#told("pool");
  }

  async run(seconds: number): Promise<void> {
    const id = ++this.#searches;
    const search = { id, subject: MESSAGE, lower: LOWER, upper: UPPER };
    this.#pool.command({ kind: "start", search });
    // What wakes up and finds the size of its blocks is over.
    await this.#told("progress");
    await Bun.sleep(100);
    const [before, startMs] = [this.#pool.searched, performance.now()];
    await Bun.sleep(seconds * 1000);
    const [after, endMs] = [this.#pool.searched, performance.now()];
    this.rates.push((Number(after - before) / (endMs - startMs)) * 1000);
    const stopped = this.#told("stopped");
    const askedMs = performance.now();
    this.#pool.command({ kind: "stop", id });
    await stopped;
    let [freeMs, searched] = [performance.now(), this.#pool.searched];
    while (performance.now() - freeMs < QUIET_MS) {
      await Bun.sleep(1);
      if (this.#pool.searched !== searched) freeMs = performance.now();
      searched = this.#pool.searched;
    }
    this.stopsMs.push(freeMs - askedMs);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

const pools = Array.from({ length: usableCores() }, (_, i) => new Contestant(i + 1));
await Promise.all(pools.map((pool) => pool.ready()));
for (const pool of pools) await pool.run(0.5);
for (const pool of pools) pool.rates.length = pool.stopsMs.length = 0;
for (let round = 0; round < rounds; round++) {
  for (const pool of pools) await pool.run(options.number("seconds"));
}
const single = pools[0]!.rates;
console.log(`kernel ${kernel}, medians of ${rounds} interleaved rounds`);
console.log(
  Bun.inspect.table(
    pools.map(({ threads, rates, stopsMs }) => ({
      threads,
      rate: readableRate(median(rates)),
      "of threads x one": median(rates.map((rate, i) => rate / single[i]! / threads)).toFixed(3),
      "free after a stop, ms": `${median(stopsMs).toFixed(1)} (at most ${Math.max(...stopsMs).toFixed(1)})`,
    })),
  ),
);
await Promise.all(pools.map((pool) => pool.close()));
