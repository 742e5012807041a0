/**
 * `bun run tools/failures.ts FILE` repeats what failed in an output of `.ci/run`: each failed test
 * with its file and the lines that explain it, each error outside of the tests, and the last lines
 * of each failed step. `.ci/run` calls it last, because the end of a long output is the part that
 * is always kept.
 *
 * @module
 */

/** The most lines that are repeated of one failure: the last ones, which give what was expected. */
const LINES_MAX = 30;

/** The most failures that are repeated: one fault can fail everything. */
const FAILURES_MAX = 20;

const STEP = /^== (.+?): /;
const STEP_FAILED = /^== (.+?) FAILED/;
const FILE = /^\S.*_(?:test|soak)\.ts:$/;
const VERDICT = /^\((?:pass|fail|skip|todo)\) /;
const OUTSIDE = /^# Unhandled error/;
const TIMED_OUT = /^ {2}\^ /;

/** Each failure in an output of `.ci/run`, as the lines to repeat, in the order of the output. */
export function failures(output: string): string[][] {
  const found: string[][] = [];
  const told = new Set<string>(); // Bun repeats the verdicts at the end of a long run
  let step = "";
  let stepFound = 0;
  let stepLines: string[] = [];
  let file = "";
  let lines: string[] = [];

  const tell = (head: string, body: readonly string[]): void => {
    found.push([head, ...body.slice(-LINES_MAX)]);
  };
  const outside = (): void => {
    const from = lines.findIndex((line) => OUTSIDE.test(line));
    if (from >= 0) tell(`${step}: ${file}`, lines.slice(from, from + LINES_MAX));
  };

  for (const line of output.split("\n")) {
    const failedStep = STEP_FAILED.exec(line);
    if (failedStep !== null) {
      outside();
      if (found.length === stepFound) tell(line, stepLines);
      else tell(line, []);
      lines = [];
      stepFound = found.length;
      continue;
    }
    const begun = STEP.exec(line);
    if (begun !== null || FILE.test(line)) {
      outside();
      lines = [];
      if (begun === null) {
        file = line.slice(0, -1);
      } else {
        step = begun[1]!;
        stepFound = found.length;
        stepLines = [];
        file = "";
      }
    } else if (VERDICT.test(line)) {
      outside();
      const key = `${step} ${line.replace(/ \[[\d.]+m?s\]$/, "")}`;
      if (line.startsWith("(fail)") && !told.has(key)) {
        told.add(key);
        tell(`${step}: ${file}`, [...lines, line]);
      }
      lines = [];
    } else if (TIMED_OUT.test(line)) {
      if (stepLines.at(-1) === found.at(-1)?.at(-1)) found.at(-1)!.push(line);
    } else {
      lines.push(line);
    }
    stepLines.push(line);
  }
  outside();
  return found;
}

if (import.meta.main) {
  const path = process.argv[2];
  if (path === undefined) {
    console.error("failures: expected the path of an output of .ci/run, got nothing");
    process.exit(2);
  }
  const found = failures(await Bun.file(path).text());
  for (const lines of found.slice(0, FAILURES_MAX)) console.log(`${lines.join("\n")}\n`);
  if (found.length > FAILURES_MAX) {
    console.log(`and ${found.length - FAILURES_MAX} more: see above\n`);
  }
}
