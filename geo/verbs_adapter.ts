/**
 * The verbs of geo.ts that talk to servers.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import type { CommandLine, Flag, Usage } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { seconds } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { onSignal } from "../run/signals.ts";
import {
  FILE_FLAG,
  JSON_FLAG,
  jsonOf,
  limitOf,
  printLine,
  SERVERS,
  serversOf,
  valueOf,
} from "../run/verb_values.ts";
import { EXIT_NO, EXIT_UNKNOWN, exitOf, type Verb, type Verbs } from "../run/verbs.ts";
import { addressesOf, GEO_PORT } from "./adapter.ts";
import { GeoError } from "./errors.ts";
import { CELL_SUM_MAX } from "./limits.ts";
import type { GeoItem } from "./items.ts";
import { type GeoStore, openGeo } from "./open_adapter.ts";
import { nearest } from "./routers.ts";

const CLIENT_FLAGS: Readonly<Record<string, Flag>> = {
  timeout: { value: "SECONDS", help: "give up then (10)" },
  json: JSON_FLAG,
};

function usageOf(
  takes: string,
  count: readonly [number, number],
  about: string,
  flags: Usage["flags"] = {},
): Usage {
  return { name: "geo", takes, count, about, flags: { ...flags, ...CLIENT_FLAGS } };
}

/** A line on stderr. */
function say(text: string): void {
  process.stderr.write(`geo: ${text}\n`);
}

/** Opens the store that the first argument names, and closes it when `work` is over. */
async function withGeo(
  line: CommandLine,
  work: (store: GeoStore) => Promise<number>,
): Promise<number> {
  const timeout = line.flag("timeout");
  const store = openGeo({
    servers: serversOf(line.positionals[0]!, GEO_PORT),
    router: nearest(),
    retry: true,
    ...(timeout !== undefined && { timeoutMs: seconds("--timeout", timeout) }),
  });
  try {
    return await work(store);
  } catch (error) {
    if (!(error instanceof GeoError)) throw error;
    return exitOf("geo", error);
  } finally {
    await store.close();
  }
}

function shownOf({ keyBytes, value, count }: GeoItem): Record<string, unknown> {
  const shown = value === undefined ? null : jsonOf(value);
  return { key: jsonOf(keyBytes), value: shown, ...(count !== undefined && { count }) };
}

const get: Verb = {
  usage: usageOf(
    `get ${SERVERS} KEY`,
    [2, 2],
    "Prints the value of KEY, byte by byte; of a counter, its number. Exit 3: there is neither.",
  ),
  run: (line) =>
    withGeo(line, async (store) => {
      const key = line.positionals[1]!;
      const found = await store.get(key);
      if (line.has("json")) await printLine(found === undefined ? absent(key) : shownOf(found));
      else if (found !== undefined) await printResult(found.value ?? `${found.count}\n`);
      if (found !== undefined) return 0;
      say(`there is no key ${JSON.stringify(key)}`);
      return EXIT_NO;
    }),
};

function absent(key: string): Record<string, unknown> {
  return { key, value: null };
}

const put: Verb = {
  usage: usageOf(`put ${SERVERS} KEY [VALUE]`, [2, 3], "Sets KEY: the last put wins everywhere.", {
    file: FILE_FLAG,
  }),
  run: async (line) => {
    const value = await valueOf(line, 2);
    return await withGeo(line, async (store) => {
      await store.put(line.positionals[1]!, value);
      if (line.has("json")) await printLine({ done: true });
      return 0;
    });
  },
};

const remove: Verb = {
  usage: usageOf(
    `delete ${SERVERS} KEY`,
    [2, 2],
    "Deletes KEY's value, whether it has one or not; a counter of that name stays.",
  ),
  run: (line) =>
    withGeo(line, async (store) => {
      await store.delete(line.positionals[1]!);
      if (line.has("json")) await printLine({ done: true });
      return 0;
    }),
};

const add: Verb = {
  usage: usageOf(
    `add ${SERVERS} KEY NUMBER`,
    [3, 3],
    "Adds a whole number to the counter KEY, and prints what it comes to there. No update is lost\nor done twice. A number below 0 goes behind --.",
  ),
  run: async (line) => {
    const text = line.positionals[2]!;
    if (!/^-?\d{1,16}$/.test(text) || Math.abs(Number(text)) > CELL_SUM_MAX) {
      const range = `${-CELL_SUM_MAX}..${CELL_SUM_MAX}`;
      throw new UsageError(`NUMBER is "${text}", expected a whole number ${range}`);
    }
    const delta = Number(text);
    return await withGeo(line, async (store) => {
      const key = line.positionals[1]!;
      const count = await store.add(key, delta);
      if (line.has("json")) await printLine({ key, count });
      else await printResult(`${count}\n`);
      return 0;
    });
  },
};

