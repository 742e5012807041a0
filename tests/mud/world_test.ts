/** What the world is to a player: who is where, and what is left of what was lost twice. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { coinsKey, type GameEvent, hardwareKey } from "../../mud/mod.ts";
import { MapWorld, Played } from "./played.ts";

function eventOf<Kind extends GameEvent["kind"]>(
  events: readonly GameEvent[],
  kind: Kind,
): Extract<GameEvent, { readonly kind: Kind }> | undefined {
  return events.find((event) => event.kind === kind) as Extract<GameEvent, { readonly kind: Kind }>;
}

test("who comes to a place meets those who are there, and not itself", () => {
  const world = new MapWorld();
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((name) => new Played(name, world));
  bob!.type("move 7");
  cat!.type("move 8");
  assertEquals(eventOf(ann!.type("move 7"), "moved"), {
    kind: "moved",
    place: "7",
    others: ["bob"],
  });
});

test("whose hardware broke on two servers at once still has a cpu", () => {
  const world = new MapWorld();
  const ann = new Played("ann", world);
  // Of one cpu, and two gpus, more was taken than there was.
  world.counters.set(hardwareKey("ann", "cpu"), -2);
  world.counters.set(hardwareKey("ann", "gpu"), -1);
  const none = { gpu: 0, asic: 0, quantum: 0, dark_matter: 0 };
  assertEquals(eventOf(ann.type("inv"), "inventory")?.inventory, { cpu: 1, ...none });
  assertEquals(eventOf(ann.type("stats"), "stats")?.power, 1);
});

test("who spent the same coins on two servers at once can buy nothing", () => {
  const world = new MapWorld();
  const ann = new Played("ann", world);
  world.counters.set(coinsKey("ann"), -3);
  assertEquals(eventOf(ann.type("buy cpu"), "refused")?.text, "one cpu costs 1; you have -3");
  assertEquals(world.counters.get(coinsKey("ann")), -3);
});
