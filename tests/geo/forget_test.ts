/** Servers that are gone for good: who calls them no more, what stays, and who comes back. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { memberKey } from "../../geo/envelope.ts";
import { AWAY_MS, DIGEST_MS } from "../../geo/limits.ts";
import { type Answer, keyOf } from "../../geo/requests.ts";
import type { GeoNode } from "../../sim/geo/node.ts";
import { GeoWorld } from "../../sim/geo/world.ts";

const MEET_MS = 20_000;
const DONE = "done";

/** The addresses of other servers that each calls, in order. */
function callsOf(nodes: readonly GeoNode[]): string[][] {
  return nodes.map(({ cores }) => {
    const others = [...cores[0]!.sync.links.values()].filter(({ isLocal }) => !isLocal);
    return others.map(({ server }) => server).toSorted();
  });
}

/** Servers that know each other, each durable or not. */
function met(count: number, isDurable = false): { world: GeoWorld; nodes: GeoNode[] } {
  const world = new GeoWorld({ seed: 1 });
  const first = world.server(1, 2, [], isDurable);
  const nodes = [first];
  for (let i = 2; i <= count; i++) nodes.push(world.server(i, 2, [first.address], isDurable));
  const areMet = (): boolean => callsOf(nodes).every(({ length }) => length === count - 1);
  world.runUntil(() => areMet() && world.areEqual, MEET_MS, "all servers to meet");
  return { world, nodes };
}

function forget(world: GeoWorld, node: GeoNode, server: string, actor = 0): string | undefined {
  let said: string | undefined;
  world.ask(node, actor, { kind: "forget", server: keyOf(server) }, (answer: Answer) => {
    said = answer.kind === "refused" ? answer.why : answer.kind;
  });
  // With a disk the answer waits for that.
  world.run(50);
  return said;
}

/** Messages that were sent to a server so far. */
function messagesTo({ network }: GeoWorld, server: string): number {
  let sum = 0;
  for (const [name, { messages }] of network.directions) {
    if (name.includes(` ${server}#`) && !name.startsWith(`${server}#`)) sum += messages;
  }
  return sum;
}

describe("forget", () => {
  test("a server that is gone: nobody calls it any more, and what it had put stays", () => {
    const { world, nodes } = met(3);
    const [a, b, c] = nodes;
    world.put(c!, 1, "x", "of c");
    world.add(c!, 0, "n", 5);
    world.run(2000);
    c!.crash();
    world.nodes.delete(c!.address);
    world.run(AWAY_MS + 1000);
    assertEquals(forget(world, a!, c!.address), DONE);
    world.run(2000);
    assertEquals(callsOf([a!, b!]), [[b!.address], [a!.address]]);
    const before = messagesTo(world, c!.address);
    world.run(60_000);
    assertEquals(messagesTo(world, c!.address), before);
    assertEquals([world.get(b!, 1, "x"), world.count(b!, 1, "n")], ["of c", 5]);
    assertEquals(forget(world, b!, c!.address), "no server");
    assert(world.areEqual);
  });

  test("without that a server that is gone is called for ever", () => {
    const { world, nodes } = met(2);
    nodes[1]!.crash();
    world.run(60_000);
    const before = messagesTo(world, nodes[1]!.address);
    world.run(60_000);
    assertEquals(messagesTo(world, nodes[1]!.address) - before, 60_000 / DIGEST_MS);
  });

  test("one that answers is not forgotten, nor oneself, nor one that nobody knows", () => {
    const { world, nodes } = met(2);
    const [a, b] = nodes;
    assertEquals(forget(world, a!, b!.address), "still there");
    assertEquals(forget(world, a!, a!.address), "still there");
    assertEquals(forget(world, a!, "10.9.9.9:1"), "no server");
    assertEquals(forget(world, a!, "nonsense"), "no server");
    assertEquals(forget(world, a!, b!.address, 1), "no actor");
    assertEquals(callsOf([a!, b!]), [[b!.address], [a!.address]]);
  });

  test("one that comes back is known to all again, with what it had", () => {
    const { world, nodes } = met(3, true);
    const [a, b, c] = nodes;
    for (const other of [a!, b!]) world.network.cut(c!.address, other.address);
    world.put(c!, 0, "x", "taken meanwhile");
    world.run(AWAY_MS + 1000);
    assertEquals(forget(world, b!, c!.address), DONE);
    world.run(2000);
    assertEquals(callsOf([a!, b!]), [[b!.address], [a!.address]]);
    c!.crash();
    world.network.mendAll();
    c!.start();
    const areMet = (): boolean => callsOf(nodes).every(({ length }) => length === 2);
    world.runUntil(() => areMet() && world.areEqual, MEET_MS, "all to meet again");
    assertEquals(world.get(a!, 1, "x"), "taken meanwhile");
    world.run(60_000);
    assert(areMet());
  });

  test("one that was only cut off makes itself known again, to newcomers too", () => {
    const { world, nodes } = met(3);
    const [a, b, c] = nodes;
    for (const other of [a!, b!]) world.network.cut(c!.address, other.address);
    world.run(AWAY_MS + 1000);
    assertEquals(forget(world, a!, c!.address), DONE);
    world.run(2000);
    world.network.mendAll();
    const isKnown = (): boolean =>
      a!.cores[0]!.replica.register(memberKey(c!.address))?.value !== undefined;
    world.runUntil(() => isKnown() && world.areEqual, MEET_MS, "it to be known again");
    const late = world.server(4, 1, [a!.address]);
    const others = [a!, b!, c!].map(({ address }) => address);
    world.runUntil(() => `${callsOf([late])}` === `${others}`, MEET_MS, "a newcomer to know it");
  });

  test("it is forgotten over restarts, too", () => {
    const { world, nodes } = met(3, true);
    const [a, b, c] = nodes;
    c!.crash();
    world.nodes.delete(c!.address);
    world.run(AWAY_MS + 1000);
    assertEquals(forget(world, a!, c!.address), DONE);
    world.run(2000);
    for (const node of [a!, b!]) {
      node.crash();
      node.start();
    }
    world.run(MEET_MS);
    assertEquals(callsOf([a!, b!]), [[b!.address], [a!.address]]);
  });

  test("what it had under way makes it known, but not for long", () => {
    const { world, nodes } = met(3);
    const [a, b, c] = nodes;
    world.network.faults = { ...world.network.faults, latencyMs: 3 * AWAY_MS };
    world.put(c!, 0, "late", "x");
    world.run(200);
    c!.crash();
    world.nodes.delete(c!.address);
    world.network.faults = { ...world.network.faults, latencyMs: 1 };
    world.run(AWAY_MS + 1000);
    assertEquals(forget(world, a!, c!.address), DONE);
    world.run(1000);
    assertEquals(callsOf([a!, b!]), [[b!.address], [a!.address]]);
    world.runUntil(() => callsOf([a!])[0]!.length === 2, MEET_MS, "what was under way");
    assertEquals(world.get(a!, 0, "late"), "x");
    world.runUntil(() => callsOf([a!, b!]).flat().length === 2, MEET_MS, "it to be forgotten");
  });

  test("an address that never answered is asked no more", () => {
    const world = new GeoWorld({ seed: 2 });
    const node = world.server(1, 1, ["10.9.9.9:6090"]);
    world.run(10_000);
    assertEquals(node.cores[0]!.sync.joins, ["10.9.9.9:6090"]);
    assertEquals(forget(world, node, "10.9.9.9:6090"), DONE);
    assertEquals(node.cores[0]!.sync.joins, []);
  });
});
