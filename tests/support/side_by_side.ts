/** Tests that mostly wait for processes of their own: while one runs, the next ones do, too. */
import { test } from "bun:test";

/** So many at a time: machines with few cores are the rule, and no test is to wait for long. */
const RUNNING_MAX = 3;

/** Defines tests like `test`, for one group: each of them begins the next ones of its group. */
export function sideBySide(): (name: string, body: () => Promise<void>) => void {
  const starts: (() => Promise<void>)[] = [];
  return (name, body) => {
    let run: Promise<void> | undefined;
    const start = (): Promise<void> => {
      run ??= body();
      run.catch(() => {}); // its own test says so
      return run;
    };
    const index = starts.push(start) - 1;
    test(name, () => {
      const running = start();
      for (const next of starts.slice(index + 1, index + RUNNING_MAX)) void next();
      return running;
    });
  };
}
