/**
 * Whose a directory is: a short text in the file `owner`, for people and programs.
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";
import { DiskError } from "./disk_errors.ts";
import { FORMAT_VERSION } from "./disk_format.ts";

/** Bytes that the file may have. */
export const OWNER_BYTES_MAX: number = 1024;
/** Characters of an id. */
const ID_LENGTH_MAX = 200;

/** Whose a directory is, as it is read. */
export interface ReadOwner extends Owner {
  /** Whether it is of the format before. */
  readonly isFormer: boolean;
}

/** Whose a directory is. */
export interface Owner {
  /** What keeps its data there, a word in small letters: `raft`, `textkv`. */
  readonly kind: string;
  /** Which one of those, in one printable line. */
  readonly id: string;
}

/** Whether a directory can be given to `owner`. */
export function isOwner({ kind, id }: Owner): boolean {
  return (
    /^[a-z][a-z0-9-]{0,30}$/.test(kind) && /^[\x20-\x7e]*$/.test(id) && id.length <= ID_LENGTH_MAX
  );
}

/** The text of the file. */
export function ownerText({ kind, id }: Owner): string {
  const text = `motherlode disk format ${FORMAT_VERSION}\nkind ${kind}\nid ${id}\n`;
  return `${text}checksum ${checksumOf(text)}\n`;
}

function checksumOf(text: string): string {
  return crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
}

/**
 * Reads the text of `directory`'s owner file and gives the owner. Throws a `DiskError` if it is
 * damaged, or that of a newer version, or of an owner other than the one wanted (any id will do if
 * none is wanted).
 */
export function checkOwner(
  directory: string,
  text: string,
  wanted: { readonly kind: string; readonly id: string | undefined },
): ReadOwner {
  const version = /^motherlode disk format (\d{1,9})\n/.exec(text)?.[1];
  if (version !== undefined && Number(version) > FORMAT_VERSION) {
    throw new DiskError(
      "NEWER",
      `${directory}: it has disk format ${version}, and this program knows ${FORMAT_VERSION}; ` +
        "use the newer version that wrote it",
    );
  }
  const match = /^([^]*\nkind (.*)\nid (.*)\n)checksum ([0-9a-f]{8})\n$/.exec(text);
  const [, signed, kind = "", id = "", checksum] = match ?? [];
  if (version === undefined || signed === undefined || checksumOf(signed) !== checksum) {
    throw new DiskError(
      "DAMAGED",
      `${directory}: owner is damaged; restore the directory from a copy, or move it away and ` +
        "begin anew without what it holds",
    );
  }
  if (kind !== wanted.kind || (wanted.id !== undefined && id !== wanted.id)) {
    const whose = wanted.id === undefined ? wanted.kind : `${wanted.kind} "${wanted.id}"`;
    throw new DiskError(
      "FOREIGN",
      `${directory}: it belongs to ${kind} "${id}", not to ${whose}; name another directory`,
    );
  }
  return { kind, id, isFormer: Number(version) < FORMAT_VERSION };
}
