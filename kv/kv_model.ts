/**
 * What a key-value store should do, for {@link linearize}: values, versions and absence. Keys that
 * one operation joins belong together; all others are checked apart, which is what makes the
 * search quick (Herlihy and Wing, 1990: linearizability is local).
 *
 * @module
 */
import type { Model, Operation } from "./linearize.ts";

/** A value is text; null is no such key. */
export type HistoryValue = string | null;

/** One change of a compareAndSet of several keys. */
export interface HistoryChange {
  readonly key: string;
  /** The version that it asks for; 0: the key is absent. Undefined: it asks for none. */
  readonly at?: number;
  /** The new value; null deletes. */
  readonly value: HistoryValue;
}

/** What was asked of a store, and what it answered. Versions that are left out are not checked. */
export type KvOp =
  | {
      readonly kind: "get";
      readonly key: string;
      /** Undefined: it was never answered. */
      readonly value: HistoryValue | undefined;
      readonly version?: number | undefined;
    }
  | {
      readonly kind: "put" | "append" | "delete";
      readonly key: string;
      /** Null of a delete. */
      readonly value: HistoryValue;
      /** The version that it asks for; 0: the key is absent. */
      readonly at?: number | undefined;
      /** False: refused. Undefined: it was never answered. */
      readonly ok: boolean | undefined;
      /** After it, or, if it was refused, the present one. */
      readonly version?: number | undefined;
    }
  | {
      readonly kind: "cas";
      readonly key: string;
      readonly expect: HistoryValue;
      readonly value: string;
      readonly ok: boolean | undefined;
      readonly version?: number | undefined;
    }
  | {
      readonly kind: "multi";
      readonly changes: readonly HistoryChange[];
      readonly ok: boolean | undefined;
    }
  | {
      readonly kind: "list";
      readonly prefix: string;
      /** Every key with the prefix, in order; undefined: it was never answered. */
      readonly entries: readonly { key: string; value: string; version?: number }[] | undefined;
    };

/** A key's value, and its last version, which a deleted key keeps. */
interface Cell {
  readonly value: HistoryValue;
  readonly version: number;
}

const ABSENT: Cell = { value: null, version: 0 };
const present = ({ value, version }: Cell): number => (value === null ? 0 : version);

/** A state: the keys that were ever there. */
export type KvState = ReadonlyMap<string, Cell>;

/** The store as a model; a deleted key that is made again goes on above its last version. */
export const KV_MODEL: Model<KvState, KvOp> = {
  init: () => new Map(),
  step: (state, op) => {
    if (op.kind === "multi") return stepMulti(state, op);
    if (op.kind === "list") return isListed(state, op) ? state : undefined;
    const cell = state.get(op.key) ?? ABSENT;
    const after = stepCell(cell, op);
    if (after === undefined || after === cell) return after && state;
    return new Map(state).set(op.key, after);
  },
  equal: (a, b) => {
    if (a === b) return true;
    if (a.size !== b.size) return false;
    for (const [key, { value, version }] of a) {
      const other = b.get(key);
      if (other?.version !== version || other.value !== value) return false;
    }
    return true;
  },
  describe: describeOp,
};

type CellOp = Exclude<KvOp, { readonly kind: "multi" | "list" }>;

function stepCell(cell: Cell, op: CellOp): Cell | undefined {
  if (op.kind === "get") {
    if (op.value === undefined) return cell;
    const isSame = op.value === cell.value && isVersion(op.version, present(cell));
    return isSame ? cell : undefined;
  }
  const fits = doesFit(cell, op);
  if (op.ok === undefined) return fits ? changed(cell, op) : cell;
  if (!op.ok) {
    // What asks for nothing is refused for reasons that no state has, a delete excepted.
    const isFree = op.kind !== "cas" && op.kind !== "delete" && op.at === undefined;
    return (isFree || !fits) && isVersion(op.version, present(cell)) ? cell : undefined;
  }
  if (!fits) return op.kind === "delete" && op.at === undefined && !op.version ? cell : undefined;
  const after = changed(cell, op);
  return isVersion(op.version, after.version) ? after : undefined;
}

const isVersion = (told: number | undefined, is: number): boolean =>
  told === undefined || told === is;

function doesFit(cell: Cell, op: Exclude<CellOp, { readonly kind: "get" }>): boolean {
  if (op.kind === "cas") return cell.value === op.expect;
  if (op.kind === "delete" && cell.value === null) return false;
  return op.at === undefined || op.at === present(cell);
}

function changed(cell: Cell, op: Exclude<CellOp, { readonly kind: "get" }>): Cell {
  // A delete keeps the last version: what is made again goes on from there.
  if (op.kind === "delete") return { value: null, version: cell.version };
  const value = op.kind === "append" ? (cell.value ?? "") + op.value : op.value;
  return { value, version: cell.version + 1 };
}

