/** The rules of the game, played on a world that is a map. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import {
  coinsKey,
  type GameEvent,
  hardwareKey,
  hereKey,
  hitsKey,
  placeKey,
  risenKey,
  roundKey,
  WorldError,
} from "../../mud/mod.ts";
import { loadedDice, MapWorld, Played, wordFor } from "./played.ts";

/** Dice for one attempt: how long it takes, then what comes of it. */
const HIT = [0, wordFor(10, 1, 20)];
const BREAK = [0, wordFor(2, 1, 20)];
const NOTHING = [0, wordFor(20, 1, 20)];

/** The first event of a kind. */
function the<Kind extends GameEvent["kind"]>(
  events: readonly GameEvent[],
  kind: Kind,
): Extract<GameEvent, { readonly kind: Kind }> {
  const found = events.find((event) => event.kind === kind);
  assert(found !== undefined, `expected ${kind}, got ${events.map((one) => one.kind).join(", ")}`);
  return found as Extract<GameEvent, { readonly kind: Kind }>;
}

const refusal = (events: readonly GameEvent[]): string => the(events, "refused").text;

describe("a player", () => {
  test("who is new stands on floor 5 with 0 coins and 1 cpu, an Undergraduate", () => {
    const player = new Played("ann", new MapWorld());
    assertEquals(the(player.events, "welcome"), {
      kind: "welcome",
      name: "ann",
      rank: 0,
      place: "5",
    });
    const stats = {
      kind: "stats",
      name: "ann",
      rank: 0,
      place: "5",
      coins: 0,
      power: 1,
      left: 100,
    };
    assertEquals<unknown>(player.type("stats"), [stats]);
    assertEquals(the(player.type("inv"), "inventory").inventory.cpu, 1);
  });

  test("who comes back, on another machine, goes on as before", () => {
    const world = new MapWorld();
    const first = new Played("ann", world);
    first.type("move bridge");
    world.counters.set(coinsKey("ann"), 9);
    first.type("buy cpu");
    first.leave(false);
    const second = new Played("ann", world);
    assertEquals(the(second.events, "welcome").place, "bridge");
    assertEquals(the(second.type("stats"), "stats").power, 10);
  });

  test("called like a rank is one like any other", () => {
    const world = new MapWorld();
    for (const name of ["Undergraduate", "PhD", "Retired"]) {
      const player = new Played(name, world);
      assertEquals(the(player.type("stats"), "stats").rank, 0);
    }
    assertEquals(the(new Played("x", world).type("stats"), "stats").left, 100);
  });

  test("whose name begins another's sees nothing of the other's", () => {
    const world = new MapWorld();
    world.registers.set(risenKey("bobby", 0), "0");
    world.counters.set(hardwareKey("bobby", "cpu"), 50);
    const stats = the(new Played("bob", world).type("stats"), "stats");
    assertEquals([stats.rank, stats.power], [0, 1]);
  });
});

