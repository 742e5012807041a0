/** What players read: every event as lines, at every width. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type GameEvent, HARDWARE, linesOf, RANKS } from "../../mud/mod.ts";
import { wrapped } from "../../base/text.ts";

const inventory = { cpu: 3, gpu: 0, asic: 1, quantum: 0, dark_matter: 0 };

const EVENTS: readonly GameEvent[] = [
  { kind: "welcome", name: "ann", rank: 0, place: "5" },
  { kind: "help", isFight: false },
  { kind: "help", isFight: true },
  { kind: "stats", name: "ann", rank: 2, place: "bridge", coins: 1234567, power: 11, left: 10_000 },
  { kind: "map", here: "5", players: { 5: 2, fence: 1 } },
  { kind: "moved", place: "7", others: ["bob", "cat"] },
  { kind: "working", ms: 400, what: "mine" },
  { kind: "searching", count: 1_000_000 },
  { kind: "mined", coins: 0, total: -3 },
  { kind: "shop", coins: 3, items: HARDWARE },
  { kind: "bought", hardware: "gpu", count: 2, cost: 10, coins: 4 },
  { kind: "inventory", inventory, power: 103 },
  { kind: "problem", rank: 0, round: 2, left: 40 },
  { kind: "hit", rank: 0, round: 2, power: 30, left: 10 },
  { kind: "missed" },
  { kind: "broke", lost: inventory, isLostFight: true },
  { kind: "beaten", rank: 0, round: 0 },
  { kind: "risen", rank: 5 },
  { kind: "resigned" },
  { kind: "who", players: [{ name: "x".repeat(20), rank: 0, place: "bridge" }] },
  { kind: "top", players: [] },
  { kind: "said", name: "bob", text: "hello ".repeat(30).trim() },
  { kind: "came", name: "bob" },
  { kind: "rose", name: "bob", rank: 1 },
  { kind: "refused", text: "no" },
  { kind: "trouble", text: "no answer", isUnknown: true },
  { kind: "bye" },
];

describe("lines", () => {
  test("tell every event, and fit into 80 and 40 columns", () => {
    for (const event of EVENTS) {
      for (const columns of [80, 40]) {
        const lines = linesOf(event, columns).flatMap(({ text }) => wrapped(text, columns, 2));
        assert(lines.length > 0, event.kind);
        for (const line of lines) assert(line.length <= columns, `${columns}: ${line}`);
        assert(
          lines.every((line) => !/undefined|NaN|\[object/.test(line)),
          lines.join("\n"),
        );
      }
    }
  });

  test("say it in good English", () => {
    const text = (event: GameEvent): string => linesOf(event, 80)[0]?.text ?? "";
    assertEquals(
      text({ kind: "welcome", name: "ann", rank: 0, place: "5" }),
      "Welcome, ann. You are an Undergraduate.",
    );
    assertEquals(text({ kind: "risen", rank: RANKS.length - 1 }), "Solved! You are Retired now.");
    assertEquals(
      text({ kind: "mined", coins: 1, total: 1 }),
      "You mined 1 coin: you have 1 coin now.",
    );
    assertEquals(text({ kind: "rose", name: "bob", rank: 1 }), "bob is a Masters student now.");
  });

  test("keep their indents, and are cut at words", () => {
    assertEquals(wrapped("  floor 9", 40, 2), ["  floor 9"]);
    assertEquals(wrapped("one two three four five six", 20, 2), [
      "one two three four",
      "  five six",
    ]);
  });
});