function stepMulti(
  state: KvState,
  { changes, ok }: Extract<KvOp, { readonly kind: "multi" }>,
): KvState | undefined {
  const fits = changes.every(({ key, at }) => {
    return at === undefined || at === present(state.get(key) ?? ABSENT);
  });
  if (ok !== undefined && ok !== fits) return undefined;
  if (!fits) return state;
  const after = new Map(state);
  for (const { key, value } of changes) {
    const cell = after.get(key) ?? ABSENT;
    if (value !== null) after.set(key, { value, version: cell.version + 1 });
    else if (cell.value !== null) after.set(key, { value, version: cell.version });
  }
  return after;
}

function isListed(
  state: KvState,
  { prefix, entries }: Extract<KvOp, { readonly kind: "list" }>,
): boolean {
  if (entries === undefined) return true;
  let found = 0;
  for (const [key, { value }] of state) if (value !== null && key.startsWith(prefix)) found++;
  return (
    found === entries.length &&
    entries.every(({ key, value, version }) => {
      const cell = state.get(key) ?? ABSENT;
      return cell.value === value && isVersion(version, cell.version);
    })
  );
}

/** Keys that an operation names; those of a list are known by its prefix only. */
function keysOf(op: KvOp): readonly string[] {
  if (op.kind === "list") return (op.entries ?? []).map(({ key }) => key);
  return op.kind === "multi" ? op.changes.map(({ key }) => key) : [op.key];
}

/** The operations of keys that nothing joins, apart; each part in the order of its calls. */
export function partitionByKey(operations: readonly Operation<KvOp>[]): Operation<KvOp>[][] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let up = parents.get(root); up !== undefined && up !== root; up = parents.get(root)) {
      root = up;
    }
    parents.set(key, root);
    return root;
  };
  const join = (a: string, b: string): void => void parents.set(rootOf(a), rootOf(b));
  for (const { op } of operations) {
    const keys = keysOf(op);
    for (const key of keys) join(key, keys[0]!);
  }
  const all = [...parents.keys()];
  for (const { op } of operations) {
    if (op.kind !== "list") continue;
    const keys = all.filter((key) => key.startsWith(op.prefix));
    for (const key of keys) join(key, keys[0]!);
  }
  const parts = new Map<string, Operation<KvOp>[]>();
  for (const operation of operations.toSorted((a, b) => a.callMs - b.callMs)) {
    const { op } = operation;
    if (isMute(operation)) continue;
    const key =
      keysOf(op)[0] ?? all.find((one) => one.startsWith((op as { prefix: string }).prefix));
    // A list that found nothing, where nothing ever was.
    if (key === undefined) continue;
    const root = rootOf(key);
    const part = parts.get(root);
    if (part === undefined) parts.set(root, [operation]);
    else part.push(operation);
  }
  return [...parts.values()];
}

/** Whether it was never answered and changes nothing: then there is nothing to check. */
function isMute({ op, returnMs }: Operation<KvOp>): boolean {
  return returnMs === Infinity && (op.kind === "get" || op.kind === "list");
}

function describeOp(op: KvOp): string {
  const quoted = (value: HistoryValue | undefined): string =>
    value === undefined ? "?" : value === null ? "absent" : JSON.stringify(value);
  const version = "version" in op && op.version !== undefined ? ` version ${op.version}` : "";
  const answer = (ok: boolean | undefined): string =>
    ok === undefined ? "?" : ok ? `done${version}` : `refused${version}`;
  switch (op.kind) {
    case "get":
      return `get ${op.key} -> ${quoted(op.value)}${version}`;
    case "cas": {
      const change = `${quoted(op.expect)} to ${quoted(op.value)}`;
      return `cas ${op.key} from ${change} -> ${answer(op.ok)}`;
    }
    case "multi": {
      const changes = op.changes.map(({ key, at, value }) => {
        return `${key}${at === undefined ? "" : ` at ${at}`} = ${quoted(value)}`;
      });
      return `multi ${changes.join(", ")} -> ${answer(op.ok)}`;
    }
    case "list": {
      const entries = op.entries?.map(({ key, value }) => `${key} = ${quoted(value)}`).join(", ");
      return `list ${op.prefix} -> ${entries ?? "?"}`;
    }
    default: {
      const at = op.at === undefined ? "" : ` at ${op.at}`;
      const value = op.kind === "delete" ? "" : ` ${quoted(op.value)}`;
      return `${op.kind} ${op.key}${at}${value} -> ${answer(op.ok)}`;
    }
  }
}
