/**
 * The geo store by scenario, on virtual time, with what it may cost: rates, bytes and delays are
 * exact here. Rates are checked by the world itself, at every step.
 */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { integerBetween, seededRandom } from "../../base/random.ts";
import type { GeoNode } from "../../sim/geo/node.ts";
import { reconcile } from "../../bench/geo_virtual.ts";
import { GeoWorld } from "../../sim/geo/world.ts";

/** Local puts are at all actors of a server within this, and at other servers' within that. */
const LOCAL_MS = 500;
const REMOTE_MS = 2000;
/** Servers know each other within this. */
const MEET_MS = 5000;
const SIZES = [1, 2, 4].flatMap((servers) => [1, 2, 4].map((actors) => [servers, actors] as const));

/** Servers that know each other. */
function met(servers: number, actors: number, seed = 1): { world: GeoWorld; nodes: GeoNode[] } {
  const world = new GeoWorld({ seed });
  const nodes = world.servers(servers, actors);
  world.runUntil(() => areMet(nodes) && world.areEqual, 4 * MEET_MS, "all servers to meet");
  return { world, nodes };
}

function areMet(nodes: readonly GeoNode[]): boolean {
  return nodes.every(({ cores }) => {
    const others = [...cores[0]!.sync.links.values()].filter(({ isLocal }) => !isLocal);
    return others.length === nodes.length - 1;
  });
}

function demandEverywhere(world: GeoWorld, key: string, value: string | undefined): void {
  for (const { node, actor } of world.actors()) {
    assertEquals(world.get(node, actor, key), value, `${key} at ${node.address}#${actor}`);
  }
}

describe.each(SIZES)("%d servers of %d actors", (servers, actors) => {
  test("a put is at its actor at once, on its server in 500 ms, everywhere in 2 s", () => {
    const { world, nodes } = met(servers, actors);
    const last = actors - 1;
    world.put(nodes[0]!, last, "a", "1");
    assertEquals(world.get(nodes[0]!, last, "a"), "1");
    world.run(LOCAL_MS);
    for (let i = 0; i < actors; i++) assertEquals(world.get(nodes[0]!, i, "a"), "1");
    world.run(REMOTE_MS - LOCAL_MS);
    demandEverywhere(world, "a", "1");
    world.put(nodes.at(-1)!, 0, "a", "2");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "2");
  });

  test("each actor puts a key: all have all", () => {
    const { world } = met(servers, actors);
    let count = 0;
    for (const { node, actor } of world.actors()) world.put(node, actor, `k${count++}`, "x");
    world.run(REMOTE_MS);
    for (const { node, actor } of world.actors()) {
      assertEquals(world.list(node, actor, "k").length, count);
    }
  });

  test("300 puts 10 ms apart: the last wins everywhere, and the rate holds", () => {
    const { world, nodes } = met(servers, actors);
    for (let i = 1; i <= 300; i++) {
      world.put(nodes[0]!, 0, "busy", `${i}`);
      world.run(10);
    }
    world.run(REMOTE_MS);
    demandEverywhere(world, "busy", "300");
  });

  test("two actors put 10 ms apart: the later one wins", () => {
    const { world, nodes } = met(servers, actors);
    world.put(nodes[0]!, 0, "a", "early");
    world.run(10);
    world.put(nodes.at(-1)!, actors - 1, "a", "late");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "late");
  });

  test("100 random operations of each of 4 clients a server: all lists are equal", () => {
    const { world, nodes } = met(servers, actors);
    const random = seededRandom(servers, actors);
    for (let i = 0; i < 100; i++) {
      for (const node of nodes) {
        for (let client = 0; client < 4; client++) {
          const key = `key${integerBetween(random, 1, 20)}`;
          const actor = client % actors;
          const what = integerBetween(random, 0, 3);
          if (what === 0) world.put(node, actor, key, undefined);
          else if (what === 1) world.add(node, actor, key, integerBetween(random, -5, 5));
          else world.put(node, actor, key, `${i} ${client}`);
        }
      }
      world.run(20);
    }
    world.run(REMOTE_MS);
    assert(world.areEqual);
    for (const { node, actor } of world.actors()) {
      world.oracle.check(node.cores[actor]!.replica.entries());
    }
  });
});