describe("mining and buying", () => {
  test("mines 1 to power coins, after its time", () => {
    const world = new MapWorld();
    const player = new Played("ann", world, { random: loadedDice(2 ** 31, 0, 0) });
    player.typeOnly("mine");
    assertEquals(player.events.at(-1)?.kind, "working");
    player.pass(2100);
    assertEquals<unknown>(player.events.at(-1), { kind: "working", ms: 2200, what: "mine" });
    player.pass(100);
    assertEquals<unknown>(player.events.at(-1), { kind: "mined", coins: 1, total: 1 });
    assertEquals(world.counters.get(coinsKey("ann")), 1);
  });

  test("mine N mines N times; other numbers are refused", () => {
    const player = new Played("ann", new MapWorld());
    assertEquals(player.type("mine 5").filter(({ kind }) => kind === "mined").length, 5);
    for (const line of ["mine 0", "mine -1", "mine 1.5", "mine many", "mine 101"]) {
      assertStringIncludes(refusal(player.type(line)), "expected a number from 1 to 100");
    }
  });

  test("with a fleet mining is a search whose size goes by power", () => {
    const searches: (readonly [string, number])[] = [];
    const search = (message: string, count: number): bigint => {
      searches.push([message, count]);
      return 0n;
    };
    const world = new MapWorld();
    world.counters.set(hardwareKey("ann", "gpu"), 1);
    const player = new Played("ann", world, { search });
    assertEquals(the(player.type("mine"), "mined").coins, 11);
    player.type("mine");
    assertEquals(
      searches.map(([, count]) => count),
      [11_000_000, 11_000_000],
    );
    assert(searches[0]?.[0] !== searches[1]?.[0], "no search is made twice");
  });

  test("buying spends all coins that it can", () => {
    const world = new MapWorld();
    world.registers.set(risenKey("ann", 0), "0");
    world.counters.set(coinsKey("ann"), 14);
    const player = new Played("ann", world);
    const bought = the(player.type("buy gpu"), "bought");
    assertEquals([bought.count, bought.cost, bought.coins], [2, 10, 4]);
    assertEquals(world.counters.get(coinsKey("ann")), 4);
    assertEquals(the(player.type("inv"), "inventory").power, 21);
    assertStringIncludes(refusal(player.type("buy gpu")), "one gpu costs 5; you have 4");
  });

  test("what the shop does not show it does not sell", () => {
    const world = new MapWorld();
    world.counters.set(coinsKey("ann"), 10_000);
    const player = new Played("ann", world);
    assertEquals(
      the(player.type("shop"), "shop").items.map(({ name }) => name),
      ["cpu"],
    );
    assertEquals(refusal(player.type("buy dark_matter")), "dark_matter is sold from Professor on");
    assertEquals(world.counters.get(coinsKey("ann")), 10_000);
    assertStringIncludes(refusal(player.type("buy")), "the shop sells you cpu");
    assertStringIncludes(refusal(player.type("buy hat")), "hat: no such hardware");
  });

  test("with fewer than no coins nothing can be bought", () => {
    const world = new MapWorld();
    world.counters.set(coinsKey("ann"), -3);
    assertStringIncludes(refusal(new Played("ann", world).type("buy cpu")), "you have -3");
  });

  test("coins and hit points are only added to, never read and written back", () => {
    const world = new MapWorld();
    const player = new Played("ann", world, { random: seededRandom(2) });
    player.type("mine 20");
    player.type("buy cpu");
    player.type("solve");
    for (let at = 0; at < 10; at++) player.type("solve");
    const put = world.done.flatMap((one) => (one.kind === "put" ? [one.key] : []));
    assert(
      put.every((key) => !/coins|hits|hardware/.test(key)),
      put.join(" "),
    );
  });
});

