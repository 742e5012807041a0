/** The rules of the game as numbers, and names. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import {
  affordable,
  attempt,
  coinsOfHash,
  HARDWARE,
  hitPoints,
  isName,
  minedCoins,
  ownerOf,
  placeOf,
  powerOf,
  quarter,
  RANKS,
  readSaid,
  risenKey,
  risenPrefix,
  sold,
  WORK_MS_MAX,
  workMs,
} from "../../mud/mod.ts";

const none = { cpu: 0, gpu: 0, asic: 0, quantum: 0, dark_matter: 0 };

describe("the rules of the game", () => {
  test("ranks have their hit points, and hardware its price and power", () => {
    const whole = RANKS.slice(0, 5).map((_, rank) => hitPoints(rank));
    assertEquals(whole, [100, 1_000, 10_000, 500_000, 10_000_000]);
    assertEquals(RANKS[5], "Retired");
    const rows = HARDWARE.map(({ name, price, power }) => `${name} ${price} ${power}`);
    assertEquals(rows, [
      "cpu 1 1",
      "gpu 5 10",
      "asic 25 100",
      "quantum 125 1000",
      "dark_matter 625 10000",
    ]);
  });

  test("the shop sells the first (rank + 1), and to the retired all", () => {
    assertEquals(
      [0, 1, 4, 5].map((rank) => sold(rank).length),
      [1, 2, 5, 5],
    );
  });

  test("power is the sum of all hardware's", () => {
    assertEquals(powerOf({ ...none, cpu: 3, gpu: 2, dark_matter: 1 }), 10_023);
  });

  test("what can be bought is all that coins pay for, never less than nothing", () => {
    assertEquals(affordable(14, 5, 0), 2);
    assertEquals(affordable(4, 5, 0), 0);
    assertEquals(affordable(-12, 5, 0), 0);
    assertEquals(affordable(1e12, 1, 999_999), 1);
  });

  test("of 20 attempts 3 break hardware, 16 hit, 1 does nothing", () => {
    const random = seededRandom(3);
    const counts = { breaks: 0, hits: 0, nothing: 0 };
    for (let at = 0; at < 20_000; at++) counts[attempt(random)]++;
    assert(Math.abs(counts.breaks - 3000) < 200, `3 of 20 break: ${counts.breaks}`);
    assert(Math.abs(counts.hits - 16_000) < 300, `16 of 20 hit: ${counts.hits}`);
    assert(Math.abs(counts.nothing - 1000) < 150, `1 of 20 does nothing: ${counts.nothing}`);
  });

  test("9 of 10 minings give 1 to power coins, each as often", () => {
    const random = seededRandom(4);
    const counts = new Map<number, number>();
    for (let at = 0; at < 20_000; at++) {
      const coins = minedCoins(4, random);
      counts.set(coins, (counts.get(coins) ?? 0) + 1);
    }
    assertEquals([...counts.keys()].sort(), [0, 1, 2, 3, 4]);
    assert(Math.abs((counts.get(0) ?? 0) - 2000) < 200, "1 of 10 gives nothing");
    for (let coins = 1; coins <= 4; coins++) {
      assert(Math.abs((counts.get(coins) ?? 0) - 4500) < 300, `${coins} as often as the others`);
    }
  });

  test("hashes of a real search are worth as much as dice", () => {
    const random = seededRandom(5);
    const count = 1000;
    let nothing = 0;
    let sum = 0;
    for (let at = 0; at < 4000; at++) {
      // The least of `count` uniform hashes, by its distribution's inverse.
      const least = 1 - (1 - random() / 2 ** 32) ** (1 / count);
      const coins = coinsOfHash(BigInt(Math.floor(least * 2 ** 64)), count, 100);
      assert(coins >= 0 && coins <= 100, `0..power, got ${coins}`);
      if (coins === 0) nothing++;
      sum += coins;
    }
    assert(Math.abs(nothing - 400) < 80, `1 of 10 gives nothing: ${nothing}`);
    assert(Math.abs(sum / 4000 - 45.5) < 2, `the mean of 0.9 x 1..100: ${sum / 4000}`);
    assertEquals(coinsOfHash(0n, count, 100), 100);
    assertEquals(coinsOfHash(2n ** 64n - 1n, count, 100), 0);
  });

  test("work takes up to 4 s", () => {
    const random = seededRandom(6);
    for (let at = 0; at < 1000; at++) {
      const ms = workMs(random);
      assert(ms > 0 && ms <= WORK_MS_MAX, `0..4000 ms, got ${ms}`);
    }
  });

  test("a quarter is left of what breaks", () => {
    assertEquals([0, 1, 3, 4, 7, 8, 100].map(quarter), [0, 0, 0, 1, 1, 2, 25]);
  });

  test("places are understood as people write them", () => {
    assertEquals(["4", "floor 4", "Floor4", "the bridge", "FENCE"].map(placeOf), [
      "4",
      "4",
      "4",
      "bridge",
      "fence",
    ]);
    assertEquals(["10", "0", "", "roof"].map(placeOf), [
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("names", () => {
  test("are 1 to 20 letters, digits, _ and -", () => {
    for (const name of ["a", "Bob_the-2nd", "x".repeat(20), "PhD", "__proto__"])
      assert(isName(name), name);
    for (const name of ["", "x".repeat(21), "a/b", "a b", "Jürgen", "a\n", "../x", "a.b"]) {
      assert(!isName(name), JSON.stringify(name));
    }
  });

  test('one that begins like another is not found in its things: list("comp/bob") found bobby', () => {
    assert(!risenKey("bobby", 0).startsWith(risenPrefix("bob")), "a prefix ends with a slash");
    assertEquals(ownerOf(risenKey("bobby", 0), "mud/risen/"), "bobby");
  });

  test("in the store that nobody may have are nobody's", () => {
    assertEquals(ownerOf("mud/here/a b", "mud/here/"), undefined);
    assertEquals(ownerOf("mud/here/", "mud/here/"), undefined);
    assertEquals(readSaid("nowhere hello"), undefined);
    assertEquals(readSaid("bridge"), undefined);
  });
});
