/**
 * Applications of users: a module that exports `map` (or `mapBytes`) and `reduce`, perhaps
 * `combine`, `partition` and `split`. Strings outside, bytes inside.
 *
 * @module
 */
import type { MapContext } from "./application.ts";
import { type Slice, textOf, utf8, viewOf, whole } from "./bytes.ts";
import type { Group } from "./merge.ts";
import type { Output } from "./output.ts";
import type { Combiner } from "./spill.ts";

/** What a map gives: keys and values, as text or (from `mapBytes`) as UTF-8. */
export type Pair = readonly [key: string | Uint8Array, value: string | Uint8Array];
type Pairs = Iterable<Pair> | AsyncIterable<Pair>;

/** What a user writes. */
export interface UserApplication {
  /** A split as text, of whole lines and about 8 MiB at most; `name` is the file's. */
  map?(name: string, contents: string): Pairs | Promise<Pairs>;
  /** The same, as bytes, in pieces that end with a line where lines are not too long. */
  mapBytes?(name: string, chunks: Iterable<Uint8Array>): Pairs | Promise<Pairs>;
  reduce(key: string, values: Iterable<string>): string | Promise<string>;
  /** Makes of the values that one map gave a key a single one, which `reduce` takes as well. */
  combine?(key: string, values: Iterable<string>): string;
  /** The reducer of a key, 0..reducers-1. */
  partition?(key: string, reducers: number): number;
  /** "file" keeps each file whole; "lines", the default, cuts large ones between lines. */
  split?: "lines" | "file";
}

/** What is known of an application before it runs. */
export interface Traits {
  /** It reads bytes. */
  readonly bytes: boolean;
  readonly wholeFiles: boolean;
}

/** Why a module is no application. Its message is one line. */
export class ApplicationError extends Error {
  override name = "ApplicationError";
}

/** Checks what a module exports. Throws {@link ApplicationError}. */
export function checkApplication(module: Record<string, unknown>): UserApplication {
  const { map, mapBytes, reduce, combine, partition, split } = module;
  const kinds = { map, mapBytes, reduce, combine, partition };
  for (const [name, value] of Object.entries(kinds)) {
    if (value === undefined || typeof value === "function") continue;
    throw new ApplicationError(`its export ${name} is of type ${typeof value}, not a function`);
  }
  if (map === undefined && mapBytes === undefined) {
    throw new ApplicationError("it exports neither map nor mapBytes");
  }
  if (reduce === undefined) throw new ApplicationError("it exports no reduce");
  if (split !== undefined && split !== "lines" && split !== "file") {
    throw new ApplicationError(`its export split is ${String(split)}, expected "lines" or "file"`);
  }
  return module as unknown as UserApplication;
}

/** The traits of an application. */
export function traitsOf({ mapBytes, split }: UserApplication): Traits {
  return { bytes: mapBytes !== undefined, wholeFiles: split === "file" };
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const REPLACEMENT = "\ufffd";

/** Text, and how many U+FFFD stand in it for bytes that are no UTF-8. */
export function decoded(bytes: Uint8Array): { readonly text: string; readonly invalid: number } {
  try {
    return { text: strict.decode(bytes), invalid: 0 };
  } catch {
    const text = textOf(bytes);
    let own = 0;
    for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1)) {
      if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) own++;
    }
    return { text, invalid: text.split(REPLACEMENT).length - 1 - own };
  }
}

function sliceOf(part: unknown, what: string): Slice {
  if (typeof part === "string") return whole(utf8(part));
  if (part instanceof Uint8Array) return whole(part);
  throw new TypeError(`map gave a ${what} of type ${typeof part}, expected a string`);
}

/** Has the user's map read a split; `invalid` counts what was no UTF-8. */
export async function userMap(
  application: UserApplication,
  pieces: Iterable<Uint8Array>,
  { split, output }: MapContext,
): Promise<{ readonly invalid: number }> {
  let invalid = 0;
  const emit = (pair: Pair): void => {
    if (!Array.isArray(pair)) throw new TypeError("map gave something that is no [key, value]");
    output.emit(sliceOf(pair[0], "key"), sliceOf(pair[1], "value"));
  };
  let pairs: Pairs | Promise<Pairs>;
  if (application.mapBytes !== undefined) pairs = application.mapBytes(split.name, pieces);
  else {
    const found = decoded(Buffer.concat([...pieces]));
    ({ invalid } = found);
    pairs = application.map!(split.name, found.text);
  }
  if (pairs instanceof Promise) pairs = await pairs;
  if (pairs === null || typeof pairs !== "object") {
    throw new TypeError(`map returned ${String(pairs)}, expected an iterable of [key, value]`);
  }
  if (Symbol.asyncIterator in pairs) for await (const pair of pairs) emit(pair);
  else for (const pair of pairs) emit(pair);
  return { invalid };
}

/** The user's `combine`, on bytes. */
export function userCombiner({ combine }: UserApplication): Combiner | undefined {
  if (combine === undefined) return undefined;
  return (key, values) => {
    const value: unknown = combine(textOf(viewOf(key)), textsOf(values));
    if (typeof value === "string") return [whole(utf8(value))];
    throw new TypeError(`combine returned ${describe(value)}, expected a string`);
  };
}

/** The user's `partition`, on bytes. */
export function userPartition(
  { partition }: UserApplication,
  reducers: number,
): ((key: Slice) => number) | undefined {
  if (partition === undefined) return undefined;
  return (key) => {
    const number: unknown = partition(textOf(viewOf(key)), reducers);
    if (Number.isInteger(number) && Number(number) >= 0 && Number(number) < reducers) {
      return Number(number);
    }
    throw new RangeError(`partition returned ${String(number)}, expected 0..${reducers - 1}`);
  };
}

/** Has the user's reduce take all groups; `bad` is told of keys at which it throws. */
export async function userReduce(
  application: UserApplication,
  groups: Iterable<Group>,
  out: Output,
  bad: (key: string, error: unknown) => void,
): Promise<void> {
  for (const { key, values } of groups) {
    const text = textOf(viewOf(key));
    let value: unknown;
    try {
      value = application.reduce(text, textsOf(values));
      if (value instanceof Promise) value = await value;
      if (typeof value !== "string") {
        throw new TypeError(`reduce returned ${describe(value)}, expected a string`);
      }
    } catch (error) {
      bad(text, error);
      continue;
    }
    out.write(key, whole(utf8(value)));
  }
}

function describe(value: unknown): string {
  return value instanceof Promise ? "a promise" : `a value of type ${typeof value}`;
}

/** Values as text, one by one. */
function* textsOf(values: Iterable<Slice>): Iterable<string> {
  for (const value of values) yield textOf(viewOf(value));
}