describe("solving", () => {
  test("takes the problem on, hits with all power, and can be left", () => {
    const world = new MapWorld();
    world.counters.set(hardwareKey("ann", "cpu"), 29);
    const player = new Played("ann", world, { random: loadedDice(...HIT, ...NOTHING) });
    assertEquals<unknown>(player.type("solve"), [
      { kind: "problem", rank: 0, round: 0, left: 100 },
    ]);
    assert(player.isFighting, "a fight begins");
    assertEquals(the(player.type("solve"), "hit").left, 70);
    assertEquals(player.type("solve").at(-1)?.kind, "missed");
    assertStringIncludes(refusal(player.type("mine")), "not in a fight");
    assertEquals(the(player.type("inv"), "inventory").power, 30);
    player.type("resign");
    assert(!player.isFighting, "it is over");
    assertEquals(world.counters.get(hitsKey(0, 0)), 30);
  });

  test("whose hit empties the problem rises; it is whole again, once, for everybody", () => {
    const world = new MapWorld();
    world.counters.set(hardwareKey("ann", "cpu"), 149);
    const ann = new Played("ann", world, { random: loadedDice(...HIT) });
    const bob = new Played("bob", world, { random: loadedDice(0, ...HIT) });
    ann.type("solve");
    bob.type("solve");
    const events = ann.type("solve");
    assertEquals(the(events, "hit").left, 0);
    assertEquals(the(events, "risen").rank, 1);
    assert(!ann.isFighting, "the fight is over");
    assertEquals(world.registers.get(roundKey(0)), "1");
    // Bob fought the round that is over.
    assertEquals<unknown>(bob.type("solve").at(-1), { kind: "beaten", rank: 0, round: 0 });
    assertEquals(the(bob.type("solve"), "problem").round, 1);
    assertEquals(the(bob.type("solve"), "hit").left, 99);
    assertEquals(the(ann.type("stats"), "stats").left, 1000);
    assert(
      bob.events.some((one) => one.kind === "rose" && one.name === "ann"),
      "bob is told",
    );
  });

  test("a round that is over stays over, whatever the register says", () => {
    const world = new MapWorld();
    world.counters.set(hitsKey(0, 0), 120);
    world.counters.set(hitsKey(0, 1), 100);
    world.counters.set(hitsKey(0, 2), 40);
    for (const register of [undefined, "0", "1", "2", "rubbish"]) {
      if (register !== undefined) world.registers.set(roundKey(0), register);
      const problem = the(new Played("ann", world).type("solve"), "problem");
      assertEquals([problem.round, problem.left], [2, 60]);
    }
  });

  test("a hit on a problem that another's hit has emptied meanwhile makes nobody rise", () => {
    const world = new MapWorld();
    const player = new Played("ann", world, { random: loadedDice(...HIT) });
    player.type("solve");
    // Another's hit comes between this one's look at the problem and its own hit.
    const answer = world.answer.bind(world);
    world.answer = (operation) => {
      if (operation.kind === "add" && operation.amount > 0) world.counters.set(hitsKey(0, 0), 100);
      return answer(operation);
    };
    const events = player.type("solve");
    assertEquals(
      events.map(({ kind }) => kind),
      ["working", "hit", "beaten"],
    );
    assertEquals(world.registers.get(risenKey("ann", 0)), undefined);
  });

  test("what breaks leaves a quarter; where nothing is left, 1 cpu, and the fight is lost", () => {
    const world = new MapWorld();
    world.counters.set(hardwareKey("ann", "cpu"), 10);
    world.counters.set(hardwareKey("ann", "gpu"), 3);
    const player = new Played("ann", world, { random: loadedDice(...BREAK, ...BREAK) });
    player.type("solve");
    const broke = the(player.type("solve"), "broke");
    assertEquals([broke.lost.cpu, broke.lost.gpu, broke.isLostFight], [9, 3, false]);
    assert(player.isFighting, "it goes on");
    assertEquals(the(player.type("inv"), "inventory").power, 2);
    const again = the(player.type("solve"), "broke");
    assertEquals([again.lost.cpu, again.isLostFight], [1, true]);
    assert(!player.isFighting, "the fight is lost");
    assertEquals(the(player.type("inv"), "inventory").power, 1);
  });

  test("who had no cpu and loses all gets one", () => {
    const world = new MapWorld();
    world.counters.set(hardwareKey("ann", "cpu"), -1);
    world.counters.set(hardwareKey("ann", "gpu"), 2);
    const player = new Played("ann", world, { random: loadedDice(...BREAK) });
    player.type("solve");
    assert(the(player.type("solve"), "broke").isLostFight, "nothing was left");
    assertEquals(the(player.type("inv"), "inventory").inventory, {
      cpu: 1,
      gpu: 0,
      asic: 0,
      quantum: 0,
      dark_matter: 0,
    });
  });

  test("the retired have nothing left to solve", () => {
    const world = new MapWorld();
    for (let rank = 0; rank < 5; rank++) world.registers.set(risenKey("ann", rank), "0");
    const player = new Played("ann", world);
    assertStringIncludes(refusal(player.type("solve")), "nothing left to solve");
    assertEquals(the(player.type("stats"), "stats").left, undefined);
    assertEquals(the(player.type("shop"), "shop").items.length, 5);
  });
});

