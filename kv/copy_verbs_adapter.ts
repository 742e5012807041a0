/**
 * `kv.ts export` and `import`: everything that was there at one revision, as lines of JSON.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import { UsageError } from "../run/errors.ts";
import { contentOf, jsonOf } from "../run/verb_values.ts";
import type { Verb, Verbs } from "../run/verbs.ts";
import { writeWhole } from "../run/whole_file.ts";
import { StoreError } from "./errors.ts";
import { whyNoKey, whyNoValue } from "./limits.ts";
import type { KvStore } from "./open_adapter.ts";
import { CLIENT_FLAGS, say, bytesOfJson, withStore } from "./verb_adapter.ts";

const FORMAT = "motherlode-kv";
const FORMAT_VERSION = 1;
/** Writes of an import that are under way. */
const AHEAD_MAX = 64;
/** An export that changes overtake begins again, this often at most. */
const ATTEMPTS_MAX = 5;
/** Of a file that are written at a time. */
const PIECE_CHARACTERS: number = 1 << 20;
const NEWLINE = 0x0a;

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
 * Reads everything but what goes with a lease: who has it now will not have it then. Page by page,
 * while writes go on; then what changed meanwhile, in order: what comes of that is the state at the
 * last page's revision.
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
  for await (const { keyBytes, value } of store.list("", { isLasting: true })) {
    all.set(keyBytes.toHex(), { keyBytes, value });
  }
  const last = await store.revision();
  if (last > first) {
    for await (const change of store.watch("", { after: first, isLasting: true })) {
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
the store goes on working. Keys that go with a lease, as locks do, are left out.`,
    flags: CLIENT_FLAGS,
  },
  run: (line) =>
    withStore(line, async (store) => {
      const file = line.positionals[1]!;
      const { revision, entries } = await copyOf(store);
      await writeWhole(file, textOf({ revision, entries }));
      say(`${readablePlural(entries.length, "key")} as of revision ${revision}`);
      return 0;
    }),
};

/** A copy as lines, in pieces. */
function* textOf({ revision, entries }: Copy): Generator<string, void, void> {
  const head = { format: FORMAT, version: FORMAT_VERSION, revision, keys: entries.length };
  let text = `${JSON.stringify(head)}\n`;
  for (const { keyBytes, value } of entries) {
    text += `${JSON.stringify({ key: jsonOf(keyBytes), value: jsonOf(value) })}\n`;
    if (text.length < PIECE_CHARACTERS) continue;
    yield text;
    text = "";
  }
  yield text;
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
      const rest = entries[Symbol.iterator]();
      let count = 0;
      const work = async (): Promise<void> => {
        for (let next = rest.next(); next.done !== true; next = rest.next()) {
          await store.put(next.value.keyBytes, next.value.value);
          count++;
        }
      };
      await Promise.all(Array.from({ length: AHEAD_MAX }, work));
      say(`put ${readablePlural(count, "key")}`);
      return 0;
    });
  },
};

/**
 * The entries of a file that export wrote: all of them are looked at before the first is given, so
 * that nothing of a damaged file is put. Throws UsageError.
 */
async function copied(file: string): Promise<Iterable<Copied>> {
  const bytes = await contentOf(file);
  const lines = linesOf(bytes);
  const { value: head = "" } = lines.next();
  const fields = parsed(head, `line 1 of ${file}`);
  if (fields["format"] !== FORMAT || fields["version"] !== FORMAT_VERSION) {
    throw new UsageError(`${file} is no export of version ${FORMAT_VERSION}`);
  }
  let count = 0;
  for (const _ of entriesOf(lines, file)) count++;
  if (count !== fields["keys"]) {
    throw new UsageError(`${file} has ${count} keys, its first line says ${fields["keys"]}`);
  }
  const again = linesOf(bytes);
  again.next();
  return entriesOf(again, file);
}

/** Lines one by one: of all of them together a string might be too long. */
function* linesOf(bytes: Uint8Array): Generator<string, void, void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let from = 0; from < bytes.length;) {
    const found = bytes.indexOf(NEWLINE, from);
    const end = found === -1 ? bytes.length : found;
    yield decoder.decode(bytes.subarray(from, end));
    from = end + 1;
  }
}

function* entriesOf(lines: Iterable<string>, file: string): Generator<Copied, void, void> {
  let number = 1;
  for (const line of lines) {
    const where = `line ${++number} of ${file}`;
    if (line === "") continue;
    const { key, value } = parsed(line, where);
    const entry = { keyBytes: bytesOfJson(key, where), value: bytesOfJson(value, where) };
    const why = whyNoKey(entry.keyBytes.length) ?? whyNoValue(entry.value.length);
    if (why !== undefined) throw new UsageError(`${where}: ${why}`);
    yield entry;
  }
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
