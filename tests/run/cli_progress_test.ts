/** How progress looks on a terminal and elsewhere. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readableCount, readableDuration, readableTime } from "../../base/text.ts";
import { progressLine, whyWaiting } from "../../client/progress_line.ts";
import { Display } from "../../run/progress.ts";
import { hexDigits, readableRate } from "../../work/readable.ts";

test("readableRate has three digits and an SI prefix", () => {
  const cases: [number, string][] = [
    [0, "0 H/s"],
    [999, "999 H/s"],
    [1234, "1.23 kH/s"],
    [999_999, "1.00 MH/s"],
    [12_345_678, "12.3 MH/s"],
    [1.5e11, "150 GH/s"],
    [2e21, "2000 EH/s"],
  ];
  for (const [rate, text] of cases) assertEquals(readableRate(rate), text);
});

test("readableTime has two units", () => {
  const cases: [number, string][] = [
    [0.2, "1 s"],
    [59.5, "1 min 0 s"],
    [3599, "59 min 59 s"],
    [7620, "2 h 7 min"],
    [86_400 * 12, "12 days"],
    [86_400 * 365 * 5000, "5,000 years"],
    [Infinity, "unknown"],
  ];
  for (const [seconds, text] of cases) assertEquals(readableTime(seconds), text);
});

test("readableCount sets thousands apart, readableDuration has three digits", () => {
  const counts = [0n, 999n, 1000n, 2n ** 64n].map(readableCount);
  assertEquals(counts, ["0", "999", "1,000", "18,446,744,073,709,551,616"]);
  const durations = [0.0004, 0.1234, 9.96, 59.94, 185].map(readableDuration);
  assertEquals(durations, ["0 ms", "123 ms", "10.0 s", "59.9 s", "3 min 5 s"]);
});

const STATUS = {
  kind: "status",
  job: 1,
  done: 421n,
  jobRate: 100,
  fleetRate: 2e6,
  miners: 1,
} as const;

test("progressLine tells done, fleet rate, time left and best so far, for any total", () => {
  const best = { hash: 255n, nonce: 7n };
  const line = progressLine({ ...STATUS, best }, 1000n, { bar: true });
  assertEquals(
    line,
    `[${"=".repeat(10)}${" ".repeat(14)}] ` +
      "42.1 %  ETA 6 s  fleet 2.00 MH/s  1 miner  best 00000000000000ff  at 7",
  );
  const idle = { ...STATUS, done: 0n, jobRate: 0, miners: 0 };
  assertEquals(
    progressLine(idle, 2n ** 64n, { bar: false }),
    "0.0 %  ETA unknown  fleet 2.00 MH/s  0 miners",
  );
  const most = progressLine({ ...STATUS, done: 2n ** 64n - 1n }, 2n ** 64n, { bar: true });
  assertStringIncludes(most, "99.9 %");
  assertEquals(hexDigits(2n ** 64n - 1n), "f".repeat(16));
});

test("progressLine fits its columns, leaving out what matters least first", () => {
  const best = { hash: 2n ** 64n - 1n, nonce: 2n ** 64n - 1n };
  const status = { ...STATUS, fleetRate: 123e6, miners: 1234, best, done: 2n ** 50n };
  const lines: string[] = [];
  for (let columns = 160; columns >= 20; columns--) {
    const line = progressLine(status, 2n ** 64n, { bar: true, columns });
    assertEquals(line.length <= columns, true, `${columns}: ${line}`);
    assertStringIncludes(line, "0.0 %");
    lines.push(line);
  }
  const at80 = lines[160 - 79]!;
  for (const part of ["[", "ETA", "fleet", "best"]) assertStringIncludes(at80, part);
  // In this order they go, as it gets narrower.
  const parts = ["at 18446744073709551615", "1234 miners", "[", "best ffff", "fleet 123 MH/s"];
  const gone = parts.map((part) => lines.findIndex((line) => !line.includes(part)));
  assertEquals(
    gone,
    gone.toSorted((x, y) => x - y),
  );
  assertEquals(gone.includes(-1), false);
});

describe("Display", () => {
  function shown(quiet: boolean, terminal: boolean): { display: Display; text: string[] } {
    const text: string[] = [];
    const write = (part: string): void => void text.push(part);
    return { display: new Display({ quiet, terminal, write }), text };
  }

  test("rewrites the status in place on a terminal, below the lines that stay", () => {
    const { display, text } = shown(false, true);
    display.status("1 %");
    display.line("hello");
    display.clear();
    assertEquals(text, ["\r\x1b[K1 %", "\r\x1b[Khello\n1 %", "\r\x1b[K"]);
  });

  test("writes the status now and then elsewhere", () => {
    const { display, text } = shown(false, false);
    for (let ms = 0; ms <= 10_000; ms += 100) display.status(`${ms}`, ms);
    display.clear();
    assertEquals(text, ["0\n", "5000\n", "10000\n"]);
  });

  test("says nothing when quiet", () => {
    const { display, text } = shown(true, true);
    display.status("1 %");
    display.line("hello");
    display.clear();
    assertEquals(text, []);
  });
});

test("whyWaiting blames other jobs only where the fleet is at work on some", () => {
  const status = (miners: number, jobRate: number, fleetRate: number): string =>
    whyWaiting({ kind: "status", job: 1, done: 5n, miners, jobRate, fleetRate }, 1000);
  assertStringIncludes(status(0, 0, 0), "waits for miners");
  assertStringIncludes(status(2, 0, 7), "waits behind them");
  // Regression: the only miner of the only job was killed, and "other jobs" were said to go first.
  assertEquals(status(1, 7, 7), "");
  const moving = { kind: "status", job: 1, done: 5n, miners: 2, jobRate: 0, fleetRate: 7 } as const;
  assertEquals(whyWaiting(moving, 999), "");
});
