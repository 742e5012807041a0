/** What is tried next and which kernel that makes the fastest, by records alone. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Availability } from "../../miner/kernels/mod.ts";
import {
  type KernelRecord,
  nextTrial,
  SAFE_KERNEL,
  verdictOf,
  type Wish,
} from "../../miner/kernels/selection.ts";

const kernel = (name: string, native: boolean, reason = ""): Availability => {
  return { name, description: name, native, usable: reason === "", reason };
};
/** A machine like a Zen 3. */
const ZEN_3 = [
  kernel("avx512-sha", true, "no AVX-512VL"),
  kernel("avx2-sha", true),
  kernel("avx2-sha-narrow", true),
  kernel("avx512", true, "no AVX-512F"),
  kernel("sha", true),
  kernel("avx2", true),
  kernel("wasm", false),
  kernel("bun", false),
];
/** Nonces a second there; see docs/kernels.md. */
const RATES: Readonly<Record<string, number>> = {
  "avx2-sha": 0.28e6,
  "avx2-sha-narrow": 18e6,
  sha: 52e6,
  avx2: 20e6,
  wasm: 8e6,
  bun: 13e6,
};

type Outcome = number | "dies";

/** Tries all there is to try; what was tried, in order, and the records. */
function explore(
  kernels: readonly Availability[],
  wish: Wish,
  outcome: (name: string) => Outcome = (name) => RATES[name]!,
  provable = true,
): { tried: string[]; records: Map<string, KernelRecord> } {
  const records = new Map<string, KernelRecord>();
  const tried: string[] = [];
  for (;;) {
    const trial = nextTrial(kernels, records, wish, provable);
    if (trial === undefined) return { tried, records };
    tried.push(trial.whole ? `${trial.kernel} whole` : trial.kernel);
    const rate = outcome(trial.kernel);
    const record: KernelRecord =
      rate === "dies"
        ? { kind: "struck", why: "died: SIGILL" }
        : { kind: "works", rate, whole: trial.whole, digests: [] };
    records.set(trial.kernel, record);
  }
}

describe("nextTrial()", () => {
  test("proves the quickly made kernel first, measures the rest, and proves the fastest", () => {
    const { tried, records } = explore(ZEN_3, {});
    assertEquals(tried, ["sha whole", "avx2-sha", "avx2-sha-narrow", "avx2"]);
    const verdict = verdictOf(ZEN_3, records, {});
    assertEquals(verdict, { name: "sha", rate: 52e6, reason: "fastest of 4 measured" });
    const other = explore(ZEN_3, {}, (name) => (name === "avx2-sha" ? 72e6 : RATES[name]!));
    assertEquals(other.tried.at(-1), "avx2-sha whole");
    assertEquals(verdictOf(ZEN_3, other.records, {}).name, "avx2-sha");
  });

  test("goes on with the next when one is struck off, down to what needs no proof", () => {
    const sha = explore(ZEN_3, {}, (name) => (name === "sha" ? "dies" : RATES[name]!));
    assertEquals(sha.tried[1], "avx2-sha whole");
    const { name, reason } = verdictOf(ZEN_3, sha.records, {});
    assertEquals(name, "avx2");
    assertStringIncludes(reason, "sha is struck off: died: SIGILL");
    const all = explore(ZEN_3, {}, (name) => (/sha|avx/.test(name) ? "dies" : RATES[name]!));
    assertEquals(all.tried.slice(-2), ["wasm whole", "bun whole"]);
    assertEquals(verdictOf(ZEN_3, all.records, {}).name, "bun");
  });

  test("tries no machine code where none can be proved, and says why", () => {
    const { tried, records } = explore(ZEN_3, {}, undefined, false);
    assertEquals(tried, ["wasm whole", "bun whole"]);
    const verdict = verdictOf(ZEN_3, records, {}, "no child process can be had");
    assertEquals(verdict.name, "bun");
    assertStringIncludes(verdict.reason, "no child process can be had");
  });

  test("proves the kernel that is asked for, and others only when that is struck off", () => {
    const wish = { only: "avx2-sha-narrow" };
    const { tried, records } = explore(ZEN_3, wish);
    assertEquals(tried, ["avx2-sha-narrow whole"]);
    const verdict = verdictOf(ZEN_3, records, wish);
    assertEquals(verdict, { name: wish.only, rate: 18e6, reason: "chosen by name" });
    const struck = explore(ZEN_3, wish, (name) => (name === wish.only ? "dies" : RATES[name]!));
    assertEquals(verdictOf(ZEN_3, struck.records, wish).name, "sha");
  });

  test("with `all` proves every kernel as a whole, and measures the portable ones too", () => {
    const { tried } = explore(ZEN_3, { all: true }, (name) => (name === "avx2" ? "dies" : 1e6));
    const usable = ZEN_3.filter(({ usable: here }) => here).map(({ name }) => `${name} whole`);
    assertEquals(tried, usable);
  });
});

describe("verdictOf()", () => {
  test("is the safe kernel while nothing is known", () => {
    const { name, rate } = verdictOf(ZEN_3, new Map(), {});
    assertEquals([name, rate], [SAFE_KERNEL, 0]);
  });

  test("never is a kernel of which only a part was proved", () => {
    const works = (rate: number, whole: boolean): KernelRecord => {
      return { kind: "works", rate, whole, digests: [] };
    };
    const records = new Map([
      ["avx2-sha", works(90e6, false)],
      ["sha", works(52e6, true)],
    ]);
    assertEquals(verdictOf(ZEN_3, records, {}).name, "sha");
  });

  test("prefers the kernel that comes first unless another is clearly faster", () => {
    const rates: Readonly<Record<string, number>> = { "avx2-sha": 100, sha: 102, avx2: 104 };
    const even = explore(ZEN_3, { all: true }, (name) => rates[name] ?? 1);
    assertEquals(verdictOf(ZEN_3, even.records, {}).name, "avx2");
    const closer = explore(ZEN_3, { all: true }, (name) =>
      name === "avx2" ? 103 : (rates[name] ?? 1),
    );
    assertEquals(verdictOf(ZEN_3, closer.records, {}).name, "avx2-sha");
  });

  test("says what machine code the processor lacks when none is used", () => {
    const none = ZEN_3.map((row) => (row.native ? kernel(row.name, true, "no luck") : row));
    const { records } = explore(none, {});
    const { name, reason } = verdictOf(none, records, {});
    assertEquals([name, reason], ["bun", "fastest of 2 measured; no machine code: no luck"]);
  });
});
