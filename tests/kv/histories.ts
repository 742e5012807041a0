/** Histories for the checker: random ones that are right, falsified ones, and a dumb twin. */
import { chance, integerBetween, type Random, unitReal } from "../../base/random.ts";
import type { HistoryValue, KvOp } from "../../kv/kv_model.ts";
import type { Operation } from "../../kv/linearize.ts";

/** What a random history is made of. */
export interface Shape {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Values to choose from; 0: every put has a value of its own. */
  readonly values: number;
  /** Share of operations that are never answered. */
  readonly silentShare: number;
  /** Operations last up to so many times the pause between two of one client. */
  readonly overlap: number;
  readonly versions: boolean;
}

/** A store in the plainest way: a value and a version a key, changed at once. */
class PlainStore {
  readonly #cells = new Map<string, { value: HistoryValue; version: number }>();

  do(op: KvOp): KvOp {
    if (op.kind === "multi" || op.kind === "list") throw new Error("not of this store");
    const cell = this.#cells.get(op.key) ?? { value: null, version: 0 };
    this.#cells.set(op.key, cell);
    const now = (): number => (cell.value === null ? 0 : cell.version);
    if (op.kind === "get") return { ...op, value: cell.value, version: now() };
    if (op.kind === "cas" && op.expect !== cell.value) return { ...op, ok: false, version: now() };
    if (op.kind !== "cas" && op.at !== undefined && op.at !== now()) {
      return { ...op, ok: false, version: now() };
    }
    if (op.kind === "delete") {
      if (cell.value === null) return { ...op, ok: false, version: 0 };
      cell.value = null;
      return { ...op, ok: true, version: cell.version };
    }
    cell.value = op.kind === "append" ? `${cell.value ?? ""}${op.value}` : op.value;
    cell.version++;
    return { ...op, ok: true, version: cell.version };
  }
}

function drawnOp(random: Random, shape: Shape, unique: number): KvOp {
  const key = `k${integerBetween(random, 1, shape.keys)}`;
  const drawValue = (): string =>
    shape.values === 0 ? `v${unique}` : `v${integerBetween(random, 1, shape.values)}`;
  const value = drawValue();
  const at = chance(random, 0.3) ? { at: integerBetween(random, 0, 3) } : {};
  switch (integerBetween(random, 0, 7)) {
    case 0:
    case 1:
      return { kind: "put", key, value, ok: undefined, ...at };
    case 2:
      return { kind: "append", key, value: value.slice(1), ok: undefined, ...at };
    case 3: {
      const expect = chance(random, 0.3) ? null : drawValue();
      return { kind: "cas", key, expect, value, ok: undefined };
    }
    case 4:
      return { kind: "delete", key, value: null, ok: undefined, ...at };
    default:
      return { kind: "get", key, value: undefined };
  }
}

/** A history of a real store: each operation is done at one moment between call and return. */
export function drawnHistory(random: Random, shape: Shape): Operation<KvOp>[] {
  const store = new PlainStore();
  const freeMs = Array.from({ length: shape.clients }, () => 0);
  const asked: { client: number; op: KvOp; callMs: number; atMs: number; endMs: number }[] = [];
  for (let i = 0; i < shape.operations; i++) {
    const client = integerBetween(random, 0, shape.clients - 1);
    const callMs = freeMs[client]! + unitReal(random);
    const endMs = callMs + unitReal(random) * shape.overlap;
    const atMs = callMs + unitReal(random) * (endMs - callMs);
    freeMs[client] = endMs;
    asked.push({ client, op: drawnOp(random, shape, i), callMs, atMs, endMs });
  }
  asked.sort((a, b) => a.atMs - b.atMs);
  return asked
    .map(({ client, op, callMs, endMs }): Operation<KvOp> => {
      const isSilent = chance(random, shape.silentShare);
      // What is never answered happened, or did not.
      if (isSilent && chance(random, 0.5)) return { client, op, callMs, returnMs: Infinity };
      const done = store.do(op);
      if (isSilent) return { client, op, callMs, returnMs: Infinity };
      return { client, op: shape.versions ? done : bare(done), callMs, returnMs: endMs };
    })
    .toSorted((a, b) => a.callMs - b.callMs);
}