describe("answers", () => {
  test("list: all keys, nested ones, none", () => {
    const { world, nodes } = met(1, 1);
    const [node] = nodes;
    for (const key of ["b/2", "a", "b", "b/1/x", "c"]) world.put(node!, 0, key, "v");
    world.put(node!, 0, "c", undefined);
    assertEquals(world.list(node!, 0, ""), ["a=v", "b=v", "b/1/x=v", "b/2=v"]);
    assertEquals(world.list(node!, 0, "b/"), ["b/1/x=v", "b/2=v"]);
    assertEquals(world.list(node!, 0, "d"), []);
  });

  test("a watch hears of changes wherever they were made, of its prefix only", () => {
    const { world, nodes } = met(2, 2);
    const id = world.ask(nodes[1]!, 1, { kind: "watch", prefix: "x" });
    world.put(nodes[0]!, 1, "x1", "1");
    world.put(nodes[0]!, 1, "y", "1");
    world.add(nodes[1]!, 0, "x2", 3);
    world.run(REMOTE_MS);
    world.put(nodes[0]!, 0, "x1", undefined);
    world.run(REMOTE_MS);
    const seen = world.events.get(id)!.map(({ key, value, count }) => `${key} ${value} ${count}`);
    assertEquals(seen.toSorted(), ["x1 49 undefined", "x1 undefined undefined", "x2 undefined 3"]);
  });

  test("a watch that was ended, or whose client is gone, hears no more", () => {
    const { world, nodes } = met(1, 1);
    const [node] = nodes;
    const id = world.ask(node!, 0, { kind: "watch", prefix: "" });
    world.ask(node!, 0, { kind: "unwatch", watch: id });
    world.put(node!, 0, "a", "1");
    assertEquals(world.events.get(id) ?? [], []);
  });
});

describe("the last writer wins", () => {
  test("over wall clocks that are minutes off: what was seen is overwritten", () => {
    const { world, nodes } = met(3, 1);
    nodes[0]!.aheadMs = 600_000;
    nodes[1]!.aheadMs = -600_000;
    world.put(nodes[0]!, 0, "a", "fast");
    world.run(REMOTE_MS);
    world.put(nodes[1]!, 0, "a", "slow, but it has seen the other");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "slow, but it has seen the other");
    world.put(nodes[2]!, 0, "a", "a third");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "a third");
  });

  test("the same value again is a new put", () => {
    const { world, nodes } = met(2, 1);
    world.put(nodes[0]!, 0, "a", "1");
    world.run(REMOTE_MS);
    world.network.cut(nodes[0]!.address, nodes[1]!.address);
    world.put(nodes[1]!, 0, "a", "2");
    world.run(100);
    world.put(nodes[0]!, 0, "a", "1");
    world.network.mendAll();
    world.run(3 * MEET_MS);
    demandEverywhere(world, "a", "1");
  });

  test("a clock that jumps back a day orders an actor's own puts", () => {
    const { world, nodes } = met(1, 2);
    world.put(nodes[0]!, 1, "a", "before");
    nodes[0]!.aheadMs = -86_400_000;
    world.put(nodes[0]!, 1, "a", "after");
    world.run(LOCAL_MS);
    demandEverywhere(world, "a", "after");
  });
});

describe("what is dated ahead", () => {
  test("an hour: it is merged, with a warning that names the server", () => {
    const { world, nodes } = met(2, 1);
    nodes[1]!.aheadMs = 3_600_000;
    world.put(nodes[1]!, 0, "a", "1");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "1");
    const [warning = ""] = nodes[0]!.warnings;
    assertEquals(
      warning,
      `merged a put of "a" by ${nodes[1]!.address}, dated 1 h 0 min ahead of this clock; compare the two clocks`,
    );
  });

  test("two days: it is refused, counted and named by the first server that sees it", () => {
    const { world, nodes } = met(3, 1);
    nodes[1]!.aheadMs = 2 * 86_400_000;
    world.put(nodes[1]!, 0, "a", "1");
    world.run(3 * REMOTE_MS);
    for (const node of [nodes[0]!, nodes[2]!]) {
      assertEquals(world.get(node, 0, "a"), undefined);
      assert(node.cores[0]!.counts.refusedAhead > 0);
      assert(node.warnings[0]!.startsWith(`refused a put of "a" by ${nodes[1]!.address}, dated 2`));
    }
  });
});

