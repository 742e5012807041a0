/**
 * The first seconds of a miner on a machine where none ran before: `bun run bench/start.ts`.
 * One hashing thread has a job from its start; child processes prove and measure the kernels beside
 * it. Prints when it went over to which kernel, and what it had done by then.
 *
 * @module
 */
import { Pool } from "../miner/mod.ts";
import { Prover } from "../miner/prover_adapter.ts";
import { readableRate } from "../work/readable.ts";
import { benchOptions, count } from "./options.ts";

const options = benchOptions(import.meta.path, { runs: count(5, "starts, each without a record") });

/** One change of kernel. */
interface Row {
  readonly run: number;
  readonly "after ms": string;
  readonly kernel: string;
  readonly rate: string;
  readonly "nonces searched": number;
}

async function start(run: number): Promise<Row[]> {
  const rows: Row[] = [];
  const startMs = performance.now();
  const prover = new Prover();
  const done = Promise.withResolvers<void>();
  const pool = new Pool({ threads: 1, prover, onEvent: () => {} });
  pool.command({
    kind: "start",
    search: { id: 1, subject: "the first second", lower: 10n ** 15n, upper: 10n ** 16n },
  });
  const row = (name: string, rate: number): void => {
    if (rows.at(-1)?.kernel === name) return;
    rows.push({
      run,
      "after ms": (performance.now() - startMs).toFixed(0),
      kernel: name,
      rate: readableRate(rate),
      "nonces searched": Number(pool.searched),
    });
  };
  prover.learn(
    {},
    {
      onBetter: ({ name, rate }) => row(name, rate),
      onDone: ({ name, rate }) => {
        row(name, rate);
        done.resolve();
      },
    },
  );
  await done.promise;
  await pool.close();
  return rows;
}

for (let run = 1; run <= options.number("runs"); run++) {
  console.log(Bun.inspect.table(await start(run), { colors: false }));
}
