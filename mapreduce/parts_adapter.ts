/**
 * The partitions of a map as files: one after the other in one, or each in one of its own in a
 * directory that is shared, where it has its name when it is whole.
 *
 * @module
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { writeAll } from "../run/write_all.ts";
import { hashOfPart } from "./hash_adapter.ts";
import type { MapOrder, Part, PartFiles, TaskReport } from "./job_types.ts";
import { doneFile, partFile } from "./part_files.ts";
import type { MapOutput } from "./spill.ts";

/** Where partitions go. */
interface Place {
  write(bytes: Uint8Array): void;
  /** A partition is whole. */
  end(): void;
  close(): void;
}

class OneFile implements Place {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, "w");
  }

  write(bytes: Uint8Array): void {
    writeAll(this.#fd, bytes);
  }

  end(): void {}

  close(): void {
    closeSync(this.#fd);
  }
}

class FileEach implements Place {
  readonly #files: PartFiles;
  #ended = 0;
  /** The file of the partition that is not whole yet, if there is one. */
  #path: string | undefined;
  /** -1 when none is open. */
  #fd = -1;

  constructor(files: PartFiles) {
    this.#files = files;
  }

  write(bytes: Uint8Array): void {
    this.#begin();
    writeAll(this.#fd, bytes);
  }

  end(): void {
    const path = this.#begin();
    this.#shut();
    renameSync(path, partFile(this.#files, this.#ended++));
    this.#path = undefined;
  }

  close(): void {
    this.#shut();
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }

  /** Opens the file of the next partition, if that is not done. */
  #begin(): string {
    if (this.#path !== undefined) return this.#path;
    const path = partFile(this.#files, this.#ended, crypto.randomUUID());
    this.#fd = openSync(path, "w");
    this.#path = path;
    return path;
  }

  #shut(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Writes the partitions; the size and the hash of each. */
export function writeParts(output: MapOutput, to: MapOrder["output"]): Part[] {
  const parts: Part[] = [];
  const place: Place = typeof to === "string" ? new OneFile(to) : new FileEach(to);
  let hasher = new Bun.CryptoHasher("sha256");
  let start = 0;
  try {
    output.finish(
      (bytes) => {
        hasher.update(bytes);
        place.write(bytes);
      },
      (_partition, end) => {
        place.end();
        parts.push({ bytes: end - start, hash: hasher.digest("hex") });
        hasher = new Bun.CryptoHasher("sha256");
        start = end;
      },
    );
  } finally {
    place.close();
  }
  return parts;
}

type Mapped = TaskReport & { readonly kind: "mapped" };

/** Notes beside the partitions, which are all there, what the map came to. */
export function noteMapped(files: PartFiles, mapped: Mapped): void {
  const own = doneFile(files, crypto.randomUUID());
  try {
    writeFileSync(own, `${JSON.stringify(mapped)}\n`);
    renameSync(own, doneFile(files));
  } catch {
    // Without the note the map is done again if its worker is lost.
    rmSync(own, { force: true });
  }
}

/**
 * What the map came to at another worker, which is lost: if that noted it, and all partitions are
 * there, and are what they were.
 */
export function mappedBefore(files: PartFiles, reducers: number): Mapped | undefined {
  let noted: unknown;
  try {
    noted = JSON.parse(readFileSync(doneFile(files), "utf8"));
  } catch {
    return undefined;
  }
  if (!isMapped(noted) || noted.parts.length !== reducers) return undefined;
  const isWhole = ({ bytes, hash }: Part, reduce: number): boolean =>
    hashOfPart(partFile(files, reduce), 0, bytes) === hash;
  return noted.parts.every(isWhole) ? noted : undefined;
}

/** Others write in the directory, too. */
function isMapped(noted: unknown): noted is Mapped {
  if (typeof noted !== "object" || noted === null) return false;
  const { kind, isShared, parts, skipped, ...counts } = noted as Partial<Mapped>;
  const { records, invalid, bad } = counts;
  const isText = (text: unknown): boolean => typeof text === "string";
  return (
    kind === "mapped" &&
    isShared === true &&
    [records, invalid, bad].every(Number.isSafeInteger) &&
    Array.isArray(parts) &&
    parts.every((part: Part | null) => Number.isSafeInteger(part?.bytes) && isText(part?.hash)) &&
    Array.isArray(skipped) &&
    skipped.every(isText)
  );
}