describe("servers that join", () => {
  test.each([1, 4])("all that was there goes to one with %d actors", (actors) => {
    const { world, nodes } = met(2, actors);
    for (let i = 0; i < 2000; i++) world.put(nodes[i % 2]!, 0, `k${i}`, "x");
    world.run(REMOTE_MS);
    const before = world.network.bytes();
    const late = world.server(3, actors, [nodes[1]!.address]);
    world.runUntil(() => areMet([...nodes, late]) && world.areEqual, 15_000, "the same state");
    const state = before / 1; // What 2,000 puts cost once, in the other direction.
    assert(world.network.bytes() - before < 2 * state, "a whole state comes from one server only");
  });

  test("puts go on meanwhile, with conflicting ones at the new server", () => {
    const { world, nodes } = met(3, 2);
    for (let i = 0; i < 100; i++) world.put(nodes[0]!, 0, `k${i}`, "old");
    const late = world.server(4, 2, [nodes[2]!.address]);
    for (let i = 0; i < 100; i++) {
      world.put(late, 1, `k${i}`, `late ${i}`);
      world.put(nodes[i % 3]!, 1, `k${i}`, `others ${i}`);
      world.run(25);
    }
    world.runUntil(() => areMet([...nodes, late]) && world.areEqual, 20_000, "the same state");
    world.oracle.check(late.cores[1]!.replica.entries());
  });

  test("the fourth of four, with 4 actors each", () => {
    const { world, nodes } = met(3, 4);
    world.put(nodes[0]!, 3, "a", "1");
    const late = world.server(4, 4, [nodes[0]!.address]);
    world.runUntil(() => areMet([...nodes, late]) && world.areEqual, 15_000, "the same state");
    world.put(late, 2, "a", "2");
    world.run(REMOTE_MS);
    demandEverywhere(world, "a", "2");
  });

  test("in any order: one that is told of a server which is not there yet", () => {
    const world = new GeoWorld({ seed: 1 });
    const first = world.server(1, 1, ["10.0.0.2:6090"]);
    world.run(10_000);
    const second = world.server(2, 1, []);
    world.runUntil(() => areMet([first, second]) && world.areEqual, MEET_MS, "the two to meet");
  });

  test("one that is told of itself goes on alone", () => {
    const world = new GeoWorld({ seed: 1 });
    const alone = world.server(1, 1, ["10.0.0.1:6090"]);
    world.run(5000);
    assertEquals(alone.cores[0]!.sync.joins, []);
  });
});

describe("servers that were away", () => {
  test("cut off for an hour of puts: only differences are sent when it is back", () => {
    const { world, nodes } = met(3, 1);
    const [first, second, away] = nodes as [GeoNode, GeoNode, GeoNode];
    for (let i = 0; i < 5000; i++) world.put(first, 0, `filler${i}`, "x".repeat(50));
    world.run(10_000);
    for (const other of [first, second]) world.network.cut(away.address, other.address);
    for (let minute = 0; minute < 60; minute++) {
      world.put(first, 0, `k${minute}`, "theirs");
      world.put(away, 0, `k${minute}`, minute % 2 === 0 ? "its own" : undefined);
      world.add(away, 0, "n", 1);
      world.add(second, 0, "n", 1);
      world.run(60_000);
    }
    world.network.mendAll();
    const before = world.network.bytes();
    const tookMs = world.runUntil(() => world.areEqual, 15_000, "the same state");
    assert(world.network.bytes() - before < 60_000, `${world.network.bytes() - before} bytes`);
    assertEquals(world.count(first, 0, "n"), 120);
    world.oracle.check(away.cores[0]!.replica.entries());
    assert(tookMs <= 10_000, `${tookMs} ms`);
  });

  test("crashed without a disk: a new life adds to counters, and nothing is swallowed", () => {
    const { world, nodes } = met(2, 1);
    world.add(nodes[1]!, 0, "n", 7);
    world.run(REMOTE_MS);
    for (let life = 0; life < 3; life++) {
      nodes[1]!.crash();
      world.run(1000);
      nodes[1]!.aheadMs = -60_000 * life;
      nodes[1]!.start();
      world.add(nodes[1]!, 0, "n", 2);
      world.put(nodes[1]!, 0, "life", `${life}`);
      world.run(MEET_MS);
    }
    world.runUntil(() => world.areEqual, MEET_MS, "the same state");
    assertEquals(world.count(nodes[0]!, 0, "n"), 13);
    world.oracle.check(nodes[0]!.cores[0]!.replica.entries());
  });

  test("with a disk: what was acknowledged is there after a power cut, snapshots included", () => {
    const world = new GeoWorld({ seed: 3 });
    const node = world.server(1, 2, [], true);
    for (let i = 0; i < 300; i++) {
      world.put(node, i % 2, `k${i % 40}`, `value ${i}`);
      world.add(node, i % 2, "n", 1);
      world.run(5);
    }
    node.crash();
    node.start();
    world.run(LOCAL_MS);
    assert(world.areEqual);
    world.oracle.check(node.cores[0]!.replica.entries());
    assert(node.cores[0]!.replica.size > 40);
  });

  test("a deletion is not undone by one who was away", () => {
    const { world, nodes } = met(2, 1);
    world.put(nodes[0]!, 0, "a", "1");
    world.run(REMOTE_MS);
    world.network.cut(nodes[0]!.address, nodes[1]!.address);
    world.put(nodes[0]!, 0, "a", undefined);
    world.run(3_600_000);
    world.network.mendAll();
    world.run(3 * MEET_MS);
    demandEverywhere(world, "a", undefined);
  });
});

