/** Directories: those that client and workers share, and those that a killed process leaves. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "../../mapreduce/bytes.ts";
import { JobFiles } from "../../mapreduce/files_adapter.ts";
import { hashOfPart } from "../../mapreduce/hash_adapter.ts";
import type { TaskReport } from "../../mapreduce/job_types.ts";
import { doneFile, partFile } from "../../mapreduce/part_files.ts";
import {
  removeLeftovers,
  removeScratch,
  scratchDirectory,
} from "../../mapreduce/scratch_adapter.ts";
import { Share, SHARE_FILE, SharedOutputs } from "../../mapreduce/share_adapter.ts";
import { runTask } from "../../mapreduce/task_adapter.ts";
import type { JobFilePart, RunOrder, SharedPart } from "../../mapreduce/worker_types.ts";
import { Desk } from "./jobs.ts";
import { countWords } from "./twin.ts";

const desk = new Desk();
afterAll(() => desk.remove());

describe("a shared directory", () => {
  const partOf = (path: string, file: string): SharedPart => {
    const { size, mtimeMs } = statSync(file);
    const shared = { path, from: 1, fileBytes: size, modifiedMs: Math.round(mtimeMs) };
    return { shared, bytes: 2 };
  };

  test("is known by its number to any process that opens it", () => {
    const directory = join(desk.file("share/a.txt", "abcdef"), "..");
    const [one, two] = [new Share(directory), new Share(directory)];
    assertEquals([one.id.length, one.id], [64, two.id]);
    assertEquals(one.pathOf(join(directory, "a.txt")), "a.txt");
    assertEquals(one.pathOf(desk.file("elsewhere.txt", "")), "");
    const other = join(desk.file("other/a.txt", ""), "..");
    assert(new Share(other).id !== one.id);
    writeFileSync(join(other, SHARE_FILE), "nonsense");
    assertThrows(() => new Share(other), Error, "is damaged");
    assertThrows(() => new Share(join(directory, "none")), Error, "cannot share the directory");
  });

  test("gives files as they were, and no path leads out of it", () => {
    const file = desk.file("inside/deep/b.txt", "abcdef");
    const outside = desk.file("outside.txt", "abcdef");
    const directory = join(file, "../..");
    symlinkSync(outside, join(directory, "link.txt"));
    symlinkSync(join(outside, ".."), join(directory, "up"));
    const share = new Share(directory);
    assert(share.fileOf(partOf("deep/b.txt", file)) !== undefined);
    for (const path of [
      "link.txt",
      "../outside.txt",
      "up/outside.txt",
      outside,
      "",
      "deep/../..",
      "a\0b",
    ]) {
      assertEquals(share.fileOf(partOf(path, outside)), undefined, path);
      assertEquals(share.directoryOf(path), undefined, path);
    }
    assertEquals(share.directoryOf("up"), undefined);
    const { shared } = partOf("deep/b.txt", file);
    for (const wrong of [{ fileBytes: 7 }, { modifiedMs: 1 }, { from: 5 }, { path: "deep" }]) {
      assertEquals(share.fileOf({ shared: { ...shared, ...wrong }, bytes: 2 }), undefined);
    }
  });

  test("gets outputs under the name of what they are, and nothing of those that failed", () => {
    const directory = join(desk.file("outputs/out/x", ""), "../..");
    const share = new Share(directory);
    const outputs = new SharedOutputs(share);
    const order = (id: string, out: string) =>
      ({ kind: "reduce", index: 3, terms: { share: id, out } }) as RunOrder & { kind: "reduce" };
    assertEquals(outputs.begin(order("", "out")), undefined);
    assertEquals(outputs.begin(order(share.id, "none")), undefined);
    const [good, bad] = [order(share.id, "out"), order(share.id, "out")];
    for (const each of [good, bad]) writeFileSync(outputs.begin(each)!, "lines");
    const output = { bytes: 5, hash: "0f".repeat(32) };
    const named = outputs.end(good, { kind: "reduced", output, lines: 1, bad: 0, skipped: [] });
    assertEquals(outputs.end(bad, { kind: "stopped" }), undefined);
    assertEquals(named, join(directory, "out", `.mr-out-3-${output.hash}.part`));
    assertEquals(readdirSync(join(directory, "out")).sort(), [
      `.mr-out-3-${output.hash}.part`,
      "x",
    ]);
  });
});

describe("what lies between map and reduce in a shared directory", () => {
  test("is mr-X-Y, in lines of JSON, and reduces to what it should", async () => {
    const text = "b a\nb \\ é\n";
    const input = desk.file("between.txt", text);
    const directory = join(desk.file("between/keep", ""), "..");
    const application = { builtin: "wc" };
    const common = { application, asJson: true, skipBad: false, sortBytes: 1 << 20, directory };
    const reports: TaskReport[] = [];
    const order = { reducers: 2, name: "n", firstLine: 1, output: { directory, map: 3 } };
    const part = { path: input, from: 0, to: utf8(text).length };
    await runTask({ kind: "map", ...common, ...order, input: part }, (r) => reports.push(r));
    assertEquals(readdirSync(directory).sort(), [".mr-3.done", "keep", "mr-3-0", "mr-3-1"]);
    const mapped = reports.at(-1);
    assert(mapped?.kind === "mapped" && mapped.isShared === true, JSON.stringify(mapped));
    const lines = [0, 1].map((r) => readFileSync(join(directory, `mr-3-${r}`), "utf8")).join("");
    const pairs = lines.split("\n").filter((line) => line !== "");
    const records = pairs.map((line) => JSON.parse(line) as { key: string; value: string });
    assertEquals(records.map(({ key, value }) => `${key}=${value}`).toSorted(), [
      "a=1",
      "b=2",
      "é=1",
    ]);
    for (const r of [0, 1]) {
      const { bytes, hash } = mapped.parts[r]!;
      const path = join(directory, `mr-3-${r}`);
      assertEquals(hashOfPart(path, 0, bytes), hash);
      const output = join(directory, `out-${r}`);
      const inputs = [{ path, from: 0, to: bytes }];
      const reduce = { kind: "reduce", ...common, inputs, asRecords: false, output } as const;
      await runTask(reduce, (report) => reports.push(report));
    }
    const got = [0, 1].map((r) => readFileSync(join(directory, `out-${r}`), "utf8"));
    assertEquals(got, countWords([text], 2));
  });

  test("is not made again when its worker is lost, unless it is damaged", async () => {
    const input = desk.file("again.txt", "a b\n");
    const directory = join(desk.file("again/keep", ""), "..");
    const output = { directory, map: 0 };
    const input_ = { path: input, from: 0, to: 4 };
    const common = { asJson: true, skipBad: false, sortBytes: 1 << 20, directory, output };
    const order = { application: { builtin: "wc" }, reducers: 2, name: "n", firstLine: 1 };
    const run = async (reducers = 2): Promise<TaskReport> => {
      const reports: TaskReport[] = [];
      const map = { kind: "map", ...common, ...order, input: input_, reducers } as const;
      await runTask(map, (report) => reports.push(report));
      return reports.at(-1)!;
    };
    const first = await run();
    // What gives another result shows whether the map has run.
    writeFileSync(input, "c d\n");
    assertEquals(await run(), first);
    const damage = {
      "a partition": () => writeFileSync(partFile(output, 1), "{}"),
      "a partition that is gone": () => rmSync(partFile(output, 0)),
      "the note": () => writeFileSync(doneFile(output), "{}"),
      "a note of nothing": () =>
        writeFileSync(doneFile(output), '{"kind":"mapped","parts":[null]}'),
      "a note that is gone": () => rmSync(doneFile(output)),
    };
    let before = first;
    for (const [i, [what, act]] of Object.entries(damage).entries()) {
      writeFileSync(input, `${"vwxyz"[i]} d\n`);
      act();
      const after = await run();
      assertEquals(after.kind, "mapped");
      assert(!Bun.deepEquals(after, before), what);
      assertEquals(await run(), after, what);
      before = after;
    }
    assert(!Bun.deepEquals(await run(3), before));
  });

  test("goes with the job, or what a worker made of it with the worker", () => {
    const directory = join(desk.file("gone/x", ""), "..");
    const share = new Share(directory);
    const [one, two] = ["one", "two"].map((name) => {
      return new JobFiles(join(desk.file(`${name}/x`, ""), ".."), share);
    }) as [JobFiles, JobFiles];
    const write = (files: JobFiles, map: number): string => {
      const path = partFile(files.partFiles(5, map, 1), 0);
      writeFileSync(path, "{}");
      return path;
    };
    const [first, second] = [write(one, 0), write(two, 1)];
    assertEquals(one.path({ uid: 5, kind: "shared", number: 1, reduce: 0 }), second);
    two.wipe(undefined);
    assertEquals([existsSync(first), existsSync(second)], [true, false]);
    write(two, 1);
    one.wipe(5);
    assertEquals(existsSync(share.jobDirectory(5)), false);
    two.wipe(undefined);
  });
});

describe("files of a job", () => {
  // Small ones are hashed at once, large ones by a thread, which begins while they arrive.
  for (const [size, third] of [
    ["small", 300],
    ["large", 5 << 20],
  ] as const) {
    test(`that are ${size} have the SHA-256 of what was put, and not of what it became`, async () => {
      const files = new JobFiles(join(desk.file(`${size}/x`, ""), ".."));
      try {
        const bytes = Uint8Array.from({ length: 3 * third + 100 }, (_, i) => i ^ (i >> 9));
        const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
        const ends = [third, 2 * third, bytes.length];
        const put = (number: number, order: readonly number[]): JobFilePart => {
          const file = { uid: 7, kind: "part", number } as const;
          for (const i of order) files.put(file, i * third, bytes.subarray(i * third, ends[i]));
          return { file, from: 0, to: bytes.length };
        };
        const isGood = (part: JobFilePart): Promise<boolean> =>
          new Promise((resolve) => files.verify(part, hash, resolve));
        for (const [number, order] of [
          [0, 1, 2],
          [0, 2, 1],
          [2, 0, 1],
          [0, 1, 2, 1],
          [0, 1, 0, 1, 2],
        ].entries()) {
          const part = put(number, order);
          assert(await isGood(part), `${order}`);
          assert(await isGood(part), `${order}, again`);
          assert(!(await isGood({ ...part, from: 1 })));
        }
        const damaged = put(9, [0, 1, 2]);
        files.put(damaged.file, 5, Uint8Array.of(0));
        assert(!(await isGood(damaged)));
        const late = put(11, [0]);
        files.put(late.file, 5, Uint8Array.of(0));
        for (const i of [1, 2]) files.put(late.file, i * third, bytes.subarray(i * third, ends[i]));
        assert(!(await isGood(late)));
        assert(!(await isGood(put(10, [0, 1]))));
        files.wipe(7);
        assert(!(await isGood(damaged)));
        const last = isGood(put(12, [0, 1, 2]));
        files.close();
        // What a thread is ended at is not good.
        assertEquals(await last, size === "small");
      } finally {
        files.close();
      }
    });
  }
});

describe("a scratch directory", () => {
  test("of a process that was killed is removed by the next one; one in use stays", async () => {
    const place = mkdtempSync(join(tmpdir(), "motherlode-scratch-test-"));
    const module = join(import.meta.dir, "../../mapreduce/scratch_adapter.ts");
    const code = `
      const { scratchDirectory } = await import(${JSON.stringify(module)});
      console.log(scratchDirectory());
      setInterval(() => {}, 1000);`;
    const env = { ...process.env, TMPDIR: place, TMP: place, TEMP: place };
    const child = Bun.spawn([process.execPath, "-e", code], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const { value } = await child.stdout.getReader().read();
      const directory = new TextDecoder().decode(value).trim();
      assertStringIncludes(directory, place);
      writeFileSync(join(directory, "left"), "x");
      mkdirSync(join(place, "motherlode-mapreduce-keepit-too"));
      const sweep = async (): Promise<void> => {
        const count = `(await import(${JSON.stringify(module)})).removeLeftovers()`;
        await Bun.spawn([process.execPath, "-e", count], { env }).exited;
      };
      await sweep();
      assert(existsSync(join(directory, "left")));
      child.kill("SIGKILL");
      await child.exited;
      await sweep();
      assertEquals(readdirSync(place), ["motherlode-mapreduce-keepit-too"]);
    } finally {
      child.kill("SIGKILL");
      rmSync(place, { recursive: true, force: true });
    }
  });

  test("of this process stays until it is removed", () => {
    const directory = scratchDirectory();
    writeFileSync(join(directory, "mine"), "x");
    removeLeftovers();
    assert(existsSync(join(directory, "mine")));
    removeScratch(directory);
    assert(!existsSync(directory));
  });
});