/** The same without its version. */
function bare(op: KvOp): KvOp {
  const { version: _, ...rest } = op as KvOp & { version?: number };
  return rest as KvOp;
}

/** The history with one answer changed; undefined when there is none to change. */
export function falsified(
  random: Random,
  history: readonly Operation<KvOp>[],
): Operation<KvOp>[] | undefined {
  const answered = history.flatMap(({ returnMs }, i) => (returnMs === Infinity ? [] : [i]));
  if (answered.length === 0) return undefined;
  const at = answered[integerBetween(random, 0, answered.length - 1)]!;
  return history.map((operation, i) => {
    if (i !== at) return operation;
    const { op } = operation;
    if (op.kind === "multi" || op.kind === "list") return operation;
    if (op.kind !== "get" && chance(random, 0.4)) {
      return { ...operation, op: { ...op, ok: op.ok !== true } };
    }
    if (op.version !== undefined && (op.kind !== "get" || chance(random, 0.5))) {
      const version = Math.max(0, op.version + (chance(random, 0.5) ? 1 : -1));
      return { ...operation, op: { ...op, version } };
    }
    if (op.kind !== "get") return { ...operation, op: { ...op, ok: op.ok !== true } };
    const others = history.flatMap(({ op: other }) => ("value" in other ? [other.value] : []));
    const value = others[integerBetween(random, 0, others.length - 1)] ?? null;
    return { ...operation, op: { ...op, value: value === op.value ? "never put" : value } };
  });
}

/**
 * Tries every order of every choice of the silent operations, on a store of its own. Slow, and so
 * plain that it is right.
 */
export function bruteForce(history: readonly Operation<KvOp>[]): boolean {
  const silent = history.filter(({ returnMs }) => returnMs === Infinity);
  const answered = history.filter(({ returnMs }) => returnMs !== Infinity);
  for (let chosen = 0; chosen < 1 << silent.length; chosen++) {
    const all = [...answered, ...silent.filter((_, i) => (chosen >> i) & 1)];
    if (someOrder(all, [])) return true;
  }
  return false;
}

function someOrder(left: readonly Operation<KvOp>[], before: readonly Operation<KvOp>[]): boolean {
  if (!isPossible(before)) return false;
  if (left.length === 0) return true;
  return left.some((first) => {
    const rest = left.filter((one) => one !== first);
    const isLate = rest.some(({ returnMs }) => returnMs < first.callMs);
    return !isLate && someOrder(rest, [...before, first]);
  });
}

/** Does them one after the other and compares the answers. */
function isPossible(order: readonly Operation<KvOp>[]): boolean {
  const store = new PlainStore();
  return order.every(({ op, returnMs }) => {
    if (op.kind === "multi" || op.kind === "list") throw new Error("not of this store");
    if (op.kind !== "get" && op.kind !== "cas" && op.kind !== "delete") {
      // Refused for a reason of its own: nothing happens.
      if (op.ok === false && op.at === undefined) {
        const seen = store.do({ kind: "get", key: op.key, value: undefined }) as {
          version: number;
        };
        return op.version === undefined || op.version === seen.version;
      }
    }
    const { version, ...done } = store.do(op) as KvOp & { version: number };
    if (returnMs === Infinity) return true;
    const isSame = op.kind === "get" ? (done as typeof op).value === op.value : true;
    const told = (done as { ok?: boolean }).ok;
    const isFree = op.kind === "delete" && op.at === undefined && told === false && !op.version;
    const isAnswer = op.kind === "get" || told === op.ok || (isFree && op.ok === true);
    return isSame && isAnswer && (op.version === undefined || op.version === version);
  });
}
