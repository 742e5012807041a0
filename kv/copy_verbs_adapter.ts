/**
 * `kv.ts export` and `import`: everything that was there at one revision, as lines of JSON.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { readablePlural } from "../base/text.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import { contentOf, jsonOf } from "../run/verb_values.ts";
import type { Verb, Verbs } from "../run/verbs.ts";
import { StoreError } from "./errors.ts";
import type { KvStore } from "./open_adapter.ts";
import { CLIENT_FLAGS, say, bytesOfJson, withStore } from "./verb_adapter.ts";

const FORMAT = "motherlode-kv";
const FORMAT_VERSION = 1;
/** Writes of an import that are under way. */
const AHEAD_MAX = 64;
/** An export that changes overtake begins again, this often at most. */
const ATTEMPTS_MAX = 5;

interface Copied {
  readonly keyBytes: Uint8Array;
  readonly value: Uint8Array;
}

/** Everything at one revision. */
export interface Copy {
  readonly revision: number;
  readonly entries: readonly Copied[];
}

/**
 * Reads everything, page by page, while writes go on; then what changed meanwhile, in order: what
 * comes of that is the state at the last page's revision.
 */
export async function copyOf(store: KvStore): Promise<Copy> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await oneCopy(store);
    } catch (error) {
      const isCompacted = error instanceof StoreError && error.code === "COMPACTED";
      if (!isCompacted || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

async function oneCopy(store: KvStore): Promise<Copy> {
  const first = await store.revision();
  const all = new Map<string, Copied>();
  for await (const { keyBytes, value } of store.list()) {
    all.set(keyBytes.toHex(), { keyBytes, value });
  }
  const last = await store.revision();
  if (last > first) {
    for await (const change of store.watch("", { after: first })) {
      const { revision, keyBytes, value } = change;
      if (value === undefined) all.delete(keyBytes.toHex());
      else all.set(keyBytes.toHex(), { keyBytes, value });
      // Every revision is a change: none is passed over.
      if (revision >= last) break;
    }
  }
  const entries = [...all].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return { revision: last, entries };
}

const exportVerb: Verb = {
  usage: {
    name: "kv",
    takes: "export HOST[:PORT][,HOST[:PORT]…] FILE",
    count: [2, 2],
    about: `Writes every key and value to FILE (- for stdout), as they were at one revision, while
the store goes on working.`,
    flags: CLIENT_FLAGS,
  },
  run: (line) =>
    withStore(line, async (store) => {
      const file = line.positionals[1]!;
      const { revision, entries } = await copyOf(store);
      const head = { format: FORMAT, version: FORMAT_VERSION, revision, keys: entries.length };
      const lines = entries.map(({ keyBytes, value }) => {
        return JSON.stringify({ key: jsonOf(keyBytes), value: jsonOf(value) });
      });
      const text = [JSON.stringify(head), ...lines, ""].join("\n");
      if (file === "-") await printResult(text);
      else await save(file, text);
      say(`${readablePlural(entries.length, "key")} as of revision ${revision}`);
      return 0;
    }),
};

async function save(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, "w");
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
  } catch (error) {
    throw new Failure(`cannot write ${file}: ${(error as Error).message}`);
  }
}

const importVerb: Verb = {
  usage: {
    name: "kv",
    takes: "import HOST[:PORT][,HOST[:PORT]…] FILE",
    count: [2, 2],
    about: "Puts every key of FILE (- for stdin), as export wrote it; other keys stay.",
    flags: CLIENT_FLAGS,
  },
  run: async (line) => {
    const entries = await copied(line.positionals[1]!);
    return await withStore(line, async (store) => {
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < entries.length) {
          const { keyBytes, value } = entries[next++]!;
          await store.put(keyBytes, value);
        }
      };
      await Promise.all(Array.from({ length: AHEAD_MAX }, work));
      say(`put ${readablePlural(entries.length, "key")}`);
      return 0;
    });
  },
};

/** What a file of export holds. Throws UsageError. */
async function copied(file: string): Promise<Copied[]> {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await contentOf(file));
  const [head = "", ...lines] = text.split("\n");
  const fields = parsed(head, `line 1 of ${file}`);
  if (fields["format"] !== FORMAT || fields["version"] !== FORMAT_VERSION) {
    throw new UsageError(`${file} is no export of version ${FORMAT_VERSION}`);
  }
  const entries = lines
    .filter((line) => line !== "")
    .map((line, i): Copied => {
      const where = `line ${i + 2} of ${file}`;
      const { key, value } = parsed(line, where);
      return { keyBytes: bytesOfJson(key, where), value: bytesOfJson(value, where) };
    });
  if (entries.length === fields["keys"]) return entries;
  throw new UsageError(`${file} has ${entries.length} keys, its first line says ${fields["keys"]}`);
}

function parsed(line: string, where: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

export const COPY_VERBS: Verbs = {
  export: exportVerb,
  import: importVerb,
};
