/** The kernels that need no special hardware, against the definition of the hash. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { Kernel } from "../../miner/kernel.ts";
import { KERNEL_NAMES, kernelNamed } from "../../miner/kernel_choice.ts";
import { hashNonce, UINT64_MAX } from "../../work/hash.ts";
import { bruteForce } from "../support/brute_force.ts";

/** Ends of the digit lengths, and of what numbers and halves can hold. */
const BOUNDARIES: readonly bigint[] = [
  ...Array.from({ length: 19 }, (_, i) => 10n ** BigInt(i + 1)),
  2n ** 32n,
  2n ** 53n,
  UINT64_MAX - 4n,
];

const bind = (kernel: Kernel, message: string) => kernel.bind(new TextEncoder().encode(message));

describe.each(["plain", "bun", "auto"])("kernel %s", (name) => {
  const kernel = kernelNamed(name)!;

  test("finds the least hash behind messages of every length across three blocks", () => {
    for (let length = 0; length <= 200; length++) {
      const message = "é".repeat(length >> 1) + "m".repeat(length & 1);
      for (const lower of [0n, 95n, 99_999_990n]) {
        const got = bind(kernel, message).search(lower, lower + 20n);
        assertEquals(got, bruteForce(message, lower, lower + 20n), `${length} bytes, ${lower}`);
      }
    }
  });

  test("crosses every digit length and every numeric boundary", () => {
    const searcher = bind(kernel, "msg");
    for (const boundary of BOUNDARIES) {
      const [lower, upper] = [boundary - 4n, boundary + 4n];
      assertEquals(searcher.search(lower, upper), bruteForce("msg", lower, upper), `${boundary}`);
    }
    assertEquals(searcher.search(UINT64_MAX, UINT64_MAX).nonce, UINT64_MAX);
  });

  test("returns the lowest hit of a target, or unmet the least hash", () => {
    const searcher = bind(kernel, "msg");
    for (let bits = 1n; bits <= 12n; bits++) {
      const target = UINT64_MAX >> bits;
      const want = bruteForce("msg", 7n, 2000n, target);
      assertEquals(searcher.search(7n, 2000n, target), want, `target 2^${64n - bits}`);
    }
    assertEquals(searcher.search(7n, 2000n, 0n), bruteForce("msg", 7n, 2000n));
    assertEquals(searcher.search(7n, 2000n, UINT64_MAX), bruteForce("msg", 7n, 7n));
    for (let nonce = 0n; nonce < 30n; nonce++) {
      const exact = hashNonce("msg", nonce);
      assertEquals(searcher.search(nonce, 2000n, exact).nonce, nonce, "a hash equal to the target");
    }
  });
});

test("kernelNamed knows the listed names and no other", () => {
  assertEquals(KERNEL_NAMES.slice(-2), ["bun", "plain"]);
  assertEquals(kernelNamed("bun")!.name, "bun");
  assert(KERNEL_NAMES.includes(kernelNamed("auto")!.name));
  assertEquals(kernelNamed("abacus"), undefined);
});
