/**
 * Runs a command that may never end: it and all that it has started are killed when its time is
 * over, or when this program is ended by a signal.
 *
 * @module
 */

/** How a command came out: exit code 0, another one, or no end in time. */
export type Outcome = "passed" | "failed" | "hung";

/** The commands that run, by the number of their process group. */
const groups = new Set<number>();

/** A process group is gone once its last process is; asking for more is no error. */
function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Ends whatever still runs: what has a process group of its own sees no Ctrl-C. */
export function killRunning(): void {
  for (const group of groups) killGroup(group);
}

/** How `command` comes out in `directory`; "hung" if `isLate` resolves before it has ended. */
export async function runWithin(
  command: readonly string[],
  directory: string,
  isLate: Promise<unknown>,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  });
  groups.add(child.pid);
  try {
    const code = await Promise.race([child.exited, isLate.then(() => "late")]);
    if (code === "late") return "hung";
    return code === 0 ? "passed" : "failed";
  } finally {
    killGroup(child.pid);
    await child.exited;
    groups.delete(child.pid);
  }
}