const list: Verb = {
  usage: usageOf(
    `list ${SERVERS} [PREFIX]`,
    [1, 2],
    "Prints the keys that begin with PREFIX, a line each, in the order of their bytes.",
    {
      limit: { value: "N", help: "print N keys at most (all)" },
      after: { value: "KEY", help: "begin behind KEY" },
    },
  ),
  run: (line) =>
    withGeo(line, async (store) => {
      let left = limitOf(line);
      const after = line.flag("after");
      const options = after === undefined ? {} : { after };
      for await (const item of store.list(line.positionals[1] ?? "", options)) {
        await printItem(line, "", item);
        if (--left <= 0) break;
      }
      return 0;
    }),
};

const watch: Verb = {
  usage: usageOf(
    `watch ${SERVERS} [PREFIX]`,
    [1, 2],
    "Prints changes of keys that begin with PREFIX, a line each, until it is ended: put KEY,\ncount NUMBER KEY, or delete KEY; with --json values too.",
    { limit: { value: "N", help: "end after N changes" } },
  ),
  run: async (line) => {
    let left = limitOf(line);
    const over = new AbortController();
    onSignal(async () => over.abort());
    const { signal } = over;
    return await withGeo(line, async (store) => {
      const onResume = (): void => say("goes on at another server: changes may have been missed");
      const onReady = (): void => say("watching");
      const options = { signal, onResume, onReady };
      for await (const change of store.watch(line.positionals[1] ?? "", options)) {
        const { value, count } = change;
        const counted = count === undefined ? "delete " : `count ${count} `;
        await printItem(line, value === undefined ? counted : "put ", change);
        if (--left <= 0) break;
      }
      return 0;
    });
  },
};

const status: Verb = {
  usage: usageOf(
    `status ${SERVERS}`,
    [1, 1],
    "Prints what each server says of itself: its keys, the hash of its state (equal states have\nequal ones), and the other servers that it knows. Exit 4: one of them does not answer.",
  ),
  run: (line) =>
    withGeo(line, async (store) => {
      let code = 0;
      for (const server of serversOf(line.positionals[0]!, GEO_PORT)) {
        try {
          const all = await store.status({ server });
          await (line.has("json") ? printLine(all) : printResult(statusText(all)));
        } catch (error) {
          if (!(error instanceof GeoError)) throw error;
          say(error.message);
          code = EXIT_UNKNOWN;
        }
      }
      return code;
    }),
};

const forget: Verb = {
  usage: usageOf(
    `forget ${SERVERS} HOST:PORT`,
    [2, 2],
    "Has all servers forget the one at HOST:PORT, which is gone for good: they call it no more, and\nits place is free. What was put there stays. If it comes back it is known again. Exit 3: they\nknow no such server.",
  ),
  run: (line) =>
    withGeo(line, async (store) => {
      const address = addressesOf(line.positionals[1]!, "HOST:PORT")[0]!;
      try {
        await store.forget(address);
      } catch (error) {
        if (!(error instanceof GeoError) || error.code !== "NO_SERVER") throw error;
        say(`there is no server ${address}`);
        return EXIT_NO;
      }
      if (line.has("json")) await printLine({ done: true });
      return 0;
    }),
};

interface Status {
  readonly address: string;
  readonly actors: number;
  readonly store: { readonly keys: number; readonly bytes: number; readonly hash: string };
  readonly servers: readonly {
    readonly address: string;
    readonly isAway: boolean;
    readonly roundTripMs: number | null;
    readonly waiting: number;
  }[];
}

function statusText(status: Record<string, unknown>): string {
  const { address, actors, store, servers } = status as unknown as Status;
  const { keys, bytes, hash } = store;
  const held = [
    readablePlural(actors, "actor"),
    readablePlural(keys, "key"),
    readablePlural(bytes, "byte"),
  ];
  const head = `${address}: ${held.join(", ")}, hash ${hash}\n`;
  const rows = servers.map(({ address: other, isAway, roundTripMs, waiting }) => {
    const far = roundTripMs === null ? "not measured" : `${roundTripMs} ms to it and back`;
    return `  ${other}: ${isAway ? "away" : far}, ${waiting} entries wait\n`;
  });
  return head + rows.join("");
}

async function printItem(line: CommandLine, before: string, item: GeoItem): Promise<void> {
  if (line.has("json")) return printLine(shownOf(item));
  await printResult(Buffer.concat([Buffer.from(before), item.keyBytes, Buffer.from("\n")]));
}

/** The verbs of clients. */
export const CLIENT_VERBS: Verbs = { get, put, delete: remove, list, add, watch, status, forget };
