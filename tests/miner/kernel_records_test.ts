/** What is known of kernels, kept between runs: whatever lies in the directory, nothing crashes. */
import { afterAll, describe, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatRecords,
  parseRecords,
  RECORDS_BYTES_MAX,
} from "../../miner/kernels/kernel_records.ts";
import { kernelNames } from "../../miner/kernels/mod.ts";
import { RecordStore, userCacheDirectory } from "../../miner/kernels/record_store_adapter.ts";
import type { KernelRecord } from "../../miner/kernels/selection.ts";

const KEY = { processor: "p", system: "s", bun: "1", motherlode: "2" };
const RECORDS: ReadonlyMap<string, KernelRecord> = new Map<string, KernelRecord>([
  ["sha", { kind: "works", rate: 52e6, whole: true, digests: [1n, 2n ** 64n - 1n] }],
  ["avx2", { kind: "struck", why: "died: SIGILL (block headers)" }],
]);

const root = mkdtempSync(join(tmpdir(), "motherlode-records-"));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const fresh = (): string => join(root, String(++made));
const fileIn = (directory: string): string => join(directory, readdirSync(directory)[0]!);

/** A store in a directory that has records already, and their file. */
function filled(): { store: RecordStore; file: string; directory: string } {
  const directory = fresh();
  const store = new RecordStore(directory, KEY);
  assert(store.save(RECORDS));
  return { store, file: fileIn(directory), directory };
}

describe("parseRecords()", () => {
  test("reads what formatRecords() wrote, for the same key only", () => {
    const text = formatRecords(KEY, RECORDS);
    assertEquals(parseRecords(text, KEY, kernelNames), new Map(RECORDS));
    for (const field of ["processor", "system", "bun", "motherlode"]) {
      assertEquals(parseRecords(text, { ...KEY, [field]: "other" }, kernelNames), undefined);
    }
  });

  test("reads what is known of a kernel that was struck off for a long reason", () => {
    const long = new Map([["wasm", { kind: "struck", why: `line\n${"é".repeat(300)}` } as const]]);
    const read = parseRecords(formatRecords(KEY, long), KEY, kernelNames)!.get("wasm");
    assertEquals(read, { kind: "struck", why: `line ${"é".repeat(97)}` });
  });

  test("believes nothing that does not read as it was written", () => {
    const whole = JSON.parse(formatRecords(KEY, RECORDS)) as Record<string, object>;
    const withSha = (sha: unknown): string => JSON.stringify({ ...whole, kernels: { sha } });
    const good = { rate: 1, whole: true, digests: [] };
    assert(parseRecords(withSha(good), KEY, kernelNames) !== undefined);
    const wrong: unknown[] = [
      { ...good, rate: 0 },
      { ...good, rate: 1e300 },
      { ...good, rate: "1" },
      { ...good, whole: 1 },
      { ...good, digests: ["0"] },
      { ...good, digests: Array(257).fill("0".repeat(16)) },
      { struck: "two\nlines" },
      { struck: "x".repeat(201) },
      { struck: 1 },
      [],
      null,
    ];
    for (const sha of wrong) assertEquals(parseRecords(withSha(sha), KEY, kernelNames), undefined);
    const unknown = JSON.stringify({ ...whole, kernels: { abacus: good } });
    const others = [unknown, "", "null", "[]", "{}", `{"format":1}`, "\0", text(-1)];
    for (const other of others) assertEquals(parseRecords(other, KEY, kernelNames), undefined);
    function text(end: number): string {
      return formatRecords(KEY, RECORDS).trim().slice(0, end);
    }
  });

  test("never throws, whatever the text", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseRecords(text, KEY, kernelNames)));
    fc.assert(fc.property(fc.json(), (text) => void parseRecords(text, KEY, kernelNames)));
  });
});

