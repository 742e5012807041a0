/**
 * What `miner.ts bench` prints: how fast every kernel of this machine is, found out anew, and where
 * each has run before.
 *
 * @module
 */
import { readableRate } from "../work/readable.ts";
import { chooseKernel } from "./kernel_choice_adapter.ts";
import { processor } from "./kernels/processor_native.ts";
import { RAN_ON, ranOnText } from "./kernels/ran_on.ts";

/** How long each kernel is measured. */
const MEASURE_MS = 500;

/** How {@link benchReport} works. */
export interface BenchOptions {
  /** Where the records of kernels are kept, which this renews. */
  readonly cacheDirectory?: string;
  /** Told one line for people when a kernel is struck off. */
  readonly onWarning?: (text: string) => void;
}

/** Proves and measures all kernels anew; the report as lines of text. */
export async function benchReport(options: BenchOptions): Promise<string> {
  const { kernel, table } = await chooseKernel({
    ...options,
    all: true,
    renewMillis: MEASURE_MS,
  });
  const rows = table.map(({ name, description, usable, reason, rate }) => ({
    kernel: name === kernel.name ? `${name} *` : name,
    "one thread": rate > 0 ? readableRate(rate) : "-",
    what: description,
    "why not": usable ? "" : reason,
  }));
  const width = Math.max(...RAN_ON.map((row) => row.kernel.length));
  const history = RAN_ON.map((row) => `  ${row.kernel.padEnd(width)}  ${ranOnText(row)}\n`);
  return (
    `${processor().name}\n${Bun.inspect.table(rows, { colors: false })}* is what auto takes\n\n` +
    `Tried by the authors:\n${history.join("")}`
  );
}