describe("the others", () => {
  test("are seen as they come, move, speak and go", () => {
    const world = new MapWorld();
    const ann = new Played("ann", world);
    const bob = new Played("bob", world);
    bob.type("say good morning");
    bob.type("move 7");
    bob.type("say can nobody hear me?");
    bob.type("move 5");
    bob.leave(false);
    const seen = ann.events.filter((one) => "name" in one && one.name === "bob");
    assertEquals(
      seen.map(({ kind }) => kind),
      ["joined", "said", "went", "came", "left"],
    );
  });

  test("are listed while they are here: a lost one for 70 seconds", () => {
    const world = new MapWorld();
    const ann = new Played("ann", world);
    new Played("bob", world).type("move bridge");
    const names = (): readonly string[] =>
      the(ann.type("who"), "who").players.map(({ name }) => name);
    assertEquals(names(), ["ann", "bob"]);
    assertEquals(the(ann.type("map"), "map").players, { 5: 1, bridge: 1 });
    ann.pass(71_000);
    assertEquals(ann.events.at(-1)?.kind, "left");
    assertEquals(names(), ["ann"]);
  });

  test("who are best: by rank, then by coins", () => {
    const world = new MapWorld();
    for (const [name, coins] of [
      ["ann", 5],
      ["bob", 50],
      ["cat", 0],
    ] as const) {
      new Played(name, world);
      world.counters.set(coinsKey(name), coins);
    }
    world.registers.set(risenKey("cat", 0), "0");
    const top = the(new Played("dan", world).type("top"), "top").players;
    assertEquals(
      top.map(({ name }) => name),
      ["cat", "bob", "ann", "dan"],
    );
  });

  test("cannot steer a terminal by what they say", () => {
    const world = new MapWorld();
    const ann = new Played("ann", world);
    const bob = new Played("bob", world);
    bob.type("say red\u001b[31malert\u0007");
    world.answer({ kind: "put", key: "mud/said/eve", value: "5 \u001b]0;title\u0007boo" });
    const texts = ann.events.flatMap((one) => (one.kind === "said" ? [one.text] : []));
    assertEquals(texts, ["red[31malert", "]0;title boo"]);
  });
});

describe("lines", () => {
  test("that are no command get a hint to the nearest", () => {
    const player = new Played("ann", new MapWorld());
    assertStringIncludes(refusal(player.type("hlep")), "did you mean help?");
    assertStringIncludes(refusal(player.type("Solv")), "did you mean solve?");
    assertStringIncludes(refusal(player.type("xyzzy")), "help lists the commands");
    assertStringIncludes(refusal(player.type("constructor")), "no such command");
    assertEquals(player.type("   "), []);
    assertStringIncludes(refusal(player.type("move roof")), "fence, bridge, 1, 2");
    assertStringIncludes(refusal(player.type("say")), "say what?");
    assertStringIncludes(refusal(player.type(`say ${"x".repeat(201)}`)), "at most 200");
  });

  test("that are too many at once are refused, not lost in silence", () => {
    const player = new Played("ann", new MapWorld());
    player.typeOnly("mine");
    for (let at = 0; at < 17; at++) player.typeOnly("stats");
    assertStringIncludes(refusal(player.events), "16 commands wait already");
  });

  test("behind quit are not done; who leaves is not here any more", () => {
    const world = new MapWorld();
    const player = new Played("ann", world);
    assert(world.registers.has(hereKey("ann")), "is here");
    player.type("quit");
    assert(player.hasLeft && !world.registers.has(hereKey("ann")), "is gone");
    assertEquals(world.registers.get(placeKey("ann")), "5");
  });

  test("an operation that fails ends its command alone, and what may have happened is said", () => {
    const world = new MapWorld();
    world.counters.set(coinsKey("ann"), 3);
    const player = new Played("ann", world);
    player.failNext = { kind: "add", error: new WorldError("no server answers", true) };
    const trouble = the(player.type("stats"), "trouble");
    assertEquals([trouble.text, trouble.key], ["no server answers", undefined]);
    assertEquals(the(player.type("stats"), "stats").coins, 3);
  });

  test("Ctrl-C in a fight leaves at once", () => {
    const player = new Played("ann", new MapWorld());
    player.type("solve");
    player.typeOnly("solve");
    player.leave(true);
    assert(player.hasLeft, "without waiting for the work");
  });
});
