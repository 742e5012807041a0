/**
 * `bun run check [STEP...]` is what every change has to pass beside the tests: format, lint, types,
 * build and the house rules. Every step runs even if one before it failed. The last line on stdout
 * is `check: N passed, N failed`; the exit code is 0 when nothing failed, 1 when something did, and
 * 2 for a step that there is not.
 *
 * @module
 */
import { join } from "node:path";
import { whyTooOld } from "../run/version.ts";

/** What is checked, in this order: the quick ones first. Each is a command of Bun's. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  format: ["fmt", "--no-script", "--check"],
  lint: ["x", "oxlint", "--deny-warnings", "."],
  types: ["check", "--no-script"],
  build: ["run", "tools/build.ts"],
  tidy: ["test", "tests/tools/tidy_test.ts"],
};

const root = join(import.meta.dirname, "..");

/** Runs one step with its output shown; true if it passed. */
async function passes(name: string): Promise<boolean> {
  const command = STEPS[name]!;
  console.error(`== ${name}: bun ${command.join(" ")}`);
  // Started by its path: where npx runs Bun, or a script of package.json does, PATH may lack it.
  const step = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  const code = await step.exited;
  if (code !== 0) console.error(`== ${name} FAILED: exit code ${code}`);
  return code === 0;
}

async function main(names: readonly string[]): Promise<number> {
  const old = whyTooOld();
  if (old !== undefined) {
    console.error(`check: ${old}`);
    return 1;
  }
  const unknown = names.find((name) => STEPS[name] === undefined);
  if (unknown !== undefined) {
    const known = Object.keys(STEPS).join(", ");
    console.error(`check: there is no step ${unknown}; expected one of ${known}, or nothing`);
    return 2;
  }
  const failed: string[] = [];
  const chosen = names.length === 0 ? Object.keys(STEPS) : names;
  for (const name of chosen) if (!(await passes(name))) failed.push(name);
  if (failed.length > 0) console.error(`check: failed: ${failed.join(", ")}`);
  console.log(`check: ${chosen.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
