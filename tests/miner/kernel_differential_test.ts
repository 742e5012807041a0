/** Every kernel against Bun's SHA-256, nonce by nonce, over all the ways digits can lie. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Engine,
  HEADER_SHAPE,
  STATES_SHAPE,
  TAIL_SHAPE,
  type TileCode,
} from "../../miner/kernels/engine.ts";
import { everyShape } from "../../miner/kernels/every_shape.ts";
import { shapeKey } from "../../miner/kernels/shapes.ts";
import { layoutOf, tileShape } from "../../miner/kernels/tile_layout.ts";
import { engineKernel } from "../../miner/kernels/tile_search.ts";
import { hashNonce } from "../../work/hash.ts";
import {
  type Case,
  caseOf,
  FACTOR,
  messageOf,
  mistakes,
  NOT_RUN,
  scaled,
  spread,
  SUBJECTS,
} from "./kernel_support.ts";

const NONCES_MIN = 2_000_000 * FACTOR;

type Ask = Parameters<typeof caseOf>;

/** Cases are made once, on first use, for all kernels: `count` of `asks`, evenly spread. */
function lazily(asks: readonly Ask[], count = scaled(asks.length)): () => readonly Case[] {
  let made: readonly Case[] | undefined;
  return () => (made ??= spread(asks, count).map((ask) => caseOf(...ask)));
}

const nonces = (cases: readonly Case[]): number =>
  cases.reduce((sum, { lower, upper }) => sum + Number(upper - lower) + 1, 0);

/** Of all message lengths 0 to 200 with all changes of the number of digits, about every fourth. */
const BOUNDARIES = 1000;
/** All message lengths 0 to 200, across every change of the number of digits. */
const boundaries = lazily(
  Array.from({ length: 201 * 19 }, (_, i) => [
    i % 201,
    10n ** BigInt(1 + (i % 19)) - BigInt(i % 19 === 0 ? 10 : 20),
    41,
  ]),
  FACTOR > 1 ? 201 * 19 : scaled(BOUNDARIES),
);

/** The first nonces of 1 to 5 digits at every place in a block: all of them, at any factor. */
const short = lazily(
  Array.from({ length: 5 * 64 }, (_, i) => [
    Math.trunc(i / 5),
    10n ** BigInt(i % 5) - (i % 5 === 0 ? 1n : 0n),
    10,
  ]),
  5 * 64,
);

/** Every alignment to a batch, and lengths around those of batches, in each kind of block. */
const edges = lazily(
  [3, 50, 54, 57, 119].flatMap((length) =>
    [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33].flatMap((count) =>
      Array.from({ length: 17 }, (_, i): Ask => [length, 1_234_559_990n + BigInt(i), count]),
    ),
  ),
);

/** Around 2^32 and 2^53, and up to the last nonce there is. */
const large = lazily(
  Array.from({ length: 67 }, (_, length) =>
    [2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n].map((at): Ask => [length, at - 300n, 601]),
  ).flat(),
);

/** Many nonces: each length up to two blocks, several tiles. */
const BULK_NONCES = Math.ceil(21_000 * FACTOR);
const bulk = lazily(
  Array.from({ length: 100 }, (_, length) => [
    length,
    9_990_000n * 10n ** BigInt(length % 5),
    BULK_NONCES,
  ]),
  100,
);

/** The lowest nonce that meets a target: none, easy, middling. */
const targets = lazily(
  [3, 50, 53, 54, 55, 57].flatMap((length) =>
    [0n, 2n ** 64n - 1n, 2n ** 61n, 2n ** 56n, 2n ** 51n].map((target): Ask => [
      length,
      3_999_999_123n,
      20_000,
      target,
    ]),
  ),
);

