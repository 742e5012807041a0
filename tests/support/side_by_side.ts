/** Tests that mostly wait for processes of their own: while one runs, the next ones do, too. */
import { test } from "bun:test";

/** So many at a time: machines with few cores are the rule, and no test is to wait for long. */
const RUNNING_MAX = 3;

/**
 * Defines tests like `test`, for one group. Once one of them is asked for, {@link RUNNING_MAX} of
 * the group run at any time, in their order, until all have run: one that waits for long holds
 * nobody up.
 */
export function sideBySide(): (name: string, body: () => Promise<void>) => void {
  const starts: (() => Promise<void>)[] = [];
  let running = 0;
  let next = 0;
  const fill = (): void => {
    while (running < RUNNING_MAX && next < starts.length) void starts[next++]!();
  };
  return (name, body) => {
    let run: Promise<void> | undefined;
    const start = (): Promise<void> => {
      if (run !== undefined) return run;
      running++;
      const ended = (): void => {
        running--;
        fill();
      };
      run = body();
      run.then(ended, ended); // what goes wrong, its own test says
      return run;
    };
    starts.push(start);
    test(name, () => {
      const begun = start();
      fill();
      return begun;
    });
  };
}
