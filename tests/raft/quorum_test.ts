/** Commit indexes and elections, against a twin that goes through every set of nodes. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { type Config, quorumValue, voteResult } from "../../raft/mod.ts";
import { twinValue, twinVote } from "./twin.ts";

const COMPARISONS = 50_000;

function someNodes(random: Random, least: number, most: number): number[] {
  const all = [1, 2, 3, 4, 5, 6, 7, 8];
  const count = integerBetween(random, least, most);
  return Array.from({ length: count }, () => {
    return all.splice(integerBetween(random, 0, all.length - 1), 1)[0]!;
  });
}

function drawConfig(random: Random): Config {
  const outgoing = chance(random, 0.5) ? someNodes(random, 1, 4) : [];
  return { voters: someNodes(random, 0, 5), outgoing, learners: someNodes(random, 0, 2) };
}

describe("quorums", () => {
  test(`commit index: ${COMPARISONS} random configurations agree with the twin`, () => {
    const random = seededRandom(17, 1);
    let joint = 0;
    for (let i = 0; i < COMPARISONS; i++) {
      const config = drawConfig(random);
      if (config.outgoing.length > 0) joint++;
      const values = new Map<number, number>();
      for (let id = 1; id <= 8; id++) values.set(id, integerBetween(random, 0, 6));
      const value = quorumValue(config, (id) => values.get(id)!);
      const expected = twinValue(config, values);
      // A text for each comparison would take longer than all of them.
      if (value === expected) continue;
      assertEquals(value, expected, JSON.stringify({ config, values: [...values] }));
    }
    assert(joint > COMPARISONS / 4);
  });

  test(`votes: ${COMPARISONS} random elections agree with the twin`, () => {
    const random = seededRandom(17, 2);
    const seen: Record<string, number> = {};
    for (let i = 0; i < COMPARISONS; i++) {
      const config = drawConfig(random);
      const votes = new Map<number, boolean>();
      for (let id = 1; id <= 8; id++) if (chance(random, 0.7)) votes.set(id, chance(random, 0.6));
      const result = voteResult(config, (id) => votes.get(id));
      const expected = twinVote(config, votes);
      if (result !== expected) {
        assertEquals(result, expected, JSON.stringify({ config, votes: [...votes] }));
      }
      seen[result] = (seen[result] ?? 0) + 1;
    }
    assert(["won", "lost", "pending"].every((result) => seen[result]! > 1_000));
  });

  test("a configuration without voters decides nothing", () => {
    const nobody: Config = { voters: [], outgoing: [], learners: [1] };
    assertEquals(
      quorumValue(nobody, () => 7),
      -Infinity,
    );
    assertEquals(
      voteResult(nobody, () => true),
      "lost",
    );
  });
});
