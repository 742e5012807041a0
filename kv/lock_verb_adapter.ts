/**
 * `kv.ts lock HOST:PORT NAME -- COMMAND`: runs a command while holding a lock.
 *
 * @module
 */
import { UsageError } from "../run/errors.ts";
import { seconds } from "../run/flags.ts";
import { EXIT_UNKNOWN, type Verb } from "../run/verbs.ts";
import { TTL_MS_MAX, TTL_MS_MIN } from "./limits.ts";
import { CLIENT_FLAGS, say, withStore } from "./verb_adapter.ts";

const TTL_SECONDS = "10";
/** How long the command has to end when its lock is lost. */
const KILL_MS = 5000;
/** How a shell reports a command that cannot be started. */
const EXIT_NOT_STARTED = 127;
const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
/** The environment variable that tells the command its fencing token. */
const TOKEN_VARIABLE = "MOTHERLODE_LOCK_TOKEN";

const { timeout: _, ...FLAGS } = CLIENT_FLAGS;

export const LOCK_VERB: Verb = {
  usage: {
    name: "kv",
    takes: "lock HOST[:PORT][,HOST[:PORT]…] NAME -- COMMAND [ARGUMENT…]",
    count: [3, Infinity],
    about: `Runs COMMAND while holding the lock NAME, and exits with COMMAND's code. Its environment
has ${TOKEN_VARIABLE}, a number that grows from holder to holder. When the lock is lost,
COMMAND gets SIGTERM, and the code is 4.`,
    flags: {
      ttl: { value: "SECONDS", help: `the lock outlives a dead holder by this (${TTL_SECONDS})` },
      timeout: {
        value: "SECONDS",
        help: "wait no longer for the lock, and exit with 4 (for ever)",
      },
      json: FLAGS["json"]!,
    },
  },
  run: async (line) => {
    const [, name, ...command] = line.positionals as [string, string, ...string[]];
    const ttl = line.flag("ttl") ?? TTL_SECONDS;
    const ttlMs = seconds("--ttl", ttl);
    if (ttlMs < TTL_MS_MIN || ttlMs > TTL_MS_MAX) {
      const range = `${TTL_MS_MIN / 1000}..${TTL_MS_MAX / 1000}`;
      throw new UsageError(`--ttl is "${ttl}", expected ${range} seconds`);
    }
    if (command[0] === "") throw new UsageError("COMMAND is empty");
    return await withStore(line, async (store) => {
      const timeout = line.flag("timeout");
      const timeoutMs = timeout === undefined ? undefined : seconds("--timeout", timeout);
      const lock = await store.lock(name, { ttlMs, ...(timeoutMs !== undefined && { timeoutMs }) });
      const code = await run(command, lock.token, lock.lost);
      await lock.release({ timeoutMs: ttlMs }).catch(() => {});
      return code;
    });
  },
};

/** Runs the command; its exit code. */
async function run(command: readonly string[], token: number, lost: AbortSignal): Promise<number> {
  let child: Bun.Subprocess;
  try {
    child = Bun.spawn([...command], {
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
      env: { ...process.env, [TOKEN_VARIABLE]: String(token) },
    });
  } catch (error) {
    say(`cannot run ${command[0]}: ${(error as Error).message}`);
    return EXIT_NOT_STARTED;
  }
  // The terminal sends its signals to the command too; others are handed on.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const end = (): void => {
    say("the lock is lost: ending the command");
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), KILL_MS).unref();
  };
  if (lost.aborted) end();
  lost.addEventListener("abort", end, { once: true });
  const code = await child.exited;
  lost.removeEventListener("abort", end);
  return lost.aborted ? EXIT_UNKNOWN : code;
}
