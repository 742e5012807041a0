/**
 * Rows of the same things as a table for people.
 *
 * @module
 */

/** One row: values by the names of their columns. */
export type Row = Readonly<Record<string, string | number>>;

/** Rows as lines of JSON, whose names are in camel case, or as a table. */
export function rowsText(rows: readonly Row[], isJson: boolean): string {
  if (!isJson) return tableOf(rows);
  const named = (name: string): string =>
    name.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase());
  const objects = rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [named(name), value])),
  );
  return objects.map((each) => `${JSON.stringify(each)}\n`).join("");
}

/** A line of names, then a line for each row; `-` where a row has no such value. */
function tableOf(rows: readonly Row[]): string {
  // The row that has the most columns has them in order.
  const widest = rows.map((row) => Object.keys(row)).toSorted((a, b) => b.length - a.length);
  const names = [...new Set(widest.flat())];
  const lines = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? "-")))];
  const widths = names.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const padded = lines.map((line) => line.map((text, i) => text.padEnd(widths[i]!)).join("  "));
  return padded.map((line) => `${line.trimEnd()}\n`).join("");
}
