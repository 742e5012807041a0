/**
 * Histories as JSON lines, for `kv.ts check`: an object an operation. docs/checker.md has the
 * format.
 *
 * @module
 */
import type { HistoryChange, HistoryValue, KvOp } from "./kv_model.ts";
import type { Operation } from "./linearize.ts";

/** A line that is no operation. */
export class HistoryError extends Error {
  override name = "HistoryError";
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields that an operation may have. */
const COMMON = ["client", "op", "call", "return"];
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  get: ["key", "value", "version"],
  put: ["key", "value", "version", "ok", "at"],
  append: ["key", "value", "version", "ok", "at"],
  cas: ["key", "value", "version", "ok", "expect"],
  delete: ["key", "version", "ok", "at"],
  multi: ["changes", "ok"],
  list: ["prefix", "entries"],
};

/** Reads the lines of a history; blank ones are skipped. Throws {@link HistoryError}. */
export function readHistory(text: string): Operation<KvOp>[] {
  const operations: Operation<KvOp>[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      operations.push(operationOf(JSON.parse(line)));
    } catch (error) {
      throw new HistoryError(`line ${i + 1}: ${(error as Error).message}`);
    }
  }
  return operations;
}

/** An operation as a line of a history, without the line's end. */
export function historyLine({ client, op, callMs, returnMs }: Operation<KvOp>): string {
  const { kind, ...fields } = op;
  // What is undefined, JSON leaves out; what a delete has for a value, too.
  const value = kind === "delete" ? { value: undefined } : {};
  const isAnswered = returnMs !== Infinity;
  const ends = isAnswered ? { call: callMs, return: returnMs } : { call: callMs };
  return JSON.stringify({ client, op: kind, ...fields, ...value, ...ends });
}

function operationOf(value: unknown): Operation<KvOp> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HistoryError(`got ${JSON.stringify(value)}, expected an object`);
  }
  const fields = value as Fields;
  const kind = fields["op"];
  const allowed = typeof kind === "string" && Object.hasOwn(FIELDS, kind) && FIELDS[kind];
  if (!allowed) throw wrong(fields, "op", `one of ${Object.keys(FIELDS).join(", ")}`);
  for (const name of Object.keys(fields)) {
    if (COMMON.includes(name) || allowed.includes(name)) continue;
    throw new HistoryError(`${name} is no field of ${kind}, which has ${allowed.join(", ")}`);
  }
  const { client } = fields;
  if (typeof client !== "string" && typeof client !== "number") {
    throw wrong(fields, "client", "a number or a name");
  }
  const callMs = time(fields, "call");
  const isAnswered = fields["return"] !== undefined;
  const returnMs = isAnswered ? time(fields, "return") : Infinity;
  if (returnMs < callMs) throw new HistoryError(`return ${returnMs} is before call ${callMs}`);
  return { client, op: opOf(kind as KvOp["kind"], fields, isAnswered), callMs, returnMs };
}

function opOf(kind: KvOp["kind"], fields: Fields, isAnswered: boolean): KvOp {
  const ok = isAnswered ? flag(fields) : undefined;
  if (kind === "multi") return { kind, changes: changesOf(fields), ok };
  if (kind === "list") {
    const entries = isAnswered ? entriesOf(fields) : undefined;
    return { kind, prefix: text(fields, "prefix"), entries };
  }
  const key = text(fields, "key");
  const told = isAnswered ? version(fields, "version") : undefined;
  const common = { key, ...(told !== undefined && { version: told }) };
  if (kind === "get") return { kind, ...common, value: isAnswered ? orNull(fields) : undefined };
  if (kind === "cas") {
    const expect = orNull(fields, "expect");
    return { kind, ...common, expect, value: text(fields, "value"), ok };
  }
  const at = version(fields, "at");
  const value = kind === "delete" ? null : text(fields, "value");
  return { kind, ...common, value, ok, ...(at !== undefined && { at }) };
}

function changesOf(fields: Fields): HistoryChange[] {
  const seen = new Set<string>();
  return objects(fields, "changes").map((one) => {
    const key = text(one, "key");
    if (seen.has(key)) throw new HistoryError(`changes has the key ${JSON.stringify(key)} twice`);
    seen.add(key);
    const at = version(one, "at");
    return { key, value: orNull(one), ...(at !== undefined && { at }) };
  });
}

function entriesOf(fields: Fields): { key: string; value: string; version?: number }[] {
  return objects(fields, "entries").map((one) => {
    const told = version(one, "version");
    const entry = { key: text(one, "key"), value: text(one, "value") };
    return told === undefined ? entry : { ...entry, version: told };
  });
}

function objects(fields: Fields, name: string): Fields[] {
  const value = fields[name];
  const isGood = Array.isArray(value) && value.every((one) => typeof one === "object" && one);
  if (!isGood) throw wrong(fields, name, "an array of objects");
  return value as Fields[];
}

function wrong(fields: Fields, name: string, expected: string): HistoryError {
  const got = fields[name] === undefined ? "nothing" : JSON.stringify(fields[name]);
  return new HistoryError(`${name} is ${got}, expected ${expected}`);
}

function time(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrong(fields, name, "a time");
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw wrong(fields, name, "text");
}

function orNull(fields: Fields, name = "value"): HistoryValue {
  const value = fields[name];
  if (typeof value === "string" || value === null) return value;
  throw wrong(fields, name, "text, or null for no such key");
}

function version(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw wrong(fields, name, "a whole number from 0 on");
}

function flag(fields: Fields): boolean {
  const value = fields["ok"];
  if (value === undefined || typeof value === "boolean") return value ?? true;
  throw wrong(fields, "ok", "true or false");
}
