/**
 * A directory that client and workers share, on one machine or on a shared file system. What it is
 * called is a random number in a file of it: who finds the same number has the same directory. A
 * path that came in a message leads nowhere but into it.
 *
 * @module
 */
import {
  linkSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { UsageError } from "../run/errors.ts";
import { SHARE_BYTES, SHARED_PATH_BYTES_MAX } from "../work/mapreduce_messages.ts";
import { idText } from "../work/job_id.ts";
import type { TaskEnd } from "./task_end.ts";
import type { RunOrder, SharedPart } from "./worker_types.ts";

type ReduceOrder = RunOrder & { readonly kind: "reduce" };

/** The file with the number. */
export const SHARE_FILE = ".motherlode-share";
const TEXT = /^motherlode shared directory ([0-9a-f]{64})\n$/;

/** See the module. */
export class Share {
  /** What it is called: {@link SHARE_BYTES} bytes in hexadecimal digits. */
  readonly id: string;
  readonly #directory: string;

  /** Throws {@link UsageError} when `directory` cannot be one. */
  constructor(directory: string) {
    try {
      this.#directory = realpathSync(directory);
      this.id = idOf(this.#directory);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`cannot share the directory ${directory}: ${(error as Error).message}`);
    }
  }

  /** The path of `file` from the directory; empty if it does not lie in it. */
  pathOf(file: string): string {
    try {
      const absolute = resolve(file);
      const path = relative(
        this.#directory,
        join(realpathSync(dirname(absolute)), nameOf(absolute)),
      );
      const isFine = isInside(path) && Buffer.byteLength(path) <= SHARED_PATH_BYTES_MAX;
      return isFine ? path.replaceAll(sep, "/") : "";
    } catch {
      return "";
    }
  }

  /** Where a part of a file lies, if it is what it was when the client looked; else undefined. */
  fileOf({ shared: { path, from, fileBytes, modifiedMs }, bytes }: SharedPart): string | undefined {
    const file = this.#lead(path);
    if (file === undefined) return undefined;
    try {
      const stats = statSync(file);
      const isSame =
        stats.isFile() &&
        stats.size === fileBytes &&
        Math.round(stats.mtimeMs) === modifiedMs &&
        from + bytes <= fileBytes;
      return isSame ? file : undefined;
    } catch {
      return undefined;
    }
  }

  /** Where what lies between map and reduce of a job goes, as lines of JSON. */
  jobDirectory(id: number): string {
    return join(this.#directory, `.motherlode-mr-${idText(id)}`);
  }

  /** A directory in it that is there; undefined for all else. */
  directoryOf(path: string): string | undefined {
    const found = this.#lead(path);
    try {
      return found !== undefined && statSync(found).isDirectory() ? found : undefined;
    } catch {
      return undefined;
    }
  }

  /** Where a path leads, links followed, unless that is outside. */
  #lead(path: string): string | undefined {
    if (!isInside(path)) return undefined;
    try {
      const real = realpathSync(join(this.#directory, path));
      return isInside(relative(this.#directory, real)) ? real : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Outputs that a worker writes into a directory that the client shares. */
export class SharedOutputs {
  readonly #share: Share;
  /** Where an output is written, by run. */
  readonly #under = new Map<ReduceOrder, string>();

  constructor(share: Share) {
    this.#share = share;
  }

  /** Where the output of a reduce is written, if the client can see that. */
  begin(order: ReduceOrder): string | undefined {
    const { share, out } = order.terms;
    const directory = share === this.#share.id ? this.#share.directoryOf(out) : undefined;
    if (directory === undefined) return undefined;
    const path = join(directory, `.mr-out-${order.index}-${crypto.randomUUID()}.part`);
    this.#under.set(order, path);
    return path;
  }

  /** The reduce is over: where its output lies, under a name by which it is found. */
  end(order: ReduceOrder, end: TaskEnd): string | undefined {
    const path = this.#under.get(order);
    this.#under.delete(order);
    if (path === undefined) return undefined;
    try {
      if (end.kind === "reduced") {
        const named = join(dirname(path), sharedOutputName(order.index, end.output.hash));
        renameSync(path, named);
        return named;
      }
      rmSync(path, { force: true });
    } catch {
      // What is not there is missed when it is read.
    }
    return undefined;
  }
}

/** What an output is called until the client takes it over. */
export function sharedOutputName(reduce: number, hash: string): string {
  return `.mr-out-${reduce}-${hash}.part`;
}

function nameOf(absolute: string): string {
  return absolute.slice(dirname(absolute).length).replace(/^[/\\]/, "");
}

/** Whether a path leads down, and nowhere else. */
function isInside(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return path !== "" && !isAbsolute(path) && !path.includes("\0") && !parts.includes("..");
}

/** The directory's number, which is drawn if it has none. */
function idOf(directory: string): string {
  const file = join(directory, SHARE_FILE);
  const known = read(file);
  if (known !== undefined) return known;
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(SHARE_BYTES))).toString("hex");
  const own = `${file}-${crypto.randomUUID()}`;
  try {
    writeFileSync(own, `motherlode shared directory ${id}\n`, { flag: "wx" });
    // A link is made at once and by one process alone, though others try it now.
    linkSync(own, file);
    return id;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return read(file)!;
  } finally {
    rmSync(own, { force: true });
  }
}

function read(file: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const id = TEXT.exec(text)?.[1];
  if (id !== undefined) return id;
  throw new UsageError(`${file} is damaged: remove it while nobody uses the directory`);
}
