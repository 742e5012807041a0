/** The choice among kernels: what runs here, why not, and that nothing untested is ever used. */
import { describe, expect, test } from "bun:test";
import type { Kernel } from "../../miner/kernel.ts";
import { selfTest } from "../../miner/kernels/known_answers.ts";
import {
  chooseKernel,
  createKernel,
  detect,
  KernelError,
  kernelNames,
} from "../../miner/kernels/mod.ts";
import { plainKernel } from "../../miner/plain_kernel.ts";

describe("detect()", () => {
  test("names every kernel in order of preference, the plain one always usable", () => {
    const found = detect();
    expect(found.map(({ name }) => name)).toEqual([...kernelNames]);
    expect(found.at(-1)).toMatchObject({ name: "plain", usable: true, reason: "" });
  });

  test("says why a kernel is not usable, in one line", () => {
    for (const { usable, reason } of detect()) {
      expect(usable).toBe(reason === "");
      expect(reason).not.toContain("\n");
    }
  });
});

describe("createKernel()", () => {
  test("makes every kernel that is said to be usable, under its name", () => {
    for (const { name, usable } of detect()) {
      if (usable) expect(createKernel(name).name).toBe(name);
      else expect(() => createKernel(name)).toThrow(KernelError);
    }
  });

  test("refuses a name that it does not know", () => {
    expect(() => createKernel("gpu-of-my-dreams")).toThrow(KernelError);
  });
});

describe("selfTest()", () => {
  const wrong = (change: (hash: bigint) => bigint): Kernel => ({
    name: "wrong",
    bind: (message) => ({
      search(lower, upper, target) {
        const best = plainKernel.bind(message).search(lower, upper, target);
        return { ...best, hash: change(best.hash) };
      },
    }),
  });

  test("passes a right kernel", () => {
    expect(selfTest(plainKernel)).toBeUndefined();
  });

  test("fails a kernel that is off by one bit, and one that throws", () => {
    expect(selfTest(wrong((hash) => hash ^ 1n))).toContain("expected");
    const broken = wrong(() => {
      throw new Error("no code");
    });
    expect(selfTest(broken)).toBe("no code");
  });
});

describe("chooseKernel()", () => {
  test("takes the kernel with the best rate, within what preference allows", () => {
    const { kernel, rate, table } = chooseKernel({ measureMillis: 10 });
    const rates = table.map((row) => row.rate);
    expect(table.find(({ name }) => name === kernel.name)!.rate).toBe(rate);
    expect(rate).toBeGreaterThanOrEqual(Math.max(...rates) / 1.2);
  });

  test("takes a forced kernel without measuring, and fails when there is none", () => {
    expect(chooseKernel({ forced: "bun" })).toMatchObject({ rate: 0, reason: "chosen by name" });
    expect(() => chooseKernel({ forced: "none" })).toThrow(KernelError);
  });
});