describe("RecordStore", () => {
  test("finds again what it kept, in a directory that it makes itself", () => {
    const { directory } = filled();
    assertEquals(new RecordStore(directory, KEY).load(), new Map(RECORDS));
    assertEquals(new RecordStore(directory, { ...KEY, bun: "2" }).load(), new Map());
    assertEquals(readdirSync(directory).length, 1);
  });

  test("finds nothing in garbage, in a file that is too long, and in a directory", () => {
    const { store, file } = filled();
    for (const garbage of [Buffer.from([0xff, 0, 7]), Buffer.alloc(RECORDS_BYTES_MAX + 1, 0x20)]) {
      writeFileSync(file, garbage);
      assertEquals(store.load(), new Map());
      assert(store.save(RECORDS), "and keeps records in its place");
      assertEquals(store.load(), new Map(RECORDS));
    }
    rmSync(file);
    mkdirSync(file);
    assertEquals(store.load(), new Map());
    assertEquals(store.save(RECORDS), false);
  });

  test("keeps nothing where nothing can be kept, and leaves nothing behind", () => {
    const { file } = filled();
    const nowhere = new RecordStore(join(file, "inside"), KEY);
    assertEquals([nowhere.load(), nowhere.save(RECORDS)], [new Map(), false]);
    assert(readFileSync(file, "utf8").startsWith("{"));
    // The system's own directories can be written by nobody at all.
    if (!existsSync("/proc/self")) return;
    const readOnly = new RecordStore("/proc/motherlode", KEY);
    assertEquals([readOnly.load(), readOnly.save(RECORDS)], [new Map(), false]);
  });

  if (process.platform !== "win32") {
    test("neither reads nor overwrites what others own or may write to", () => {
      const { store, file, directory } = filled();
      chmodSync(file, 0o666);
      assertEquals(store.load(), new Map());
      chmodSync(file, 0o600);
      assertEquals(store.load().size, 2);
      chmodSync(directory, 0o777);
      assertEquals(store.save(RECORDS), false);
      chmodSync(directory, 0o700);
      const link = fresh();
      mkdirSync(link);
      symlinkSync(file, join(link, file.slice(directory.length + 1)));
      assertEquals(new RecordStore(link, KEY).load(), new Map());
    });
  }

  if (process.getuid?.() === 0) {
    test("takes nothing from another user, and gives it nothing", () => {
      const { store, file, directory } = filled();
      chownSync(file, 12_345, 12_345);
      assertEquals(store.load(), new Map());
      chownSync(file, 0, 0);
      chownSync(directory, 12_345, 12_345);
      assertEquals(store.save(RECORDS), false);
    });
  }

  test("keeps a limited number of files, the newest", () => {
    const { directory, file } = filled();
    utimesSync(file, 1, 1);
    for (let i = 0; i < 20; i++) new RecordStore(directory, { ...KEY, bun: `b${i}` }).save(RECORDS);
    assertEquals(readdirSync(directory).length, 16);
    assert(!existsSync(file));
  });
});

describe("userCacheDirectory()", () => {
  test("is where each system has it", () => {
    const on = (platform: string, environment: Record<string, string>) =>
      userCacheDirectory(environment, platform, "/home/me");
    assertEquals(on("linux", {}), "/home/me/.cache/motherlode");
    assertEquals(on("linux", { XDG_CACHE_HOME: "/x" }), "/x/motherlode");
    assertEquals(on("linux", { XDG_CACHE_HOME: "x" }), "/home/me/.cache/motherlode");
    assertEquals(on("darwin", {}), "/home/me/Library/Caches/motherlode");
    assertEquals(on("win32", { LOCALAPPDATA: "/local" }), "/local/motherlode");
    assertEquals(on("win32", {}), undefined);
    assertEquals(on("linux", { MOTHERLODE_CACHE_DIR: "/own" }), "/own");
    assertEquals(on("linux", { MOTHERLODE_CACHE_DIR: "own" }), undefined);
    assertEquals(userCacheDirectory({}, "linux", ""), undefined);
  });
});
