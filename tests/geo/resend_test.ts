/** What is lost between two servers, and how soon it is sent again. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { encodeEnvelope } from "../../geo/envelope.ts";
import { DIGEST_MS, PACE_MS, RESEND_MS } from "../../geo/limits.ts";
import type { GeoNode } from "../../sim/geo/node.ts";
import { GeoWorld } from "../../sim/geo/world.ts";

const CALM = { latencyMs: 1, jitterMs: 0, lossShare: 0, duplicateShare: 0 };

/** Two servers that have been quiet for a while. */
function quiet(): { world: GeoWorld; a: GeoNode; b: GeoNode } {
  const world = new GeoWorld({ seed: 1 });
  world.network.faults = CALM;
  const [a, b] = world.servers(2, 1);
  world.run(30_000);
  assert(world.areEqual);
  return { world, a: a!, b: b! };
}

describe("what is lost", () => {
  test("is sent again when it was not acknowledged in time, before states are compared", () => {
    const { world, a, b } = quiet();
    world.network.faults = { ...CALM, lossShare: 1 };
    world.put(a, 0, "x", "1");
    world.run(PACE_MS);
    world.network.faults = CALM;
    const isThere = (): boolean => world.get(b, 0, "x") === "1";
    const tookMs = world.runUntil(isThere, 60_000, "the put at the other");
    assert(tookMs <= RESEND_MS + PACE_MS + 10, `${tookMs} ms`);
  });

  test("is sent again later and later as long as nothing comes back, and soon when it does", () => {
    const { world, a, b } = quiet();
    const link = a.cores[0]!.sync.gateway(b.address)!;
    for (let round = 0; round < 2; round++) {
      world.network.faults = { ...CALM, lossShare: 1 };
      const before = a.cores[0]!.sync.entriesSent;
      world.put(a, 0, "x", `${round}`);
      // It is away after 7 s: then there is nothing to be sent.
      world.run(6500);
      const sent = a.cores[0]!.sync.entriesSent - before;
      assertEquals(sent, 3, `round ${round}: at once, after 1.5 s, and 3 s after that`);
      world.network.faults = CALM;
      world.runUntil(() => world.get(b, 0, "x") === `${round}`, 60_000, "the put at the other");
      world.run(30_000);
      assert(link.isQuiet);
    }
  });

  test("an acknowledgement of an earlier life is none of this one's", () => {
    const { world, a, b } = quiet();
    const earlier = a.life;
    a.crash();
    a.start();
    world.runUntil(() => world.areEqual, 60_000, "the same state");
    world.run(30_000);
    const link = a.cores[0]!.sync.gateway(b.address)!;
    world.network.faults = { ...CALM, lossShare: 1 };
    world.put(a, 0, "x", "1");
    world.run(PACE_MS);
    assertEquals(link.unacked, 1);
    const head = { address: b.address, life: b.life, actors: 1, index: 0, calls: "", calledAs: "" };
    const none = { seq: 0, digest: undefined, rows: [], items: [], wants: [], entries: [] };
    const acks = Array.from({ length: 50 }, (_, i) => i + 1);
    for (const [toLife, left] of [
      [earlier, 1],
      [a.life, 0],
    ] as const) {
      const bytes = encodeEnvelope({ ...head, ...none, toLife, acks });
      a.receive(0, { from: `${b.address}#0`, to: `${a.address}#0`, bytes });
      assertEquals(link.unacked, left);
    }
  });

  test("a server that is back is looked at at once", () => {
    const { world, a, b } = quiet();
    world.network.cut(a.address, b.address);
    world.run(60_000);
    world.put(a, 0, "x", "1");
    world.network.mendAll();
    const isThere = (): boolean => world.get(b, 0, "x") === "1";
    // The next look for it, and the put.
    const tookMs = world.runUntil(isThere, 60_000, "the put at the other");
    assert(tookMs <= DIGEST_MS + 2 * PACE_MS + 10, `${tookMs} ms`);
  });
});
