/** Limits of processor time and threads, by the files of machines that were looked at. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { availableParallelism } from "node:os";
import { threadLimit, usableCores } from "../../run/machine_limits.ts";

type Files = Readonly<Record<string, string>>;

const cores = availableParallelism();
const reader = (files: Files) => (path: string) => files[path];
const limit = (files: Files, processes: readonly string[] = []) =>
  threadLimit(reader(files), () => processes);

/** A mount line: see proc(5), /proc/pid/mountinfo. */
const mount = (root: string, point: string, type: string, options: string): string =>
  `31 23 0:28 ${root} ${point} rw,relatime shared:9 - ${type} cgroup ${options}\n`;

/** Version 2 in a container without a namespace of groups, limited by a group above its own. */
const VERSION_2: Files = {
  "/proc/self/cgroup": "0::/machine.slice/box/inner\n",
  "/proc/self/mountinfo": mount("/", "/sys/fs/cgroup", "cgroup2", "rw"),
  "/sys/fs/cgroup/machine.slice/box/inner/cpu.max": "max 100000\n",
  "/sys/fs/cgroup/machine.slice/box/inner/pids.max": "max\n",
  "/sys/fs/cgroup/machine.slice/box/inner/pids.current": "4\n",
  "/sys/fs/cgroup/machine.slice/box/cpu.max": "100000 100000\n",
  "/sys/fs/cgroup/machine.slice/box/pids.max": "64\n",
  "/sys/fs/cgroup/machine.slice/box/pids.current": "24\n",
  "/sys/fs/cgroup/machine.slice/pids.max": "4096\n",
  "/sys/fs/cgroup/machine.slice/pids.current": "100\n",
};

/** Version 1 as Docker mounts it: the container's own group is what is mounted. */
const VERSION_1: Files = {
  "/proc/self/cgroup": "9:pids:/docker/abc\n4:cpu,cpuacct:/docker/abc/worker\n0::/\n",
  "/proc/self/mountinfo":
    mount("/docker/abc", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct") +
    mount("/docker/abc", "/sys/fs/cgroup/pids", "cgroup", "rw,pids"),
  "/sys/fs/cgroup/cpu,cpuacct/worker/cpu.cfs_quota_us": "-1\n",
  "/sys/fs/cgroup/cpu,cpuacct/worker/cpu.cfs_period_us": "100000\n",
  "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
  "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
  "/sys/fs/cgroup/pids/pids.max": "30\n",
  "/sys/fs/cgroup/pids/pids.current": "31\n",
};

describe("usableCores()", () => {
  test("honours the quota of a group above, in both versions", () => {
    assertEquals(usableCores(reader(VERSION_2)), 1);
    assertEquals(usableCores(reader(VERSION_1)), 1);
  });

  test.each([
    ["max 100000", cores],
    ["50000 100000", 1],
    ["100000 100000", 1],
    ["-1 100000", cores],
    ["garbage", cores],
    ["99999999999 100000", cores],
  ])("with cpu.max %s", (text, expected) => {
    const files = { ...VERSION_2, "/sys/fs/cgroup/machine.slice/box/cpu.max": text };
    assertEquals(usableCores(reader(files)), expected);
  });

  test("is what the machine has where nothing can be read", () => {
    assertEquals(usableCores(reader({})), cores);
  });
});

describe("threadLimit()", () => {
  test("is the tightest of the group and all above it", () => {
    const source = "pids.max of /sys/fs/cgroup/machine.slice/box is 64";
    assertEquals(limit(VERSION_2), { left: 40, source });
    assertEquals(limit(VERSION_1), { left: 0, source: "pids.max of /sys/fs/cgroup/pids is 30" });
  });

  const user = (id: number, threads: number): string =>
    `Name:\tx\nUid:\t${id}\t${id}\t${id}\t${id}\nThreads:\t${threads}\n`;
  const processes = { "/proc/1/status": user(0, 9), "/proc/7/status": user(5, 6) };
  const limits = (max: string): Files => ({
    ...processes,
    "/proc/8/status": user(5, 2),
    "/proc/self/status": user(5, 2),
    "/proc/self/limits": `Limit  Soft  Hard  Units\nMax processes   ${max}   94321   processes\n`,
  });

  test("counts the threads of the user against the user's limit", () => {
    const names = ["1", "7", "8", "self", "meminfo"];
    assertEquals(limit(limits("20"), names), { left: 12, source: "ulimit -u is 20" });
    assertEquals(limit(limits("unlimited"), names), undefined);
    assertEquals(limit(limits("94321"), names), undefined);
  });

  test("holds the superuser to no limit of a user", () => {
    const files = { ...limits("20"), "/proc/self/status": user(0, 9) };
    assertEquals(limit(files, ["1", "7", "8"]), undefined);
  });

  test("is none where nothing can be read", () => {
    assertEquals(limit({}), undefined);
  });
});
