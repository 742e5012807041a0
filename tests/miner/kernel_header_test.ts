/** Block headers: known blocks of Bitcoin, and every kernel against Bun's SHA-256. */
import { describe, expect, test } from "bun:test";
import type { Kernel } from "../../miner/kernel.ts";
import { bunHeaderSearcher } from "../../miner/kernels/bun_header_native.ts";
import { plainHeaderSearcher } from "../../miner/kernels/scalar_header.ts";
import { engineKernel } from "../../miner/kernels/tile_search.ts";
import { scaled, SUBJECTS } from "./kernel_support.ts";

const BLOCKS = [
  {
    height: 0,
    header:
      "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b2" +
      "7ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
    hash: 0x000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26fn,
  },
  {
    height: 1,
    header:
      "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744" +
      "bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
    hash: 0x00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048n,
  },
  {
    height: 125_552,
    header:
      "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d75" +
      "0423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
    hash: 0x00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1dn,
  },
].map(({ header, ...rest }) => {
  const bytes = Uint8Array.fromHex(header);
  return { ...rest, bytes, nonce: BigInt(new DataView(bytes.buffer).getUint32(76, true)) };
});

/** The easiest target that Bitcoin allows. */
const DIFFICULTY_1 = 0xffffn << 208n;

test("the known blocks hash to what the chain says, by Bun.SHA256 twice", () => {
  for (const { bytes, hash } of BLOCKS) {
    const digest = new Uint8Array(Bun.SHA256.hash(bytes).buffer);
    const twice = new Uint8Array(Bun.SHA256.hash(digest).buffer);
    expect(BigInt(`0x${twice.reverse().toHex()}`)).toBe(hash);
  }
});

const scalar: readonly Kernel["bindHeader"][] = [plainHeaderSearcher, bunHeaderSearcher];

test("the scalar header searchers agree with each other", () => {
  const [plain, bun] = scalar.map((bind) => bind!(BLOCKS[1]!.bytes));
  for (const lower of [0n, 4_294_967_000n]) {
    expect(plain!.search(lower, lower + 295n)).toEqual(bun!.search(lower, lower + 295n));
  }
});

for (const { name, slow, engine } of SUBJECTS) {
  describe(`kernel ${name} and block headers`, () => {
    const kernel = engineKernel(engine());
    const bind = kernel.bindHeader!;

    test("finds the known blocks, as the least hash and by their target", () => {
      const around = BigInt(scaled(40_000, slow));
      for (const { bytes, hash, nonce } of BLOCKS) {
        const searcher = bind(bytes);
        expect(searcher.search(nonce - around, nonce + around)).toEqual({ hash, nonce });
        expect(searcher.search(nonce - around, nonce + around, DIFFICULTY_1)).toEqual({
          hash,
          nonce,
        });
        expect(searcher.search(nonce - 100n, nonce - 1n, DIFFICULTY_1).hash).toBeGreaterThan(
          DIFFICULTY_1,
        );
      }
    });

    test("agrees with Bun.SHA256 on ranges of every alignment, up to the last nonce", () => {
      const header = BLOCKS[2]!.bytes;
      const [ours, theirs] = [bind(header), bunHeaderSearcher(header)];
      const starts = [0n, 8191n, 65_530n, 2n ** 31n - 3n, 2n ** 32n - 70n];
      for (const start of starts) {
        for (let i = 0n; i < BigInt(scaled(20, slow)); i++) {
          for (const count of [1n, 7n, 8n, 9n, 15n, 16n, 17n, 33n]) {
            const [lower, upper] = [start + i, start + i + count - 1n];
            expect(ours.search(lower, upper)).toEqual(theirs.search(lower, upper));
          }
        }
      }
    });

    test("agrees with Bun.SHA256 on long ranges and middling targets", () => {
      const count = BigInt(scaled(60_000, slow));
      for (const [i, { bytes }] of BLOCKS.entries()) {
        const [ours, theirs] = [bind(bytes), bunHeaderSearcher(bytes)];
        const lower = BigInt(i) * 1_000_000_007n;
        expect(ours.search(lower, lower + count)).toEqual(theirs.search(lower, lower + count));
        const target = 2n ** 243n;
        const [got, expected] = [ours, theirs].map((s) => s.search(lower, lower + count, target));
        expect(got).toEqual(expected!);
      }
    });

    test("refuses a header that is not 80 bytes", () => {
      expect(() => bind(new Uint8Array(79))).toThrow(RangeError);
    });
  });
}
