/**
 * What actors hold and send each other: registers, and cells of counters. Merging two entries of
 * one name is associative, commutative and idempotent: they may come in any order, and often.
 *
 * @module
 */
import type { ByteReader, ByteString, ByteWriter } from "../base/byte_fields.ts";
import { CELL_SUM_MAX, ENTRY_BYTES, KEY_BYTES_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import { compareStamps, COUNTER_MAX, type Stamp, WALL_MS_MAX } from "./stamp.ts";

/** The value of a key as of its stamp: the last writer wins. */
export interface Register extends Stamp {
  readonly kind: "register";
  readonly key: ByteString;
  /** Undefined: it was deleted. Such a register is a tombstone. */
  readonly value: Uint8Array | undefined;
}

/**
 * What one actor in one life added to a counter, and took from it. Only that actor changes its
 * cell, and both sums only grow: the larger ones are the later ones. (A PN-counter: Shapiro and
 * others, "A comprehensive study of convergent and commutative replicated data types", 2011.)
 */
export interface Cell {
  readonly kind: "cell";
  readonly key: ByteString;
  readonly actor: number;
  readonly plus: number;
  readonly minus: number;
}

/** One of the things that are merged. It is never changed, but replaced. */
export type Entry = Register | Cell;

/** The later of two registers of one key. */
export function laterRegister(a: Register, b: Register): Register {
  return compareStamps(a, b) >= 0 ? a : b;
}

/** Both of two cells of one actor and key. It is `a` where `b` has nothing new. */
export function joinedCell(a: Cell, b: Cell): Cell {
  if (b.plus <= a.plus && b.minus <= a.minus) return a;
  if (a.plus <= b.plus && a.minus <= b.minus) return b;
  return { ...a, plus: Math.max(a.plus, b.plus), minus: Math.max(a.minus, b.minus) };
}

/** What an entry weighs against STORE_BYTES_MAX, and roughly in messages. */
export function weightOf(entry: Entry): number {
  const valueBytes = entry.kind === "register" ? (entry.value?.length ?? 0) : 0;
  return entry.key.length + valueBytes + ENTRY_BYTES;
}

const VALUE = 0;
const TOMBSTONE = 1;
const CELL = 2;

/** Writes an entry. */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  if (entry.kind === "cell") {
    writer.byte(CELL).text(entry.key).uint(entry.actor).uint(entry.plus).uint(entry.minus);
    return;
  }
  const { key, wallMs, counter, actor, value } = entry;
  writer.byte(value === undefined ? TOMBSTONE : VALUE).text(key);
  writer.uint(wallMs).uint(counter).uint(actor);
  if (value !== undefined) writer.blob(value);
}

/** Reads an entry that a stranger may have written; the reader knows whether it was one. */
export function readEntry(reader: ByteReader): Entry {
  const kind = reader.byte(CELL);
  const key = reader.text(KEY_BYTES_MAX);
  if (key === "") reader.reject();
  if (kind === CELL) {
    const actor = reader.uint();
    const plus = reader.uint(CELL_SUM_MAX);
    return { kind: "cell", key, actor, plus, minus: reader.uint(CELL_SUM_MAX) };
  }
  const stamp = {
    wallMs: reader.uint(WALL_MS_MAX),
    counter: reader.uint(COUNTER_MAX),
    actor: reader.uint(),
  };
  const value = kind === VALUE ? reader.blob(VALUE_BYTES_MAX) : undefined;
  return { kind: "register", key, ...stamp, value };
}
