/**
 * What the verbs of kv.ts share: their flags, where values come from, what they print.
 *
 * @module
 */
import type { CommandLine, Flag } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { atMost } from "../run/patience.ts";
import { JSON_FLAG, serversOf } from "../run/verb_values.ts";
import { exitOf } from "../run/verbs.ts";
import { KV_PORT } from "./client_adapter.ts";
import { StoreError } from "./errors.ts";
import { type KvStore, openStore } from "./open_adapter.ts";

/** A store that cannot be reached for so long is worth a line. */
const WAITING_MS = 2000;
/** How long a goodbye may take. */
const GOODBYE_MS = 300;

/** The flags of every verb that talks to servers. */
export const CLIENT_FLAGS: Readonly<Record<string, Flag>> = {
  timeout: { value: "SECONDS", help: "give up then, and exit with 4 (never)" },
  json: JSON_FLAG,
};
export const AT_FLAG: Flag = {
  value: "VERSION",
  help: "only if the key has this version; 0: only if it is absent",
};
export const STALE_FLAG: Flag = { help: "read one server's state as it is: it may be old" };

/** Opens the store that the first argument names, and closes it when `work` is over. */
export async function withStore(
  line: CommandLine,
  work: (store: KvStore) => Promise<number>,
): Promise<number> {
  const timeout = line.flag("timeout");
  const timeoutMs = timeout === undefined ? undefined : seconds("--timeout", timeout);
  const store = openStore({
    servers: serversOf(line.positionals[0]!, KV_PORT),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  // Without a time limit it goes on trying; a person should know why nothing happens.
  const waiting = setTimeout(() => {
    if (store.client.why !== "") say(`waiting: ${store.client.why}`);
  }, WAITING_MS);
  try {
    return await work(store);
  } catch (error) {
    return endOf(error);
  } finally {
    clearTimeout(waiting);
    // A server that is gone does not say goodbye.
    await atMost(GOODBYE_MS, store.close());
  }
}

/** The exit code of what went wrong, with its line; throws what is not the store's. */
export function endOf(error: unknown): number {
  if (!(error instanceof StoreError)) throw error;
  return exitOf("kv", error);
}

/** A line on stderr. */
export function say(text: string): void {
  process.stderr.write(`kv: ${text}\n`);
}

/** The version that `--at` asks for. */
export function atOf(line: CommandLine): number | undefined {
  const text = line.flag("at");
  return text === undefined ? undefined : versionOf("--at", text);
}

export function versionOf(name: string, text: string): number {
  return Number(wholeNumber(name, text, 0n, BigInt(Number.MAX_SAFE_INTEGER)));
}

/** The bytes that `jsonOf` gave that form. Throws UsageError. */
export function bytesOfJson(value: unknown, what: string): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  const base64 = (value as { base64?: unknown } | null)?.base64;
  try {
    if (typeof base64 === "string") return Uint8Array.fromBase64(base64);
  } catch {
    // It is not base64.
  }
  throw new UsageError(`${what} is ${JSON.stringify(value)}, expected text or {"base64": …}`);
}
