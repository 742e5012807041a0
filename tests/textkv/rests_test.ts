/** Clients that ask for nothing of use have to rest: few of them, and all of a crowd together. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../textkv/limits.ts";
import { VirtualServer } from "./virtual.ts";

describe("a text server's core", () => {
  test("hears a crowd that sends garbage at a limited rate, and each in turn", () => {
    const { uselessMax, restGapMs } = DEFAULT_LIMITS;
    const server = new VirtualServer();
    for (let i = 0; i < 100; i++) server.connect().send("garbage\n".repeat(20_000));
    const before = server.core.counts().ignored.unknown;
    assert(before > 90 * uselessMax && before <= 100 * uselessMax, `${before} lines at first`);
    server.advance(1000);
    const inVain = server.core.counts().ignored.unknown - before;
    assert(inVain <= (1000 / restGapMs + 2) * uselessMax, `${inVain} lines`);
    assert(inVain >= (1000 / restGapMs - 2) * uselessMax, `${inVain} lines`);
    // In that time every one had its turn, and had it about as often as any other.
    const left = [...server.clients.values()].map(({ unsent }) => unsent);
    assert(
      Math.max(...left) - Math.min(...left) <= 4 * 8 * uselessMax + DEFAULT_LIMITS.aheadBytesMax,
    );
  });

  test("lets one that leaves half a line behind go only after a rest, any other at once", () => {
    const server = new VirtualServer();
    const { restMs } = DEFAULT_LIMITS;
    const good = server.connect().send("Put:k:v\nGet:k\n").end();
    assertEquals([good.lines, good.isClosed], [["k:v"], true]);
    const hostile = server.connect().send("Get:k\nGe").end();
    assertEquals([hostile.lines, hostile.isClosed], [["k:v"], false]);
    server.advance(restMs - 1);
    assertEquals(hostile.isClosed, false);
    server.advance(1);
    assertEquals([hostile.isClosed, server.core.counts().ignored.unfinished], [true, 1]);
  });
});
