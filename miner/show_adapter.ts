/**
 * What a person sees of a miner at work.
 *
 * @module
 */
import { readableCount } from "../base/text.ts";
import type { Display } from "../run/progress.ts";
import { readableRate } from "../work/readable.ts";
import type { Miner } from "./adapter.ts";

/** Between two looks at the rate, on a terminal and elsewhere. */
const TERMINAL_MS = 1000;
const LINE_MS = 30_000;

/** The rate on the status line of a terminal, or a line now and then while there is work. */
export function showRate(miner: Miner, display: Display): void {
  let [searched, atMs] = [0n, performance.now()];
  const show = (): void => {
    const [now, nowMs] = [miner.status().searched, performance.now()];
    const rate = (Number(now - searched) * 1000) / (nowMs - atMs);
    const text = `${readableRate(rate)}, ${readableCount(now)} nonces searched`;
    if (display.terminal)
      display.status(rate > 0 ? text : `idle, ${readableCount(now)} nonces searched`);
    else if (rate > 0) display.line(text);
    [searched, atMs] = [now, nowMs];
  };
  setInterval(show, display.terminal ? TERMINAL_MS : LINE_MS);
}
