/**
 * What this process may use of the machine, beyond what Bun asks about: the processor time and the
 * number of threads that control groups leave it (cgroups(7), version 1 and 2, with all groups
 * above), and the user's own limit of threads (RLIMIT_NPROC, setrlimit(2)). Elsewhere than on Linux
 * there is nothing to read, and nothing is limited.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Reads a whole file; undefined when it cannot be read. Tests read another machine's files. */
export type ReadFile = (path: string) => string | undefined;

/** Names in a directory; none when it cannot be read. */
export type ListNames = (path: string) => readonly string[];

/** A limit of threads, and what sets it. */
export interface ThreadLimit {
  /** Threads and processes that may still be started. */
  readonly left: number;
  /** For people: the file or limit, as they would look for it. */
  readonly source: string;
}

/** From here on a user's own limit is no limit: Linux has as many process numbers by default. */
const USER_THREADS_MAX = 32_768;

function readSystem(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function listSystem(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Cores that this process may use: its affinity, and its share of processor time; at least 1. */
export function usableCores(read: ReadFile = readSystem): number {
  let cores = availableParallelism();
  for (const directory of groupDirectories("cpu", read)) {
    const quota = read(`${directory}/cpu.max`) ?? quotaOfVersion1(directory, read);
    const [micros, period] = quota.trim().split(/\s+/).map(Number);
    // "max 100000" and "-1 100000" mean no limit; so does what makes no sense.
    if (micros! > 0 && period! > 0) cores = Math.min(cores, Math.floor(micros! / period!));
  }
  return Math.max(1, cores);
}

function quotaOfVersion1(directory: string, read: ReadFile): string {
  const cfs = `${directory}/cpu.cfs`;
  return `${read(`${cfs}_quota_us`) ?? ""} ${read(`${cfs}_period_us`) ?? ""}`;
}

/** The tightest limit of threads that is near enough to matter, or undefined. */
export function threadLimit(
  read: ReadFile = readSystem,
  list: ListNames = listSystem,
): ThreadLimit | undefined {
  const limits: ThreadLimit[] = [];
  for (const directory of groupDirectories("pids", read)) {
    const max = Number(read(`${directory}/pids.max`) ?? Number.NaN);
    const current = Number(read(`${directory}/pids.current`) ?? Number.NaN);
    if (!Number.isFinite(max) || !Number.isFinite(current)) continue;
    limits.push({ left: Math.max(0, max - current), source: `pids.max of ${directory} is ${max}` });
  }
  const user = userLimit(read, list);
  if (user !== undefined) limits.push(user);
  return limits.toSorted((a, b) => a.left - b.left)[0];
}

function userLimit(read: ReadFile, list: ListNames): ThreadLimit | undefined {
  const status = read("/proc/self/status") ?? "";
  const user = userOf(status);
  const soft = Number(/^Max processes\s+(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1]);
  // The superuser is above it.
  if (user === undefined || user === 0 || !(soft < USER_THREADS_MAX)) return undefined;
  let threads = 0;
  for (const name of list("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const other = read(`/proc/${name}/status`) ?? "";
    if (userOf(other) === user) threads += Number(/^Threads:\s+(\d+)/m.exec(other)?.[1] ?? 0);
  }
  return { left: Math.max(0, soft - threads), source: `ulimit -u is ${soft}` };
}

/** The real user of a process, by its status file. */
function userOf(status: string): number | undefined {
  const id = /^Uid:\s+(\d+)/m.exec(status)?.[1];
  return id === undefined ? undefined : Number(id);
}

/** The directories of the group of this process and of all above it, for one controller. */
function groupDirectories(controller: string, read: ReadFile): readonly string[] {
  const groups = (read("/proc/self/cgroup") ?? "").trim().split("\n");
  const mounts = (read("/proc/self/mountinfo") ?? "").trim().split("\n");
  const found: string[] = [];
  for (const mount of mounts) {
    const [place = "", type = ""] = mount.split(" - ");
    const [, , , root = "", point = ""] = place.split(" ");
    const [kind, , options = ""] = type.split(" ");
    const isOne = kind === "cgroup" && options.split(",").includes(controller);
    if (!isOne && kind !== "cgroup2") continue;
    const group = groups
      .map((line) => line.split(":"))
      .find(([, names = ""]) => (isOne ? names.split(",").includes(controller) : names === ""));
    if (group === undefined) continue;
    const path = group.slice(2).join(":");
    // Mounted from a group that this process is not below: what is mounted is all there is to see.
    const prefix = root === "/" ? "" : root;
    const below = path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : "";
    const parts = below.split("/").filter((part) => part !== "");
    for (let count = parts.length; count >= 0; count--) {
      found.push([point, ...parts.slice(0, count)].join("/"));
    }
  }
  return found;
}
