/** The choice among kernels: what runs here, why not, and that nothing untested is ever used. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Kernel } from "../../miner/kernel.ts";
import { selfTest } from "../../miner/kernels/known_answers.ts";
import { whyNoKernel } from "../../miner/kernel_choice.ts";
import { chooseKernel } from "../../miner/kernel_choice_adapter.ts";
import { createKernel, detect, KernelError, kernelNames } from "../../miner/kernels/mod.ts";
import { RAN_ON, ranOnText } from "../../miner/kernels/ran_on.ts";
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
  test("takes the kernel with the best rate, within what preference allows", async () => {
    const { kernel, rate, table } = await chooseKernel();
    const rates = table.map((row) => row.rate);
    expect(table.find(({ name }) => name === kernel.name)!.rate).toBe(rate);
    expect(rate).toBeGreaterThanOrEqual(Math.max(...rates) / 1.2);
  });

  test("takes a forced kernel, and fails when there is none", async () => {
    expect(await chooseKernel({ forced: "bun" })).toMatchObject({ reason: "chosen by name" });
    await expect(chooseKernel({ forced: "none" })).rejects.toThrow(KernelError);
  });
});

describe("RAN_ON", () => {
  test("names every kernel and the GPU", () => {
    expect(RAN_ON.map(({ kernel }) => kernel)).toEqual([...kernelNames, "--gpu"]);
  });

  test("is what docs/kernels.md says", async () => {
    const doc = await Bun.file(join(import.meta.dirname, "../../docs/kernels.md")).text();
    const rows = doc.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    for (const { kernel, real, emulated } of RAN_ON) {
      const expected = [real.join(", ") || "never run", emulated.join(", ") || "none"];
      const said = rows
        .filter(([, name]) => name === `\`${kernel}\``)
        .map((row) => row.slice(2, 4));
      expect(said).toContainEqual(expected);
    }
  });

  test("says of what never ran on real hardware that it did not", () => {
    for (const row of RAN_ON.filter(({ real }) => real.length === 0)) {
      expect(ranOnText(row)).toStartWith("never run on real hardware");
    }
  });
});

describe("whyNoKernel()", () => {
  test("refuses what this processor lacks and what there is not, naming what there is", () => {
    for (const { name, usable, reason } of detect()) {
      if (usable) expect(whyNoKernel(name)).toBeUndefined();
      else
        expect(whyNoKernel(name)).toStartWith(
          `it cannot run here (${reason}), expected one of auto`,
        );
    }
    expect(whyNoKernel("abacus")).toStartWith("there is none of that name, expected one of auto");
    expect(whyNoKernel("auto")).toBeUndefined();
  });
});