test("the kernels' reference agrees with hashNonce()", () => {
  for (const length of [0, 3, 55, 120]) {
    const text = new TextDecoder().decode(messageOf(length));
    const { lower, upper, expected } = caseOf(length, 999_990n, 30);
    let best = { hash: 2n ** 64n, nonce: 0n };
    for (let nonce = lower; nonce <= upper; nonce++) {
      const hash = hashNonce(text, nonce);
      if (hash < best.hash) best = { hash, nonce };
    }
    expect(expected).toEqual(best);
  }
});

test("the kernels that cannot run on this processor are named", () => {
  for (const line of NOT_RUN) console.warn(`not run here: kernel ${line}`);
  expect(SUBJECTS.length + NOT_RUN.length).toBe(8);
});

for (const { name, slow, engine } of SUBJECTS) {
  describe(`kernel ${name} agrees with Bun.SHA256`, () => {
    const kernel = engineKernel(engine(), 0);
    const some = (cases: readonly Case[]): readonly Case[] =>
      slow && cases !== short() ? spread(cases, scaled(cases.length, slow)) : cases;
    const check = (what: string, cases: () => readonly Case[]): void =>
      test(what, () => expect(mistakes(kernel, some(cases()))).toEqual([]));
    check("on the first nonces of 1 to 5 digits, in every shape", short);
    check("over all message lengths 0 to 200 and all digit boundaries", boundaries);
    check("on ranges of every alignment and length", edges);
    check("around 2^32, 2^53, 2^63 and 2^64 - 1", large);
    check("on long ranges", bulk);
    check("on targets: the lowest nonce that meets one", targets);

    test("on random shapes", () => {
      const length = fc.integer({ min: 0, max: 300 });
      const bits = fc.integer({ min: 0, max: 63 });
      const count = fc.integer({ min: 1, max: 400 });
      const property = fc.property(
        fc.record({ length, bits, lower: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), count }),
        (at) => {
          const random = caseOf(at.length, at.lower >> BigInt(at.bits), at.count);
          expect(mistakes(kernel, [random])).toEqual([]);
        },
      );
      fc.assert(property, { numRuns: Math.max(10, scaled(150, slow) * Math.max(1, FACTOR)) });
    });
  });
}

test(`at least ${NONCES_MIN} nonces a kernel are compared`, () => {
  const all = [boundaries(), edges(), large(), bulk(), targets()].map(nonces);
  expect(all.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(NONCES_MIN);
});

test("the first nonces of 1 to 5 digits meet every shape of code, but the one of headers", () => {
  const layouts = short().map(({ message, upper }) =>
    layoutOf(message.length + 1, String(upper).length),
  );
  const straddling = layouts.some(({ straddles }) => straddles) ? [STATES_SHAPE, TAIL_SHAPE] : [];
  const tiles = layouts.filter(({ straddles }) => !straddles).map(tileShape);
  const reached = new Set([...straddling, ...tiles].map(shapeKey));
  const headers = shapeKey(HEADER_SHAPE);
  expect(
    everyShape()
      .map(shapeKey)
      .filter((key) => !reached.has(key)),
  ).toEqual([headers]);
});

/** An engine whose scans are counted: how often they came back with a hit. */
function counted(engine: Engine, count: () => void): Engine {
  const tile = (code: TileCode): TileCode => ({
    ...code,
    scan: (from, to, threshold) => {
      const at = code.scan(from, to, threshold);
      if (at < to) count();
      return at;
    },
  });
  return { ...engine, tile: (shape) => tile(engine.tile(shape)) };
}

for (const { name, slow, engine } of SUBJECTS) {
  test(`kernel ${name} reports no more hits than chance gives it`, () => {
    let hits = 0;
    const kernel = engineKernel(counted(engine(), () => hits++));
    const searches = scaled(10, slow);
    for (let i = 0; i < searches; i++) {
      kernel.bind(messageOf(i)).search(10_000_000n, 10_099_999n);
    }
    // A record falls about ln(100,000) = 11.5 times, less those within one batch.
    expect(hits / searches).toBeLessThan(searches < 10 ? 40 : 18);
    expect(hits / searches).toBeGreaterThan(1);
  });
}
