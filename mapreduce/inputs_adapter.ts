/**
 * What a job reads: files, directories and patterns become files, and those become splits.
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { Failure, UsageError } from "../run/errors.ts";
import { CHUNK_BYTES, SPLITS_MAX } from "./limits.ts";

/** An input file, as it was when the job began. */
export interface InputFile {
  /** As the user named it. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** A part of a file, whole lines, that one map reads. */
export interface InputSplit {
  readonly file: InputFile;
  readonly from: number;
  readonly to: number;
  /** Number of its first line, 1 and up; 0 when nobody asked for it. */
  readonly firstLine: number;
}

/** How files are cut. */
export interface SplitOptions {
  /** About how large a split is; Infinity keeps files whole. */
  readonly bytes: number;
  readonly countLines: boolean;
}

const NEWLINE = 10;
const PATTERN = /[*?[{]/;

/** The files that the arguments name, each once. Throws {@link UsageError}. */
export function inputFiles(given: readonly string[]): InputFile[] {
  const paths = new Set<string>();
  for (const text of given) for (const path of pathsOf(text)) paths.add(path);
  return [...paths].map((path) => {
    const stats = statOf(path)!;
    if (!stats.isFile()) throw new UsageError(`the input "${path}" is no file that can be cut`);
    try {
      closeSync(openSync(path, "r"));
    } catch (error) {
      throw new UsageError(`cannot read the input "${path}": ${(error as Error).message}`);
    }
    return { path, bytes: stats.size, modifiedMs: stats.mtimeMs };
  });
}

function pathsOf(text: string): string[] {
  const stats = statOf(text);
  if (stats?.isDirectory() === true) {
    const found = directoryFiles(text);
    if (found.length === 0) throw new UsageError(`the input directory "${text}" has no files`);
    return found;
  }
  if (stats !== undefined) return [text];
  if (PATTERN.test(text)) {
    const found = [...new Bun.Glob(text).scanSync({ onlyFiles: true, dot: false })].sort();
    if (found.length > 0) return found;
    throw new UsageError(`no file matches the input "${text}"`);
  }
  throw new UsageError(`there is no input "${text}"`);
}

function directoryFiles(directory: string): string[] {
  let entries;
  try {
    entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  } catch (error) {
    throw new UsageError(`cannot read the directory "${directory}": ${(error as Error).message}`);
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Cuts the files between lines. Throws a {@link Failure} when a file cannot be read. */
export function splitsOf(files: readonly InputFile[], options: SplitOptions): InputSplit[] {
  const splits: InputSplit[] = [];
  for (const file of files) {
    if (file.bytes === 0) continue;
    try {
      cut(file, options, splits);
    } catch (error) {
      throw new Failure(`cannot read ${file.path}: ${(error as Error).message}`);
    }
    if (splits.length > SPLITS_MAX) {
      throw new Failure(`the input has more than ${SPLITS_MAX} splits: cut the job in parts`);
    }
  }
  return splits;
}

function cut(file: InputFile, { bytes, countLines }: SplitOptions, splits: InputSplit[]): void {
  const fd = openSync(file.path, "r");
  const buffer = new Uint8Array(CHUNK_BYTES);
  try {
    let firstLine = countLines ? 1 : 0;
    for (let from = 0; from < file.bytes;) {
      const aim = from + bytes;
      const to = aim >= file.bytes ? file.bytes : lineEnd(fd, aim, file.bytes, buffer);
      splits.push({ file, from, to, firstLine });
      if (countLines) firstLine += countNewlines(fd, from, to, buffer);
      from = to;
    }
  } finally {
    closeSync(fd);
  }
}

/** Behind the first newline at `from - 1` or later; the file's end if there is none. */
function lineEnd(fd: number, from: number, end: number, buffer: Uint8Array): number {
  for (let at = from - 1; at < end;) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, end - at), at);
    if (got === 0) break;
    const found = buffer.subarray(0, got).indexOf(NEWLINE);
    if (found >= 0) return at + found + 1;
    at += got;
  }
  return end;
}

function countNewlines(fd: number, from: number, to: number, buffer: Uint8Array): number {
  let count = 0;
  for (let at = from; at < to;) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, to - at), at);
    if (got === 0) break;
    for (let i = 0; i < got; i++) if (buffer[i] === NEWLINE) count++;
    at += got;
  }
  return count;
}

/** Throws a {@link Failure} when the file is not what it was at the start of the job. */
export function checkUnchanged(file: InputFile): void {
  const stats = statOf(file.path);
  if (stats?.size === file.bytes && stats.mtimeMs === file.modifiedMs) return;
  throw new Failure(`the input ${file.path} changed while the job ran: start it again`);
}
