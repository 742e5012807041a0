/**
 * `kv.ts get|put|append|delete|cas|list|watch`.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import type { CommandLine, Usage } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { seconds } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { onSignal } from "../run/signals.ts";
import {
  contentOf,
  FILE_FLAG,
  jsonOf,
  limitOf,
  printLine,
  SERVERS,
  valueOf,
} from "../run/verb_values.ts";
import { EXIT_NO, type Verb, type Verbs } from "../run/verbs.ts";
import { PAGE_KEYS_MAX } from "./limits.ts";
import type { StoreSet, Written } from "./store_types.ts";
import {
  AT_FLAG,
  atOf,
  bytesOfJson,
  CLIENT_FLAGS,
  say,
  STALE_FLAG,
  versionOf,
  withStore,
} from "./verb_adapter.ts";

function usageOf(
  takes: string,
  count: readonly [number, number],
  about: string,
  flags: Usage["flags"] = {},
): Usage {
  return { name: "kv", takes, count, about, flags: { ...flags, ...CLIENT_FLAGS, ...flags } };
}

const get: Verb = {
  usage: usageOf(
    `get ${SERVERS} KEY`,
    [2, 2],
    "Prints the value of KEY, byte by byte. Exit 3: there is no such key.",
    { stale: STALE_FLAG },
  ),
  run: (line) =>
    withStore(line, async (store) => {
      const key = line.positionals[1]!;
      let revision = 0;
      const onRevision = (of: number): void => void (revision = of);
      const found = await store.get(key, { isStale: line.has("stale"), onRevision });
      if (line.has("json")) {
        const { value, version = 0 } = found ?? {};
        const shown = value === undefined ? null : jsonOf(value);
        await printLine({ key, value: shown, version, revision });
      } else if (found !== undefined) await printBytes(found.value);
      if (found !== undefined) return 0;
      say(`there is no key ${JSON.stringify(key)}`);
      return EXIT_NO;
    }),
};

const put: Verb = {
  usage: usageOf(
    `put ${SERVERS} KEY [VALUE]`,
    [2, 3],
    "Sets KEY, and prints its new version. Exit 3: --at is not met.",
    { at: AT_FLAG, file: FILE_FLAG },
  ),
  run: async (line) => {
    const value = await valueOf(line, 2);
    const key = line.positionals[1]!;
    const at = atOf(line);
    return await withStore(line, async (store) => tell(line, await store.put(key, value, { at })));
  },
};

const append: Verb = {
  usage: usageOf(
    `append ${SERVERS} KEY [VALUE]`,
    [2, 3],
    "Adds VALUE to the end of KEY's, and prints the new version. Exit 3: --at is not met.",
    { at: AT_FLAG, file: FILE_FLAG },
  ),
  run: async (line) => {
    const value = await valueOf(line, 2);
    const key = line.positionals[1]!;
    const at = atOf(line);
    return await withStore(line, async (store) => {
      return await tell(line, await store.append(key, value, { at }));
    });
  },
};

const remove: Verb = {
  usage: usageOf(
    `delete ${SERVERS} KEY`,
    [2, 2],
    "Deletes KEY, and prints the version that it had. Exit 3: no such key, or --at is not met.",
    { at: AT_FLAG },
  ),
  run: (line) =>
    withStore(line, async (store) => {
      return await tell(line, await store.delete(line.positionals[1]!, { at: atOf(line) }));
    }),
};

const cas: Verb = {
  usage: usageOf(
    `cas ${SERVERS} [KEY VERSION VALUE]…`,
    [1, Infinity],
    `Sets each KEY to its VALUE if all of them have their VERSIONs (0: absent; -: any), else none.
With --file: a line a key, as {"key": "x", "at": 3, "value": "y"}; value null deletes it.
Exit 3: refused; the versions that there are, are printed.`,
    { file: { value: "FILE", help: "take the changes from FILE (- for stdin)" } },
  ),
  run: async (line) => {
    const sets = await setsOf(line);
    return await withStore(line, async (store) => {
      const { isDone, versions, revision } = await store.compareAndSet(sets);
      if (line.has("json")) await printLine({ done: isDone, versions, revision });
      else await printResult(versions.map((version) => `version ${version}\n`).join(""));
      if (isDone) return 0;
      say(
        "refused: not all keys have the versions that were asked for; above are the present ones",
      );
      return EXIT_NO;
    });
  },
};

async function setsOf(line: CommandLine): Promise<StoreSet[]> {
  const file = line.flag("file");
  const words = line.positionals.slice(1);
  if (file === undefined) {
    if (words.length === 0 || words.length % 3 !== 0) {
      throw new UsageError(
        `got ${readablePlural(words.length, "word")}, expected KEY VERSION VALUE`,
      );
    }
    return Array.from({ length: words.length / 3 }, (_, i): StoreSet => {
      const [key, version, value] = words.slice(3 * i) as [string, string, string];
      const at = version === "-" ? undefined : versionOf("VERSION", version);
      return { key, value, ...(at !== undefined && { at }) };
    });
  }
  if (words.length > 0) throw new UsageError("expected changes or --file, one of the two");
  const lines = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await contentOf(file));
  return lines.split("\n").flatMap((text, i) => {
    return text.trim() === "" ? [] : [setOf(text, `line ${i + 1} of ${file}`)];
  });
}

function setOf(text: string, where: string): StoreSet {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
  const { key, at, value } = fields;
  const version = at === undefined ? undefined : versionOf(`${where}: at`, String(at));
  return {
    key: bytesOfJson(key, `${where}: key`),
    at: version,
    value: value === null ? undefined : bytesOfJson(value, `${where}: value`),
  };
}

const list: Verb = {
  usage: usageOf(
    `list ${SERVERS} [PREFIX]`,
    [1, 2],
    "Prints the keys that begin with PREFIX, a line each, in the order of their bytes.",
    {
      stale: STALE_FLAG,
      limit: { value: "N", help: "print N keys at most (all)" },
      after: { value: "KEY", help: "begin behind KEY" },
    },
  ),
  run: (line) =>
    withStore(line, async (store) => {
      let left = limitOf(line);
      const after = line.flag("after");
      const keysMax = Math.min(left, PAGE_KEYS_MAX);
      const options = {
        isStale: line.has("stale"),
        keysMax,
        ...(after !== undefined && { after }),
      };
      for await (const entry of store.list(line.positionals[1] ?? "", options)) {
        const { keyBytes, value, version } = entry;
        if (line.has("json")) {
          await printLine({ key: jsonOf(keyBytes), value: jsonOf(value), version });
        } else await printBytes(Buffer.concat([keyBytes, Buffer.from("\n")]));
        if (--left <= 0) break;
      }
      return 0;
    }),
};

const watch: Verb = {
  usage: usageOf(
    `watch ${SERVERS} [PREFIX]`,
    [1, 2],
    `Prints changes of keys that begin with PREFIX, a line each, until it is ended:
REVISION put VERSION KEY, or REVISION delete VERSION KEY; with --json values too.`,
    {
      after: {
        value: "REVISION",
        help: "changes behind REVISION; 0: all that are known (from now)",
      },
      limit: { value: "N", help: "end after N changes" },
      timeout: { value: "SECONDS", help: "end then; with 4 if --limit is not reached (never)" },
    },
  ),
  run: async (line) => {
    const after = line.flag("after");
    let left = limitOf(line);
    const from = after === undefined ? undefined : versionOf("--after", after);
    const timeout = line.flag("timeout");
    const over = new AbortController();
    onSignal(async () => over.abort());
    if (timeout !== undefined) setTimeout(() => over.abort(), seconds("--timeout", timeout));
    return await withStore(line, async (store) => {
      const changes = store.watch(line.positionals[1] ?? "", { after: from, signal: over.signal });
      for await (const { revision, keyBytes, value, version } of changes) {
        if (line.has("json")) {
          const shown = value === undefined ? null : jsonOf(value);
          await printLine({ revision, key: jsonOf(keyBytes), value: shown, version });
        } else {
          const what = value === undefined ? "delete" : "put";
          const head = Buffer.from(`${revision} ${what} ${version} `);
          await printBytes(Buffer.concat([head, keyBytes, Buffer.from("\n")]));
        }
        if (--left <= 0) break;
      }
      return left <= 0 || left === Infinity ? 0 : 4;
    });
  },
};

/** What a write came to, and its exit code. */
async function tell(line: CommandLine, written: Written): Promise<number> {
  const { isDone, version, revision } = written;
  const key = JSON.stringify(line.positionals[1]);
  if (line.has("json")) await printLine({ done: isDone, version, revision });
  else if (isDone) await printResult(`version ${version}\n`);
  if (isDone) return 0;
  const at = line.flag("at");
  const is = version === 0 ? `there is no key ${key}` : `${key} has version ${version}`;
  say(at === undefined ? is : `refused: ${is}, asked for was ${at}`);
  return EXIT_NO;
}

async function printBytes(bytes: Uint8Array): Promise<void> {
  await printResult(bytes);
}

/** Verbs on keys. */
export const KEY_VERBS: Verbs = {
  get,
  put,
  append,
  delete: remove,
  cas,
  list,
  watch,
};
