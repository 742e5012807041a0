/**
 * What other kinds of work keep in the table: rows of bytes that only they can read, in groups. A
 * group begins with its first row, whose name is empty, and ends when that is removed: what comes
 * late for one that is over changes nothing.
 *
 * @module
 */

/** Longest name of a group, and of a row, in bytes of UTF-8. */
export const ROW_NAME_BYTES_MAX = 64;
/** Longest row, in bytes: it fits one command. */
export const ROW_BYTES_MAX = 65_536;

/** Puts a row, or without bytes removes it. */
export interface RowChange {
  readonly group: string;
  readonly row: string;
  readonly bytes: Uint8Array | undefined;
}

/** Rows by group and name. */
export type RowGroups = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;

/** See the module. */
export class Rows {
  readonly #groups = new Map<string, Map<string, Uint8Array>>();

  get groups(): RowGroups {
    return this.#groups;
  }

  change({ group, row, bytes }: RowChange): void {
    const known = this.#groups.get(group);
    if (bytes === undefined) {
      if (row === "") this.#groups.delete(group);
      else known?.delete(row);
    } else if (known !== undefined) known.set(row, bytes);
    else if (row === "") this.#groups.set(group, new Map([[row, bytes]]));
  }

  /** All rows, in the order of their names: equal ones are equal whatever they went through. */
  *all(): Iterable<RowChange & { readonly bytes: Uint8Array }> {
    for (const [group, rows] of sorted(this.#groups)) {
      for (const [row, bytes] of sorted(rows)) yield { group, row, bytes };
    }
  }
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
