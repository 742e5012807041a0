/**
 * Rows of the same things as a table for people.
 *
 * @module
 */

/** One row: values by the names of their columns. */
export type Row = Readonly<Record<string, string | number>>;

/** A line of names, then a line for each row; `-` where a row has no such value. */
export function tableOf(rows: readonly Row[]): string {
  // The row that has the most columns has them in order.
  const widest = rows.map((row) => Object.keys(row)).toSorted((a, b) => b.length - a.length);
  const names = [...new Set(widest.flat())];
  const lines = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? "-")))];
  const widths = names.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const padded = lines.map((line) => line.map((text, i) => text.padEnd(widths[i]!)).join("  "));
  return padded.map((line) => `${line.trimEnd()}\n`).join("");
}