describe("what is sent", () => {
  /** Bytes between servers that a round of 100 puts costs. */
  function roundBytes(world: GeoWorld, node: GeoNode, name: string): number {
    const before = world.network.bytes();
    for (let i = 0; i < 100; i++) world.put(node, 0, `${name}${i}`, "x".repeat(20));
    world.run(REMOTE_MS);
    return world.network.bytes() - before;
  }

  test("does not grow with what is there", () => {
    const { world, nodes } = met(2, 1);
    const first = roundBytes(world, nodes[0]!, "first");
    for (let i = 0; i < 1000; i++) world.put(nodes[0]!, 0, `filler${i}`, "x".repeat(20));
    world.run(10_000);
    const second = roundBytes(world, nodes[0]!, "second");
    assert(second <= 2 * first, `${second} bytes after ${first}`);
  });

  test("goes to another server once, however many actors it has", () => {
    const bytes = [1, 4].map((actors) => {
      const { world, nodes } = met(2, actors);
      return roundBytes(world, nodes[0]!, "k");
    });
    assert(bytes[1]! <= 2 * bytes[0]!, `${bytes}`);
  });

  test("is next to nothing when nothing changes", () => {
    const { world } = met(4, 4);
    const before = world.network.bytes();
    world.run(60_000);
    // Twelve directions, a message every two seconds.
    assert(world.network.bytes() - before < 12 * 30 * 100, `${world.network.bytes() - before} B`);
  });

  test("100,000 keys with 100 differences: at most 50 KB and 4 round trips", () => {
    const { bytes, roundTrips, tookMs } = reconcile(100_000, 100, 250);
    assert(bytes <= 50_000, `${bytes} bytes`);
    assert(roundTrips <= 4, `${roundTrips} round trips`);
    // A look every two seconds, and the round trips, each with the wait for the next message.
    assert(tookMs <= 2000 + 4 * 700, `${tookMs} ms`);
  });
});

describe("time", () => {
  test("a put is everywhere within 1.2 s in 99 of 100 cases, at 250 ms one way", () => {
    const { world, nodes } = met(3, 2);
    const random = seededRandom(7);
    const tookMs: number[] = [];
    for (let i = 0; i < 200; i++) {
      const node = nodes[integerBetween(random, 0, 2)]!;
      world.put(node, integerBetween(random, 0, 1), "a", `${i}`);
      const isThere = (): boolean =>
        [...world.actors()].every(({ node: one, actor }) => world.get(one, actor, "a") === `${i}`);
      tookMs.push(world.runUntil(isThere, REMOTE_MS, `put ${i} everywhere`));
      world.run(integerBetween(random, 0, 150));
    }
    const p99 = tookMs.toSorted((x, y) => x - y)[Math.ceil(0.99 * tookMs.length) - 1]!;
    assert(p99 <= 1200, `${p99} ms`);
  });

  test("half of all messages lost: all is everywhere in the end, and the rate holds", () => {
    const { world, nodes } = met(3, 2);
    world.network.faults = { ...world.network.faults, lossShare: 0.5 };
    for (let i = 0; i < 100; i++) {
      world.put(nodes[i % 3]!, i % 2, `k${i % 7}`, `${i}`);
      world.add(nodes[i % 3]!, i % 2, "n", 1);
      world.run(50);
    }
    world.runUntil(() => world.areEqual, 120_000, "the same state");
    assertEquals(world.count(nodes[0]!, 0, "n"), 100);
  });
});
